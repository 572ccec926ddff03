"""Telnyx against the sandbox on real sockets, under every reading and every fault, held against the contract."""

from dataclasses import replace

import pytest
from provider_fixtures import done_if_gone
from telnyx_fixtures import ATTEMPT, CONNECTION, FIRST, HOUR, SECOND, TelnyxSandbox, staged, trunk_credential

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.providers.http.client import CallTimeouts
from rotator.providers.http.transport import ReadOnlyViolation
from rotator.testing import FakeClock
from rotator_simulator.faults import CATALOGUE

QUICK = CallTimeouts(connect=1, read=0.1, write=1, pool=1, total=30)

READINGS = [
    {},
    {"expired_as": "text"},
    {"expired_lags": True},
    {"moments": "naive"},
    {"moments": "fraction"},
    {"rounds_moments": True},
    {"filters": "contains"},
    {"filters": "ignored"},
    {"filters_refused": True},
    {"longest_page": 1},
    {"order": "oldest", "longest_page": 2},
    {"meta": False},
    {"meta": False, "longest_page": 1},
    {"null_lifts_end": "refused"},
    {"null_lifts_end": "ignored"},
    {"expired_update": "list"},
    {"expired_as": "text", "moments": "naive", "null_lifts_end": "ignored", "filters": "ignored", "longest_page": 1},
]
every_reading = pytest.mark.parametrize("readings", READINGS, ids=lambda readings: ",".join(map(str, readings.items())))


class LenientTelnyxSandbox(TelnyxSandbox):
    """Without totals a listing is against the contract: what is tested then is that we can do without them."""

    def __exit__(self, kind, *rest):
        if not self.api.readings.meta:
            self.contract.problems = [one for one in self.contract.problems if "the whole against required" not in one]
        super().__exit__(kind, *rest)


@every_reading
def test_the_whole_life_of_a_credential_under_every_reading(readings):
    with LenientTelnyxSandbox(clock=FakeClock(), **readings) as sandbox:
        provider, clock = sandbox.telephony, sandbox.clock
        sandbox.add()
        sandbox.add("rotator/office/attempt0001", "gencredNear")
        assert provider.find(staged()) == Done(())
        made = provider.create(staged(), "office").value
        assert made.username.startswith("gencred")
        assert (made.attempt, made.host, made.enabled) == (ATTEMPT, "sip.telnyx.com", True)
        assert sandbox.record_of(made.id).extra["name"] == f"rotator/office/{ATTEMPT}"
        assert sandbox.record_of(made.id).extra["tag"] == f"rotator-{ATTEMPT}"
        assert provider.prove(made).value.tries_password
        for wanted in (staged(), made, replace(made, id=None)):
            assert provider.find(wanted).value == (made,)

        at = clock.now() + HOUR / 7  # not a whole second
        assert provider.expire(made, at) == Done(None)
        assert sandbox.record_of(made.id).ends >= at
        assert provider.prove(made).value.tries_password
        assert provider.enable(made).value == made
        clock.advance(HOUR)
        assert sandbox.accepts(made)

        assert provider.expire(made, clock.now() + HOUR) == Done(None)
        clock.advance(2 * HOUR)
        assert not sandbox.accepts(made)
        assert provider.prove(made).why is Wait.NOT_YET
        assert provider.disable(made) == Done(None)
        assert provider.enable(made).why is Refusal.EXPIRED
        assert provider.complete(made).why is Refusal.EXPIRED
        assert provider.find(made).value[0].enabled is False

        assert provider.delete(made) == Done(None)
        assert provider.delete(made).why is Refusal.NOT_FOUND
        assert provider.find(made) == Done(())
        assert provider.find(staged()) == Done(())
        for method in (provider.enable, provider.disable, provider.complete, lambda one: provider.expire(one, at)):
            assert method(made).why is Refusal.NOT_FOUND
        assert sorted(record.username for record in sandbox.records) == ["gencredNear", "gencredOld"]


@every_reading
def test_disabling_ends_at_once_and_for_good(readings):
    with LenientTelnyxSandbox(clock=FakeClock(), **readings) as sandbox:
        made = sandbox.telephony.create(staged(), "office").value
        sandbox.clock.advance(HOUR / 7)
        assert sandbox.telephony.disable(made) == Done(None)
        assert not sandbox.accepts(made)
        assert sandbox.telephony.disable(made) == Done(None)
        assert sandbox.telephony.enable(made).why is Refusal.EXPIRED


@pytest.mark.parametrize("reading", ["refused", "ignored"])
def test_an_end_that_may_not_have_passed_is_set_some_seconds_ahead(reading):
    with TelnyxSandbox(clock=FakeClock(), past_end=reading) as sandbox:
        made = sandbox.telephony.create(staged(), "office").value
        answer = sandbox.telephony.disable(made)
        assert answer.why is Wait.NOT_YET
        sandbox.clock.advance(answer.after)
        assert not sandbox.accepts(made)
        assert sandbox.telephony.disable(made) == Done(None)


