"""The words for moments, durations and numbers. Pure."""

from datetime import datetime, timedelta, tzinfo

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def length_text(length: timedelta) -> str:
    """Formats a duration in its two largest units: `3 d 4 h`, `12 min`, `5 s`. Never negative."""
    rest, parts = max(round(length.total_seconds()), 0), []
    for unit, seconds in _UNITS:
        if rest >= seconds:
            parts.append(f"{rest // seconds} {unit}")
            rest %= seconds
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 s"


def counted(number: int, what: str) -> str:
    """Returns `1 target`, `2,000 targets`."""
    return f"{number} {what}" if number == 1 else f"{number:,} {what}s"


def relative(moment: datetime, now: datetime) -> str:
    """Returns `in 3 d 4 h` or `5 min ago`."""
    if moment >= now:
        return f"in {length_text(moment - now)}"
    return f"{length_text(now - moment)} ago"


def local(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Returns the time in a zone, or this machine's. A time within the hour has seconds and no date."""
    near = abs(moment - now) < timedelta(hours=1)
    return moment.astimezone(zone).strftime("%H:%M:%S" if near else "%Y-%m-%d %H:%M")


def when(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Returns the relative and the local time: `in 3 d 4 h (2026-01-05 12:00)`."""
    return f"{relative(moment, now)} ({local(moment, now, zone)})"
