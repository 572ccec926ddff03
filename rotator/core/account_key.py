"""How old the key of a provider account is, and when it expires: what people wrote down, and what a JWT says."""

import json
from base64 import urlsafe_b64decode
from binascii import Error
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rotator.core.secret import Secret

_LATEST = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AccountKey:
    """The life of one account's key at its provider. None: unknown."""

    made_at: datetime | None = None
    expires_at: datetime | None = None
    max_age: timedelta | None = None  # the greatest age that somebody allows

    def is_over(self, now: datetime) -> bool:
        """True if it is known to be older than it may become, or to have expired."""
        too_old = self.made_at is not None and self.max_age is not None and now - self.made_at > self.max_age
        return too_old or (self.expires_at is not None and self.expires_at <= now)


def life_in_token(key: Secret) -> tuple[datetime | None, datetime | None]:
    """Returns when a key was issued and when it expires, if it is a JWT that says so (RFC 7519: `iat`, `exp`).

    The signature is not verified: the provider does that, and only the dates matter here.
    """
    parts = key.reveal().split(".")
    if len(parts) != 3:
        return None, None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, Error, RecursionError):
        return None, None
    if not isinstance(claims, dict):
        return None, None
    return _moment(claims.get("iat")), _moment(claims.get("exp"))


def _moment(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < _LATEST.timestamp():
        return None
    return datetime.fromtimestamp(seconds, UTC)