def test_what_a_lost_create_has_made_is_found_and_completed_and_the_rest_can_be_removed():
    with TelnyxSandbox(register=False) as sandbox:
        sandbox.sandbox.faults.plan("lost-answer", verb="create", times=2)
        for _ in range(2):
            assert isinstance(sandbox.telephony.create(staged(), "office"), Unknown)
        found = sandbox.telephony.find(staged()).value
        assert len(found) == 2
        made = replace(staged(), id=found[0].id, username=found[0].username)
        done = sandbox.telephony.complete(made).value
        assert done == found[0]
        assert sandbox.accepts(done)
        assert sandbox.telephony.delete(found[1]) == Done(None)
        assert sandbox.telephony.find(staged()).value == (done,)


def test_completing_lifts_an_end_that_nobody_asked_for():
    with TelnyxSandbox(clock=FakeClock()) as sandbox:
        made = sandbox.telephony.create(staged(), "office").value
        sandbox.account.end_at("telephony", made.id, sandbox.clock.now() + HOUR)
        assert sandbox.telephony.complete(replace(made, password=None)).value == made
        assert sandbox.record_of(made.id).ends is None


def test_what_belongs_to_another_connection_is_not_taken_for_ours():
    with TelnyxSandbox() as sandbox:
        made = sandbox.telephony.create(staged(), "office").value
        sandbox.account.create("connection", "othertrunk1", FIRST, {"connection_name": "Other"}, identity="99")
        elsewhere = sandbox.open("telnyx", connection_id="99")
        refused = elsewhere.complete(made)
        assert refused.why is Refusal.OTHER
        assert "connection_id" in refused.message


def test_an_unknown_connection_is_refused_and_nothing_is_made():
    with TelnyxSandbox() as sandbox:
        answer = sandbox.open("telnyx", connection_id="404").create(staged(), "office")
        assert answer.why is Refusal.INVALID
        assert sandbox.records == ()


def test_a_credential_with_active_calls_can_be_refused_until_they_end():
    with TelnyxSandbox(delete_in_use=True, lenient=True) as sandbox:
        made = sandbox.telephony.create(staged(), "office").value
        call = sandbox.account.start_call(made.id)
        # The page names no 409; the code 10021 does.
        assert sandbox.telephony.delete(made).why is Wait.IN_USE
        sandbox.account.end_call(call)
        assert sandbox.telephony.delete(made) == Done(None)
        sandbox.contract.problems = [one for one in sandbox.contract.problems if "(409)" not in one]


def test_one_among_hundreds_is_found_with_each_filter_and_absence_is_certain():
    with TelnyxSandbox(register=False, filters="ignored") as sandbox:
        for number in range(520):
            sandbox.add(f"rotator/x/other{number}", f"gencred{number}")
        assert sandbox.telephony.find(staged("other7")).value[0].username == "gencred7"
        assert sandbox.telephony.find(staged("other520")) == Done(())
        by_name = Credential("prod", "gencred519")
        assert sandbox.telephony.find(by_name).value[0].attempt == "other519"


def test_the_password_that_the_provider_shows_is_compared_where_there_is_no_registrar():
    with TelnyxSandbox(register=False) as sandbox:
        made = sandbox.telephony.create(staged(), "office").value
        assert not sandbox.telephony.prove(made).value.tries_password
        assert sandbox.telephony.prove(replace(made, password=SECOND)).why is Wait.NOT_YET
        assert sandbox.telephony.prove(replace(made, password=None)).why is Refusal.INVALID
        assert sandbox.telephony.enable(replace(made, password=SECOND)).why is Refusal.OTHER


@pytest.mark.parametrize("kind", ["telephony", "connections"])
def test_a_wrong_key_refuses_everything(kind):
    with TelnyxSandbox(key=Secret("KEYwrong")) as sandbox:
        record = sandbox.add()
        provider, one = getattr(sandbox, kind), Credential("prod", "gencredOld", record.id, SECOND, attempt="a")
        answers = [provider.find(one), provider.set_password(one), provider.enable(one), provider.disable(one)]
        answers += [provider.delete(one), provider.create(one, "t"), provider.complete(one)]
        answers.append(provider.expire(one, sandbox.clock.now()))
        assert not [answer for answer in answers if isinstance(answer, Done)]
        assert answers[0].why is Refusal.AUTHENTICATION
        assert "10009" in answers[0].message


