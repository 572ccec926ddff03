"""Writes the audit to Vault and to its receivers every few seconds, and removes in Vault what is too old."""

from datetime import datetime, timedelta
from threading import Event

import structlog

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.observe.audit import AuditLog
from rotator.observe.audit_outlet import Outlet
from rotator.ports import StoreError
from rotator.vault.audit_store import VaultAuditStore

_log = structlog.stdlib.get_logger(__name__)
EVERY = timedelta(seconds=5)
"""How long a record waits for Vault at the most, unless the process is killed before."""

_SEND_EVERY = 1.0  # seconds
_SEND_AGAIN = 30.0  # seconds, at the most, between two tries at a receiver that takes nothing


def write_audit(audit: AuditLog, ended: Event) -> None:
    """Writes what waits, until `ended` is set."""
    while not ended.wait(EVERY.total_seconds()):
        audit.flush()


def send_audit(audit: AuditLog, outlet: Outlet, ended: Event) -> None:
    """Writes what waits for one receiver, until `ended` is set."""
    pause = _SEND_EVERY
    while not ended.wait(pause):
        pause = _SEND_EVERY if audit.send(outlet) else min(2 * pause, _SEND_AGAIN)


def remove_old(audit: AuditLog, store: VaultAuditStore, now: datetime, keep: timedelta) -> None:
    """Removes the days that lie further back than `keep`, once it is on record in Vault that they were removed.

    Args:
        now: by the clock that is behind.
    """
    try:
        days = store.days_until((now - keep).date() - timedelta(days=1))
        if not days:
            return
        audit.record(AuditVerb.REMOVE_RECORDS, "", AuditOutcome.DONE, until=days[-1], days=len(days))
        if not audit.flush():
            return  # tried again with the next round
        for day in days:
            store.remove(day)
    except StoreError as error:
        _log.warning("old records of the audit were not removed", error=str(error))
