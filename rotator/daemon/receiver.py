"""One request to a receiver that the configuration names: the audit's, or that of a hook."""

import ssl
from collections.abc import Mapping

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from rotator.fields.connecting import Destination
from rotator.fields.proxy import ProxySettings
from rotator.ports import Clock
from rotator.providers.http.deadline import Deadline
from rotator.providers.http.transport import Network, lost

_LARGEST_ANSWER = 65_536  # bytes that are read of an answer, so that its connection can be used again
_LATER = frozenset({408, 425, 429})  # and all of 500 to 599: the receiver may take it later


class NotNow(OSError):
    """The receiver did not take it, and may do so later. The message quotes nothing of the answer."""


class Rejected(OSError):
    """The receiver refused it, and would do so again. The message quotes nothing of the answer."""

    def __init__(self, status: int) -> None:
        """Takes the status of the answer."""
        super().__init__(f"it refuses with {status}" + (": no redirect is followed" if 300 <= status < 400 else ""))
        self.status = status


class ReceiverClient:
    """A receiver of one kind of request. TLS is verified, no redirect is followed, no answer is looked at."""

    def __init__(self, url: str, trust: ssl.SSLContext, proxy: ProxySettings | None, clock: Clock) -> None:
        """Prepares it without connecting. The environment's proxies are never used."""
        self._url, self._clock = url, clock
        self._deadline = Deadline(clock)
        carried_by = proxy if proxy is not None and proxy.carries(url) else None
        self._network = Network(trust, self._deadline, carried_by)
        self._destination = Destination.at(url, "url", carried_by)

    def send(
        self, method: str, body: bytes, headers: Mapping[str, str], *, within: float, one_try: float, tries: int
    ) -> None:
        """Sends it, again if it may be taken later.

        Args:
            within: seconds for everything. While the process stops, nothing is waited for between two tries.
            one_try: seconds for one.
            tries: the most.

        Raises:
            NotNow: it was not taken, or perhaps not.
            Rejected: it was refused.
        """
        end = self._clock.monotonic() + within

        def enough(state: RetryCallState) -> bool:
            late = self._clock.monotonic() + state.upcoming_sleep >= end
            return late or state.attempt_number >= tries

        Retrying(
            retry=retry_if_exception_type(NotNow),
            stop=enough,
            wait=wait_random_exponential(multiplier=0.5, max=5),
            sleep=self._clock.sleep,
            reraise=True,
        )(self._try, method, body, headers, end, one_try)

    def close(self) -> None:
        """Closes the connections."""
        self._network.close()

    def _try(self, method: str, body: bytes, headers: Mapping[str, str], end: float, one_try: float) -> None:
        self._deadline.set(min(end, self._clock.monotonic() + one_try))
        try:
            status = self._status(method, body, headers, one_try)
        except httpx.HTTPError as error:
            raise NotNow(lost(error, self._destination).message) from None
        if 200 <= status < 300:
            return
        if status in _LATER or status >= 500:
            raise NotNow(f"it answers {status}")
        raise Rejected(status)

    def _status(self, method: str, body: bytes, headers: Mapping[str, str], one_try: float) -> int:
        sent = {"Accept-Encoding": "identity", "User-Agent": "rotator", **headers}
        timeout = httpx.Timeout(one_try).as_dict()
        request = httpx.Request(method, self._url, content=body, headers=sent, extensions={"timeout": timeout})
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
