"""Who lives, and who of those looks at which target."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.processes import ProcessEntry, Processes, Role, owner

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TARGETS = [f"phone-{number}" for number in range(3_000)]


def test_each_process_has_one_entry_and_each_write_is_a_version():
    both = Processes().renewed("a", Role.DAEMON, NOW).renewed("b", Role.COMMAND, NOW)
    again = both.renewed("a", Role.DAEMON, NOW + SECOND)
    assert again == Processes(3, (ProcessEntry("b", Role.COMMAND, NOW), ProcessEntry("a", Role.DAEMON, NOW + SECOND)))
    assert again.living(NOW) == ("a", "b")
    assert again.living(NOW, Role.DAEMON) == ("a",)
    assert again.living(NOW, Role.COMMAND) == ("b",)
    assert again.without("a", NOW) == Processes(4, (ProcessEntry("b", Role.COMMAND, NOW),))


@pytest.mark.parametrize("way", [1, -1])  # the past, and a time from which Vault's clock was set back
def test_an_entry_lives_for_fifteen_seconds_and_is_known_to_be_dead_for_some_minutes(way):
    known = Processes().renewed("a", Role.DAEMON, NOW)
    assert (known.living(NOW + way * 14.9 * SECOND), known.dead(NOW + way * 14.9 * SECOND)) == (("a",), frozenset())
    late = NOW + way * 15 * SECOND
    assert (known.living(late), known.dead(late)) == ((), {"a"})
    assert known.renewed("b", Role.DAEMON, late).dead(late) == {"a"}
    much_later = NOW + way * 300 * SECOND
    assert known.renewed("b", Role.DAEMON, much_later).entries == (ProcessEntry("b", Role.DAEMON, much_later),)
    assert known.without("b", much_later).entries == ()


def test_the_work_is_divided_evenly_and_the_order_of_the_holders_means_nothing():
    shares = Counter(owner(name, ("a", "b", "c")) for name in TARGETS)
    assert all(850 <= shares[holder] <= 1150 for holder in "abc")
    assert all(owner(name, ("a", "b", "c")) == owner(name, ("c", "a", "b")) for name in TARGETS[:100])


def test_only_what_a_process_takes_or_leaves_changes_hands():
    for name in TARGETS:
        of_three, of_two = owner(name, ("a", "b", "c")), owner(name, ("a", "b"))
        assert of_three in ("c", of_two)
