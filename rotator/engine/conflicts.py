"""What follows a conflict: another process wrote first, so the documents are read and the change is made again."""

from collections.abc import Callable
from typing import TypeVar

from rotator.ports import Clock, Conflict

T = TypeVar("T")

MOST_CONFLICTS = 5
AFTER_CONFLICT = 0.15  # seconds: a standby of Vault may answer from a state that is up to 0.1 s old


def repeat_on_conflict(act: Callable[[], T], clock: Clock, read: Callable[[], object] = lambda: None) -> T:
    """Returns what `act` returns. After a conflict it reads again and acts again; after several it raises Conflict."""
    for _ in range(MOST_CONFLICTS - 1):
        try:
            return act()
        except Conflict:
            clock.sleep(AFTER_CONFLICT)
            read()
    return act()
