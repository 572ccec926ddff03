"""The second line of defence against printing a secret: it removes known values from text. The first is `Secret`.

A `Redactor` finds the values that were added to it in their common forms: plain, in JSON, in a Python repr,
percent-encoded and in base64. It also removes whatever follows `Bearer` or `Basic`.
"""

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any
from urllib.parse import quote, quote_plus

from rotator.core.model import TargetState
from rotator.core.secret import Secret

MASK = "***"
SHORTEST = 4  # shorter values are not replaced: they occur by chance in every other line
LONGEST_TEXT = 16_000  # characters of one string of an event; the rest is cut off
_DEEPEST = 8  # levels of nesting
_NOT_WORDS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_SECRET_WORDS = frozenset({"authorization", "cookie", "passphrase", "passwd", "password", "pwd", "secret", "token"})
_SECRET_PAIRS = frozenset({"api key", "access key", "private key", "secret id", "secret key", "unseal key"})
_SECRET_NAMES = frozenset({"apikey", "accesskey", "privatekey", "secretkey"})
_SCHEME = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE)


class Redactor:
    """The newest `capacity` secrets, and a filter that removes their values from text. Thread-safe."""

    __slots__ = ("_by_start", "_capacity", "_known", "_lock")

    def __init__(self, capacity: int = 20_000) -> None:
        self._capacity = capacity
        self._known: dict[str, frozenset[str]] = {}  # value: its forms; the oldest first
        # The first characters of a form: the forms, once for each value that has it. Each is replaced, never changed:
        # reading them needs no lock, which would hold up every thread that writes a line.
        self._by_start: dict[str, tuple[str, ...]] = {}
        self._lock = Lock()

    def add(self, *secrets: Secret | None) -> None:
        """Adds values, except None and those with fewer than `SHORTEST` characters."""
        for secret in secrets:
            value = secret.reveal() if secret is not None else ""
            if len(value) >= SHORTEST:
                with self._lock:
                    self._remember(value)

    def learn(self, state: TargetState) -> None:
        """Adds every password of a state document."""
        self.add(*_passwords(state))

    def clean(self, text: str) -> str:
        """Replaces every known value in `text`, then truncates the text."""
        whole = len(text)
        text = text[: 4 * LONGEST_TEXT]  # do not search ten megabytes; a value that this cut splits is cut off below
        for form in sorted(self._forms_in(text), key=len, reverse=True):
            text = text.replace(form, MASK)
        text = _SCHEME.sub(rf"\1 {MASK}", text)
        return text if whole <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}... (cut: {whole} characters)"

    def leaves(self, text: str) -> bool:
        """True if `clean` returns `text` as it is."""
        return len(text) <= LONGEST_TEXT and not self._forms_in(text) and not _SCHEME.search(text)

    def finds_in(self, text: str) -> bool:
        """True if a known value is in `text`, in any form."""
        return bool(self._forms_in(text))

    def nested(self, value: Any, depth: int = 0) -> Any:
        """Cleans every string inside `value`; an object that is not of JSON's types becomes its cleaned repr."""
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, str):
            return self.clean(str(value))
        if depth < _DEEPEST and isinstance(value, Mapping):
            return {self.clean(_text(k)): self._item(_text(k), v, depth + 1) for k, v in value.items()}
        if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
            return [self.nested(item, depth + 1) for item in value]
        return self.clean(_text(value))

    def _item(self, key: str, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool) or not names_secret(key):
            return self.nested(value, depth)
        return MASK

    def _forms_in(self, text: str) -> set[str]:
        """Returns the forms that occur in `text`, at a cost that does not grow with the number of known values."""
        by_start = self._by_start
        return {
            form
            for at in range(len(text) - SHORTEST + 1)
            for form in by_start.get(text[at : at + SHORTEST], ())
            if text.startswith(form, at)
        }

    def _remember(self, value: str) -> None:
        forms = self._known.pop(value, None)
        if forms is not None:  # seen again: now the newest
            self._known[value] = forms
            return
        self._known[value] = forms = _forms(value)
        for form in forms:
            self._by_start[form[:SHORTEST]] = (*self._by_start.get(form[:SHORTEST], ()), form)
        while len(self._known) > self._capacity:
            self._forget(next(iter(self._known)))

    def _forget(self, value: str) -> None:
        for form in self._known.pop(value):
            start = form[:SHORTEST]
            rest = list(self._by_start[start])
            rest.remove(form)
            if rest:
                self._by_start[start] = tuple(rest)
            else:
                del self._by_start[start]


def names_secret(key: str) -> bool:
    """Returns True if every value under `key` is hidden: `password`, `X-Vault-Token`, `clientSecret`."""
    words = [word.lower() for word in _NOT_WORDS.split(key) if word]
    if not words:
        return False
    return words[-1].removesuffix("s") in _SECRET_WORDS | _SECRET_NAMES or " ".join(words[-2:]) in _SECRET_PAIRS


def _forms(value: str) -> frozenset[str]:
    """Returns the common written forms of `value`."""
    written = value.encode(errors="surrogatepass")
    forms = {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        quote(written),
        quote(written, safe=""),
        quote_plus(written),
        base64.b64encode(written).decode(),
        base64.urlsafe_b64encode(written).decode(),
    }
    return frozenset(form for form in forms if len(form) >= SHORTEST)


def _passwords(state: TargetState) -> Iterator[Secret | None]:
    """Yields every password of a state document."""
    attempt = state.attempt
    open_ones = (attempt.staged, attempt.predecessor) if attempt is not None else ()
    replaced = [entry.credential for entry in state.ledger] + [ended.credential for ended in state.ended]
    for credential in (state.published, state.standby, *open_ones, *replaced):
        if credential is not None:
            yield credential.password
    for entry in state.ledger:
        yield entry.devices_password


def _text(value: object) -> str:
    """Returns the repr of any object, even if it fails."""
    try:
        return value if isinstance(value, str) else repr(value)
    except Exception as error:  # noqa: BLE001 - the line is logged even if the repr of an object fails
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"
