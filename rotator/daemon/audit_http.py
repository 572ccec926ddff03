"""The audit at an HTTP receiver: records as JSON, one on each line, as log collectors take them."""

import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from rotator.core.audit_chain import Line
from rotator.core.secret import Secret
from rotator.daemon.receiver import ReceiverClient
from rotator.fields.proxy import ProxySettings
from rotator.observe.audit_outlet import SinkKind
from rotator.ports import Clock

_WITHIN = 20.0  # seconds for one write, with all its tries
_ONE_TRY = 10.0
_TRIES = 6  # in one write


class HttpSink:
    """One receiver. A record arrives once or more: what was answered by nothing is sent again."""

    def __init__(
        self,
        url: str,
        authorization: Secret | None,
        trust: ssl.SSLContext,
        proxy: ProxySettings | None,
        clock: Clock,
    ) -> None:
        """Prepares the sink without connecting. `authorization` is the value of that header."""
        self._authorization = authorization
        self.kind: SinkKind = "http"
        self.name = f"http {urlsplit(url).netloc}"  # some collectors have a secret in the path
        self._receiver = ReceiverClient(url, trust, proxy, clock)

    def write(self, lines: Sequence[Line]) -> None:
        """Sends the lines. Raises OSError."""
        headers = {"Content-Type": "application/x-ndjson"}
        if self._authorization is not None:
            headers["Authorization"] = self._authorization.reveal()
        body = "".join(f"{line.text}\n" for line in lines).encode()
        self._receiver.send("POST", body, headers, within=_WITHIN, one_try=_ONE_TRY, tries=_TRIES)

    def close(self) -> None:
        """Closes the connections."""
        self._receiver.close()