def test_a_read_only_provider_cannot_change_anything():
    with TelnyxSandbox() as sandbox:
        record = sandbox.add()
        telephony, connections = (sandbox.open(kind, read_only=True) for kind in ("telnyx", "telnyx-connection"))
        one = Credential("prod", "gencredOld", record.id, FIRST, attempt="a")
        assert telephony.find(one).value[0].id == record.id
        with pytest.raises(ReadOnlyViolation):
            telephony.create(one, "t")
        with pytest.raises(ReadOnlyViolation):
            telephony.disable(one)
        with pytest.raises(ReadOnlyViolation):
            telephony.delete(one)
        with pytest.raises(ReadOnlyViolation):
            connections.set_password(trunk_credential())
        assert {line.split()[0] for line in sandbox.request_lines} == {"GET"}


# -- connections


def test_a_connection_gets_another_password_in_place():
    with TelnyxSandbox() as sandbox:
        found = sandbox.connections.find(Credential("prod", "officetrunk1")).value[0]
        assert (found.id, found.password) == (CONNECTION, FIRST)
        changed = sandbox.connections.set_password(replace(found, password=SECOND)).value
        assert sandbox.connections.prove(changed).value.tries_password
        assert sandbox.connections.prove(found).why is Wait.NOT_YET
        gone = replace(changed, id="no-such-id")
        assert sandbox.connections.set_password(gone).why is Refusal.NOT_FOUND
        assert sandbox.connections.find(gone) == Done(())


@pytest.mark.parametrize("longest", [1, 250])
def test_a_connection_is_found_by_its_username_among_many(longest):
    with TelnyxSandbox(register=False, longest_page=longest) as sandbox:
        for number in range(5):
            sandbox.account.create("connection", f"trunk{number}", FIRST, {"connection_name": f"Trunk {number}"})
        assert sandbox.connections.find(Credential("prod", "trunk3")).value[0].username == "trunk3"
        assert sandbox.connections.find(Credential("prod", "trunk5")) == Done(())


def test_a_lost_answer_is_looked_into_by_the_password_that_is_shown():
    with TelnyxSandbox(register=False, clock=FakeClock()) as sandbox:
        sandbox.sandbox.faults.plan("lost-answer", verb="update", times=None)
        assert sandbox.connections.set_password(trunk_credential()).value.password == SECOND
        sandbox.sandbox.faults.clear()
        sandbox.sandbox.faults.plan("reset", verb="update", times=None)
        assert isinstance(sandbox.connections.set_password(trunk_credential(FIRST)), Unknown)


def test_a_connection_that_is_switched_off_stays_so_and_is_no_proof():
    with TelnyxSandbox(register=False) as sandbox:
        sandbox.account.update("connection", CONNECTION, enabled=False)
        changed = sandbox.connections.set_password(trunk_credential()).value
        assert changed.enabled is False
        proof = sandbox.connections.prove(changed)
        assert proof.why is Wait.NOT_YET
        assert "switched off" in proof.message
        assert not sandbox.record_of(CONNECTION).enabled


def test_no_path_through_the_code_sends_active():
    bodies = []
    with TelnyxSandbox() as sandbox:
        watch = sandbox.contract.watch
        sandbox.sandbox._server.observe = lambda seen: (bodies.append(seen.body), watch(seen))
        record = sandbox.add()
        for provider, one in (
            (sandbox.telephony, Credential("prod", "gencredOld", record.id, FIRST, attempt="a")),
            (sandbox.connections, trunk_credential()),
        ):
            provider.find(one)
            provider.create(one, "t")
            provider.complete(one)
            provider.set_password(one)
            provider.enable(one)
            provider.expire(one, sandbox.clock.now() + HOUR)
            provider.enable(one)
            provider.prove(one)
            provider.disable(one)
            provider.delete(one)
    assert any(b"password" in body for body in bodies)
    assert not [body for body in bodies if b"active" in body]


# -- faults: what is answered must be true of what the provider holds

TELEPHONY = {
    "create": ("create", lambda provider, one: provider.create(staged(), "office")),
    "complete": ("get", lambda provider, one: provider.complete(one)),
    "enable": ("update", lambda provider, one: provider.enable(one)),
    "expire": ("update", lambda provider, one: provider.expire(one, FakeClock().now() + HOUR)),
    "disable": ("update", lambda provider, one: provider.disable(one)),
    "disable, read back": ("get", lambda provider, one: provider.disable(one)),
    "delete": ("delete", lambda provider, one: done_if_gone(provider.delete(one))),
    "find by attempt": ("list", lambda provider, one: provider.find(staged())),
    "prove": ("get", lambda provider, one: provider.prove(one)),
}


