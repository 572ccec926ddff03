"""Where the audit goes beside Vault."""

import io
import json
import sys
from contextlib import ExitStack

import pytest

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.daemon.audit_receivers import begin_audit
from rotator.observe.redact import Redactor
from rotator.ports import StoreDenied
from rotator.settings.audit import AuditSettings
from rotator.testing import FakeClock, FakeRandomness, MemoryAuditStore


@pytest.mark.parametrize(
    ("prints_file", "denied", "at_once", "at_the_end"),
    [
        (False, False, ["start", "report"], ["start", "report"]),
        (True, False, [], []),
        (True, True, [], ["start", "report"]),
    ],
)
def test_what_is_printed_as_a_file_is_not_mixed_with_what_vault_takes(
    monkeypatch, prints_file, denied, at_once, at_the_end
):
    """Both outputs of a pod are one log. What Vault does not take is lost nowhere."""
    log, store = io.StringIO(), MemoryAuditStore()
    monkeypatch.setattr(sys, "stderr", log)
    made = (AuditSettings(), FakeClock(), FakeRandomness(), Redactor(), ExitStack())
    audit = begin_audit(*made, read_only=False, quiet=True, prints_file=prints_file)
    audit.attach(store, {})
    store.failing = StoreDenied("no") if denied else None
    audit.record(AuditVerb.REPORT, "", AuditOutcome.DONE)
    assert [json.loads(line)["verb"] for line in log.getvalue().splitlines()] == at_once
    audit.finish(0)
    assert [json.loads(line)["verb"] for line in log.getvalue().splitlines()] == at_the_end
