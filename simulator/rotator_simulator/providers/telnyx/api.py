"""The Telnyx API as its pages describe it, with a switch for each point they leave open (`TelnyxReadings`).

This module has telephony credentials; `connections` has the connections that they belong to. Every response that shows
an object shows its password in plain text, even the response to a DELETE (T1), unless it is masked.
"""

import secrets
import string
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.account import CredentialInUse, NotFound, SimulatedAccount, SimulatedCredential
from rotator_simulator.providers.telnyx import connections
from rotator_simulator.providers.telnyx.common import TelnyxReadings, TelnyxResponses, matches
from rotator_simulator.simulated_api import SimulatedApi, View, verb

KIND = "telephony"
_DOMAIN = "sip.telnyx.com"
_FIELDS = {"connection_id", "name", "tag", "expires_at"}
_CHARACTERS = string.ascii_letters + string.digits


class TelnyxApi(SimulatedApi[TelnyxReadings]):
    """Serves any number of Telnyx accounts, told apart by their API keys."""

    name = "telnyx"
    _responses: TelnyxResponses

    def __init__(
        self, accounts: Iterable[SimulatedAccount], clock: Clock, readings: TelnyxReadings | None = None
    ) -> None:
        """Serves these accounts; `read_as` changes a reading at any time."""
        super().__init__(accounts, TelnyxResponses(clock, readings or TelnyxReadings()))

    def realms(self) -> Mapping[str, SimulatedAccount]:
        """Returns the account of each realm: Telnyx's domain for the first one, subdomains for the others."""
        names = [_DOMAIN, *(f"{account.name.lower()}.{_DOMAIN}" for account in self.accounts[1:])]
        return dict(zip(names, self.accounts, strict=True))

    def call(self) -> tuple[str, str]:
        """Returns the account's name and the verb: `create`, `list`, `get`, `update`, `delete` or `usage`."""
        account = self._authenticated()
        return account.name if account is not None else "", verb()

    def blueprint(self) -> Blueprint:
        """Returns the routes of both resources."""
        routes = Blueprint(self.name, __name__)
        own: tuple[tuple[str, str, str, View], ...] = (
            ("POST", "telephony_credentials", "create_credential", self._create),
            ("GET", "telephony_credentials", "list_credentials", self._list),
            ("GET", "telephony_credentials/<identity>", "get_credential", self._get),
            ("PATCH", "telephony_credentials/<identity>", "update_credential", self._update),
            ("DELETE", "telephony_credentials/<identity>", "delete_credential", self._delete),
            ("GET", "sip_registration_status", "usage_registration", self._registration),
        )
        for method, path, name, view in (*own, *connections.ConnectionRoutes(self._responses).routes()):
            routes.add_url_rule(f"/v2/{path}", name, self._with_account(view), methods=[method])
        return routes

    def _authenticated(self) -> SimulatedAccount | None:
        sent = Secret(request.headers.get("Authorization", ""))
        return next((one for one in self.accounts if sent == Secret(f"Bearer {one.token.reveal()}")), None)

    def _with_account(self, view: View) -> View:
        def authenticated(**rest: str) -> Response:
            account = self._authenticated()
            if account is None:
                return self._responses.error(401, None)
            try:
                return view(account, **rest)
            except NotFound:
                return self._responses.error(404, None)

        return authenticated

    def _create(self, account: SimulatedAccount) -> Response:
        body = self._responses.body()
        problem = self._problem(account, body or {})
        if body is None or problem or "connection_id" not in body:
            return self._responses.error(422, None, problem or "connection_id is required")
        # The client chooses neither username nor password: each create generates both (T2).
        username = "gencred" + "".join(secrets.choice(_CHARACTERS) for _ in range(24))
        extra = {name: body.get(name) for name in ("connection_id", "name", "tag")}
        credential = account.create(KIND, username, Secret(secrets.token_hex(16)), extra)
        if body.get("expires_at") is not None:
            credential = account.end_at(KIND, credential.id, _moment(body["expires_at"]))
        return self._responses.data(201, self._as_json(account, credential, made=True))

    def _list(self, account: SimulatedAccount) -> Response:
        names = ("name", "tag", "sip_username")
        filters = {name: request.args.get(f"filter[{name}]") for name in names}
        if self.readings.filters_refused and any(filters.values()):
            return self._responses.error(400, None, "unknown filter")
        how, resource = self.readings.filters, request.args.get("filter[resource_id]")
        items = []
        for credential in account.listed(KIND, self._responses.readings.order):
            values = {**credential.extra, "sip_username": credential.username}
            fits = all(matches(filters[name], str(values[name] or ""), how) for name in names)
            if fits and resource in (None, f"connection:{credential.extra['connection_id']}"):
                items.append(self._as_json(account, credential))
        return self._responses.page(items, self.readings.default_page)

    def _get(self, account: SimulatedAccount, identity: str) -> Response:
        return self._responses.data(200, self._as_json(account, account.get(KIND, identity)))

    def _update(self, account: SimulatedAccount, identity: str) -> Response:
        body, credential = self._responses.body(), account.get(KIND, identity)
        if account.has_ended(credential):  # terminal: "An expired credential can only be deleted"
            return self._responses.expired()
        problem = self._problem(account, body or {})
        if body is None or problem:
            return self._responses.error(422, None, problem or "send a JSON object")
        if "expires_at" in body:
            refusal = self._set_end(account, credential, body["expires_at"])
            if refusal is not None:
                return refusal
        changed: dict[str, Any] = {name: body[name] for name in ("connection_id", "name", "tag") if name in body}
        return self._responses.data(200, self._as_json(account, account.update(KIND, identity, extra=changed)))

    def _set_end(self, account: SimulatedAccount, credential: SimulatedCredential, text: str | None) -> Response | None:
        moment = _moment(text) if text is not None else None
        if moment is not None and self.readings.rounds_moments:
            moment = moment.replace(microsecond=0)
        reading = "accepted"
        if moment is None:
            reading = self.readings.null_lifts_end
        elif moment <= self._responses.clock.now():
            reading = self.readings.past_end
        if reading == "refused":
            return self._responses.error(422, None, "expires_at is not acceptable")
        if reading == "accepted":
            account.end_at(KIND, credential.id, moment)
        return None

    def _delete(self, account: SimulatedAccount, identity: str) -> Response:
        item = self._as_json(account, account.get(KIND, identity))
        try:
            account.delete(KIND, identity, disconnect=not self.readings.delete_in_use)
        except CredentialInUse:
            return self._responses.error(409, None)
        return self._responses.data(200, item)

    def _registration(self, account: SimulatedAccount) -> Response:
        """Says whether a device is registered, without an envelope (Check SIP registration status)."""
        kinds = {"telephony_credential": KIND, "sip_credential_connection": connections.KIND}
        kind, username = kinds.get(request.args.get("credential_type", "")), request.args.get("username", "")
        if kind is None or not username:
            return self._responses.error(400, None, "credential_type and username are required")
        known = [one for one in account.credentials(kind) if one.username == username]
        bound = account.bindings(username) if known and known[0].enabled else ()
        if not known or (not bound and self.readings.unregistered_as == "not found"):
            return self._responses.error(404, None)
        connection = str(known[0].extra.get("connection_id", known[0].id))
        answer: dict[str, Any] = {
            "connection_id": connection,
            "connection_name": connection,
            "credential_type": request.args["credential_type"],
            "credential_username": username,
            "registered": bool(bound),
            "sip_registration_status": "registered" if bound else self._unregistered(),
            "last_registration_response": "200 OK" if bound else None,
            "sip_registration_details": {"expires": 3600, "transport": "TLS"} if bound else None,
        }
        return self._responses.json(200, answer)

    def _unregistered(self) -> str:
        return "unknown" if self.readings.unregistered_as == "unknown" else "unregistering"

    def _problem(self, account: SimulatedAccount, body: Mapping[str, Any]) -> str | None:
        """Returns why a body is refused; None if it is accepted."""
        if set(body) - _FIELDS:
            return f"only {', '.join(sorted(_FIELDS))} are accepted"
        if not all(isinstance(body.get(name, ""), str) for name in ("connection_id", "name", "tag")):
            return "connection_id, name and tag must be text"
        if "connection_id" in body:
            known = (credential.id for credential in account.credentials(connections.KIND))
            if body["connection_id"] not in known:
                return "there is no such connection"
        if body.get("expires_at") is not None and _moment(body["expires_at"]) is None:
            return "expires_at must be a date and time"
        return None

    def _as_json(
        self, account: SimulatedAccount, credential: SimulatedCredential, *, made: bool = False
    ) -> dict[str, Any]:
        ended = account.has_ended(credential) and not self.readings.expired_lags
        shown = {"boolean": ended, "text": str(ended).lower(), "null": None, "missing": None}[self.readings.expired_as]
        prefix = "connection:" if self.readings.resource_as == "prefixed" else ""
        item = {
            "id": credential.id,
            "record_type": "credential",
            "name": credential.extra["name"] or str(credential.created),
            "resource_id": f"{prefix}{credential.extra['connection_id']}",  # T5
            "expired": shown,
            "sip_username": credential.username,
            "sip_password": self._responses.password(credential, "telephony_credentials", changed=made),
            "user_id": account.name,
            "created_at": self._responses.stamp(credential.created),
            "updated_at": self._responses.stamp(credential.updated),
            "expires_at": self._responses.stamp(credential.ends) if credential.ends is not None else None,
        }
        if self.readings.expired_as == "missing":
            del item["expired"]
        return item


def _moment(text: Any) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
