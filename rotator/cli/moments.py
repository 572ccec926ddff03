"""Reads the times that people type."""

from datetime import datetime

from rotator.cli.exits import CommandError, Exit
from rotator.fields.times import duration


def moment_of(text: str, now: datetime) -> datetime:
    """Reads a day (its beginning), a moment, both in local time unless they say otherwise, or a time from now.

    Raises:
        CommandError: it is none of these.
    """
    try:
        return now + duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{text!r} is neither a day (2026-01-31), nor a moment (2026-01-31T12:00), nor a time from now (7d)",
            Exit.USAGE,
        ) from None
    return moment if moment.tzinfo is not None else moment.astimezone()
