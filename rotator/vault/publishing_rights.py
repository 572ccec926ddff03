"""Which consumer documents the token may write: asked for many paths at a time, and remembered for some minutes."""

from collections.abc import Callable, Iterable, Sequence
from threading import Condition

from rotator.vault.kv import KeyValue

_REMEMBERED = 300.0  # seconds; a right that is taken away meanwhile shows when the document is written
_AT_A_TIME = 200  # paths in one request


class PublishingRights:
    """Thread-safe. Only a right that was granted is remembered: one that is missing is asked for again each time."""

    def __init__(self, kv: KeyValue, mount: str, monotonic: Callable[[], float]) -> None:
        self._kv, self._prefix, self._monotonic = kv, f"{mount}/data/", monotonic
        self._expected: list[str] = []
        self._places: dict[str, int] = {}
        self._granted: dict[str, float] = {}  # when that was, by path
        self._asking: set[tuple[str, ...]] = set()  # what requests under way ask for
        self._changed = Condition()  # guards all of that

    def expect(self, paths: Iterable[str]) -> None:
        """Names the paths that will be asked for, so that one request can answer for many of them."""
        expected = list(dict.fromkeys(paths))
        with self._changed:
            self._expected, self._places = expected, {path: place for place, path in enumerate(expected)}

    def may_publish(self, path: str) -> bool:
        """Returns True if the token may create and write the document at `path`. Raises StoreError.

        One thread asks for those that are expected together. The others wait for it: Vault needs as long for two
        hundred paths as for as many other requests.
        """
        with self._changed:
            begin = self._places.get(path, 0) // _AT_A_TIME * _AT_A_TIME
            asked = tuple(self._expected[begin : begin + _AT_A_TIME]) if path in self._places else (path,)
            if asked in self._asking:
                self._changed.wait_for(lambda: asked not in self._asking)
                asked = (path,)  # that request has failed, or did not grant it
            if self._monotonic() - self._granted.get(path, float("-inf")) < _REMEMBERED:
                return True
            self._asking.add(asked)
        try:
            granted = self._ask(asked)
        finally:
            with self._changed:
                self._asking.discard(asked)
                self._changed.notify_all()
        return path in granted

    def _ask(self, paths: Sequence[str]) -> list[str]:
        now = self._monotonic()
        answers = self._kv.capabilities("check_publishable", [self._prefix + each for each in paths])
        granted = [each for each in paths if _suffices(answers[self._prefix + each])]
        with self._changed:
            self._granted |= dict.fromkeys(granted, now)
        return granted

    def forget(self, path: str) -> None:
        """Forgets what was granted for a path that could not be written after all."""
        with self._changed:
            self._granted.pop(path, None)


def _suffices(capabilities: frozenset[str]) -> bool:
    return "root" in capabilities or {"create", "update"} <= capabilities
