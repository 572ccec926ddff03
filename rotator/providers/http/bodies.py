"""Reads the body of an answer: as a whole up to a limit or, if it is a long list, entry by entry."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

import ijson

from rotator.core.nesting import DEEPEST
from rotator.providers.http.replies import HttpReply, parse, wait_asked_for

LARGEST_BODY = 1024 * 1024
"""The maximum size of an answer that is read as a whole, in bytes."""
_LARGEST_LIST, _MOST_ENTRIES = 256 * LARGEST_BODY, 1_000_000


class BodyReader(Protocol):
    """Reads the body of one answer."""

    @property
    def largest(self) -> int:
        """The maximum size in bytes."""
        ...

    def feed(self, chunk: bytes) -> bool:
        """Takes the next bytes. Returns False if the body is too large."""
        ...

    def reply(self, status: int, headers: Mapping[str, str], now: datetime) -> HttpReply:
        """Returns the answer after the last bytes. Never raises."""
        ...


class WholeBody:
    """Keeps a body, and parses it at its end."""

    largest = LARGEST_BODY

    def __init__(self) -> None:
        """Begins with nothing."""
        self.content = bytearray()

    def feed(self, chunk: bytes) -> bool:
        """See `BodyReader`."""
        self.content += chunk
        return len(self.content) <= self.largest

    def reply(self, status: int, headers: Mapping[str, str], now: datetime) -> HttpReply:
        """See `BodyReader`."""
        return parse(status, bytes(self.content), headers, now)


class LongList:
    """Hands over the entries of one list in an object as they come, and keeps the fields beside it.

    A body that fits into `LARGEST_BODY` is read as a whole, and its list is in the answer. Of a larger one, the answer
    has the list's key with an empty list. No entry, and nothing beside the list, may be larger than that either: the
    parser reads what is not complete again with each chunk.
    """

    def __init__(self, key: str, fields: tuple[str, ...], take: Callable[[Any], None]) -> None:
        """Takes the key of the list, the fields to keep beside it, and a function that gets each entry."""
        self._whole = WholeBody()
        self._size = self._since_entry = self._entries = 0
        self._broken = False
        self._body: dict[str, Any] = {}
        self._key, self._take = key, take
        self._sinks = {f"{key}.item": self._entry} | {name: self._keeper(name) for name in fields}
        self._parsers: list[Any] = []  # made for a body that is too large to be read as a whole

    def feed(self, chunk: bytes) -> bool:
        """See `BodyReader`."""
        self._size += len(chunk)
        self._since_entry += len(chunk)
        if self._size <= LARGEST_BODY:
            return self._whole.feed(chunk)
        if self._whole.content:
            chunk = bytes(self._whole.content) + chunk
            self._whole.content.clear()
        if self._since_entry <= LARGEST_BODY + len(chunk):
            self._parse(chunk)
        fits = self._size <= _LARGEST_LIST and self._entries <= _MOST_ENTRIES
        return fits and self._since_entry <= LARGEST_BODY

    @property
    def largest(self) -> int:
        """See `BodyReader`."""
        return _LARGEST_LIST if self._size > _LARGEST_LIST else LARGEST_BODY

    def reply(self, status: int, headers: Mapping[str, str], now: datetime) -> HttpReply:
        """See `BodyReader`."""
        if self._size <= LARGEST_BODY:
            return self._whole.reply(status, headers, now)
        self._parse(b"")
        after = wait_asked_for(status, headers, now)
        return HttpReply(status, None if self._broken else self._body, readable=not self._broken, after=after)

    def _parse(self, chunk: bytes) -> None:
        """Parses the next bytes; none mean the end. The parser's errors quote the body, so they are not kept."""
        if self._broken:
            return
        if not self._parsers:
            # First: the others name the place of every value, which takes the square of the depth.
            self._parsers = [ijson.basic_parse_coro(_DepthCheck())]
            self._parsers += [
                ijson.items_coro(_Taker(take), path, use_float=True) for path, take in self._sinks.items()
            ]
        try:
            for parser in self._parsers:
                if chunk:
                    parser.send(chunk)
                else:
                    parser.close()
        except (ijson.JSONError, ValueError):
            self._broken = True

    def _entry(self, entry: Any) -> None:
        self._body[self._key] = []
        self._since_entry = 0
        self._entries += 1
        self._take(entry)

    def _keeper(self, name: str) -> Callable[[Any], None]:
        return lambda value: self._body.__setitem__(name, value)


class _DepthCheck:
    """Gets a parser's events, and raises ValueError where they go too deep."""

    def __init__(self) -> None:
        self._depth = 0

    def send(self, event: tuple[str, Any]) -> None:
        if event[0] in ("start_map", "start_array"):
            self._depth += 1
            if self._depth > DEEPEST:
                raise ValueError("nested too deeply")
        elif event[0] in ("end_map", "end_array"):
            self._depth -= 1

    def close(self) -> None:
        """Ends it."""


class _Taker:
    """What ijson sends its results to."""

    def __init__(self, take: Callable[[Any], None]) -> None:
        self._take = take

    def send(self, value: Any) -> None:
        self._take(value)

    def close(self) -> None:
        """Ends it."""
