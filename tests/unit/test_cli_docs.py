"""docs/cli.md shows the real help. To write it anew: `python tests/unit/test_cli_docs.py`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rotator.cli.exits import MEANING

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
BLOCK = re.compile(r"```text\n\$ rotator ([a-z -]*--help)\n(.*?)```", re.DOTALL)


def shown(words: str) -> str:
    environ = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    environ.pop("ROTATOR_CONFIG", None)
    command = [sys.executable, "-m", "rotator", *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=30, check=True)
    return done.stdout


def written() -> dict[str, str]:
    return dict(BLOCK.findall(PAGE.read_text()))


def commands() -> list[str]:
    listed = shown("--help").split("Commands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


@pytest.mark.parametrize("words", sorted(written()))
def test_the_page_shows_the_help_as_it_is(words):
    assert written()[words] == shown(words)


def test_the_page_has_every_command():
    assert set(written()) == {"--help", *(f"{command} --help" for command in commands())}


def test_the_page_lists_every_exit_code():
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(str(code.value), meaning) for code, meaning in MEANING.items()]


def test_every_help_has_examples():
    assert all("Examples:" in text for words, text in written().items() if words != "--help")


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda m: f"```text\n$ rotator {m[1]}\n{shown(m[1])}```", PAGE.read_text()))
