"""What the default run tries, and what only the long one does."""

from typing import Any

import pytest
from hypothesis import settings


def examples(number: int) -> settings:
    """Returns settings: so many examples in the default run, and ten times as many in the long one."""
    return settings(max_examples=number if settings().derandomize else 10 * number)


def only_long(*values: Any) -> list[Any]:
    """Returns further values of a parameter, for the long run: in the default run another test covers them."""
    rows = [value if isinstance(value, tuple) else (value,) for value in values]
    return [pytest.param(*row, marks=pytest.mark.long) for row in rows]
