"""The form in which a metric is described.

Label values are names from the configuration or words from the code: bounded, never an id or free text.
"""

from dataclasses import dataclass
from datetime import timedelta

GRACE = timedelta(minutes=10)  # how late a retirement may be before it counts as overdue


@dataclass(frozen=True, slots=True)
class Described:
    """The name, meaning and labels of one metric."""

    name: str
    kind: str  # counter, gauge, summary or histogram
    labels: tuple[str, ...]
    help: str
