"""What `rotator reconcile` says of each discrepancy: what it is, and what ends it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rotator.core.discrepancies import Discrepancy, DiscrepancyKind, Reason
from rotator.observe.time_words import counted

_MOST_NAMED = 5


class _Said(NamedTuple):
    what: str
    remedy: str


_VERIFY = "rotator verify {names}: the daemon looks into it, and repairs it"
_ROTATE = "rotator rotate {names}"
_UNUSED = "if nobody uses it: delete it at the provider"
_RETIRE = (
    f"rotator reconcile {{account}} --repair orphaned retires it if the audit shows that it is ours; else, {_UNUSED}"
)
_SAID = {
    Reason.UNNAMED: _Said("no document names it", "if devices use it: rotator import {account} --from listing"),
    Reason.REPLACED_NAME: _Said("{target} is configured with this username, and uses another by now", _UNUSED),
    Reason.BY_ATTEMPT: _Said("its name carries an attempt of rotator, and no document names it", _RETIRE),
    Reason.BY_NAME: _Said("it is named as those that are made for {target}, and no document names it", _RETIRE),
    Reason.SCRATCH: _Said("rotator check-provider has left it", "rotator check-provider {account} --write"),
    Reason.LOST_SCRATCH: _Said("rotator check-provider has made it", "no device got it: delete it at the provider"),
    Reason.OF_REMOVED: _Said(
        "published by {target}, which is not configured", "rotator retire {target} --published, or configure it again"
    ),
    Reason.PUBLISHED_GONE: _Said("published, and not there", _VERIFY),
    Reason.STANDBY_GONE: _Said("the idle one is not there", f"{_ROTATE} makes it again"),
    Reason.REPLACED_GONE: _Said("it was replaced, and somebody has deleted it", "nothing to do: it is noted in time"),
    Reason.CONFIGURED_GONE: _Said("configured, and not there", "correct the username, or say that it is new: true"),
    Reason.REMOVED_GONE: _Said(
        "published by {target}, which is not configured, and not there", "rotator retire {target} --published"
    ),
    Reason.DISABLED: _Said("published, and disabled at the provider", _VERIFY),
    Reason.REPLACED_DISABLED: _Said(
        "devices may still use it, and it is disabled at the provider",
        "enable it at the provider if devices still use it",
    ),
    Reason.REPLACED_ENABLED: _Said(
        "rotator has disabled it, and it is enabled at the provider",
        "disable it at the provider, or wait for its quarantine",
    ),
    Reason.STANDBY_ENABLED: _Said(
        "the idle one is enabled at the provider", f"disable it at the provider, or {_ROTATE} gives it another password"
    ),
    Reason.RECREATED: _Said("it has another id than what was published: created again", _VERIFY),
    Reason.RENAMED: _Said("it has another username than what was published", _VERIFY),
    Reason.OTHER_PASSWORD: _Said("it is shown with another password than what was published", _VERIFY),
    Reason.USERNAME_TWICE: _Said("{number} credentials have this username: {ids}", "delete the one that nobody uses"),
    Reason.TWO_TARGETS: _Said("{targets} have the same credential", "configure it for one of them only"),
    Reason.NOTHING_PUBLISHED: _Said("nothing is published yet", f"{_ROTATE}, or wait for its first rotation"),
    Reason.ADOPTED: _Said("taken up as it was, and never rotated", f"{_ROTATE}, or wait until it is due"),
    Reason.SELECTED: _Said("a selection finds it", "nothing to do: the daemon takes it up"),
}


def kind_word(kind: DiscrepancyKind) -> str:
    """Returns the kind as a person reads it."""
    return kind.value.replace("_", " ")


def what_of(found: Discrepancy) -> str:
    """Returns what does not fit."""
    ids = ", ".join(each.id for each in found.listed)
    named = {"target": next(iter(found.targets), ""), "targets": " and ".join(found.targets)}
    return _SAID[found.reason].what.format(**named, number=len(found.listed), ids=ids)


def remedy_of(*alike: Discrepancy) -> str:
    """Returns what ends those that have one remedy: a command, or what a person has to do elsewhere."""
    targets = list(dict.fromkeys(name for each in alike for name in each.targets[:1]))
    target = targets[0] if len(targets) == 1 else "NAME"
    names = " ".join(targets) if len(targets) <= _MOST_NAMED else "NAME …"
    return _SAID[alike[0].reason].remedy.format(target=target, names=names, account=alike[0].account)


def remedies_of(found: Sequence[Discrepancy]) -> list[str]:
    """Returns what ends each of them: a line for all of a kind that have one remedy, with their usernames."""
    groups: dict[tuple[DiscrepancyKind, str, str], list[Discrepancy]] = {}
    for each in found:
        remedy = _SAID[each.reason].remedy
        groups.setdefault((each.kind, remedy, each.account if "{account}" in remedy else ""), []).append(each)
    return [f"{kind_word(kind)} ({_named(alike)}): {remedy_of(*alike)}" for (kind, _, _), alike in groups.items()]


def _named(alike: Sequence[Discrepancy]) -> str:
    names = dict.fromkeys(each.username or each.id or "?" for each in alike)
    return ", ".join(names) if len(names) <= _MOST_NAMED else counted(len(alike), "credential")


def row_of(found: Discrepancy) -> dict[str, Any]:
    """Returns its part of a JSON document."""
    listed = found.listed[0] if found.listed else None
    return {
        "finding": found.kind.value,
        "reason": found.reason.value,
        "account": found.account,
        "username": found.username or None,
        "id": found.id,
        "enabled": listed.enabled if listed is not None else None,
        "targets": list(found.targets),
        "what": what_of(found),
        "remedy": remedy_of(found),
    }
