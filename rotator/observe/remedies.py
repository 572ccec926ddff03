"""What somebody does about a target that needs it: in a sentence, with the commands. Pure.

The words are those of the filters and of the alerts; docs/operations.md has the whole of it below each alert.
"""

import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from rotator.core.holding import HoldEnd, HoldReason
from rotator.core.model import Target
from rotator.observe.needs import Need


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a word means, and the commands that find out more or end it: the likeliest first."""

    word: str
    means: str
    commands: tuple[str, ...] = ()
    urgent: bool = False  # devices may be refused, or a limit is broken


_VERIFY, _PLAN = "rotator verify {name}", "rotator plan {name}"
_ROTATE = 'rotator rotate {name} --reason "overdue"'
_DESPITE = 'rotator rotate {name} --despite-pause --reason "urgent"'
_ABANDON = "rotator abandon {name}"
_ADOPT = "rotator adopt {name}"
_CHECK = "rotator check-provider {account} --write"

_OF_NEEDS: Mapping[str, Remedy] = {
    each.word: each
    for each in (
        Remedy(
            Need.DEVICES_OUT,
            "Devices may be refused: a password was set in place, and is not proved or not published.",
            (_VERIFY, "rotator rotate {name}"),
            urgent=True,
        ),
        Remedy(
            Need.REFUSED, "The provider refuses what is published.", (_VERIFY, "rotator rotate {name}"), urgent=True
        ),
        Remedy(
            Need.OVER_AGE_LIMIT,
            "A password is accepted that is older than the limit.",
            ("rotator report {name}", 'rotator rotate {name} --reason "age limit"'),
            urgent=True,
        ),
        Remedy(
            Need.STILL_ACCEPTED,
            "What was ended still lets somebody in. It is tried again, and ended by other means where there are any.",
            urgent=True,
        ),
        Remedy(
            Need.KEEPS_FAILING,
            "Three failures in a row. Mend the cause; then this tries at once.",
            ("rotator rotate {name}", _ABANDON),
        ),
        Remedy(
            Need.STAYS_OPEN,
            "A rotation began more than an hour ago. If it cannot end by itself, give it up.",
            (_ABANDON,),
        ),
        Remedy(Need.OVERDUE, "The password is older than its policy allows.", (_PLAN, _ROTATE)),
        Remedy(
            Need.AGE_LIMIT_NEAR,
            "An accepted password reaches its limit soon.",
            ("rotator report {name}", 'rotator rotate {name} --reason "age limit"'),
        ),
        Remedy(Need.FIRST_LATE, "A first rotation has been due for a day.", (_PLAN,)),
        Remedy(
            Need.PAUSED_LONG,
            "A rotation has been due for a week, and a pause or a blackout holds it.",
            (_DESPITE,),
        ),
        Remedy(
            Need.RETIREMENT_OVERDUE,
            "What was replaced should have been retired by now. Its page says what is in the way.",
        ),
        Remedy(
            Need.IN_USE,
            "Devices use a replaced credential past its overlap, or nobody can say. Find the device.",
            ("rotator rotate {name} --compromised",),
        ),
        Remedy(
            Need.HOOK_FAILS,
            "What a hook was to tell is not known there. It is run again for a week: mend what it calls.",
        ),
        Remedy(Need.UNVERIFIED, "Nobody could be asked for long whether the password is accepted.", (_VERIFY,)),
        Remedy(Need.NOT_LOOKED_AT, "Nobody has read its state for long: is Vault reachable?"),
        Remedy(Need.IN_THE_FUTURE, "Stored times lie in the future: a clock was wrong."),
    )
}
_OF_HOLDS: Mapping[HoldReason, tuple[str, ...]] = {
    HoldReason.DOCUMENT_DELETED: (_ADOPT,),
    HoldReason.ACCOUNT_MISSING: (_ABANDON,),
    HoldReason.ACCOUNT_CHANGED: (_ADOPT,),
    HoldReason.CIRCUIT_OPEN: (_CHECK,),
    HoldReason.UNPROVED: (_VERIFY,),
    HoldReason.STRATEGY_DISPROVED: (_CHECK,),
    HoldReason.STRATEGY_UNPROVED: (_CHECK,),
    HoldReason.LEFT_ALONE: (_VERIFY,),
    HoldReason.BACKING_OFF: ("rotator rotate {name}",),
    HoldReason.FOREIGN_DOCUMENT: (_ADOPT, "rotator rotate {name} --take-over"),
    HoldReason.PUBLISHED_REFUSED: (_VERIFY, "rotator rotate {name}"),
    HoldReason.UNVERIFIED: (_VERIFY,),
    HoldReason.HOOK_FAILED: ("rotator rotate {name}", "rotator abandon {name}"),
    HoldReason.KEPT_IN_USE: ("rotator rotate {name} --compromised",),
    HoldReason.PAUSED: (_DESPITE,),
    HoldReason.BLACKOUT: (_DESPITE,),
    HoldReason.OUTSIDE_WINDOW: ("rotator rotate {name}",),
    HoldReason.RETIRED: ("rotator rotate {name}",),
}
BY_URGENCY = tuple(_OF_NEEDS)
"""The needs, those that cannot wait first."""
URGENT = frozenset(word for word, remedy in _OF_NEEDS.items() if remedy.urgent)
"""Those."""


def remedies(words: Collection[str], target: Target) -> Iterator[Remedy]:
    """Yields what is to be done about a target of which `words` are true; what cannot wait first."""
    for need, remedy in _OF_NEEDS.items():
        if need in words:
            commands = ("rotator retire {name}",) if target.removed else remedy.commands
            yield Remedy(need, remedy.means, _filled(commands, target), remedy.urgent)


def commands_of_hold(reason: HoldReason, target: Target) -> tuple[str, ...]:
    """Returns the commands that end a hold before its time, or find out more. Empty: see `end_of`."""
    return _filled(_OF_HOLDS.get(reason, ()), target)


def end_of(reason: HoldReason) -> str:
    """Returns what ends a hold for which there is no command."""
    if reason.end is HoldEnd.BY_SOMEBODY:
        return "what its message says ends it"
    return "it ends by itself" if not reason.end.blocks else "it ends once the provider works again"


def _filled(commands: Collection[str], target: Target) -> tuple[str, ...]:
    names = {"name": shlex.quote(target.name), "account": shlex.quote(target.account)}
    return tuple(each.format_map(names) for each in commands)
