"""A compromised credential ends ahead of caps and circuits, in whichever way the provider allows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from engine_harness import ALTERNATING, IN_PLACE, EngineHarness

from rotator.core.answers import Answer, Done, Refusal, Refused
from rotator.core.circuit import ProviderVerb
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.forecast import forecast
from rotator.core.ledger import end_now
from rotator.core.model import Capabilities, Cutoff, Purpose
from rotator.core.origin import Origin
from rotator.core.secret import Secret
from rotator.engine import Engine
from rotator.observe.target_figures import overdue
from rotator.testing import CHOSEN, FakeFault

IGNORED = Refused(Refusal.UNSUPPORTED, "the provider accepted the request and ignored it")
FORBIDDEN = Refused(Refusal.PERMISSION, "the API key is not allowed to do this")


def rotated(capabilities: Capabilities = CHOSEN, **changes: Any) -> tuple[EngineHarness, Engine]:
    """A target with a password of ours."""
    world = EngineHarness(replace(ALTERNATING, **changes) if changes else EngineHarness().target, capabilities)
    for name in world.target.usernames:
        world.provider.add(name)
    engine = world.engine()
    engine.look(world.target)
    world.settle(engine, timedelta(days=10))
    world.audit.records.clear()
    return world, engine


def answering(world: EngineHarness, verb: str, answer: Answer[Any]) -> None:
    """The provider gives one answer to every call of a verb, and does nothing."""
    setattr(world.provider, verb, lambda *_: world.provider.calls.append(verb) or answer)


def test_what_is_not_disabled_gets_a_random_password_that_is_stored_first_and_is_deleted():
    world, engine = rotated()
    old = world.consumer
    answering(world, "disable", IGNORED)
    passwords: list[Secret] = []
    set_password = world.provider.set_password

    def checked(credential) -> Answer[Any]:
        (entry,) = world.state.ledger
        assert entry.credential.password == credential.password
        passwords.append(credential.password)
        return set_password(credential)

    world.provider.set_password = checked
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert world.audit.verbs("office")[-4:] == ["close", "disable", "overwrite", "delete"]
    assert passwords != [old.password]
    assert not world.provider.accepts(old.username, old.password)
    assert old.credential_id not in world.provider.credentials
    assert world.state.ledger == ()


def test_an_overwrite_whose_answer_is_lost_is_sent_again_with_the_same_password():
    world, engine = rotated()
    old = world.consumer
    answering(world, "disable", IGNORED)
    world.provider.faults["set_password"] = [FakeFault.LOST_AFTER]
    world.request(engine, compromised=True)
    engine.look(world.target)
    (entry,) = world.state.ledger
    assert entry.cutoff is Cutoff.OVERWRITE
    assert world.provider.credentials[old.credential_id].password == entry.credential.password
    world.settle(engine, timedelta(minutes=5))
    assert world.state.ledger == ()


def test_a_standing_credential_that_is_not_disabled_keeps_no_password_that_anybody_knows():
    world, engine = rotated(name="office")
    old = world.consumer
    answering(world, "disable", IGNORED)
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert not world.provider.accepts(old.username, old.password)
    assert world.provider.credentials[old.credential_id].enabled
    assert world.published_works
    (entry,) = world.state.ledger
    assert (entry.disabled, entry.cut_off, entry.overwritten_at) == (False, True, world.clock.now())
    assert (world.state.counts.disabled, world.state.counts.overwritten) == (1, 1)
    assert not overdue(entry, None, world.clock.now() + timedelta(days=30))
    events = {event.what: (event.at, event.why) for event in forecast(engine.facts(world.target)).events}
    again = world.clock.now() + timedelta(days=1)
    assert events[f"disable {old.username}"] == (again, "it was not disabled, and has a random password meanwhile")


def test_a_standing_credential_that_was_overwritten_is_disabled_as_soon_as_that_works():
    world, engine = rotated(name="office")
    old, disable = world.consumer, world.provider.disable
    answering(world, "disable", IGNORED)
    world.request(engine, compromised=True)
    world.settle(engine, timedelta(days=5, hours=1))
    assert world.audit.verbs("office").count("disable") == 1 + 5  # one try a day is enough
    world.provider.disable = disable
    world.settle(engine, timedelta(days=1))
    assert not world.provider.credentials[old.credential_id].enabled
    assert (world.state.ledger, world.state.counts.disabled) == ((), 2)


def test_the_next_rotation_gives_an_overwritten_credential_its_password():
    world, engine = rotated(name="office")
    old = world.consumer
    answering(world, "disable", IGNORED)
    world.request(engine, compromised=True)
    engine.look(world.target)
    world.request(engine)
    engine.look(world.target)
    assert world.consumer.credential_id == old.credential_id
    assert world.published_works
    assert [entry.credential.id for entry in world.state.ledger] != [old.credential_id]


def test_a_standing_credential_that_leaked_is_deleted_if_nothing_else_ends_it_and_created_again_later():
    world, engine = rotated(name="office")
    old, set_password = world.consumer, world.provider.set_password
    answering(world, "disable", FORBIDDEN)
    world.request(engine, compromised=True)
    world.provider.set_password = lambda credential: (
        FORBIDDEN if credential.id == old.credential_id else set_password(credential)
    )
    world.settle(engine, timedelta(minutes=5))
    assert old.credential_id not in world.provider.credentials
    assert (world.state.ledger, world.state.standby) == ((), None)
    world.provider.set_password = set_password
    world.request(engine)
    engine.look(world.target)
    assert world.consumer.username == old.username
    assert world.published_works


def test_what_can_only_be_deleted_is_deleted_at_once():
    for capabilities in (replace(CHOSEN, sets_password=False), CHOSEN):
        world, engine = rotated(capabilities)
        old = world.consumer
        answering(world, "disable", FORBIDDEN)
        answering(world, "set_password", FORBIDDEN)
        world.limits = replace(world.limits, retirements_per_minute=0)
        engine = world.engine()
        world.request(engine, compromised=True)
        engine.look(world.target)
        assert old.credential_id not in world.provider.credentials
        assert world.state.ledger == ()


def test_what_a_provider_ignores_ends_by_a_random_password_without_an_emergency_too():
    """It was accepted for ever, and asked about every ten minutes."""
    world, engine = rotated()
    old = world.consumer
    answering(world, "disable", IGNORED)
    world.request(engine)
    world.settle(engine, timedelta(hours=23))
    assert world.provider.accepts(old.username, old.password)
    world.settle(engine, timedelta(days=2))
    (entry,) = world.state.ledger
    assert (entry.cutoff, entry.cut_off, entry.disabled) == (Cutoff.OVERWRITE, True, False)
    assert not world.provider.accepts(old.username, old.password)
    world.request(engine, Purpose.UNDO)
    world.settle(engine, timedelta(minutes=5))
    assert world.consumer.username == old.username
    assert world.published_works


def test_without_an_emergency_a_missing_right_is_only_noted():
    world, engine = rotated()
    old = world.consumer
    answering(world, "disable", FORBIDDEN)
    world.request(engine)
    world.settle(engine, timedelta(hours=26))
    (entry,) = world.state.ledger
    assert (entry.cutoff, entry.note) == (Cutoff.DISABLE, FORBIDDEN.message)
    assert world.provider.accepts(old.username, old.password)
    before = len(world.provider.calls)
    world.settle(engine, timedelta(days=6, hours=20))
    assert old.credential_id in world.provider.credentials
    assert len(world.provider.calls) - before <= 2 * 7, "a try and a proof a day"
    world.settle(engine, timedelta(hours=4))
    assert old.credential_id not in world.provider.credentials


def test_disabling_waits_for_no_cap_and_deleting_does():
    world, engine = rotated()
    old = world.consumer
    world.limits = replace(world.limits, retirements_per_minute=0)
    engine = world.engine()
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert not world.provider.accepts(old.username, old.password)
    assert old.credential_id in world.provider.credentials
    world.settle(world.engine(), timedelta(minutes=5))
    (entry,) = world.state.ledger
    assert entry.disabled


def test_disabling_does_not_wait_for_an_open_circuit():
    world, engine = rotated()
    old = world.consumer
    world.provider.faults["disable"] = [FakeFault.UNREACHABLE]
    world.limits = replace(world.limits, circuit_failures=1, circuit_open_for=timedelta(hours=1))
    engine = world.engine()
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert engine.throttles.open_circuits() == ("fake",)
    world.settle(engine, timedelta(minutes=1))
    assert not world.provider.accepts(old.username, old.password)
    assert old.credential_id not in world.provider.credentials  # it was the probe, and all goes on


def test_a_key_that_may_not_delete_rotates_all_the_same():
    world, engine = rotated()
    answering(world, "delete", FORBIDDEN)
    world.limits = replace(world.limits, circuit_failures=1, circuit_open_for=timedelta(hours=1))
    engine = world.engine()
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert engine.throttles.open_circuits() == ()
    assert list(engine.throttles.shut_until(world.clock.now())) == [("fake", ProviderVerb.DELETE)]
    asked = world.provider.calls.count("delete")
    world.settle(engine, timedelta(minutes=50), most=200)
    assert world.provider.calls.count("delete") == asked  # no probe is wasted on it
    old = world.consumer
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert world.consumer != old
    assert not world.provider.accepts(old.username, old.password)


def test_an_emergency_in_place_does_not_wait_for_passwords_of_other_targets():
    """It waited, without an end, for targets whose passwords were not accepted: the stolen one stayed in force."""
    world = EngineHarness(IN_PLACE)
    world.provider.add("office", "stolen")
    engine = world.engine()
    for number in range(world.limits.circuit_failures):
        engine.throttles.note_unaccepted(f"other{number}", "fake")
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert not world.provider.accepts("office", Secret("stolen"))
    assert world.published_works


def test_an_emergency_waits_for_no_clock():
    """What time alone triggers is due by both clocks; somebody asked for this."""
    world, engine = rotated()
    old = world.consumer
    world.store.ahead = -timedelta(days=1)
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert not world.provider.accepts(old.username, old.password)
    assert world.state.ledger == ()


def test_what_was_replaced_before_an_emergency_is_part_of_it():
    world, engine = rotated()
    first = world.consumer
    world.request(engine)
    engine.look(world.target)
    (entry,) = world.state.ledger
    assert not entry.compromised
    assert end_now((entry,), world.clock.now(), Origin("tester", "because"), compromised=True)[0].compromised
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert not world.provider.accepts(first.username, first.password)


def test_a_late_answer_closes_the_shut_verb():
    world, engine = rotated()
    engine.throttles.learn_from("fake", ProviderVerb.DELETE, FORBIDDEN)
    engine.throttles.learn_from("fake", ProviderVerb.DELETE, Done(None))
    assert engine.throttles.shut_until(world.clock.now()) == {}


def test_a_refusal_that_may_pass_is_tried_again_before_a_password_is_overwritten():
    for refusals, overwritten in ((1, False), (9, True)):
        world, engine = rotated()
        old = world.consumer
        world.provider.faults["disable"] = [FakeFault.REFUSED] * refusals
        world.request(engine, compromised=True)
        world.settle(engine, timedelta(minutes=5))
        assert ("overwrite" in world.audit.verbs("office")) is overwritten
        assert not world.provider.accepts(old.username, old.password)


def test_a_leaked_standing_credential_gets_a_random_password_before_it_is_disabled():
    """A provider that ignores `enabled` and repeats it in its answer had it accepted for ever: it is never deleted."""
    world, engine = rotated(name="office")
    old = world.consumer
    answering(world, "disable", Done(None))  # it says so, and does nothing
    world.request(engine, compromised=True)
    world.settle(engine, timedelta(minutes=1))
    assert [verb for verb in world.audit.verbs("office") if verb in ("overwrite", "disable")] == [
        "overwrite",
        "disable",
    ]
    assert not world.provider.accepts(old.username, old.password)
    assert all(entry.disabled for entry in world.state.ledger)


def test_the_audit_says_that_an_emergency_found_nothing_to_end():
    """Whoever asks with `--no-wait` is told there."""
    world = EngineHarness()
    engine = world.engine()
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert world.audit.records[-1].facts["detail"] == "compromised, but nothing was there to be ended"


def rotated_in_place() -> tuple[EngineHarness, Engine, ConsumerDocument]:
    """What devices read after the first rotation of the one credential."""
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    return world, engine, world.consumer


def test_an_emergency_is_not_forgotten_while_its_credential_is_gone():
    """Somebody deleted the one credential, and created it again: an undo brought back the password that had leaked."""
    world, engine, leaked = rotated_in_place()
    del world.provider.credentials[leaked.credential_id]
    world.request(engine, compromised=True)
    world.settle(engine, timedelta(hours=12))
    assert world.state.request is not None
    assert world.state.request.compromised
    assert "fake has no credential 'office'" in world.state.last_error

    world.provider.add("office")
    world.request(engine, take_over=True)
    engine.look(world.target)
    assert world.published_works
    world.request(engine, Purpose.UNDO)
    engine.look(world.target)
    assert world.published_works
    assert not world.provider.accepts(leaked.username, leaked.password)


def test_an_emergency_stays_until_somebody_corrects_the_letters_of_the_idle_username():
    world, engine, leaked = rotated_in_place()
    world.provider.add("officeb")
    world.target = replace(ALTERNATING, name="office", path=world.target.path, usernames=("office", "officeB"))
    world.request(engine, compromised=True)
    world.settle(engine, timedelta(hours=1))
    assert "configure it in the letters used there" in world.state.last_error
    assert world.provider.accepts(leaked.username, leaked.password)
    world.target = replace(world.target, usernames=("office", "officeb"))
    world.settle(engine, timedelta(hours=12))
    assert world.published_works
    assert not world.provider.accepts(leaked.username, leaked.password)


def test_an_emergency_of_a_name_that_the_account_never_had_is_dropped():
    world = EngineHarness(IN_PLACE)
    engine = world.engine()
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert world.state.request is None, "nothing was ever handed out that could have leaked"
