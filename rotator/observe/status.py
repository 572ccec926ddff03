"""The status document, for `/status` and `rotator status --output json`. Pure.

It is built key by key, so a new field of the model does not appear in it by accident. Times are ISO 8601 in UTC,
durations are seconds, and unknown values are null. Its keys are stable:

* `version`, `time`, `clock_offset_seconds` (how far this machine's clock is ahead of Vault's; null until Vault has
  answered), `holder` (this process), `summary`, `targets`, `next`, `orphans`, `selections`, `audit`.
* `summary`: `targets` (how many), `states` (how many are in each state), `needs` (how many somebody has to look after,
  by need), `orphans` (how many). In `/status` of the whole fleet, whatever the page and the filters; in
  `rotator status` of the targets that were read, and `matching` says how many of them the filters let through.
* `next`: the name to ask for the next page with (`after`); null if this is the last one.
* of each target: `name`, `provider`, `account`, `strategy`, `policy`, `path`, `usernames` (configured), `state`,
  `published`, `age_seconds`, `max_age_seconds`, `age_limit`, `last_rotation`, `next_rotation`, `attempt`, `ledger`,
  `ended`, `last_end`, `failures`, `back_off_until`, `last_error`, `waiting`, `pauses`, `request`, `claim`,
  `counts`, `verification`, `former_paths`, `hooks`.
* `state`: `never rotated`, `idle`, `paused`, `rotating`, `failing`, `retired` or `blocked`.
* `published`: `account`, `id`, `username`, `attempt`, `since` (when it was published, perhaps again), `made_at` (when
  its password was made; `age_seconds` counts from then).
* `age_limit`: `max_age_seconds`, `reached_at` (by the oldest password that is accepted, a replaced one included; null
  if there is none); null without a limit.
* `next_rotation`: `at`, `why`.
* `attempt`: `id`, `purpose`, `phase`, `since`, `applied_at`, `uncertain`, `compromised`, `requested_by`, `reason`,
  `credential` (`account`, `id`, `username`).
* `ledger`, `ended`, `last_end`, of what was replaced: see `ledger_status`.
* `waiting`: `reason`, `message`, `until`; null until the first look at the target.
* of each entry of `pauses` (what holds the target): `kind` (`paused` or `blackout`), `until`, `holds` (`changes` or
  `rotations`), `why` (in words, with who paused it).
* `request`: `purpose`, `requested_by`, `reason`, `at`, `compromised`, `take_over`.
* `claim`: `holder`, `until`, `ours`.
* `verification`, of what is published: `at` (of the last proof), `accepted`, `proof` (or why it was not accepted),
  `refusals` (in a row), `listed` (what the account showed then), `repaired`, `next`; null before the first proof.
* of each entry of `former_paths` (paths that the target has left): `path`, `until` (it is withdrawn then), `note`.
* of each entry of `hooks` (which follow something, and have not succeeded yet): `hook`, `moment`, `since`, `failures`,
  `next` (try), `note`.
* `orphans`: what is left of targets that are not configured, and what was replaced at accounts that are not configured:
  `name`, `configured`, `published`, `attempt`, `ledger`; each entry of that also has `reachable`.
* `selections`, by provider account, in `/status`: `listed_at`, and how many credentials are `selected`, `gone`,
  `unnamable` and `undecided`, with some of the names: `gone_targets`, `unnamable_usernames`.
* `audit`: of this process: `chain`, `sequence`, `mac` of the last record, and `waiting` records with the `problem`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rotator.core.age_limit import longest_until_due
from rotator.core.clocks import Clocks
from rotator.core.freezes import freezes
from rotator.core.holding import Hold
from rotator.core.hook_rules import OwedHook
from rotator.core.left_over import is_empty, orphans
from rotator.core.model import (
    Attempt,
    Capabilities,
    Claim,
    Request,
    Target,
    TargetState,
)
from rotator.core.password_age import deadline
from rotator.core.pauses import Pauses
from rotator.observe.audit import AuditStatus
from rotator.observe.fleet import KnownFleet
from rotator.observe.ledger_status import JsonObject, ended_row, iso, last_end_row, ledger_rows, names_of
from rotator.observe.needs import Need
from rotator.observe.target_words import STATES, state_word


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The facts that are not in the state documents."""

    holder: str
    version: str
    kinds: Mapping[str, str]  # provider account: its type, such as `vobiz`
    capabilities: Mapping[str, Capabilities]  # by provider account
    holds: Mapping[str, Hold] = field(default_factory=dict)  # by target: the result of its last look
    audit: AuditStatus | None = None
    vault_now: datetime | None = None
    pauses: Pauses = field(default_factory=Pauses)
    selections: JsonObject = field(default_factory=dict)  # by provider account: what its last listing showed


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
            _target(target, states.get(target.name, TargetState(target.name)), now, around) for target in shown
        ],
        "next": page.following if page is not None else None,
        "orphans": list(_orphans(states, names, now, around)),
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


