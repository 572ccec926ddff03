"""One target in the status document. Pure.

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
"""

from datetime import datetime

from rotator.core.age_limit import longest_until_due
from rotator.core.clocks import Clocks
from rotator.core.freezes import freezes
from rotator.core.holding import Hold
from rotator.core.hook_rules import OwedHook
from rotator.core.model import Attempt, Claim, Request, Target, TargetState
from rotator.core.password_age import deadline
from rotator.observe.ledger_status import JsonObject, ended_row, iso, last_end_row, ledger_rows, names_of
from rotator.observe.surroundings import Surroundings
from rotator.observe.target_words import state_word


def target_row(target: Target, state: TargetState, now: datetime, around: Surroundings) -> JsonObject:
    """Returns what the document says of a configured target."""
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
        "published": published_row(state),
        "age_seconds": (now - made_at).total_seconds() if made_at is not None else None,
        "max_age_seconds": longest_until_due(target.policy.schedule, target.policy.window).total_seconds(),
        "age_limit": _age_limit(target, state),
        "last_rotation": iso(state.last_rotation),
        "next_rotation": {
            "at": iso(None if _is_over(state) else state.next_rotation),
            "why": _why_next(target, state),
        },
        "attempt": attempt_row(state.attempt),
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


def _age_limit(target: Target, state: TargetState) -> JsonObject | None:
    limit, due = target.policy.age_limit, deadline(target, state)
    if limit is None:
        return None
    reached_at = iso(due.at if due is not None else None)
    return {"max_age_seconds": limit.max_age.total_seconds(), "reached_at": reached_at}


def published_row(state: TargetState) -> JsonObject | None:
    """Returns what is published; None if nothing is."""
    if state.published is None:
        return None
    published = state.published
    return names_of(published) | {
        "attempt": published.attempt,
        "since": iso(state.published_since),
        "made_at": iso(published.made_at),
    }


def attempt_row(attempt: Attempt | None) -> JsonObject | None:
    """Returns the open attempt; None without one."""
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
