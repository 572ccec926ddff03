"""`python -m rotator`, installed and not."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_checkout_that_is_not_installed_says_what_to_do() -> None:
    without_packages = [sys.executable, "-S", "-m", "rotator", "--version"]
    done = subprocess.run(
        without_packages, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("rotator is not installed: docs/operations.md of the checkout says how")
    assert "Traceback" not in done.stderr
