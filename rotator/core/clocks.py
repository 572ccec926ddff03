"""Two clocks: this machine's and Vault's. What time alone triggers must be due by both."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Vault's time comes from the Date of its answers, which has whole seconds and ages while the answer travels.
RESOLUTION = timedelta(seconds=2)
WORTH_TELLING = timedelta(minutes=1)
"""A greater difference is an alert."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """One moment as this machine and as Vault see it. Nobody can tell which one is right."""

    local: datetime
    vault: datetime

    @property
    def offset(self) -> timedelta:
        """How far the local clock is ahead of Vault's; zero if that is less than can be measured."""
        offset = self.local - self.vault
        return offset if abs(offset) > RESOLUTION else timedelta()

    @property
    def earliest(self) -> datetime:
        """The earlier of the two: whatever is due by now is due by both clocks."""
        return self.vault if self.local - self.vault > RESOLUTION else self.local

    @property
    def latest(self) -> datetime:
        """The later of the two: a period that begins now ends in time by neither clock too early."""
        return self.vault if self.vault - self.local > RESOLUTION else self.local

    @property
    def differ(self) -> bool:
        """True if somebody must be told."""
        return abs(self.offset) > WORTH_TELLING
