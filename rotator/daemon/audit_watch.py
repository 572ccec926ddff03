"""Writes the audit to Vault every few seconds, and removes there what is older than `audit.keep`."""

from datetime import datetime, timedelta
from threading import Event

import structlog

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.observe.audit import AuditLog
from rotator.ports import StoreError
from rotator.vault.audit_store import VaultAuditStore

_log = structlog.stdlib.get_logger(__name__)
EVERY = timedelta(seconds=5)
"""How long a record waits for Vault at the most, unless the process is killed before."""


def write_audit(audit: AuditLog, ended: Event) -> None:
    """Writes what waits, until `ended` is set."""
    while not ended.wait(EVERY.total_seconds()):
        audit.flush()


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
