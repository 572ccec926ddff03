"""The status document, for `/status` and `rotator status --output json`. Pure.

It is built key by key, so a new field of the model does not appear in it by accident. Times are ISO 8601 in UTC,
durations are seconds, and unknown values are null. Its keys are stable:

* `version`, `time`, `clock_offset_seconds` (how far this machine's clock is ahead of Vault's; null until Vault has
  answered), `holder` (this process), `summary`, `targets`, `next`, `orphans`,
  `left_by_checks`, `accounts`, `selections`, `audit`.
* `summary`: `targets` (how many), `states` (how many are in each state), `needs` (how many somebody has to look after,
  by need), `orphans` (how many credentials nobody ends, with those that checks left: the sum of the metric
  `rotator_orphans`). In `/status` of all that the process looks at, whatever the page and the filters; in
  `rotator status` of the targets that were read, and `matching` says how many of them the filters let through.
* `next`: the name to ask for the next page with (`after`); null if this is the last one.
* of each target: see `target_status`; of what it has replaced: see `ledger_status`.
* `orphans`: what is left of targets that are not configured, and what was replaced at accounts that are not configured:
  `name`, `renamed_to` (if a rename was cut), `configured`, `published`, `attempt`, `ledger`; each entry of that also
  has `reachable`.
* `left_by_checks`, at accounts that are not configured, or not with the key that they had: `account`, `id`, `username`
  of each credential, and the `record` in Vault that names it. Of several daemons one lists it.
* `accounts`, by provider account, in `/status`: see `account_status`.
* `selections`, by provider account, in `/status`: `listed_at`, and how many credentials are `selected`, `gone`,
  `unnamable` and `undecided`, with some of the names: `gone_targets`, `unnamable_usernames`.
* `audit`: of this process: `chain`, `sequence`, `mac` of the last record, and `waiting` records with the `problem`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from rotator.core.clocks import Clocks
from rotator.core.left_over import is_empty, orphans
from rotator.core.model import Target, TargetState
from rotator.observe.audit import AuditStatus
from rotator.observe.fleet import KnownFleet
from rotator.observe.ledger_status import JsonObject, iso, ledger_rows, names_of
from rotator.observe.needs import Need
from rotator.observe.surroundings import Surroundings
from rotator.observe.target_status import attempt_row, published_row, target_row
from rotator.observe.target_words import STATES


@dataclass(frozen=True, slots=True)
class StatusPage:
    """What a document says beside its targets."""

    configured: Collection[str]  # the names of all targets
    summary: JsonObject
    following: str | None = None  # what the next page comes after


def status_document(
    targets: Iterable[Target],
    states: Mapping[str, TargetState],
    now: datetime,
    around: Surroundings,
    page: StatusPage | None = None,
) -> JsonObject:
    """Returns the document, with targets in the given order and orphans by name. States may be missing.

    Args:
        page: without one, the targets are all that there are.
    """
    shown = list(targets)
    names = {target.name for target in shown} if page is None else page.configured
    return {
        "version": around.version,
        "time": iso(now),
        "clock_offset_seconds": Clocks(now, around.vault_now).offset.total_seconds() if around.vault_now else None,
        "holder": around.holder,
        "summary": page.summary if page is not None else None,
        "targets": [
            target_row(target, states.get(target.name, TargetState(target.name)), now, around) for target in shown
        ],
        "next": page.following if page is not None else None,
        "orphans": list(_orphans(states, names, now, around)),
        "left_by_checks": [
            {"record": record} | names_of(one) for record, left in around.left_by_checks.items() for one in left
        ],
        "accounts": around.accounts,
        "selections": around.selections,
        "audit": _audit(around.audit) if around.audit is not None else None,
    }


def summary(fleet: KnownFleet, targets: int, orphans: int) -> JsonObject:
    """Returns how many of the targets that were seen are in each state, and how many somebody has to look after."""
    states, needs = fleet.states(), fleet.needs()
    return {
        "targets": targets,
        "states": {state: states[state] for state in STATES if states[state]},
        "needs": {need: needs[need] for need in Need if needs[need]},
        "orphans": orphans,
    }


def _orphans(
    states: Mapping[str, TargetState], configured: Collection[str], now: datetime, around: Surroundings
) -> Iterator[JsonObject]:
    """Yields what is left of removed targets, and of the others what no configured account can retire."""
    for name, state in sorted(states.items()):
        if name in configured:
            lost = [each.credential for each in orphans(state, around.kinds, configured=True)]
            ledger = tuple(entry for entry in state.ledger if entry.credential in lost)
            if ledger:
                yield _orphan(TargetState(name, ledger=ledger), now, around) | {"configured": True}
        elif not is_empty(state):
            yield _orphan(state, now, around)


def _orphan(state: TargetState, now: datetime, around: Surroundings) -> JsonObject:
    out_of_reach = {"undo_until": None, "undo_refused": "its target is not in the configuration"}
    return {
        "name": state.target,
        "renamed_to": state.renamed_to or None,
        "configured": False,
        "published": published_row(state),
        "attempt": attempt_row(state.attempt),
        "ledger": [
            entry | out_of_reach | {"reachable": entry["account"] in around.kinds}
            for entry in ledger_rows(state, None, now, around.capabilities)
        ],
    }


def _audit(status: AuditStatus) -> JsonObject:
    return {
        "chain": status.position.chain,
        "sequence": status.position.seq,
        "mac": status.position.mac,
        "waiting": status.waiting,
        "problem": status.problem or None,
    }
