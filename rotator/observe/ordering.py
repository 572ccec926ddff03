"""What targets can be sorted by. Pure."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from rotator.observe.target_figures import TargetSnapshot
from rotator.observe.target_words import state_word

_LATEST = datetime.max.replace(tzinfo=UTC)


class Order(StrEnum):
    """What the rows are sorted by."""

    NAME = "name"
    DUE = "due"  # the next rotation first
    AGE = "age"  # the oldest password first
    NEED = "need"  # first those that somebody has to look after


def sort_key(order: Order, needs: Collection[str]) -> Callable[[TargetSnapshot], Any]:
    """Returns the key of an order. `needs` are the names of the targets that somebody has to look after."""

    def by_need(seen: TargetSnapshot) -> Any:
        urgent = seen.target.name in needs or state_word(seen.state, seen.hold) == "blocked"
        return not urgent, -seen.state.failures

    keys: dict[Order, Callable[[TargetSnapshot], Any]] = {
        Order.NAME: lambda seen: seen.target.name,
        Order.DUE: lambda seen: seen.state.next_rotation or _LATEST,
        Order.AGE: lambda seen: seen.made_at or _LATEST,
        Order.NEED: by_need,
    }
    return keys[order]