def _target(target: Target, state: TargetState, now: datetime, around: Surroundings) -> JsonObject:
    hold = around.holds.get(target.name)
    made_at = state.published.made_at if state.published is not None else None
    return {
        "name": target.name,
        "provider": around.kinds.get(target.account),
        "account": target.account,
        "strategy": target.strategy.value,
        "policy": target.policy.name,
        "path": target.path,
        "usernames": list(target.usernames),
        "state": state_word(state, hold),
        "published": _published(state),
        "age_seconds": (now - made_at).total_seconds() if made_at is not None else None,
        "max_age_seconds": longest_until_due(target.policy.schedule, target.policy.window).total_seconds(),
        "age_limit": _age_limit(target, state),
        "last_rotation": iso(state.last_rotation),
        "next_rotation": {
            "at": iso(None if _is_over(state) else state.next_rotation),
            "why": _why_next(target, state),
        },
        "attempt": _attempt(state.attempt),
        "ledger": ledger_rows(state, target.policy.usage, now, around.capabilities),
        "ended": [ended_row(ended) for ended in state.ended],
        "last_end": last_end_row(state.last_end),
        "failures": state.failures,
        "back_off_until": iso(state.not_before),
        "last_error": state.last_error or None,
        "waiting": _hold(hold),
        "pauses": _pauses(target, now, around),
        "request": _request(state.request),
        "claim": _claim(state.claim, now, around.holder),
        "counts": _counts(state),
        "verification": _verification(state),
        "former_paths": [
            {"path": former.path, "until": iso(former.until), "note": former.note or None}
            for former in state.former_paths
        ],
        "hooks": [_hook(owed) for owed in state.owed],
    }


def _hook(owed: OwedHook) -> JsonObject:
    return {
        "hook": owed.call.hook,
        "moment": owed.call.moment.value,
        "since": iso(owed.since),
        "failures": owed.failures,
        "next": iso(owed.not_before),
        "note": owed.note or None,
    }


def _is_over(state: TargetState) -> bool:
    """True for a retired target: only a request begins it anew."""
    return state.retired_at is not None and state.request is None


def _why_next(target: Target, state: TargetState) -> str:
    request = state.request
    if request is not None:
        return f"{request.purpose.value} requested by {request.requested_by}: {request.reason or 'no reason given'}"
    if _is_over(state):
        return "none: it was retired"
    if state.next_rotation is None:
        return "not scheduled yet"
    within = " in its maintenance window" if target.policy.window is not None else ""
    return f"policy {target.policy.name}{within}" + ("" if state.published is not None else ", first rotation")


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
        elif not is_empty(state) and not state.renamed_to:
            yield _orphan(state, now, around)


def _orphan(state: TargetState, now: datetime, around: Surroundings) -> JsonObject:
    out_of_reach = {"undo_until": None, "undo_refused": "its target is not in the configuration"}
    return {
        "name": state.target,
        "configured": False,
        "published": _published(state),
        "attempt": _attempt(state.attempt),
        "ledger": [
            entry | out_of_reach | {"reachable": entry["account"] in around.kinds}
            for entry in ledger_rows(state, None, now, around.capabilities)
        ],
    }


def _age_limit(target: Target, state: TargetState) -> JsonObject | None:
    limit, due = target.policy.age_limit, deadline(target, state)
    if limit is None:
        return None
    reached_at = iso(due.at if due is not None else None)
    return {"max_age_seconds": limit.max_age.total_seconds(), "reached_at": reached_at}


def _published(state: TargetState) -> JsonObject | None:
    if state.published is None:
        return None
    published = state.published
    return names_of(published) | {
        "attempt": published.attempt,
        "since": iso(state.published_since),
        "made_at": iso(published.made_at),
    }


def _attempt(attempt: Attempt | None) -> JsonObject | None:
    if attempt is None:
        return None
    return {
        "id": attempt.id,
        "purpose": attempt.purpose.value,
        "phase": attempt.phase.value,
        "since": iso(attempt.started_at),
        "applied_at": iso(attempt.applied_at),
        "uncertain": attempt.uncertain,
        "compromised": attempt.compromised,
        "requested_by": attempt.requested_by,
        "reason": attempt.reason,
        "credential": names_of(attempt.staged),
    }


def _hold(hold: Hold | None) -> JsonObject | None:
    return {"reason": hold.reason.value, "message": hold.message, "until": iso(hold.until)} if hold else None


def _pauses(target: Target, now: datetime, around: Surroundings) -> list[JsonObject]:
    found = freezes(target, around.pauses, Clocks(now, around.vault_now or now))
    return [
        {
            "kind": freeze.reason.value,
            "until": iso(freeze.until),
            "holds": freeze.extent.value,
            "why": freeze.words,
        }
        for freeze in found.in_force
    ]


def _request(request: Request | None) -> JsonObject | None:
    if request is None:
        return None
    return {
        "purpose": request.purpose.value,
        "requested_by": request.requested_by,
        "reason": request.reason,
        "at": iso(request.at),
        "compromised": request.compromised,
        "take_over": request.take_over,
    }


def _claim(claim: Claim | None, now: datetime, holder: str) -> JsonObject | None:
    if claim is None or claim.until <= now:
        return None
    return {"holder": claim.holder, "until": iso(claim.until), "ours": claim.holder == holder}


def _verification(state: TargetState) -> JsonObject | None:
    last = state.verification
    if last is None:
        return None
    return {
        "at": iso(last.at),
        "accepted": last.accepted,
        "proof": last.proof or None,
        "refusals": last.refusals,
        "listed": last.listed.value if last.listed is not None else None,
        "repaired": last.repaired,
        "next": iso(state.verify_at),
    }


def _counts(state: TargetState) -> JsonObject:
    counts = state.counts
    return {
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "undone": counts.undone,
        "disabled": counts.disabled,
        "overwritten": counts.overwritten,
        "deleted": counts.deleted,
        "ends_shown": counts.ends_shown,
        "ends_not_shown": counts.ends_not_shown,
        "seconds": counts.seconds,
    }


def _audit(status: AuditStatus) -> JsonObject:
    return {
        "chain": status.position.chain,
        "sequence": status.position.seq,
        "mac": status.position.mac,
        "waiting": status.waiting,
        "problem": status.problem or None,
    }
