"""The `rotator` command as `python -m rotator`."""

import sys

from rotator import __version__

if not __version__:
    sys.exit("rotator is not installed: docs/operations.md of the checkout says how, under Install")

from rotator.cli import main  # needs the dependencies, which an uninstalled checkout lacks

main()
