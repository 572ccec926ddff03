"""Requests: what one that waits or an open attempt takes over from the next, and what it keeps."""

from dataclasses import replace

from core_facts import LATER, NEW, NOW, OLD, REQUEST, UNDO, document, opened
from hypothesis import given
from hypothesis import strategies as st

from rotator.core import requesting
from rotator.core.model import Phase, Purpose, Request, TargetState
from rotator.core.requesting import join_requests

flags = st.booleans()


@given(first=st.tuples(flags, flags), second=st.tuples(flags, flags), phase=st.none() | st.sampled_from(Phase))
def test_no_emergency_and_no_take_over_is_lost_between_two_requests(first, second, phase):
    state = TargetState("office", published=OLD) if phase is None else opened(phase)
    for compromised, take_over in (first, second):
        state = requesting.after_request(
            state, replace(REQUEST, compromised=compromised, take_over=take_over), document(OLD)
        )
    wishes = [wish for wish in (state.attempt, state.request) if wish is not None]
    assert any(wish.compromised for wish in wishes) is (first[0] or second[0])
    assert any(wish.take_over for wish in wishes) is (first[1] or second[1])
    if phase is not Phase.PROVED:
        assert (state.attempt is None) is (state.request is not None)
    if phase is Phase.PROVED and (first[0] or second[0]):
        assert state.request.compromised
    assert state.not_before is None


def test_a_second_undo_joins_the_first_and_a_rotation_waits_for_it():
    undoing = opened(purpose=Purpose.UNDO)
    assert requesting.after_request(undoing, UNDO, document(OLD)).request is None
    assert requesting.after_request(undoing, REQUEST, document(OLD)).request == REQUEST
    assert requesting.after_request(opened(), UNDO, document(OLD)).request == UNDO


def test_an_open_attempt_takes_over_who_asked_last_and_why():
    asked = replace(REQUEST, requested_by="another", reason="leaked", compromised=True)
    state = requesting.after_request(replace(opened(), not_before=LATER), asked, document(OLD))
    expected = replace(opened().attempt, requested_by="another", reason="leaked", compromised=True)
    assert state == replace(opened(), attempt=expected, asked_at=asked.at)


def test_a_later_request_replaces_an_earlier_one_and_keeps_what_only_that_asked_for():
    first = replace(REQUEST, compromised=True)
    second = Request(Purpose.ROTATE, "another", "later", LATER, take_over=True)
    state = requesting.after_request(TargetState("office", request=first, not_before=LATER), second, document(OLD))
    assert state == TargetState("office", request=replace(second, compromised=True), asked_at=second.at)
    assert requesting.after_request(TargetState("office", request=REQUEST), UNDO, document(OLD)).request == UNDO


@given(waiting=st.tuples(flags, flags, flags), undo=st.tuples(flags, flags, flags))
def test_an_undo_never_takes_the_place_of_an_emergency(waiting, undo):
    """It waited for its account's key; an undo that came later was impossible, and nothing ended what had leaked."""
    compromised, take_over, repairs = waiting
    emergency = replace(REQUEST, compromised=compromised, take_over=take_over, repairs=repairs and not compromised)
    asked = replace(UNDO, take_over=undo[0], despite_pause=undo[1], repairs=undo[2])
    state = TargetState("office", request=emergency, not_before=LATER)
    assert requesting.keeps_emergency(emergency, asked) is compromised
    later = requesting.after_request(state, asked, document(OLD)).request
    assert (later == emergency) if compromised else (later.purpose is Purpose.UNDO)
    leaked = replace(REQUEST, compromised=True, requested_by="another")
    assert requesting.after_request(replace(state, request=asked), leaked, document(OLD)).request.compromised


def test_what_is_published_already_is_replaced_even_if_only_the_document_tells():
    asked = replace(REQUEST, compromised=True)
    assert requesting.after_request(opened(), asked, document(NEW)).request == asked
    assert requesting.after_request(opened(), asked, document(OLD)).request is None


def test_a_repair_that_joins_what_passes_by_itself_is_more_than_a_repair():
    """Else an emergency, or what has to follow a late call, would be dropped with the reason of the repair."""
    repair = Request(Purpose.ROTATE, "rotator", "drift", NOW, repairs=True)
    person = Request(Purpose.ROTATE, "ann", "because", NOW)
    late = Request(Purpose.ROTATE, "rotator", "a late call", NOW, despite_pause=True)
    leaked = replace(person, compromised=True)

    assert join_requests(repair, person) == replace(person, repairs=True)
    assert join_requests(repair, late) == late
    assert join_requests(repair, leaked) == leaked
    assert join_requests(leaked, repair) == replace(repair, compromised=True, repairs=False)


def test_a_request_in_the_place_of_a_repair_repairs_as_well():
    """A person's rotation took the place of an undo that was to repair: then the blackout held it, with devices out."""
    repair = Request(Purpose.UNDO, "rotator", "drift", NOW, repairs=True)
    assert join_requests(repair, REQUEST) == replace(REQUEST, repairs=True)
    assert join_requests(replace(repair, repairs=False), REQUEST) == REQUEST
    assert join_requests(replace(repair, purpose=Purpose.ROTATE), UNDO) == UNDO, "which passes by itself"
