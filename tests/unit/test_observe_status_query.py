"""What an address of /status may ask for: words that mean something, and not more work or memory than it is worth."""

import fnmatch

import pytest
from core_facts import TARGET

from rotator.observe import status_query
from rotator.observe.status_query import StatusQuery, StatusQueryError, parse


def test_patterns_choose_by_name() -> None:
    for pattern, chosen in (
        ("*", True),
        (TARGET.name, True),
        (TARGET.name.upper(), False),
        ("x*", False),
        ("[", False),
    ):
        assert StatusQuery(names=(pattern,)).may_match(TARGET) is chosen


@pytest.mark.parametrize("limit", ["1001", "-1", "1e3", "", "²", "٣", "1_0", "9" * 5000])
def test_a_limit_that_is_no_number_of_a_page_is_refused(limit: str) -> None:
    """One of 5,000 digits once ended in a traceback."""
    with pytest.raises(StatusQueryError, match="limit is a number from 0"):
        parse({"limit": [limit[:300]]})
    with pytest.raises(StatusQueryError):
        parse({"limit": [limit]})


@pytest.mark.parametrize("key", ["state", "account", "name", "label", "after", "due_before"])
@pytest.mark.parametrize("words", [["due"] * 21, ["*a" * 7000]], ids=["many", "long"])
def test_a_filter_is_bounded(key: str, words: list[str]) -> None:
    """A request of 14 KB once took a page of ten thousand targets many minutes, in which nobody else got one."""
    with pytest.raises(StatusQueryError, match="at most 20 words of at most 300 characters"):
        parse({key: words})


def test_patterns_of_strangers_do_not_stay_in_memory() -> None:
    """`fnmatch.fnmatchcase` keeps the last 32,768, each of up to 140 KB: gigabytes."""
    before = fnmatch._compile_pattern.cache_info().currsize
    for number in range(500):
        StatusQuery(names=(f"{number}*",)).may_match(TARGET)
    assert fnmatch._compile_pattern.cache_info().currsize == before
    assert status_query._pattern.cache_info().currsize <= 40
