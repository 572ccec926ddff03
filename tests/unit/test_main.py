"""`python -m rotator`, installed and not."""

import signal
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


LOADING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.{before})
class Impatient:
    def find_spec(self, name, *_):
        if name == "rotator.cli.app":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Impatient())
from rotator.cli import main
sys.argv = ["rotator", "--version"]
main()
"""


def ends_while_loading(before: str) -> "subprocess.CompletedProcess[str]":
    """Ctrl-C while the modules of the command are loaded."""
    words = [sys.executable, "-c", LOADING.format(before=before)]
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)


def test_ctrl_c_while_the_command_is_loaded_is_no_traceback() -> None:
    done = ends_while_loading("default_int_handler")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_a_ctrl_c_that_the_shell_has_the_command_ignore_is_ignored() -> None:
    """In the background of a script it is for others."""
    done = ends_while_loading("SIG_IGN")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("rotator ")
