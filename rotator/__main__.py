"""The `rotator` command as `python -m rotator`."""

import sys

from rotator import __version__

if not __version__:
    sys.exit("rotator is not installed: run `pip install .` in the directory of its pyproject.toml")

from rotator.cli import main  # needs the dependencies, which an uninstalled checkout lacks

main()