def is_true(sandbox, record, what, answer) -> bool:
    """Whether what `Done` says is so at the provider."""
    held = sandbox.record_of(record.id)
    if what == "create":
        return sandbox.accepts(answer.value) and len(sandbox.records) == 2
    if what == "delete":
        return held is None
    if what.startswith("disable"):
        return not sandbox.account.accepts(record.username, FIRST)
    if what == "expire":
        return held.ends == FakeClock().now() + HOUR
    if what in ("complete", "enable"):
        return answer.value.password == FIRST and (held.ends is None or held.ends.year == 2099)
    if what == "find by attempt":
        return answer.value == ()
    return what == "prove" and sandbox.account.accepts(record.username, FIRST)


ALWAYS = [("create", None), ("disable", None), ("delete", None), ("find by attempt", None)]


@pytest.mark.long  # the conformance suite does the same with fewer pages
@pytest.mark.parametrize(("what", "times"), [(what, 1) for what in TELEPHONY] + ALWAYS)
@pytest.mark.parametrize("name", CATALOGUE)
def test_under_every_fault_the_answer_is_true(name, what, times):
    verb, act = TELEPHONY[what]
    with TelnyxSandbox(register=False, timeouts=QUICK, clock=FakeClock(), longest_page=1) as sandbox:
        record = sandbox.add("rotator/office/earlier")
        one = Credential("prod", "gencredOld", record.id, FIRST, attempt="earlier")
        if what == "enable":
            sandbox.account.end_at("telephony", record.id, sandbox.clock.now() + 24 * HOUR)
        sandbox.sandbox.faults.plan(name, verb=verb, times=times)
        answer = act(sandbox.telephony, one)
        assert isinstance(answer, Done | Refused | Retry | Unknown)
        if isinstance(answer, Done):
            assert is_true(sandbox, record, what, answer)
        elif isinstance(answer, Refused | Retry) and what not in ("prove", "disable, read back"):
            assert sandbox.accepts(one)
            assert len(sandbox.records) == 1
        assert "/_sandbox/elsewhere" not in " ".join(sandbox.request_lines)
        assert sandbox.request_lines.count("POST /v2/telephony_credentials") <= 1
        sandbox.contract.seen["fault"] += 1  # a fault may leave no answer to judge


@pytest.mark.long  # as above
@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize("name", CATALOGUE)
def test_under_every_fault_a_connections_answer_is_true(name, times):
    with TelnyxSandbox(register=False, timeouts=QUICK, clock=FakeClock()) as sandbox:
        sandbox.sandbox.faults.plan(name, verb="update", times=times)
        answer = sandbox.connections.set_password(trunk_credential())
        if isinstance(answer, Done):
            assert sandbox.accepts(trunk_credential())
        elif isinstance(answer, Refused | Retry):
            assert sandbox.accepts(trunk_credential(FIRST))
        sandbox.contract.seen["fault"] += 1


@pytest.mark.long  # as above
@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("what", ["disable", "delete", "expire"])
def test_the_same_again_after_a_fault_ends_as_wanted(name, what):
    verb, act = TELEPHONY[what]
    with TelnyxSandbox(register=False, timeouts=QUICK, clock=FakeClock()) as sandbox:
        record = sandbox.add()
        one = Credential("prod", "gencredOld", record.id, FIRST)
        sandbox.sandbox.faults.plan(name, verb=verb, times=1)
        act(sandbox.telephony, one)
        second = act(sandbox.telephony, one)
        assert isinstance(second, Done)
        if what != "expire" or sandbox.clock.now() == FakeClock().now():
            assert is_true(sandbox, record, what, second)


# -- listings that lie


@pytest.mark.parametrize("wanted", [staged(), Credential("prod", "gencred9")])
def test_a_page_that_repeats_for_ever_is_not_taken_for_absence(wanted):
    with TelnyxSandbox(register=False, clock=FakeClock(), longest_page=2, filters="ignored") as sandbox:
        for number in range(6):
            sandbox.add(f"rotator/x/other{number}", f"gencred{number}")
        sandbox.sandbox.faults.plan("repeated-page", times=None)
        answer = sandbox.telephony.find(wanted)
        assert isinstance(answer, Unknown)
        assert len(sandbox.request_lines) < 20


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5, 6, 7, None])
@pytest.mark.parametrize("order", ["newest", "oldest", "changed"])
def test_a_listing_that_changes_while_it_is_read_never_hides_anybody(times, order):
    readings = {"longest_page": 2, "filters": "ignored", "order": order}
    with TelnyxSandbox(register=False, clock=FakeClock(), **readings) as sandbox:
        for number in range(6):
            sandbox.add(f"rotator/x/other{number}", f"gencred{number}")
        sandbox.sandbox.faults.plan("changing-listing", times=times)
        for number in range(6):
            answer = sandbox.telephony.find(staged(f"other{number}"))
            if isinstance(answer, Done):
                assert [one.username for one in answer.value] == [f"gencred{number}"]
            else:
                assert isinstance(answer, Unknown | Retry)
