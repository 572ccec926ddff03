"""What is known of each provider account, for the status document. Pure.

* of each entry of `accounts` (by provider account, as far as its record was read): `checked_at` and `written_at` (when
  `rotator check-provider` last read it, and last tried the whole life of a scratch credential), `scratch` (how many
  credentials a check works on or has left), `compared_at` (with the documents, by a daemon or `rotator reconcile`) and
  `found` (then: how many credentials of each kind that does not fit; null before the first comparison).
"""

from collections.abc import Mapping

from rotator.core.evidence import AccountEvidence
from rotator.observe.ledger_status import JsonObject, iso


def account_rows(known: Mapping[str, AccountEvidence]) -> JsonObject:
    """Returns an entry for each account."""
    return {name: _row(known[name]) for name in sorted(known)}


def _row(known: AccountEvidence) -> JsonObject:
    found = {each.kind.value: each.number for each in known.reconciled}
    return {
        "checked_at": iso(known.checked_at),
        "written_at": iso(known.written_at),
        "scratch": len(known.scratch),
        "compared_at": iso(known.reconciled_at),
        "found": found if known.reconciled_at is not None else None,
    }
