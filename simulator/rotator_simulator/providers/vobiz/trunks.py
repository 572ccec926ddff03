"""Vobiz trunks: listed and updated as Vobiz's SDK has it (`trunks`), each with one `credential_uuid`."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import Response

from rotator.ports import Clock
from rotator_simulator.account import NotFound, Propagation, SimulatedAccount
from rotator_simulator.providers.vobiz.common import VobizResponses, stamp
from rotator_simulator.simulated_api import View

CREDENTIAL = "credential"
_LONG_AGO = 86400.0


@dataclass(frozen=True, slots=True)
class SimulatedTrunk:
    """A trunk as Vobiz stores it."""

    id: str
    account: str
    name: str
    credential: str | None  # the id of the one that it names
    created: datetime
    updated: datetime
    since: float  # on the monotonic clock: when it was made to name that one
    before: tuple[str, float] | None = None  # what it named before, and until when


class TrunkRoutes:
    """The trunks of every account, and the views for them. Thread-safe."""

    def __init__(self, responses: VobizResponses, clock: Clock) -> None:
        """Begins without any trunk."""
        self._responses, self._clock = responses, clock
        self._lock = threading.Lock()
        self._trunks: dict[str, SimulatedTrunk] = {}

    def routes(self) -> Iterator[tuple[str, str, str, View]]:
        """Yields method, path below the account, name, and view."""
        yield "GET", "trunks", "list_trunks", self._list
        yield "PUT", "trunks/<identity>", "update_trunk", self._update

    def add(self, account: SimulatedAccount, name: str, credential: str | None) -> SimulatedTrunk:
        """Adds a trunk that names a credential."""
        now = self._clock.now()
        since = self._clock.monotonic() - _LONG_AGO
        trunk = SimulatedTrunk(str(uuid.uuid4()), account.name, name, credential, now, now, since)
        with self._lock:
            self._trunks[trunk.id] = trunk
        return trunk

    def point(self, identity: str, credential: str | None) -> SimulatedTrunk:
        """Makes a trunk name another credential. Raises NotFound."""
        with self._lock:
            if identity not in self._trunks:
                raise NotFound(identity)
            trunk, since = self._trunks[identity], self._clock.monotonic()
            if trunk.credential != credential:
                before = (trunk.credential, since) if trunk.credential is not None else None
                trunk = replace(trunk, credential=credential, since=since, before=before)
            self._trunks[identity] = replace(trunk, updated=self._clock.now())
            return self._trunks[identity]

    def of(self, account: SimulatedAccount) -> tuple[SimulatedTrunk, ...]:
        """Returns the trunks of an account, oldest first."""
        with self._lock:
            return tuple(one for one in self._trunks.values() if one.account == account.name)

    def names(self, account: SimulatedAccount, credential: str) -> bool:
        """Returns True if a trunk names this credential."""
        return any(one.credential == credential for one in self.of(account))

    def let_in(self, account: SimulatedAccount, credential: str, propagation: Propagation) -> bool:
        """Returns True if the SIP side lets a credential in that a trunk names, or named a moment ago."""
        now = self._clock.monotonic()

        def by(trunk: SimulatedTrunk) -> bool:
            named = trunk.credential == credential and trunk.since + propagation.new <= now
            before = trunk.before
            return named or (before is not None and before[0] == credential and now < before[1] + propagation.old)

        return any(by(one) for one in self.of(account))

    def _list(self, account: SimulatedAccount) -> Response:
        if self._responses.readings.trunks_status != 200:
            return self._responses.error(self._responses.readings.trunks_status, None)
        return self._responses.page(self.of(account), self._as_json)

    def _update(self, account: SimulatedAccount, identity: str) -> Response:
        body = self._responses.body()
        if self._responses.readings.trunks_status != 200 or all(one.id != identity for one in self.of(account)):
            return self._responses.error(404, None)
        if body is None or set(body) - {"name", "credential_uuid"}:  # the others of the page mean nothing here
            return self._responses.error(400, None)
        wanted = body.get("credential_uuid")
        if wanted is not None and all(one.id != wanted for one in account.credentials(CREDENTIAL)):
            return self._responses.error(400, None)
        shown = self._as_json(self.point(identity, wanted))
        if not self._responses.readings.trunk_update_shows_credential:
            del shown["credential_uuid"]
        return self._responses.json(200, shown)

    def _as_json(self, trunk: SimulatedTrunk) -> dict[str, Any]:
        return {
            "trunk_id": trunk.id,
            "account_id": trunk.account,
            "name": trunk.name,
            "trunk_domain": self._responses.readings.trunk_domain or f"{trunk.id[:8]}.sip.vobiz.ai",
            "trunk_status": "enabled",
            "secure": False,
            "trunk_direction": "outbound",
            "concurrent_calls_limit": 10,
            "cps_limit": 1,
            "credential_uuid": trunk.credential,
            "description": "",
            "transport": "udp",
            "recording": False,
            "enable_transcription": False,
            "pii_redaction": False,
            "webhook_method": "POST",
            "recording_webhook_enabled": False,
            "created_at": stamp(trunk.created),
            "updated_at": stamp(trunk.updated),
        }
