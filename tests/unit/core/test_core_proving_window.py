"""The window of an in-place account: slow start, and shut by a refusal."""

from rotator.core.proving_window import ProvingWindow

NEW = ProvingWindow.begun(5, 0.0)


def test_it_begins_small():
    assert NEW.has_room(4, 4, 1.0)
    assert not NEW.has_room(5, 0, 1.0)


def test_each_proof_lets_one_more_be_in_flight():
    window = NEW
    for number in range(100):
        assert window.has_room(4 + number, 0, 1.0)
        assert not window.has_room(5 + number, 0, 1.0)
        window = window.after_proof(1.0, late=False)


def test_what_was_tried_in_vain_is_in_doubt_and_only_late_proofs_make_room_for_more_of_it():
    window = NEW
    for _ in range(50):
        window = window.after_proof(1.0, late=False)
    assert not window.has_room(5, 5, 1.0)
    assert window.after_proof(1.0, late=True).has_room(5, 5, 1.0)


def test_a_refusal_leaves_room_for_one():
    window = NEW.after_proof(1.0, late=False).after_refusal(2.0)
    assert window.has_room(0, 0, 3.0)
    assert not window.has_room(1, 0, 3.0)
    assert window.after_proof(4.0, late=False).has_room(1, 0, 4.0)


def test_ten_minutes_after_the_last_proof_or_refusal_it_begins_anew():
    window = NEW
    for _ in range(50):
        window = window.after_proof(1.0, late=True)
    assert window.has_room(30, 0, 600.0)
    assert window.has_room(4, 4, 601.0)
    assert not window.has_room(5, 0, 601.0)
    refused = NEW.after_refusal(1.0)
    assert not refused.has_room(1, 0, 600.0)
    assert refused.has_room(4, 0, 601.0)
    assert not window.after_proof(700.0, late=False).has_room(6, 0, 700.0)


def test_it_never_grows_without_bound():
    window = NEW
    for _ in range(1000):
        window = window.after_proof(1.0, late=True)
    assert not window.has_room(512, 0, 1.0)
    assert not window.has_room(64, 64, 1.0)
