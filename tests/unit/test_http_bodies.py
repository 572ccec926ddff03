"""A long list is read entry by entry; whatever else comes instead is bounded, and never taken for a list."""

import json
import tracemalloc
from typing import Any

import pytest

from rotator.providers.http.bodies import LARGEST_BODY, LongList
from rotator.providers.http.replies import HttpReply
from rotator.testing import FakeClock

CHUNK = 65_536


def entry(number: int) -> dict[str, Any]:
    return {"username": f"user{number}", "email": f"user{number}@example.com", "ipList": [], "enabled": True}


LONG = json.dumps({"success": True, "resultList": [entry(number) for number in range(20_000)], "n": 1}).encode()


def read(content: bytes) -> tuple[HttpReply | None, list[Any]]:
    taken: list[Any] = []
    body = LongList("resultList", ("success", "status"), taken.append)
    for start in range(0, len(content), CHUNK):
        if not body.feed(content[start : start + CHUNK]):
            return None, taken
    return body.reply(200, {}, FakeClock().now()), taken


def test_a_long_list_is_handed_over_entry_by_entry_with_the_fields_beside_it():
    reply, taken = read(LONG)
    assert reply == HttpReply(200, {"success": True, "resultList": []})
    assert taken == [entry(number) for number in range(20_000)]


def test_a_short_one_is_read_as_a_whole():
    reply, taken = read(b'{"success": true, "resultList": [{"username": "a"}]}')
    assert reply is not None
    assert reply.body == {"success": True, "resultList": [{"username": "a"}]}
    assert taken == []


@pytest.mark.parametrize(
    "content",
    [
        LONG[:-2],
        LONG[: len(LONG) // 2],
        LONG + b"x",
        LONG.replace(b"user19999@", b"\xff\xfe"),
        LONG.replace(b'"n": 1', b'"n": NaN'),
    ],
    ids=["end missing", "half", "more", "not UTF-8", "not a number"],
)
def test_a_long_list_that_is_broken_is_not_readable(content):
    reply, _ = read(content)
    assert reply == HttpReply(200, readable=False)


@pytest.mark.parametrize("key", ["padding", "resultList"])
def test_what_goes_on_without_an_entry_is_cut_off(key):
    reply, taken = read(json.dumps({key: "x" * (2 * LARGEST_BODY)}).encode())
    assert (reply, taken) == (None, [])


def test_nesting_takes_neither_memory_nor_the_stack():
    """The parser of long lists names the place of each value: 20 GB for a megabyte of brackets, once."""
    begin = b'{"resultList": [' + b" " * LARGEST_BODY
    tracemalloc.start()
    try:
        reply, taken = read(begin + b"[" * (LARGEST_BODY // 2) + b"]" * (LARGEST_BODY // 2) + b"]}")
        assert (reply, taken) == (None, [])
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    finally:
        tracemalloc.stop()
    until, last, after = LONG.rpartition(b'"ipList": []')
    reply, _ = read(until + last[:-2] + b"[" * 200 + b"]" * 200 + after)
    assert reply == HttpReply(200, readable=False)


@pytest.mark.parametrize(("levels", "readable"), [(100, True), (101, False), (900, False), (100_000, False)])
def test_a_short_answer_may_have_a_hundred_levels(levels, readable):
    reply, _ = read(b"[" * levels + b"]" * levels)
    assert reply is not None
    assert reply.readable is readable
