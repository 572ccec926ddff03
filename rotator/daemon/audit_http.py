"""The audit at an HTTP receiver: records as JSON, one on each line, as log collectors take them."""

import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from rotator.core.audit_chain import Line
from rotator.core.secret import Secret
from rotator.fields.proxy import ProxySettings
from rotator.observe.audit_outlet import SinkKind
from rotator.ports import Clock
from rotator.providers.connecting import Destination
from rotator.providers.http.deadline import Deadline
from rotator.providers.http.transport import Network, lost

_WITHIN = 20.0  # seconds for one write, with all its tries
_ONE_TRY = 10.0
_TRIES = 6  # in one write: while the process stops, nothing is waited for between them
_LARGEST_ANSWER = 65_536  # bytes that are read of an answer, so that its connection can be used again
_LATER = frozenset({408, 425, 429})  # and all of 500 to 599: the receiver may take it later


class _NotNow(OSError):
    """The receiver did not take it, and may do so later."""


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
        self._url, self._authorization, self._clock = url, authorization, clock
        self.kind: SinkKind = "http"
        self.name = f"http {urlsplit(url).netloc}"  # some collectors have a secret in the path
        self._deadline = Deadline(clock)
        carried_by = proxy if proxy is not None and proxy.carries(url) else None
        self._network = Network(trust, self._deadline, carried_by)
        self._destination = Destination.at(url, "url", carried_by)

    def write(self, lines: Sequence[Line]) -> None:
        """Sends the lines. Raises OSError."""
        body = "".join(f"{line.text}\n" for line in lines).encode()
        end = self._clock.monotonic() + _WITHIN

        def enough(state: RetryCallState) -> bool:
            late = self._clock.monotonic() + state.upcoming_sleep >= end
            return late or state.attempt_number >= _TRIES

        Retrying(
            retry=retry_if_exception_type(_NotNow),
            stop=enough,
            wait=wait_random_exponential(multiplier=0.5, max=5),
            sleep=self._clock.sleep,
            reraise=True,
        )(self._send, body, end)

    def close(self) -> None:
        """Closes the connections."""
        self._network.close()

    def _send(self, body: bytes, end: float) -> None:
        self._deadline.set(min(end, self._clock.monotonic() + _ONE_TRY))
        try:
            status = self._post(body)
        except httpx.HTTPError as error:
            raise _NotNow(lost(error, self._destination).message) from None
        if 200 <= status < 300:
            return
        if status in _LATER or status >= 500:
            raise _NotNow(f"it answers {status}")
        raise OSError(f"it refuses the records with {status}")

    def _post(self, body: bytes) -> int:
        headers = {"Content-Type": "application/x-ndjson", "Accept-Encoding": "identity", "User-Agent": "rotator"}
        if self._authorization is not None:
            headers["Authorization"] = self._authorization.reveal()
        timeout = httpx.Timeout(_ONE_TRY).as_dict()
        request = httpx.Request("POST", self._url, content=body, headers=headers, extensions={"timeout": timeout})
        response = self._network.handle_request(request)
        try:
            read = 0
            for piece in response.iter_raw():
                read += len(piece)
                if read > _LARGEST_ANSWER:
                    break
        finally:
            response.close()
        return response.status_code
