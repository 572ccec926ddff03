"""What a shell completes."""

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from rotator.cli import main

MINIMAL = Path(__file__).parents[2] / "config" / "minimal.yaml"


def asked(words: str, **environ: str) -> dict[str, str]:
    position = str(len(words.split()) - 1)
    return {"COMP_WORDS": words, "COMP_CWORD": position, "_ROTATOR_COMPLETE": "complete_bash", **environ}


def completed(words: str, **environ: str) -> list[str]:
    """Returns what a shell offers for the last of these words."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        for name, value in asked(words, **environ).items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit):
            main()
    assert not err.getvalue()
    return out.getvalue().split()


def test_commands_are_completed_by_a_process_as_in_a_shell():
    command, environ = [sys.executable, "-m", "rotator"], {**os.environ, **asked("rotator ver")}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60, check=False)
    assert (done.stdout.split(), done.stderr) == (["verify", "verify-report", "verify-audit"], "")


@pytest.mark.parametrize("command", ["rotate", "undo", "retire"])
def test_targets_are_completed(command):
    environ = {"VOBIZ_AUTH_TOKEN": "a-token-of-a-test", "ROTATOR_CONFIG": str(MINIMAL)}
    assert completed(f"rotator {command} off", **environ) == ["office-phone"]


def test_the_configuration_that_was_named_counts():
    named = f"rotator rotate --config {MINIMAL} off"
    assert completed(named, VOBIZ_AUTH_TOKEN="a-token-of-a-test", ROTATOR_CONFIG="/nowhere") == ["office-phone"]


def test_a_configuration_that_cannot_be_loaded_completes_nothing_and_says_nothing(tmp_path):
    broken = tmp_path / "config.yaml"
    broken.write_text("targets: [")
    assert completed("rotator rotate off", ROTATOR_CONFIG=str(broken)) == []
    assert completed("rotator rotate off", ROTATOR_CONFIG=str(tmp_path / "none.yaml")) == []
