"""The Vobiz API as its pages describe it, with both readings of each contradiction (`VobizReadings`).

This module has trunk credentials (Vobiz, Create / Update / Delete Credential); `endpoints` has the `Endpoint` users.
The numbers V1 to V11 in comments are the traps in those pages.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from flask import Blueprint, Response, request

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.account import (
    CredentialInUse,
    NotFound,
    Propagation,
    SimulatedAccount,
    SimulatedCredential,
    UsernameTaken,
)
from rotator_simulator.providers.vobiz.common import VobizReadings, VobizResponses, realm, stamp
from rotator_simulator.providers.vobiz.endpoints import EndpointRoutes
from rotator_simulator.providers.vobiz.trunks import CREDENTIAL, TrunkRoutes
from rotator_simulator.simulated_api import SimulatedApi, View, not_found, verb

KIND = CREDENTIAL
_SYMBOLS = "~!@#$%^&*()_+"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class VobizApi(SimulatedApi[VobizReadings]):
    """Serves any number of Vobiz accounts."""

    name = "vobiz"
    _responses: VobizResponses

    def __init__(
        self, accounts: Iterable[SimulatedAccount], clock: Clock, readings: VobizReadings | None = None
    ) -> None:
        """Serves these accounts; `read_as` changes a reading at any time."""
        super().__init__(accounts, VobizResponses(clock, readings or VobizReadings()))
        self.trunks = TrunkRoutes(self._responses, clock)
        for account in self.accounts:
            account.lets_in = partial(self._lets_in, account)

    def _lets_in(self, account: SimulatedAccount, credential: SimulatedCredential, propagation: Propagation) -> bool:
        free = credential.kind != KIND or not self.readings.attached_only
        return free or self.trunks.let_in(account, credential.id, propagation)

    def realms(self) -> Mapping[str, SimulatedAccount]:
        """Returns the account of each realm, the same for trunk credentials and endpoints."""
        return {realm(account, self.readings.challenge_realm): account for account in self.accounts}

    def call(self) -> tuple[str, str]:
        """Returns the account's name and the verb: `create`, `list`, `get`, `update` or `delete`."""
        return str((request.view_args or {}).get("auth_id", "")), verb()

    def blueprint(self) -> Blueprint:
        """Returns the routes of both resources, and refusals of other spellings."""
        routes = Blueprint(self.name, __name__)
        base = "/api/v1/Account/<auth_id>"
        self._route(routes, "POST", f"{base}/credentials", "create_credential", self._create)
        self._route(routes, "GET", f"{base}/trunks/credentials", "list_credentials", self._list)
        self._route(routes, "GET", f"{base}/credentials", "list_credentials_there", self._list)
        self._route(routes, "GET", f"{base}/credentials/<identity>", "get_credential", self._get)
        self._route(routes, "PUT", f"{base}/credentials/<identity>", "update_credential", self._update)
        self._route(routes, "DELETE", f"{base}/credentials/<identity>", "delete_credential", self._delete)
        for method, path, name, view in EndpointRoutes(self._responses).routes():
            self._route(routes, method, f"{base}/{path}", name, view)
        for method, path, name, view in self.trunks.routes():
            self._route(routes, method, f"{base}/{path}", name, view)
        for number, path in enumerate(("Endpoint", "Endpoint/<identity>")):
            # Flask would redirect to the path with the slash, which Vobiz does not do.
            routes.add_url_rule(f"{base}/{path}", f"refuse_slash_{number}", not_found, methods=_METHODS)
        routes.add_url_rule("/api/v1/account/<path:rest>", "refuse_case", self._lower_case, methods=_METHODS)
        return routes

    def _route(self, routes: Blueprint, method: str, rule: str, name: str, view: View) -> None:
        # The view receives the authenticated account instead of its name.
        def authenticated(auth_id: str, **rest: str) -> Response:
            account = self._accounts.get(request.headers.get("X-Auth-ID", ""))
            if account is None or account.token != Secret(request.headers.get("X-Auth-Token", "")):
                return self._responses.error(401, None)
            # The path of another account looks like one that does not exist (V7).
            managed = self._managed_by(account, auth_id)
            return view(managed, **rest) if managed is not None else self._responses.error(404, None)

        routes.add_url_rule(rule, name, authenticated, methods=[method])

    def _managed_by(self, account: SimulatedAccount, auth_id: str) -> SimulatedAccount | None:
        if account.name == auth_id:
            return account
        parent = self.readings.parent_key and account.name.startswith("MA_") and auth_id.startswith("SA_")
        return self._accounts.get(auth_id) if parent else None

    def _lower_case(self, rest: str) -> Response:  # noqa: ARG002 - part of the route
        return self._responses.error(self.readings.lowercase_status, None)

    def _password_problem(self, password: Any) -> tuple[str, str] | None:
        if not isinstance(password, str) or not password:
            return "Password is required", "REQUIRED"
        if len(password) < 8:
            return "Password must be at least 8 characters", "TOO_SHORT"
        longest = self.readings.password_longest
        if longest is not None and len(password) > longest:
            return f"Password must be at most {longest} characters", "TOO_LONG"
        alphanumeric = all(character.isascii() and character.isalnum() for character in password)
        allowed = all(c in _SYMBOLS or (c.isascii() and c.isalnum()) for c in password)
        if self.readings.password_symbol_required and (alphanumeric or not allowed):
            return f"Password must be alphanumeric with at least one of {_SYMBOLS}", "WEAK_PASSWORD"
        return None

    def _create(self, account: SimulatedAccount) -> Response:
        body = self._responses.body()
        if body is None or set(body) - {"username", "password"}:  # a create accepts no other field (V2)
            return self._responses.error(400, None)
        if problem := self._responses.username_problem(body.get("username")):
            return self._responses.error(400, None, {"username": problem})
        password = body.get("password")
        if refusal := self._password_problem(password):
            return self._responses.invalid("password", *refusal, password)
        try:
            credential = account.create(KIND, body["username"], Secret(str(password)))
        except UsernameTaken:
            return self._responses.json(409, {"error": "Username already exists", "code": 409})  # V9
        return self._responses.json(self.readings.create_status, self._as_json(account, credential))

    def _list(self, account: SimulatedAccount) -> Response:
        asked = request.path.partition(f"/{account.name}/")[2]
        if asked != self.readings.listing_path:
            # The path `credentials` has another method in any case.
            return Response(status=405) if asked == "credentials" else self._responses.error(404, None)
        listed = account.listed(KIND, self.readings.order)
        return self._responses.page(listed, lambda credential: self._list_item(account, credential))

    def _get(self, account: SimulatedAccount, identity: str) -> Response:
        if not self.readings.single_get:
            return self._responses.error(404, None)
        try:
            return self._responses.json(200, self._as_json(account, account.get(KIND, identity)))
        except NotFound:
            return self._responses.error(404, None)

    def _update(self, account: SimulatedAccount, identity: str) -> Response:
        body = self._responses.body()
        if body is None or set(body) - {"password", "enabled", "description"}:  # the username is immutable
            return self._responses.error(400, None)
        if not isinstance(body.get("enabled", True), bool):
            return self._responses.invalid("enabled", "Must be a boolean", "INVALID_TYPE", body["enabled"])
        try:
            return self._apply(account, account.get(KIND, identity), body)
        except NotFound:
            return self._responses.error(404, None)

    def _apply(self, account: SimulatedAccount, credential: SimulatedCredential, body: dict[str, Any]) -> Response:
        without = self.readings.put_without_password
        if "password" in body or without == "refused":
            password = body.get("password")
            if refusal := self._password_problem(password):
                return self._responses.invalid("password", *refusal, password)
        elif without == "ignored":
            return self._updated(account, credential, {})
        secret = Secret(body["password"]) if "password" in body else None
        enabled = body.get("enabled") if self.readings.enabled_honoured else None
        if enabled is None and secret is not None and self.readings.put_password_enables:
            enabled = True
        description = {"description": str(body["description"])} if "description" in body else None
        changed = account.update(KIND, credential.id, password=secret, enabled=enabled, extra=description)
        return self._updated(account, changed, body)

    def _updated(self, account: SimulatedAccount, changed: SimulatedCredential, body: Mapping[str, Any]) -> Response:
        form = self.readings.put_answer
        if form in ("empty", "no content"):
            return Response(status=200 if form == "empty" else 204)
        if form == "message":
            return self._responses.json(200, {"message": "Credential updated successfully"})
        shown = self._as_json(account, changed)
        if self.readings.enabled_echoed and "enabled" in body:
            shown["enabled"] = body["enabled"]
        if form == "without enabled":
            del shown["enabled"]
        return self._responses.json(200, shown)

    def _delete(self, account: SimulatedAccount, identity: str) -> Response:
        if self.readings.delete_needs_type and not request.content_type:
            return self._responses.error(400, None)
        try:
            account.delete(KIND, identity, disconnect=self.readings.delete_during_call == "disconnect")
        except NotFound:
            return self._responses.error(404, None)
        except CredentialInUse:
            return self._responses.error(409, None)
        if self.readings.delete_status == 200:
            return self._responses.json(200, "Credential deleted")
        return Response(status=204)

    def _as_json(self, account: SimulatedAccount, credential: SimulatedCredential) -> dict[str, Any]:
        return {
            "id": credential.id,
            "account_id": account.name,
            "username": credential.username,
            "password": "<redacted>",  # V4
            "realm": realm(account, self.readings.realm_form),
            "enabled": credential.enabled,
            "created_at": stamp(credential.created),
            "updated_at": stamp(credential.updated),
        }

    def _list_item(self, account: SimulatedAccount, credential: SimulatedCredential) -> dict[str, Any]:
        item = self._as_json(account, credential)
        if self.readings.short_items:
            for name in ("account_id", "password", "realm"):
                del item[name]
            item["description"] = credential.extra.get("description", "")
        if self.readings.list_reveals_password:
            item["password"] = credential.password.reveal()
        return item
