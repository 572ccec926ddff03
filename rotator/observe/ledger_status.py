"""What was replaced, in the status document: the ledger, and what log-ins have shown of its ends. Pure.

* of each entry of `ledger`: `account`, `id`, `username`, `ending`, `made_at` (its password; null if that is unknown),
  `replaced_at`, `disable_at`, `disabled_at`, `overwritten_at` (it got a random password instead), `refused_at` (a
  log-in showed that it is refused), `ends_at`, `undo_until` (null if it cannot be undone), `undo_refused` (why not),
  `overdue`, `usage`, `failures`, `note`.
* `usage`, past the overlap: `in_use` (null: nobody could say), `asked_at`, `seen_at`, `evidence`, `until` (when the
  extension ends; null: never); null before the first question.
* of each entry of `ended` (no log-in has shown yet that it is refused): `account`, `id`, `username`, `by` (`replaced`,
  `disabled`, `overwritten` or `deleted`), `at`, `compromised`, `accepted` (log-ins in a row that were let in), `next`
  (log-in), `note`.
* `last_end`, what is known of what was ended last: `username`, `by`, `at`, `refused_at` (null if nothing shows it),
  `detail` (how it was shown, or why it is not).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from rotator.core.model import Capabilities, Credential, Ended, LastEnd, LedgerEntry, TargetState
from rotator.core.undo import UndoCandidate, UndoImpossible, undo_candidate, undo_refusal
from rotator.core.usage import extended_until, rules_for
from rotator.core.usage_rules import AfterExtension, UsageRules
from rotator.observe.target_figures import overdue

JsonObject: TypeAlias = dict[str, Any]


def iso(moment: datetime | None) -> str | None:
    """Returns a time as the document has it."""
    return moment.isoformat() if moment is not None else None


def names_of(credential: Credential) -> JsonObject:
    """Returns what the document says of a credential wherever it names one."""
    return {"account": credential.account, "id": credential.id, "username": credential.username or None}


def ledger_rows(
    state: TargetState, wanted: UsageRules | None, now: datetime, capabilities: Mapping[str, Capabilities]
) -> list[JsonObject]:
    """Returns the entries of the ledger. `wanted` are the target's rules about who still uses them."""
    candidate = undo_candidate(state, capabilities, now)
    chosen = None if isinstance(candidate, UndoImpossible) else candidate
    return [
        _entry(entry, chosen, now, capabilities)
        | {"overdue": overdue(entry, wanted, now), "usage": _usage(wanted, entry)}
        for entry in state.ledger
    ]


def _entry(
    entry: LedgerEntry, candidate: UndoCandidate | None, now: datetime, capabilities: Mapping[str, Capabilities]
) -> JsonObject:
    until = candidate.until if candidate is not None and candidate.entry == entry else None
    refused = undo_refusal(entry, capabilities.get(entry.credential.account), now)
    if candidate is not None and refused is None and until is None:
        refused = f"an undo publishes {candidate.entry.label}, which is newer"
    return names_of(entry.credential) | {
        "ending": entry.ending.value,
        "made_at": iso(entry.credential.made_at),
        "replaced_at": iso(entry.replaced_at),
        "disable_at": iso(entry.disable_at),
        "disabled_at": iso(entry.disabled_at),
        "overwritten_at": iso(entry.overwritten_at),
        "refused_at": iso(entry.refused_at),
        "ends_at": iso(entry.ends_at),
        "undo_until": iso(until),
        "undo_refused": refused,
        "failures": entry.failures,
        "note": entry.note or None,
    }


def _usage(wanted: UsageRules | None, entry: LedgerEntry) -> JsonObject | None:
    last, rules = entry.sighting, rules_for(wanted, entry)
    if last is None:
        return None
    extends = rules is not None and rules.then is AfterExtension.RETIRE
    return {
        "in_use": last.in_use,
        "asked_at": iso(last.at),
        "seen_at": iso(last.seen_at),
        "evidence": last.evidence,
        "until": iso(extended_until(wanted, entry)) if extends else None,
    }


def ended_row(ended: Ended) -> JsonObject:
    """Returns what has ended, and no log-in has shown yet that it is refused."""
    return names_of(ended.credential) | {
        "by": ended.by.value,
        "at": iso(ended.at),
        "compromised": ended.compromised,
        "accepted": ended.accepted,
        "next": iso(ended.not_before),
        "note": ended.note or None,
    }


def last_end_row(last: LastEnd | None) -> JsonObject | None:
    """Returns what is known of what was ended last."""
    if last is None:
        return None
    return {
        "username": last.username or None,
        "by": last.by.value,
        "at": iso(last.at),
        "refused_at": iso(last.refused_at),
        "detail": last.detail,
    }
