"""A simulated SIP phone: it registers with the published credential."""

from rotator.fields.network import HostPort
from rotator.ports import Clock
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import register
from rotator_simulator.devices.device import Device, DeviceTiming, LoginResult, PublishedCredential, ReadPublished


class SipPhone(Device):
    """One phone."""

    def __init__(
        self, name: str, read: ReadPublished, registrar: HostPort, clock: Clock, timing: DeviceTiming | None = None
    ) -> None:
        """Does nothing until the first `step`."""
        super().__init__(name, read, clock, timing)
        self._registrar = registrar

    def _log_in(self, credential: PublishedCredential) -> LoginResult:
        return register(
            SipRoute(self._registrar, "udp"),
            credential.username,
            credential.password,
            clock=self._clock,
            domain=credential.domain or None,
            contact=f"sip:{self.name}@device.invalid",
            expires=self._timing.expires,
            timeout=self._timing.timeout,
        )
