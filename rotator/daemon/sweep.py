"""The sweep: looks at every target again and again, slowly and evenly, for what nobody announced."""

from datetime import datetime, timedelta

LEAST_APART = timedelta(seconds=0.5)
"""Between two looks of the sweep, on average: the time that it takes grows with the fleet, and not what it costs."""
_LEAST_PAUSE = timedelta(seconds=2)  # between two steps: looks that follow one another cost half as much as single ones


class Sweep:
    """Goes round the targets: once in `poll`, or in half a second for each if that takes longer."""

    def __init__(self, poll: timedelta) -> None:
        self._poll = poll
        self._names: list[str] = []
        self._place = 0
        self._last: datetime | None = None  # the moment of the last step

    def set_names(self, names: list[str]) -> None:
        """Goes round these targets from now on."""
        self._names = names

    def restart(self, now: datetime) -> None:
        """Counts the next step from now: everything is looked at anyway, or the clock was set."""
        self._last = now

    @property
    def takes(self) -> timedelta:
        """How long a round takes."""
        return max(self._poll, LEAST_APART * len(self._names))

    @property
    def moment(self) -> datetime | None:
        """When the next step is due; None: there is no target, or nothing was started."""
        if not self._names or self._last is None:
            return None
        return self._last + self.takes / len(self._names) * self._together

    def step(self, now: datetime) -> list[str]:
        """Returns the targets that come next."""
        self._last = now
        places = [(self._place + number) % len(self._names) for number in range(self._together)]
        self._place = (places[-1] + 1) % len(self._names)
        return [self._names[place] for place in places]

    @property
    def _together(self) -> int:
        number = len(self._names)
        return max(1, min(number, _LEAST_PAUSE // (self.takes / number)))
