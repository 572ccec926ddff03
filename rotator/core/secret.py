"""The only type that carries a password, a token or a key through `rotator`.

A `Secret` cannot be printed, formatted, pickled or turned into JSON by accident. `reveal()` is the only way out:
`grep -rn 'reveal()'` lists every place where a value leaves.
"""

import hmac
from typing import Any, NoReturn, final

_MASK = "Secret(***)"


@final
class Secret:
    """A value that must never be seen.

    It compares in constant time, and only with another `Secret`. It is not hashable, so it cannot become a key.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError("a Secret contains text")
        self._value = value

    def reveal(self) -> str:
        """Returns the value itself, for the provider's request and for Vault only."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        if self is other:  # which shows nothing of what it holds
            return True
        return hmac.compare_digest(self._bytes(), other._bytes())

    def _bytes(self) -> bytes:
        """Encodes any text: people may write invalid Unicode into Vault."""
        return self._value.encode(errors="surrogatepass")

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return _MASK

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")
