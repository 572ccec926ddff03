"""The Vobiz API as its pages describe it, each contradiction readable both ways (`VobizReadings`).

Trunk credentials (Vobiz, Create / Update / Delete Credential) are here; `Endpoint` users are in `vobiz_endpoints`.
The numbers V1 to V11 in comments are the traps that those pages hold.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, request

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.account import Account, InUse, Missing, Record, Taken
from rotator_simulator.providers.vobiz.common import Answers, View, VobizReadings, realm, stamp
from rotator_simulator.providers.vobiz.endpoints import Endpoints
from rotator_simulator.simulated_api import Simulation

KIND = "credential"
_SYMBOLS = "~!@#$%^&*()_+"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class VobizApi(Simulation[VobizReadings]):
    """Serves any number of Vobiz accounts."""

    name = "vobiz"

    def __init__(self, accounts: Iterable[Account], clock: Clock, readings: VobizReadings | None = None) -> None:
        """Makes it; a reading can be changed at any time by `read_as`."""
        self._answers = Answers(clock, readings or VobizReadings())
        super().__init__(accounts, self._answers)

    def realms(self) -> Mapping[str, Account]:
        """The realm that each account's users are challenged with, trunk credentials and endpoints alike."""
        return {realm(account, self.readings.challenge_realm): account for account in self.accounts}

    def call(self) -> tuple[str, str]:
        """The account's name and the verb of the request: `create`, `list`, `get`, `update` or `delete`."""
        verb = (request.endpoint or "").rpartition(".")[2].partition("_")[0]
        return str((request.view_args or {}).get("auth_id", "")), verb

    def blueprint(self) -> Blueprint:
        """The routes of both resources, and the refusal of what is spelt differently."""
        routes = Blueprint(self.name, __name__)
        base = "/api/v1/Account/<auth_id>"
        self._route(routes, "POST", f"{base}/credentials", "create_credential", self._create)
        self._route(routes, "GET", f"{base}/trunks/credentials", "list_credentials", self._list)
        self._route(routes, "PUT", f"{base}/credentials/<identity>", "update_credential", self._update)
        self._route(routes, "DELETE", f"{base}/credentials/<identity>", "delete_credential", self._delete)
        for method, path, name, view in Endpoints(self._answers).routes():
            self._route(routes, method, f"{base}/{path}", name, view)
        for number, path in enumerate(("Endpoint", "Endpoint/<identity>")):
            # Flask would redirect to the path with the slash; Vobiz has no such path.
            routes.add_url_rule(f"{base}/{path}", f"refuse_slash_{number}", _nowhere, methods=_METHODS)
        routes.add_url_rule("/api/v1/account/<path:rest>", "refuse_case", self._lower_case, methods=_METHODS)
        return routes

    def _route(self, routes: Blueprint, method: str, rule: str, name: str, view: View) -> None:
        # The view gets the authenticated account instead of its name.
        def authenticated(auth_id: str, **rest: str) -> Response:
            account = self._accounts.get(request.headers.get("X-Auth-ID", ""))
            if account is None or account.token != Secret(request.headers.get("X-Auth-Token", "")):
                return self._answers.error(401, None)
            # Another account's path cannot be told from one that there is not (V7).
            return view(account, **rest) if account.name == auth_id else self._answers.error(404, None)

        routes.add_url_rule(rule, name, authenticated, methods=[method])

    def _lower_case(self, rest: str) -> Response:  # noqa: ARG002 - the path that nobody looks at
        return self._answers.error(self.readings.lowercase_status, None)

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

    def _create(self, account: Account) -> Response:
        given = self._answers.body()
        if given is None or set(given) - {"username", "password"}:  # nothing else is accepted at creation (V2)
            return self._answers.error(400, None)
        if problem := self._answers.username_problem(given.get("username")):
            return self._answers.error(400, None, {"username": problem})
        password = given.get("password")
        if found := self._password_problem(password):
            return self._answers.invalid("password", *found, password)
        try:
            record = account.create(KIND, given["username"], Secret(str(password)))
        except Taken:
            return self._answers.plain(409, {"error": "Username already exists", "code": 409})  # V9
        return self._answers.plain(self.readings.create_status, self._shown(account, record))

    def _list(self, account: Account) -> Response:
        try:
            limit, offset = int(request.args.get("limit", "20")), int(request.args.get("offset", "0"))
        except ValueError:
            return self._answers.error(400, None)
        if limit < 1 or offset < 0:
            return self._answers.error(400, None)
        limit = min(limit, self.readings.list_longest_page)
        records = account.records(KIND)
        shown = [self._listed(account, record) for record in records[offset : offset + limit]]
        meta = {"limit": limit, "offset": offset, self.readings.total_key: len(records)}
        return self._answers.plain(200, {"meta": meta, "objects": shown})

    def _update(self, account: Account, identity: str) -> Response:
        given = self._answers.body()
        if given is None or set(given) - {"password", "enabled", "description"}:  # the username is immutable
            return self._answers.error(400, None)
        if not isinstance(given.get("enabled", True), bool):
            return self._answers.invalid("enabled", "Must be a boolean", "INVALID_TYPE", given["enabled"])
        try:
            record = account.get(KIND, identity)
            return self._apply(account, record, given)
        except Missing:
            return self._answers.error(404, None)

    def _apply(self, account: Account, record: Record, given: dict[str, Any]) -> Response:
        without = self.readings.put_without_password
        if "password" in given or without == "refused":
            password = given.get("password")
            if found := self._password_problem(password):
                return self._answers.invalid("password", *found, password)
        elif without == "ignored":
            return self._answers.plain(200, self._shown(account, record))
        secret = Secret(given["password"]) if "password" in given else None
        enabled = given.get("enabled") if self.readings.enabled_honoured else None
        if enabled is None and secret is not None and self.readings.put_password_enables:
            enabled = True
        description = {"description": str(given["description"])} if "description" in given else None
        changed_record = account.update(KIND, record.id, password=secret, enabled=enabled, extra=description)
        return self._answers.plain(200, self._shown(account, changed_record))

    def _delete(self, account: Account, identity: str) -> Response:
        try:
            account.delete(KIND, identity, disconnect=self.readings.delete_during_call == "disconnect")
        except Missing:
            return self._answers.error(404, None)
        except InUse:
            return self._answers.error(409, None)
        if self.readings.delete_status == 200:
            return self._answers.plain(200, "Credential deleted")
        return Response(status=204)

    def _shown(self, account: Account, record: Record) -> dict[str, Any]:
        return {
            "id": record.id,
            "account_id": account.name,
            "username": record.username,
            "password": "<redacted>",  # V4
            "realm": realm(account, self.readings.realm_form),
            "enabled": record.enabled,
            "created_at": stamp(record.created),
            "updated_at": stamp(record.updated),
        }

    def _listed(self, account: Account, record: Record) -> dict[str, Any]:
        shown = self._shown(account, record)
        if self.readings.short_items:
            for name in ("account_id", "password", "realm"):
                del shown[name]
            shown["description"] = record.extra.get("description", "")
        if self.readings.list_reveals_password:
            shown["password"] = record.password.reveal()
        return shown


def _nowhere(**_: str) -> Response:
    return Response(status=404)
