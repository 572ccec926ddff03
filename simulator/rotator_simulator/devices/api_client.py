"""A simulated client of an API behind an Apinizer gateway: it logs in by HTTP Basic with the published credential."""

from dataclasses import dataclass

from rotator.ports import Clock
from rotator.providers.apinizer.gateway import basic
from rotator.providers.http.calls import HttpRequest
from rotator.providers.http.client import Http, HttpOptions
from rotator.providers.http.replies import HttpReply
from rotator.testing.records import NullMeter
from rotator_simulator.devices.device import Device, DeviceTiming, LoginResult, PublishedCredential, ReadPublished


@dataclass(frozen=True, slots=True)
class ApiCallResult:
    """The result of one request, as a `LoginResult`."""

    status: int | None  # None: no answer
    reason: str

    @property
    def authenticated(self) -> bool:
        """True if the API answered."""
        return self.status == 200

    @property
    def refused(self) -> bool:
        """True if the gateway refused it: the password is wrong (401), or access to the API is missing (403)."""
        return self.status in (401, 403)


class ApiClient(Device):
    """One client, which sends a GET again and again. Close it after it has stopped."""

    def __init__(
        self, name: str, read: ReadPublished, url: str, clock: Clock, timing: DeviceTiming | None = None
    ) -> None:
        """Does nothing until the first `step`; `url` is the API proxy. Raises ValueError for an unusable URL."""
        super().__init__(name, read, clock, timing)
        self._http = Http(HttpOptions(account=name, base_url=url, headers={}), clock, NullMeter())

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def _log_in(self, credential: PublishedCredential) -> LoginResult:
        headers = {"Authorization": basic(credential.username, credential.password)}
        # Sent once: the measurement must be what a client sees.
        request = HttpRequest("call", "GET", "", headers=headers, repeatable=False)
        reply = self._http.call(self._timing.timeout).send(request)
        if isinstance(reply, HttpReply):
            return ApiCallResult(reply.status, f"the gateway answered {reply.status}")
        return ApiCallResult(None, reply.message)
