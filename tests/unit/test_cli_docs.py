"""docs/cli.md shows the real help. To write it anew: `python tests/unit/test_cli_docs.py`."""

import re
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from rotator.cli import main
from rotator.cli.exits import MEANING

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
BLOCK = re.compile(r"```text\n\$ rotator ([a-z -]*--help)\n(.*?)```", re.DOTALL)


def shown(words: str) -> str:
    """The help, as `rotator` prints it: a process for each command would start for longer than it runs."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out:
        patch.setenv("COLUMNS", "100")
        patch.setenv("NO_COLOR", "1")
        patch.delenv("ROTATOR_CONFIG", raising=False)
        patch.setattr(sys, "argv", ["rotator", *words.split()])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code
    return out.getvalue()


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
