"""The JSON form of the two documents."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from state_strategies import states, texts

from rotator.core import model
from rotator.core.blackouts import Extent
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.hook_rules import HookCall, HookMoment, OwedHook
from rotator.core.origin import Origin
from rotator.core.pauses import Pause, Pauses, Scope
from rotator.core.secret import Secret
from rotator.ports import StoreCorrupt
from rotator.vault.documents import (
    decode_consumer,
    decode_pauses,
    decode_state,
    encode_consumer,
    encode_pauses,
    encode_state,
    encode_withdrawal,
)

AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@given(states, texts)
def test_a_state_comes_back_as_it_was(state: model.TargetState, writer: str) -> None:
    through_json = json.loads(json.dumps(encode_state(state, writer)))
    assert decode_state(through_json) == state


@given(states)
def test_times_are_written_in_utc(state: model.TargetState) -> None:
    written = encode_state(state, "w")["last_rotation"]
    assert written is None or written.endswith("+00:00")


_FIRST_USE = """
import json, linecache, sys
from rotator.vault.documents import decode_state, encode_state

made = {name for name in linecache.cache if name.startswith("<cattrs generated")}
assert any("TargetState" in name for name in made)
encode_state(decode_state(json.loads(sys.stdin.read())), "w")
print(*(name for name in linecache.cache if name.startswith("<cattrs generated") and name not in made))
"""


def test_the_first_state_makes_no_converters_as_many_threads_would_at_once() -> None:
    state = (Path(__file__).parent / "state_document.json").read_text()
    child = subprocess.run(
        [sys.executable, "-c", _FIRST_USE], input=state, capture_output=True, text=True, timeout=60, check=False
    )
    assert (child.returncode, child.stdout.strip()) == (0, ""), child.stderr


def test_the_format_of_a_state_document_does_not_change() -> None:
    credential = model.Credential("acc", "user", "id", Secret("p"), "example.org", "a1")
    attempt = model.Attempt(
        "a2",
        model.Purpose.ROTATE,
        model.Strategy.IN_PLACE,
        model.Phase.APPLIED,
        credential,
        None,
        AT,
        "schedule",
        "due",
        before=("ask",),
    )
    entry = model.LedgerEntry(credential, model.Ending.STAND_BY, AT, AT, timedelta(days=7, microseconds=1))
    call = HookCall("tell", HookMoment.AFTER_ROTATION, "a1.k", "acc", "user", "id", "rotate", False, attempt.origin)
    state = model.TargetState(
        "phone",
        published=credential,
        attempt=attempt,
        ledger=(entry,),
        ended=(model.Ended(credential, model.EndedBy.DISABLED, AT),),
        last_end=model.LastEnd("user", model.EndedBy.REPLACED, AT, None, "no log-in is configured"),
        last_rotation=AT.astimezone(timezone(timedelta(hours=2))),
        request=model.Request(model.Purpose.UNDO, "ann", "", AT),
        asked_at=AT,
        claim=model.Claim("h1", AT),
        counts=model.Counts(succeeded=3, seconds=1.5),
        verification=model.Verification(AT, accepted=False, proof="refused", refusals=2),
        owed=(OwedHook(call, AT),),
    )
    written = encode_state(state, "w")
    assert json.dumps(written, indent=1) == (Path(__file__).parent / "state_document.json").read_text().strip()
    assert decode_state(written) == state


def full() -> dict[str, Any]:
    credential = model.Credential("acc", "user", "id", Secret("hidden-value"), attempt="a1")
    attempt = model.Attempt(
        "a1", model.Purpose.ROTATE, model.Strategy.REPLACE, model.Phase.STAGED, credential, None, AT, "schedule", "due"
    )
    entry = model.LedgerEntry(credential, model.Ending.DELETE, AT, AT, timedelta(days=7))
    state = model.TargetState("t", published=credential, attempt=attempt, ledger=(entry,), last_rotation=AT)
    return encode_state(state, "w")


def put(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    if rest.startswith("0."):  # one of many: they are a text
        (entry,) = json.loads(document[name])
        document[name] = json.dumps([put(entry, rest[2:], value)])
    elif rest:
        put(document[name], rest, value)
    elif value is ...:
        del document[name]
    else:
        document[name] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("failures", "hidden-value", "field failures: expected int"),
        ("failures", True, "field failures: expected int"),
        ("last_rotation", "hidden-value", "field last_rotation: expected datetime.datetime | None"),
        ("last_rotation", "2026-01-05T12:00:00", "field last_rotation: expected datetime.datetime | None"),
        ("attempt.phase", "hidden-value", "field attempt.phase: expected Phase"),
        ("attempt.phase", ["hidden-value"], "field attempt.phase: expected Phase"),
        ("attempt.staged.password", 7, "field attempt.staged.password: expected rotator.core.secret.Secret | None"),
        ("attempt.staged.hidden", "hidden-value", "field attempt.staged: unknown to this rotator: hidden"),
        ("attempt.id", ..., "field attempt.id: missing"),
        ("ledger.0.quarantine", float("inf"), "field ledger[0].quarantine: expected timedelta"),
        ("ledger.0.quarantine", 1e300, "field ledger[0].quarantine: expected timedelta"),
        ("ledger.0.credential", None, "field ledger[0].credential: expected Credential"),
        ("ledger", {"hidden-value": 1}, "field ledger: expected tuple"),
        ("ledger", '{"hidden-value": 1}', "field ledger: expected tuple"),
        ("ledger", "hidden-value", "field ledger: expected tuple"),
        ("ledger", "[" * 100_000, "field ledger: expected tuple"),
        ("former_paths", f"[{' ' * 2 * 1024 * 1024}]", "field former_paths: expected tuple"),
        ("counts.seconds", "hidden-value", "field counts.seconds: expected float"),
        ("counts.seconds", 10**400, "field counts.seconds: expected float"),
        ("counts", "hidden-value", "field counts: expected Counts"),
        ("hidden", "hidden-value", "field document: unknown to this rotator: hidden"),
        ("target", ..., "field target: missing"),
        ("schema", ..., "field schema: expected a schema number"),
        ("schema", True, "field schema: expected a schema number"),
        ("schema", 99, "field schema: written by a newer rotator"),
    ],
)
def test_what_is_not_ours_is_refused_by_field_and_never_by_value(path: str, value: Any, message: str) -> None:
    with pytest.raises(StoreCorrupt) as caught:
        decode_state(put(full(), path, value))
    assert str(caught.value).startswith(message)
    assert "hidden-value" not in str(caught.value)
    assert caught.value.__context__ is None, "a chained error would quote the value"


def test_fields_that_have_a_default_may_be_missing() -> None:
    document = put(put(full(), "counts", ...), "attempt.proof", ...)
    assert decode_state(document).counts == model.Counts()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    ),
    st.sampled_from(sorted(full())),
)
def test_no_content_of_a_field_leads_to_anything_but_a_state_or_a_clear_error(value: Any, name: str) -> None:
    problem = f"field {name}"
    try:
        decode_state(full() | {name: value})
    except StoreCorrupt as error:
        problem = str(error)
    assert problem.startswith(f"field {name}")


def test_a_consumer_document_keeps_the_keys_that_people_added() -> None:
    credential = model.Credential(
        "acc", "user", "id", Secret("p"), host="sip.example.org", realm="example.org", attempt="a1"
    )
    before = decode_consumer({"note": "front door", "username": "old", "ttl": 3}, 3)
    written = encode_consumer(credential, AT, before.kept)
    assert written == {
        "note": "front door",
        "ttl": 3,
        "username": "user",
        "password": "p",
        "host": "sip.example.org",
        "realm": "example.org",
        "credential_id": "id",
        "attempt_id": "a1",
        "rotated_at": "2026-01-05T12:00:00+00:00",
    }
    assert decode_consumer(written, 4).names(credential)
    kept = {"note": "front door", "ttl": 3}
    read = ConsumerDocument(
        4, True, "user", Secret("p"), "id", "a1", AT, host="sip.example.org", realm="example.org", kept=kept
    )
    assert decode_consumer(written, 4) == read
    assert "front door" not in repr(read)


def test_a_consumer_document_of_another_form_reads_as_unknown() -> None:
    assert decode_consumer({"username": 5, "password": None}, 2) == ConsumerDocument(2, exists=True)


def test_a_credential_without_a_password_is_never_published() -> None:
    with pytest.raises(ValueError, match="without a password"):
        encode_consumer(model.Credential("acc", "user"), AT, {})


def test_a_withdrawn_document_keeps_the_keys_of_people_and_hands_out_nothing() -> None:
    credential = model.Credential("acc", "user", "id", Secret("hidden-value"), "example.org", "a1")
    published = encode_consumer(credential, AT, {"note": "front desk"})
    withdrawn = encode_withdrawal(AT, "phones/office", decode_consumer(published, 1).kept)
    assert withdrawn == {"note": "front desk", "withdrawn_at": AT.isoformat(), "moved_to": "phones/office"}
    read = decode_consumer(withdrawn, 2)
    assert (read.withdrawn, read.hands_out_nothing, read.exists) == (True, True, True)
    assert encode_consumer(credential, AT, read.kept) == published, "a path that is used again says nothing of before"
    assert encode_withdrawal(AT, "", {})["moved_to"] is None


def test_a_document_with_a_password_is_in_use_whatever_else_it_says() -> None:
    assert not decode_consumer({"password": "p", "withdrawn_at": AT.isoformat()}, 1).withdrawn


PAUSES = Pauses(
    7,
    (
        Pause(Scope(targets=("a", "b")), AT, AT + timedelta(days=1), Origin("ann", "freeze", "ticket 7"), lifted_at=AT),
        Pause(Scope(account="acc", labels=(("site", "berlin"),)), AT, AT, Origin("bob", ""), Extent.ROTATIONS),
    ),
)


def test_what_is_paused_survives_being_written() -> None:
    """Whatever its scope."""
    assert decode_pauses(json.loads(json.dumps(encode_pauses(PAUSES, "w"))), 7) == PAUSES


@pytest.mark.parametrize("junk", [{}, {"pauses": None}, {"pauses": "[{}]"}, {"pauses": 3}, {"pauses": "["}])
def test_what_is_paused_is_never_nothing_because_it_cannot_be_read(junk: dict[str, Any]) -> None:
    """A freeze must not be lifted by that."""
    with pytest.raises(StoreCorrupt, match="field pauses"):
        decode_pauses(junk, 7)
