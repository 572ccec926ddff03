"""How old an account's own key is, by what people wrote down and by what a JWT says."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.account_key import AccountKey, life_in_token
from rotator.core.secret import Secret

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)


def token(claims: object) -> Secret:
    def part(content: object) -> str:
        return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return Secret(f"{part({'alg': 'HS256'})}.{part(claims)}.c2lnbmF0dXJl")


@pytest.mark.parametrize(
    ("key", "over"),
    [
        (AccountKey(), False),
        (AccountKey(NOW - 100 * DAY), False),
        (AccountKey(NOW - 100 * DAY, max_age=100 * DAY), False),
        (AccountKey(NOW - 101 * DAY, max_age=100 * DAY), True),
        (AccountKey(max_age=100 * DAY), False),
        (AccountKey(expires_at=NOW + DAY), False),
        (AccountKey(expires_at=NOW), True),
        (AccountKey(NOW - DAY, NOW - DAY, 100 * DAY), True),
    ],
)
def test_a_key_is_over_its_limit_or_expired(key, over):
    assert key.is_over(NOW) is over


def test_a_jwt_says_when_it_was_issued_and_expires():
    assert life_in_token(token({"iat": NOW.timestamp(), "exp": (NOW + DAY).timestamp()})) == (NOW, NOW + DAY)
    assert life_in_token(token({"exp": (NOW + DAY).timestamp()})) == (None, NOW + DAY)


@pytest.mark.parametrize(
    "secret",
    [
        Secret("KEY0123456789"),
        Secret("a.b.c"),
        Secret("..."),
        Secret("a.!!!.c"),
        Secret("a.W10.c"),  # []
        Secret("a." + "W" * 60_001 + ".c"),
        token([1, 2]),
        token({"iat": "yesterday", "exp": True}),
        token({"iat": -5, "exp": 1e300}),
        token({"exp": None}),
    ],
)
def test_everything_else_says_nothing(secret):
    assert life_in_token(secret) == (None, None)
