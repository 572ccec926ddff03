"""The records of one chain that a check has seen, in whatever order: sixteen bytes for each."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain, pairwise

from rotator.core.audit_chain import GENESIS

_CODE = 8  # bytes of a digest of a `mac`: enough to tell apart what only the holder of the key can write
_NONE = bytes(_CODE)
_PAGE = 256  # records


class SeenChain:
    """The records of one chain. It keeps what tells them apart, and what each one follows."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}  # in each, for each record: its own code, and that of the one before
        self.lost: list[tuple[str, int, int]] = []  # destination, first and last number
        self.last = -1
        self.last_mac = ""

    def add(self, seq: int, mac: str, prev: str) -> bool | None:
        """Adds a record. Returns False if the same one was there already, None if there was another one."""
        page, at = self._pages.setdefault(seq // _PAGE, bytearray()), seq % _PAGE * 2 * _CODE
        known, code = page[at : at + _CODE], _code(mac)
        if any(known):
            return False if known == code else None
        page.extend(bytes(max(at - len(page), 0)))
        page[at : at + 2 * _CODE] = code + _code(prev)
        if seq > self.last:
            self.last, self.last_mac = seq, mac
        return True

    def has(self, seq: int) -> bool:
        """Returns True if there is a record with this number."""
        at = seq % _PAGE * 2 * _CODE
        return any(self._pages.get(seq // _PAGE, bytearray())[at : at + _CODE])

    def contradicts(self, seq: int, mac: str) -> bool:
        """Returns True if the record with this number is another one; False also if there is none."""
        at = seq % _PAGE * 2 * _CODE
        known = self._pages.get(seq // _PAGE, bytearray())[at : at + _CODE]
        return any(known) and known != _code(mac)

    def gaps(self) -> Iterator[tuple[int, int]]:
        """Yields each two numbers between which something is wrong: the second record does not follow the first.

        If the numbers follow each other, one of the two records was replaced; otherwise, what is between is missing.
        Before the first record there is -1.
        """
        beginning = (-1, _code(GENESIS), _NONE)
        for (before, code, _), (number, _, prev) in pairwise(chain((beginning,), self._records())):
            if prev != code:
                yield before, number

    def _records(self) -> Iterator[tuple[int, bytes, bytes]]:
        for number in sorted(self._pages):
            page = self._pages[number]
            for at in range(0, len(page), 2 * _CODE):
                code = bytes(page[at : at + _CODE])
                if any(code):
                    yield number * _PAGE + at // (2 * _CODE), code, bytes(page[at + _CODE : at + 2 * _CODE])


def _code(mac: str) -> bytes:
    """Returns a short digest of a `mac`. Zeros are as good as impossible, and would show as a missing record."""
    return blake2b(mac.encode("utf-8", "surrogatepass"), digest_size=_CODE).digest()
