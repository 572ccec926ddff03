"""The Telnyx API as its pages describe it, with switches for what they leave open (`TelnyxReadings`).

Telephony credentials are here; `telnyx_connections` has the connections that they belong to. Passwords are shown in
plain text wherever an object is, also in the answer to a DELETE (T1).
"""

import secrets
import string
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.account import Account, InUse, Missing, Record
from rotator_simulator.providers.telnyx import connections
from rotator_simulator.providers.telnyx.common import Answers, TelnyxReadings, View, matches
from rotator_simulator.simulated_api import Simulation

KIND = "telephony"
_DOMAIN = "sip.telnyx.com"
_FIELDS = {"connection_id", "name", "tag", "expires_at"}
_CHARACTERS = string.ascii_letters + string.digits


class TelnyxApi(Simulation[TelnyxReadings]):
    """Serves any number of Telnyx accounts; the API key says which one is meant."""

    name = "telnyx"

    def __init__(self, accounts: Iterable[Account], clock: Clock, readings: TelnyxReadings | None = None) -> None:
        """Makes it; a reading can be changed at any time by `read_as`."""
        self._answers = Answers(clock, readings or TelnyxReadings())
        super().__init__(accounts, self._answers)

    def realms(self) -> Mapping[str, Account]:
        """One SIP domain for the first account, subdomains of it for the others."""
        names = [_DOMAIN, *(f"{account.name.lower()}.{_DOMAIN}" for account in self.accounts[1:])]
        return dict(zip(names, self.accounts, strict=True))

    def call(self) -> tuple[str, str]:
        """The account's name and the verb of the request: `create`, `list`, `get`, `update` or `delete`."""
        account = self._authenticated()
        verb = (request.endpoint or "").rpartition(".")[2].partition("_")[0]
        return account.name if account is not None else "", verb

    def blueprint(self) -> Blueprint:
        """The routes of both resources."""
        routes = Blueprint(self.name, __name__)
        own: tuple[tuple[str, str, str, View], ...] = (
            ("POST", "telephony_credentials", "create_credential", self._create),
            ("GET", "telephony_credentials", "list_credentials", self._list),
            ("GET", "telephony_credentials/<identity>", "get_credential", self._get),
            ("PATCH", "telephony_credentials/<identity>", "update_credential", self._update),
            ("DELETE", "telephony_credentials/<identity>", "delete_credential", self._delete),
        )
        for method, path, name, view in (*own, *connections.Connections(self._answers).routes()):
            routes.add_url_rule(f"/v2/{path}", name, self._with_account(view), methods=[method])
        return routes

    def _authenticated(self) -> Account | None:
        given = Secret(request.headers.get("Authorization", ""))
        return next((one for one in self.accounts if given == Secret(f"Bearer {one.token.reveal()}")), None)

    def _with_account(self, view: View) -> View:
        def authenticated(**rest: str) -> Response:
            account = self._authenticated()
            if account is None:
                return self._answers.error(401, None)
            try:
                return view(account, **rest)
            except Missing:
                return self._answers.error(404, None)

        return authenticated

    def _create(self, account: Account) -> Response:
        given = self._answers.body()
        problem = self._problem(account, given or {})
        if given is None or problem or "connection_id" not in given:
            return self._answers.error(422, None, problem or "connection_id is required")
        # Neither can be chosen, so that each create makes another username, too (T2).
        username = "gencred" + "".join(secrets.choice(_CHARACTERS) for _ in range(24))
        extra = {name: given.get(name) for name in ("connection_id", "name", "tag")}
        record = account.create(KIND, username, Secret(secrets.token_hex(16)), extra)
        if given.get("expires_at") is not None:
            record = account.end_at(KIND, record.id, _moment(given["expires_at"]))
        return self._answers.data(201, self._shown(account, record))

    def _list(self, account: Account) -> Response:
        names = ("name", "tag", "sip_username")
        asked = {name: request.args.get(f"filter[{name}]") for name in names}
        if self.readings.filters_refused and any(asked.values()):
            return self._answers.error(400, None, "this filter is not known")
        how, resource = self.readings.filters, request.args.get("filter[resource_id]")
        found = []
        for record in self._answers.ordered(account, KIND):
            held = {**record.extra, "sip_username": record.username}
            fits = all(matches(asked[name], str(held[name] or ""), how) for name in names)
            if fits and resource in (None, f"connection:{record.extra['connection_id']}"):
                found.append(self._shown(account, record))
        return self._answers.page(found, self.readings.default_page)

    def _get(self, account: Account, identity: str) -> Response:
        return self._answers.data(200, self._shown(account, account.get(KIND, identity)))

    def _update(self, account: Account, identity: str) -> Response:
        given, record = self._answers.body(), account.get(KIND, identity)
        if account.has_ended(record):  # terminal: "An expired credential can only be deleted"
            return self._answers.expired()
        problem = self._problem(account, given or {})
        if given is None or problem:
            return self._answers.error(422, None, problem or "send a JSON object")
        if "expires_at" in given:
            refusal = self._limit(account, record, given["expires_at"])
            if refusal is not None:
                return refusal
        changed: dict[str, Any] = {name: given[name] for name in ("connection_id", "name", "tag") if name in given}
        return self._answers.data(200, self._shown(account, account.update(KIND, identity, extra=changed)))

    def _limit(self, account: Account, record: Record, given: str | None) -> Response | None:
        moment = _moment(given) if given is not None else None
        if moment is not None and self.readings.rounds_moments:
            moment = moment.replace(microsecond=0)
        reading = "accepted"
        if moment is None:
            reading = self.readings.null_lifts_end
        elif moment <= self._answers.clock.now():
            reading = self.readings.past_end
        if reading == "refused":
            return self._answers.error(422, None, "expires_at is not acceptable")
        if reading == "accepted":
            account.end_at(KIND, record.id, moment)
        return None

    def _delete(self, account: Account, identity: str) -> Response:
        shown = self._shown(account, account.get(KIND, identity))
        try:
            account.delete(KIND, identity, disconnect=not self.readings.delete_in_use)
        except InUse:
            return self._answers.error(409, None)
        return self._answers.data(200, shown)

    def _problem(self, account: Account, given: Mapping[str, Any]) -> str | None:
        """Why a body is refused; None where it is taken."""
        if set(given) - _FIELDS:
            return f"only {', '.join(sorted(_FIELDS))} can be given"
        if not all(isinstance(given.get(name, ""), str) for name in ("connection_id", "name", "tag")):
            return "connection_id, name and tag are text"
        if "connection_id" in given:
            known = (record.id for record in account.records(connections.KIND))
            if given["connection_id"] not in known:
                return "there is no such connection"
        if given.get("expires_at") is not None and _moment(given["expires_at"]) is None:
            return "expires_at is a date and time"
        return None

    def _shown(self, account: Account, record: Record) -> dict[str, Any]:
        ended = account.has_ended(record) and not self.readings.expired_lags
        return {
            "id": record.id,
            "record_type": "credential",
            "name": record.extra["name"] or str(record.created),
            "resource_id": f"connection:{record.extra['connection_id']}",  # T5
            "expired": ended if self.readings.expired_as == "boolean" else str(ended).lower(),
            "sip_username": record.username,
            "sip_password": record.password.reveal(),
            "user_id": account.name,
            "created_at": self._answers.stamp(record.created),
            "updated_at": self._answers.stamp(record.updated),
            "expires_at": self._answers.stamp(record.ends) if record.ends is not None else None,
        }


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
