"""What the bar says of how fast it goes."""

import io
import re

import pytest
from rich.console import Console

from rotator.cli.progress import LiveProgress


class _Display:
    """A terminal, and a clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.written, self.now = io.StringIO(), 0.0
        terminal = Console(file=self.written, force_terminal=True, width=120, height=40)
        self.live = LiveProgress(terminal, 1500, lambda: self.now)

    def last(self) -> str:
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.written.getvalue())
        return next(line for line in reversed(plain.replace("\r", "\n").splitlines()) if "/1500" in line)


@pytest.mark.parametrize(
    ("seconds", "said"), [(1.9, "2 s"), (5.0, "41.0/s, 32 s left"), (10.0, "20.5/s, 1 min 3 s left")]
)
def test_many_that_end_at_once_are_no_pace(seconds, said):
    """Of 205 that ended within two milliseconds it said 92910.4/s, and that nothing was left to wait for."""
    display = _Display()
    with display.live.visible():
        display.live.begins("ended", 1500)
        for _ in range(205):
            display.now += 0.00001
            display.live.advance()
        display.now = seconds
    assert display.last().rstrip().endswith(f"ended  {said}")


def test_before_the_first_one_it_says_how_long_it_has_taken():
    display = _Display()
    with display.live.visible():
        display.live.begins("ended", 1500)
        display.now = 7.0
    assert display.last().rstrip().endswith("ended  7 s")
