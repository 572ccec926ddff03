"""What to do about a target that needs attention: a sentence, and the commands. Pure.

The words are those of the filters and of the alerts; docs/operations.md has the whole of it below each alert.
"""

import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from rotator.core.holding import HoldEnd, HoldReason
from rotator.core.model import Target
from rotator.observe.needs import PAUSED_LONG, Need
from rotator.observe.notices import TOPICS, URGENT
from rotator.observe.target_figures import TargetSnapshot, rotation_held_since


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a need means, what somebody does about it, and the commands that find out more or end it."""

    need: str
    means: str
    advice: str
    commands: tuple[str, ...]

    @property
    def words(self) -> str:
        """Both in sentences."""
        return f"{self.means[0].upper()}{self.means[1:]}. {self.advice}".rstrip()

    @property
    def is_urgent(self) -> bool:
        """True if it cannot wait: devices may be refused, or a limit is broken."""
        return self.need in URGENT


_VERIFY, _PLAN, _REPORT = "rotator verify {name}", "rotator plan {name}", "rotator report {name}"
_ROTATE = "rotator rotate {name}"
_OVERDUE, _OVER_AGE = f'{_ROTATE} --reason "overdue"', f'{_ROTATE} --reason "age limit"'
_DESPITE = f'{_ROTATE} --despite-pause --reason "urgent"'
_STATUS = "rotator status {name}"
_RETIRE = "rotator retire {name}"  # shows what is left, and what is in its way
_ABANDON, _ADOPT = "rotator abandon {name}", "rotator adopt {name}"
_ASK, _CHECK = "rotator check-provider {account}", "rotator check-provider {account} --write"

_OF_NEEDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    Need.DEVICES_OUT: ("Does the provider's API answer?", (_VERIFY, _ROTATE)),
    Need.REFUSED: ("", (_VERIFY, _ROTATE)),
    Need.OVER_AGE_LIMIT: ("", (_REPORT, _OVER_AGE)),
    Need.STILL_ACCEPTED: ("It is tried again, and ended by other means where there are any.", ()),
    Need.KEEPS_FAILING: ("Fix the cause; then the first command tries at once.", (_ROTATE, _ABANDON)),
    Need.STAYS_OPEN: ("If it cannot end by itself, give it up.", (_ABANDON,)),
    Need.RETIREMENT_OVERDUE: ("The target's page says what is in the way.", ()),
    Need.IN_USE: ("Find the device: it has not read Vault, or not logged in again.", ()),
    Need.HOOK_FAILS: ("It is run again for a week: fix what it calls.", ()),
    Need.AGE_LIMIT_NEAR: ("", (_REPORT, _OVER_AGE)),
    Need.OVERDUE: ("", (_PLAN, _OVERDUE)),
    Need.FIRST_LATE: ("", (_PLAN,)),
    Need.PAUSED_LONG: ("End the pause, or take the blackout out of its policy.", (_STATUS,)),
    Need.UNVERIFIED: ("", (_VERIFY,)),
    Need.NOT_LOOKED_AT: ("Can Vault be read?", ()),
    Need.IN_THE_FUTURE: ("A clock was wrong.", ()),
}
_ROTATION_HELD = ("The first says what holds it; the second rotates all the same.", (_STATUS, _DESPITE))
# None of them cuts anybody off: such commands are in the documentation, with what to consider first.
_OF_HOLDS: Mapping[HoldReason, tuple[str, ...]] = {
    HoldReason.DOCUMENT_DELETED: (_ADOPT,),
    HoldReason.ACCOUNT_MISSING: (_ABANDON,),
    HoldReason.ACCOUNT_CHANGED: (_ADOPT,),
    HoldReason.CIRCUIT_OPEN: (_ASK,),
    HoldReason.NOT_RETIRED: (_ASK,),
    HoldReason.UNPROVED: (_VERIFY,),
    HoldReason.STRATEGY_DISPROVED: (_CHECK,),
    HoldReason.STRATEGY_UNPROVED: (_CHECK,),
    HoldReason.LEFT_ALONE: (_VERIFY,),
    HoldReason.BACKING_OFF: (_ROTATE,),
    HoldReason.FOREIGN_DOCUMENT: (_ADOPT, f"{_ROTATE} --take-over"),
    HoldReason.PUBLISHED_REFUSED: (_VERIFY, _ROTATE),
    HoldReason.UNVERIFIED: (_VERIFY,),
    HoldReason.HOOK_FAILED: (_ROTATE, _ABANDON),
    HoldReason.PAUSED: (_DESPITE,),
    HoldReason.BLACKOUT: (_DESPITE,),
    HoldReason.OUTSIDE_WINDOW: (_ROTATE,),
}
BY_URGENCY = tuple(topic for topic in TOPICS if topic in _OF_NEEDS)
"""The needs, the most urgent first."""


def remedies(words: Collection[str], seen: TargetSnapshot) -> Iterator[Remedy]:
    """Yields what to do about a target to which `words` apply, the most urgent first.

    Most commands know no removed target, and a rotation would bring a retired one back into service.
    """
    for need in BY_URGENCY:
        if need in words:
            advice, commands = _OF_NEEDS[need]
            if need is Need.PAUSED_LONG and _rotation_is_held_long(seen):
                advice, commands = _ROTATION_HELD
            if seen.has_left:
                advice, commands = f"Its target was {'removed' if seen.target.removed else 'retired'}.", (_RETIRE,)
            yield Remedy(need, TOPICS[need], advice, _filled(commands, seen.target))


def _rotation_is_held_long(seen: TargetSnapshot) -> bool:
    """True unless only a retirement is: a rotation would leave one more credential that is held."""
    since = rotation_held_since(seen)
    return since is not None and since + PAUSED_LONG <= seen.at


def commands_of_hold(reason: HoldReason, seen: TargetSnapshot) -> tuple[str, ...]:
    """Returns the commands that end a hold before its time, or find out more. Empty: see `end_of`."""
    commands = _OF_HOLDS.get(reason, ())
    return _filled((_RETIRE,) if commands and seen.has_left else commands, seen.target)


def end_of(reason: HoldReason) -> str:
    """Returns what ends a hold for which there is no command."""
    if reason.end is HoldEnd.BY_SOMEBODY:
        return "what its message says ends it"
    return "it ends by itself" if not reason.end.blocks else "it ends once the provider works again"


def _filled(commands: Collection[str], target: Target) -> tuple[str, ...]:
    names = {"name": shlex.quote(target.name), "account": shlex.quote(target.account)}
    return tuple(each.format_map(names) for each in commands)
