"""What the last listings of accounts showed for selections: the source of their metrics and their part of /status."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class SelectionFigures:
    """One account."""

    listed_at: datetime
    selected: int
    gone: tuple[str, ...]  # names of targets whose credential in use is not listed
    unnamable: tuple[str, ...]  # usernames that cannot be part of a target's name
    undecided: int  # credentials of which it is not known yet whether a rotation made them

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of credentials by what became of them."""
        return {
            "selected": self.selected,
            "gone": len(self.gone),
            "unnamable": len(self.unnamable),
            "undecided": self.undecided,
        }


class Selections:
    """The figures of every account with selections. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._accounts: dict[str, SelectionFigures] = {}

    def set(self, account: str, figures: SelectionFigures) -> None:
        """Takes note of a listing."""
        with self._lock:
            self._accounts[account] = figures

    def keep(self, accounts: Container[str]) -> None:
        """Forgets the accounts that have no selections any more."""
        with self._lock:
            self._accounts = {name: figures for name, figures in self._accounts.items() if name in accounts}

    def all(self) -> Mapping[str, SelectionFigures]:
        """Returns the figures by account."""
        with self._lock:
            return dict(self._accounts)

    def document(self) -> dict[str, Any]:
        """Returns their part of /status, with some of the names."""
        return {
            account: {
                "listed_at": figures.listed_at.isoformat(),
                **figures.counts,
                "gone_targets": list(figures.gone[:_MOST_NAMED]),
                "unnamable_usernames": list(figures.unnamable[:_MOST_NAMED]),
            }
            for account, figures in self.all().items()
        }
