"""The JSON form of what is known of an account."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.core import evidence as known
from rotator.core.discrepancies import DiscrepancyKind
from rotator.core.evidence import AccountEvidence, AssumptionResult, FoundCredentials, Scratch, Shown
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.ports import StoreCorrupt
from rotator.vault.documents import decode_evidence, encode_evidence

AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
RESULT = AssumptionResult(known.LOGS_IN.key, known.LOGS_IN.text, Shown.HOLDS, "let in within 3.0 s", AT, 3.0)
SCRATCH = Scratch(Credential("acc", "rotatorcheckab12cd34", "id", Secret("old"), attempt="a1"), AT, expendable=True)
FOUND = tuple(FoundCredentials(kind, number) for number, kind in enumerate(DiscrepancyKind))
EVIDENCE = AccountEvidence(3, (RESULT,), (SCRATCH,), "host-1", AT, "me", "1.2.3", AT, AT, FOUND)


def written() -> Any:
    return json.loads(json.dumps(encode_evidence(EVIDENCE, "writer")))


def test_evidence_comes_back_as_it_was_and_nothing_is_nothing():
    assert decode_evidence(written(), 3) == EVIDENCE
    assert decode_evidence({}, 0) == AccountEvidence()


def test_a_result_of_another_form_is_left_out_and_what_was_left_behind_is_kept():
    document = written()
    document["results"] = json.dumps([{"key": "new"}, *json.loads(document["results"]), 5])
    assert decode_evidence(document, 3) == EVIDENCE


@pytest.mark.parametrize("scratch", [5, [], '[{"since": "never"}]', "x"])
def test_a_record_of_what_was_left_behind_is_never_skipped_over(scratch: Any):
    with pytest.raises(StoreCorrupt, match="not of our form") as error:
        decode_evidence(written() | {"scratch": scratch}, 3)
    assert "old" not in str(error.value)
