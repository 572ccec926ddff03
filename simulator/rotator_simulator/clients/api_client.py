"""A simulated client of an API behind an Apinizer gateway: it logs in by HTTP Basic with what Vault publishes."""

from dataclasses import dataclass

from rotator.ports import Clock
from rotator.providers.apinizer.gateway import basic
from rotator.providers.http.calls import HttpRequest
from rotator.providers.http.client import Http, HttpOptions
from rotator.providers.http.replies import HttpReply
from rotator.testing.records import NullMeter
from rotator_simulator.clients.sip_device import Consumer, Given, Habits, Login, Read


@dataclass(frozen=True, slots=True)
class Called:
    """What came of one request: a `Login`."""

    status: int | None  # None: no answer
    reason: str

    @property
    def authenticated(self) -> bool:
        """The API answered."""
        return self.status == 200

    @property
    def refused(self) -> bool:
        """The gateway turned it away: the password is wrong (401), or access to the API is missing (403)."""
        return self.status in (401, 403)


class ApiClient(Consumer):
    """One client: a GET again and again. To be closed when it has stopped."""

    def __init__(self, name: str, read: Read, url: str, clock: Clock, habits: Habits | None = None) -> None:
        """Makes it; `url` is the API proxy. Raises ValueError where it cannot be used."""
        super().__init__(name, read, clock, habits)
        self._http = Http(HttpOptions(account=name, base_url=url, headers={}), clock, NullMeter())

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def _log_in(self, held: Given, habits: Habits) -> Login:
        authorization = {"Authorization": basic(held.username, held.password)}
        # Sent once: what is measured is what a client sees.
        request = HttpRequest("call", "GET", "", headers=authorization, repeatable=False)
        reply = self._http.call(habits.timeout).send(request)
        if isinstance(reply, HttpReply):
            return Called(reply.status, f"the gateway answered {reply.status}")
        return Called(None, reply.message)
