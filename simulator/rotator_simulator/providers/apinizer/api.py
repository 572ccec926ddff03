"""The Management API of Apinizer as its pages describe it, in both generations (`ApinizerReadings`), and its gateway.

A project is an `Account` whose token is the access token. Every change is deployed to every environment, and what an
environment does not get, its gateway does not know: `apinizer_gateway` asks the environments and not the API.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, request

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.account import Account, Missing, Record
from rotator_simulator.faults import GATEWAY, deployment_fault
from rotator_simulator.providers.apinizer.common import (
    FIELDS,
    LABELS,
    Access,
    Answers,
    ApinizerReadings,
    Deployed,
    Environments,
    body,
    lacking,
    moment,
    problem,
    wanted_access,
)
from rotator_simulator.providers.apinizer.gateway import GatewayRoutes
from rotator_simulator.simulated_api import Simulation

KIND = "credential"


@dataclass(slots=True)
class _Held:
    """What the API keeps of a credential beside the account's record."""

    fields: dict[str, Any]
    access: list[Access] = field(default_factory=list)


class ApinizerApi(Simulation[ApinizerReadings]):
    """Serves any number of projects of one installation."""

    name = "apinizer"

    def __init__(
        self,
        accounts: Iterable[Account],
        clock: Clock,
        *,
        environments: Iterable[str] = ("production", "staging"),
        proxies: Iterable[str] = ("Orders", "Invoices"),
        groups: Mapping[str, Iterable[str]] | None = None,
        readings: ApinizerReadings | None = None,
    ) -> None:
        """Makes it; `groups` names the API proxies of each group."""
        self._answers = Answers(readings or ApinizerReadings())
        super().__init__(accounts, self._answers)
        self._proxies = frozenset(proxies)
        self._groups = {name: frozenset(members) for name, members in (groups or {}).items()}
        self._environments = Environments(tuple(environments), clock)
        self._held: dict[str, _Held] = {}
        self._lock = threading.RLock()

    def realms(self) -> Mapping[str, Account]:
        """Nothing is SIP here."""
        return {}

    def call(self) -> tuple[str, str]:
        """The project and the verb: `create`, `list`, `update`, `delete`, `grants`, `grant`, `revoke` or `gateway`."""
        verb = (request.endpoint or "").rpartition(".")[2].partition("_")[0]
        return str((request.view_args or {}).get("project", "")), verb

    def add(self, project: str, username: str, password: Secret, access: Iterable[Access] = (), **fields: Any) -> None:
        """Makes a credential as an operator would at the console, deployed everywhere.

        Args:
            access: `("Orders", "API_PROXY")` and the like.
            fields: email, fullName, roleNameList and so on; made up where they are missing.
        """
        with self._lock:
            account = self._accounts[project]
            record = account.create(KIND, username, password)
            self._held[record.id] = _Held({**_made_up(username), **fields}, list(access))
            for environment in self._environments.names:
                self._deploy(environment, account.get(KIND, record.id))

    def lets_in(self, environment: str, username: str, password: Secret, proxy: str | None = None) -> bool:
        """True where the environment's gateway accepts the password now, and for `proxy` if one is named."""
        with self._lock:
            known = self.known(environment, username, password)
            return known is not None and (proxy is None or self.may(known, proxy))

    def known(self, environment: str, username: str, password: Secret) -> Deployed | None:
        """What an environment's gateway knows of a username, where this is its password and it may be used."""
        known = self._environments.known(environment, username)
        if known is None or known.password != password:
            return None
        usable = known.enabled or not self.readings.enabled_enforced
        alive = known.expires is None or known.expires > self._environments.clock.now()
        return known if usable and alive else None

    def may(self, known: Deployed, proxy: str) -> bool:
        """True where access to the proxy, or to a group that has it, was granted."""
        groups = {name for name, members in self._groups.items() if proxy in members}
        return any(
            (kind == "API_PROXY" and name == proxy) or (kind == "API_PROXY_GROUP" and name in groups)
            for name, kind in known.access
        )

    def blueprint(self) -> Blueprint:
        """The routes of the API, each with its trailing slash, and of the gateway."""
        routes = Blueprint(self.name, __name__)
        base = "/apiops/projects/<project>/credentials/"
        one, access = f"{base}<username>/", f"{base}<username>/access/"
        table: tuple[tuple[str, str, str, Callable[..., Response]], ...] = (
            ("GET", base, "list_credentials", self._list),
            ("POST", base, "create_credential", self._create),
            ("PUT", base, "update_credential", self._replace),
            ("PATCH", one, "update_password", self._set_password),
            ("DELETE", one, "delete_credential", self._delete),
            ("GET", access, "grants_of_credential", self._list_access),
            ("PUT", access, "grant_access", self._grant),
            ("DELETE", access, "revoke_access", self._revoke),
        )
        for method, path, name, view in table:
            routes.add_url_rule(path, name, self._guarded(view), methods=[method], strict_slashes=True)
        for number, path in enumerate((base, one, access)):
            # Flask would redirect to the path with the slash; no such redirect is documented.
            methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
            routes.add_url_rule(path[:-1], f"refuse_slash_{number}", _nowhere, methods=methods)
        GatewayRoutes(self, self._environments.names, self._proxies).add_to(routes, GATEWAY)
        return routes

    def _guarded(self, view: Callable[..., Response]) -> Callable[..., Response]:
        def guarded(project: str, **rest: str) -> Response:
            account = self._accounts.get(project)
            tokens = [known.token for known in self.accounts]
            given = Secret(request.headers.get("Authorization", "").removeprefix("Bearer "))
            if not any(given == token for token in tokens):
                return self._answers.bad_token()
            if account is None or given != account.token or not self.readings.project_visible:
                return self._answers.no_project(project)
            if not self.readings.permitted:
                return self._answers.no_permission(project)
            with self._lock:
                return view(account, **rest)

        return guarded

    # -- credentials

    def _list(self, account: Account) -> Response:
        shown = [self._shown(record) for record in account.records(KIND)]
        return self._answers.success(resultList=shown)

    def _shown(self, record: Record) -> dict[str, Any]:
        held = self._held.get(record.id)  # None: `Account.stir` has put it there
        fields = _made_up(record.username) if held is None else held.fields
        return {**fields, "username": record.username, "password": None, "enabled": record.enabled}

    def _create(self, account: Account) -> Response:
        given = body()
        if found := problem(given):
            return self._answers.refusal(400, found)
        if any(record.username == given["username"] for other in self.accounts for record in other.records(KIND)):
            return self._answers.taken()
        record = account.create(KIND, given["username"], Secret(given["password"]))
        if given.get("enabled") is False:
            record = account.update(KIND, record.id, enabled=False)
        defaults: dict[str, Any] = {"description": None, "roleNameList": [], "ipList": [], "expireDate": None}
        self._held[record.id] = _Held({**defaults, **{key: given[key] for key in FIELDS if key in given}})
        return self._deployed(record)

    def _replace(self, account: Account) -> Response:
        given = body()
        if found := problem(given) or lacking(given):
            return self._answers.refusal(400, found)
        record = _find(account, given["username"])
        if record is None:
            return self._answers.no_credential(given["username"])
        record = account.update(KIND, record.id, password=Secret(given["password"]), enabled=given["enabled"])
        self._held[record.id].fields = {key: given[key] for key in FIELDS}
        return self._deployed(record)

    def _set_password(self, account: Account, username: str) -> Response:
        password = body().get("password")
        if not isinstance(password, str) or not password:
            return self._answers.refusal(400, "Credential password can not be empty!")
        record = _find(account, username)
        if record is None:
            return self._answers.no_credential(username)
        return self._deployed(account.update(KIND, record.id, password=Secret(password)))

    def _delete(self, account: Account, username: str) -> Response:
        record = _find(account, username)
        if record is None:
            return self._answers.no_credential(username)
        account.delete(KIND, record.id, disconnect=True)
        del self._held[record.id]
        return self._deployed(record, undone=True)

    # -- access

    def _list_access(self, account: Account, username: str) -> Response:
        record = _find(account, username)
        if record is None:
            return self._answers.no_credential(username)
        access = [{"name": name, "type": kind} for name, kind in self._held[record.id].access]
        return self._answers.success(resultList=access)

    def _grant(self, account: Account, username: str) -> Response:
        record, wanted = _find(account, username), wanted_access(body())
        if record is None:
            return self._answers.no_credential(username)
        if wanted is None:
            return self._answers.refusal(400, "Credential access object name can not be empty!")
        held = self._held[record.id]
        for name, kind in wanted:
            label = f"{LABELS[kind]} (name:{name})"
            if name not in (self._proxies if kind == "API_PROXY" else self._groups):
                text = f"{label} is not found or user does not have privilege to access it!"
                return self._answers.refusal(400, text)
            if (name, kind) in held.access:
                return self._answers.refusal(400, f"Credential (username:{username}) has already access to {label}!")
        held.access += wanted
        return self._deployed(record)

    def _revoke(self, account: Account, username: str) -> Response:
        record, wanted = _find(account, username), wanted_access(body())
        if record is None:
            return self._answers.no_credential(username)
        held = self._held[record.id]
        held.access = [access for access in held.access if access not in (wanted or ())]
        return self._deployed(record)

    # -- deployment

    def _deployed(self, record: Record, *, undone: bool = False) -> Response:
        """Deploys a change to every environment but those that a fault spares, and says what came of it."""
        fault, names = deployment_fault(), self._environments.names
        failed: frozenset[str] = frozenset()
        if fault is not None:
            failed = frozenset((fault.environment or names[-1],) if fault.deployment == "partial" else names)
        for name in names:
            if name not in failed:
                self._deploy(name, None if undone else record, record.username)
        reported = failed if fault is not None and fault.deployment == "partial" else frozenset()
        result = self._answers.deployed(names, reported, fault, undone=undone)
        return self._answers.success(deploymentResult=result)

    def _deploy(self, environment: str, record: Record | None, username: str = "") -> None:
        deployed = None
        if record is not None:
            held = self._held[record.id]
            expires = moment(held.fields["expireDate"])
            deployed = Deployed(record.password, record.enabled, expires, frozenset(held.access))
        name = username if record is None else record.username
        self._environments.deploy(environment, name, deployed, self.readings.gateway_delay)


def _made_up(username: str) -> dict[str, Any]:
    known = {"email": f"{username}@example.com", "fullName": username, "description": ""}
    return {**known, "roleNameList": [], "ipList": [], "expireDate": None}


def _find(account: Account, username: str) -> Record | None:
    try:
        record = account.named(username)
    except Missing:
        return None
    return record if record.kind == KIND else None


def _nowhere(**_: str) -> Response:
    return Response(status=404)
