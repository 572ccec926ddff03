"""The bell: who was rung for since when, in a document that stays small."""

from datetime import UTC, datetime, timedelta

from rotator.core.bell import Bell, Ring

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_each_listener_hears_what_was_rung_for_after_the_last_ring_that_it_heard():
    bell = Bell().after_ring(["a", "b"], NOW).after_ring(["c"], NOW + SECOND)
    assert bell.number == 2
    assert [bell.rung_since(number) for number in (0, 1, 2)] == [{"a", "b", "c"}, {"c"}, set()]


def test_a_ring_is_kept_for_a_minute_and_the_numbers_go_on():
    bell = Bell(4, (Ring(4, NOW, ("a",)),))
    assert bell.after_ring(["b"], NOW + 59 * SECOND).rung_since(0) == {"a", "b"}
    assert bell.after_ring(["b"], NOW + 60 * SECOND) == Bell(5, (Ring(5, NOW + 60 * SECOND, ("b",)),))


def test_the_document_stays_small_however_many_targets_are_rung_for():
    many = [f"target-{number}" for number in range(10_000)]
    bell = Bell().after_ring(["first"], NOW).after_ring(many, NOW)
    assert bell.rung_since(0) == set(many[:500])
    for number in range(1_000):
        bell = bell.after_ring([f"one-{number}"], NOW)
    assert len(bell.rings) == 500
    assert "one-999" in bell.rung_since(bell.number - 1)
