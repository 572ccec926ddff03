"""A hook that is a signed request, as Standard Webhooks has it (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Mapping
from datetime import timedelta

from rotator.core.answers import Answer, Done, Refusal, Refused, Unknown
from rotator.core.secret import Secret
from rotator.daemon.receiver import NotNow, ReceiverClient
from rotator.fields.proxy import ProxySettings
from rotator.ports import Clock

_TRIES = 3


class HttpHook:
    """Sends the facts as JSON. A password is never among them: a request passes proxies and logs."""

    takes_password = False

    def __init__(
        self,
        url: str,
        key: bytes,
        trust: ssl.SSLContext,
        proxy: ProxySettings | None,
        time_limit: timedelta,
        clock: Clock,
    ) -> None:
        """Prepares it without connecting. Each request is signed with `key`."""
        self._key, self._clock, self._seconds = key, clock, time_limit.total_seconds()
        self._receiver = ReceiverClient(url, trust, proxy, clock)

    def run(self, facts: Mapping[str, object], password: Secret | None) -> Answer[None]:  # noqa: ARG002 - as of each kind
        """Sends the facts; any answer of 200 to 299 is a yes."""
        body, seconds = json.dumps(facts).encode(), self._seconds
        headers = {"Content-Type": "application/json", **self._signed(str(facts["key"]), body)}
        try:
            self._receiver.send("POST", body, headers, within=seconds, one_try=seconds, tries=_TRIES)
        except NotNow as error:
            return Unknown(str(error))
        except OSError as error:
            return Refused(Refusal.OTHER, str(error))
        return Done(None)

    def close(self) -> None:
        """Closes the connections."""
        self._receiver.close()

    def _signed(self, key: str, body: bytes) -> dict[str, str]:
        at = str(int(self._clock.now().timestamp()))
        made = hmac.new(self._key, f"{key}.{at}.".encode() + body, hashlib.sha256).digest()
        signature = f"v1,{base64.b64encode(made).decode()}"
        return {"webhook-id": key, "webhook-timestamp": at, "webhook-signature": signature}
