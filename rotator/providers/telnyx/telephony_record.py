"""The relevant fields of a Telnyx telephony credential in answers.

The facts are from the pages Create, Retrieve, Update and Delete a credential. `tag` and `status` can be written or
filtered by, but no answer shows them, so the attempt is read from `name`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rotator.core.secret import Secret
from rotator.providers.telnyx import api
from rotator.providers.telnyx.options import TELEPHONY_USERNAMES

FAR = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
"""An end that means none, in case null does not remove one. Every library can read this date."""
_NAME = re.compile(r"rotator/[^/]*/([a-z0-9]+)")
_SECOND = timedelta(seconds=1)
_TRUTH = {"true": True, "false": False}


def name_of(target: str, attempt: str) -> str:
    """Returns the name for a new credential; `TelephonyRecord.attempt` parses it."""
    return f"rotator/{target}/{attempt}"


def tag_of(attempt: str) -> str:
    """Returns the tag for a new credential: one for each attempt, since a tag is limited to 1000 credentials."""
    return f"rotator-{attempt}"


@dataclass(frozen=True, slots=True)
class TelephonyRecord:
    """A telephony credential as Telnyx shows it."""

    id: str
    username: str
    name: str
    resource: str
    password: Secret | None
    expired: bool
    ends: datetime | None
    masked: bool = False

    def ended(self, now: datetime) -> bool:
        """Returns True once the credential is no longer accepted. `expired` may lag behind `expires_at`."""
        return self.expired or (self.ends is not None and self.ends <= now)

    def lasts(self) -> bool:
        """Returns True if no end is set."""
        return not self.expired and (self.ends is None or self.ends >= FAR - _SECOND)

    def ends_at(self, at: datetime) -> bool:
        """Returns True if this end is set; Telnyx may round it."""
        return self.ends is not None and abs(self.ends - at) <= _SECOND

    @property
    def attempt(self) -> str | None:
        """The attempt that created it, from its name."""
        return _attempt_in(self.name)


def _attempt_in(name: str) -> str | None:
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def credential_keys(data: Any) -> Mapping[str, str | None]:
    """Reads what a credential is found by; the attempt is empty if the name carries none."""
    name = data.get("name") if isinstance(data, dict) else None
    return api.read_keys(data, "sip_username") | {
        "attempt": (_attempt_in(name) or "") if isinstance(name, str) else None
    }


def _read_truth(value: Any) -> bool | None:
    """Reads a boolean, or the text of one, which older pages show. No field is required, and the default is false."""
    if value is None:
        return False
    return value if isinstance(value, bool) else _TRUTH.get(str(value))


def read_credential(data: Any) -> TelephonyRecord | None:
    """Reads a telephony credential; None if a required field is missing or has the wrong type."""
    if not isinstance(data, dict):
        return None
    identity, username = api.read_id(data.get("id")), data.get("sip_username")
    expired = _read_truth(data.get("expired"))
    ends = api.read_moment(data.get("expires_at"))
    if (
        identity is None
        or expired is None
        or not isinstance(username, str)
        or not re.fullmatch(TELEPHONY_USERNAMES, username)
    ):
        return None
    if ends is None and data.get("expires_at") is not None:
        return None
    name, resource = data.get("name"), data.get("resource_id")
    return TelephonyRecord(
        identity,
        username,
        name if isinstance(name, str) else "",
        resource if isinstance(resource, str) else "",
        api.read_secret(data.get("sip_password")),
        expired,
        ends,
        api.is_masked(data.get("sip_password")),
    )
