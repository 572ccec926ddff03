"""How many examples Hypothesis tries."""

from hypothesis import settings


def examples(number: int) -> settings:
    """Returns settings: so many examples in the default run, and ten times as many in the long one."""
    return settings(max_examples=number if settings.default.derandomize else 10 * number)
