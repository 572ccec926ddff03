"""What a shell completes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MINIMAL = Path(__file__).parents[2] / "config" / "minimal.yaml"


def completed(words: str, **environ: str) -> list[str]:
    """Returns what a shell offers for the last of these words."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1), "_ROTATOR_COMPLETE": "complete_bash"}
    command = [sys.executable, "-c", "from rotator.cli.app import main; main()"]
    environ = {**os.environ, **asked, **environ}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60, check=False)
    assert not done.stderr
    return done.stdout.split()


def test_commands_are_completed():
    assert completed("rotator ver") == ["verify", "verify-report", "verify-audit"]


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
