"""The endpoint of a daemon: its two servers, as the configuration wants them."""

from collections.abc import Callable

from rotator.daemon.http.certificate import Certificate
from rotator.daemon.http.pages import EndpointAnswer, EndpointRequest
from rotator.daemon.http.server import ListenError, PeerLimits, Server
from rotator.ports import Clock
from rotator.settings.http import HttpSettings, TlsSettings


class Endpoint:
    """Pages on one port, probes on another: they share neither threads nor connections."""

    def __init__(
        self,
        settings: HttpSettings,
        pages: Callable[[EndpointRequest], EndpointAnswer],
        probes: Callable[[EndpointRequest], EndpointAnswer],
        clock: Clock,
        limits: PeerLimits | None = None,
    ) -> None:
        """Reads the certificate, if there is one; `start` opens the ports.

        Raises:
            ListenError: the certificate cannot be used.
        """
        certificate = _certificate(settings.tls) if settings.tls is not None else None
        self._pages = Server("pages", settings.listen, pages, clock, certificate=certificate, limits=limits)
        self._probes = Server("probes", settings.probes, probes, clock, limits=limits)

    @property
    def port(self) -> int:
        """The port of the pages in use once started; before that, the requested one."""
        return self._pages.port

    @property
    def probe_port(self) -> int:
        """The same of the probes."""
        return self._probes.port

    def ended(self) -> dict[tuple[str, str], int]:
        """Returns how many connections it had to end, by server and reason."""
        servers = {"pages": self._pages, "probes": self._probes}
        return {(name, why): count for name, server in servers.items() for why, count in server.ended().items()}

    def start(self) -> None:
        """Serves in separate threads; returns once connections are accepted.

        Raises:
            ListenError: an address is in use, belongs to another machine, or is not allowed.
        """
        self._probes.start()
        try:
            self._pages.start()
        except ListenError:
            self._probes.stop()
            raise

    def stop(self, timeout: float = 5.0) -> None:
        """Stops both; open requests get at most `timeout` seconds each. Safe to repeat."""
        self._pages.stop(timeout)
        self._probes.stop(timeout)


def _certificate(settings: TlsSettings) -> Certificate:
    try:
        return Certificate((settings.certificate, settings.key), settings.context)
    except ValueError as error:
        raise ListenError(f"cannot speak TLS: {error}") from None
