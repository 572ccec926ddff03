"""The Management API of Apinizer as its pages describe it, in both forms (`ApinizerReadings`), and its gateway.

A project is a `SimulatedAccount` whose token is the access token. Every change is deployed to every environment, and
the gateway (`gateway`) accepts what was deployed, not what the API stores.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, request

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.account import NotFound, SimulatedAccount, SimulatedCredential
from rotator_simulator.faults import GATEWAY, deployment_fault
from rotator_simulator.providers.apinizer.common import (
    FIELDS,
    HIDDEN,
    LABELS,
    ApiAccess,
    ApinizerReadings,
    ApinizerResponses,
    DeployedCredential,
    GatewayEnvironments,
    missing_field,
    moment,
    problem,
    requested_access,
)
from rotator_simulator.providers.apinizer.gateway import GatewayRoutes
from rotator_simulator.providers.apinizer.rate_limit_lists import RateLimitLists
from rotator_simulator.simulated_api import SimulatedApi, not_found, verb

KIND = "credential"


@dataclass(slots=True)
class _Details:
    """The fields of a credential that only Apinizer's API keeps."""

    fields: dict[str, Any]
    access: list[ApiAccess] = field(default_factory=list)
    hidden: dict[str, Any] = field(default_factory=dict)  # what the listing does not show
    own_passwords: dict[str, Secret] = field(default_factory=dict)  # by environment (Advanced Settings)


class ApinizerApi(SimulatedApi[ApinizerReadings]):
    """Serves any number of projects of one installation."""

    name = "apinizer"
    _responses: ApinizerResponses

    def __init__(
        self,
        accounts: Iterable[SimulatedAccount],
        clock: Clock,
        *,
        environments: Iterable[str] = ("production", "staging"),
        proxies: Iterable[str] = ("Orders", "Invoices"),
        groups: Mapping[str, Iterable[str]] | None = None,
        rate_limit_lists: Iterable[str] = ("PremiumUserRLCL",),
        readings: ApinizerReadings | None = None,
    ) -> None:
        """Serves these accounts; `groups` lists the API proxies of each group.

        `rate_limit_lists` are the rate-limit control lists (RLCL) of every project.
        """
        super().__init__(accounts, ApinizerResponses(readings or ApinizerReadings()))
        self._proxies = frozenset(proxies)
        self._groups = {name: frozenset(members) for name, members in (groups or {}).items()}
        self._environments = GatewayEnvironments(tuple(environments), clock)
        self._details: dict[str, _Details] = {}
        self.rate_limits = RateLimitLists(rate_limit_lists, self._responses)
        self._lock = threading.RLock()

    def call(self) -> tuple[str, str]:
        """Returns the project and the verb, which may also be `grants`, `grant`, `revoke` or `gateway`."""
        return str((request.view_args or {}).get("project", "")), verb()

    def add(
        self, project: str, username: str, password: Secret, access: Iterable[ApiAccess] = (), **fields: Any
    ) -> None:
        """Creates a credential as an operator would at the console, deployed to every environment.

        Args:
            access: `("Orders", "API_PROXY")` and the like.
            fields: email, fullName, roleNameList and so on; missing ones get defaults.
        """
        with self._lock:
            account = self._accounts[project]
            credential = account.create(KIND, username, password)
            self._details[credential.id] = _Details({**_default_fields(username), **fields}, list(access))
            for environment in self._environments.names:
                self._deploy(environment, account.get(KIND, credential.id))

    def add_hidden(self, project: str, username: str, **fields: Any) -> None:
        """Sets what the listing does not show, as an operator would at the console."""
        with self._lock:
            self._details[self._accounts[project].by_username(username).id].hidden.update(fields)

    def hidden(self, project: str, username: str) -> Mapping[str, Any]:
        """Returns what a credential has that the listing does not show."""
        with self._lock:
            return dict(self._details[self._accounts[project].by_username(username).id].hidden)

    def set_own_password(self, project: str, username: str, environment: str, password: Secret) -> None:
        """Gives a credential a password of its own for one environment (Enable Advanced Settings)."""
        with self._lock:
            credential = self._accounts[project].by_username(username)
            self._details[credential.id].own_passwords[environment] = password
            self._deploy(environment, credential)

    def lets_in(self, environment: str, username: str, password: Secret, proxy: str | None = None) -> bool:
        """Returns True if the environment's gateway accepts the password now, and for `proxy` if one is named."""
        with self._lock:
            credential = self.log_in(environment, username, password)
            return credential is not None and (proxy is None or self.may_call(credential, proxy))

    def log_in(self, environment: str, username: str, password: Secret) -> DeployedCredential | None:
        """Returns the credential if an environment's gateway accepts this username and password."""
        kept = username.lower() if any(one.folds_case for one in self.accounts) else username
        credential = self._environments.deployed(environment, kept)
        if credential is None or credential.password != password:
            return None
        enabled = credential.enabled or not self.readings.enabled_enforced
        expired = credential.expires is not None and credential.expires <= self._environments.clock.now()
        return credential if enabled and not expired else None

    def may_call(self, credential: DeployedCredential, proxy: str) -> bool:
        """Returns True if access to the proxy, or to a group that contains it, was granted."""
        groups = {name for name, members in self._groups.items() if proxy in members}
        return any(
            (kind == "API_PROXY" and name == proxy) or (kind == "API_PROXY_GROUP" and name in groups)
            for name, kind in credential.access
        )

    def blueprint(self) -> Blueprint:
        """Returns the routes of the API, each with its trailing slash, and of the gateway."""
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
            ("POST", "/apiops/projects/<project>/rlcl/<name>/credentials/", "limit_credentials", self._limit),
        )
        for method, path, name, view in table:
            routes.add_url_rule(path, name, self._guarded(view), methods=[method], strict_slashes=True)
        for number, path in enumerate((base, one, access)):
            # Flask would redirect to the path with the slash, which is not documented.
            methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
            routes.add_url_rule(path[:-1], f"refuse_slash_{number}", not_found, methods=methods)
        GatewayRoutes(self, self._environments.names, self._proxies).add_to(routes, GATEWAY)
        return routes

    def _guarded(self, view: Callable[..., Response]) -> Callable[..., Response]:
        def guarded(project: str, **rest: str) -> Response:
            account = self._accounts.get(project)
            tokens = [known.token for known in self.accounts]
            sent = Secret(request.headers.get("Authorization", "").removeprefix("Bearer "))
            if not any(sent == token for token in tokens):
                return self._responses.bad_token()
            if account is None or sent != account.token or not self.readings.project_visible:
                return self._responses.no_project(project)
            if not self.readings.permitted:
                return self._responses.no_permission(project)
            with self._lock:
                return view(account, **rest)

        return guarded

    # -- credentials

    def _body(self) -> dict[str, Any]:
        return self._responses.body() or {}

    def _list(self, account: SimulatedAccount) -> Response:
        items = [self._as_json(credential) for credential in account.credentials(KIND)]
        return self._responses.success(resultList=items)

    def _as_json(self, credential: SimulatedCredential) -> dict[str, Any]:
        details = self._details.get(credential.id)  # None: added by `change_listing`
        fields = _default_fields(credential.username) if details is None else details.fields
        return {**fields, "username": credential.username, "password": None, "enabled": credential.enabled}

    def _create(self, account: SimulatedAccount) -> Response:
        body = self._body()
        if error := problem(body):
            return self._responses.refusal(400, error)
        if any(_find(other, body["username"]) is not None for other in self.accounts):
            return self._responses.username_taken()
        credential = account.create(KIND, body["username"], Secret(body["password"]))
        if body.get("enabled") is False:
            credential = account.update(KIND, credential.id, enabled=False)
        hidden = {key: body[key] for key in HIDDEN if key in body}
        defaults: dict[str, Any] = {"description": None, "roleNameList": [], "ipList": [], "expireDate": None}
        shown = {**defaults, **{key: body[key] for key in FIELDS if key in body}}
        self._details[credential.id] = _Details(shown, hidden=hidden)
        return self._deployed(credential)

    def _replace(self, account: SimulatedAccount) -> Response:
        body = self._body()
        if error := problem(body) or missing_field(body):
            return self._responses.refusal(400, error)
        credential = _find(account, body["username"])
        if credential is None:
            return self._responses.no_credential(body["username"])
        credential = account.update(KIND, credential.id, password=Secret(body["password"]), enabled=body["enabled"])
        details = self._details[credential.id]
        details.fields = {key: body[key] for key in FIELDS}
        if not self.readings.update_keeps_hidden:
            details.hidden = {key: body[key] for key in HIDDEN if key in body}
        return self._deployed(credential)

    def _set_password(self, account: SimulatedAccount, username: str) -> Response:
        password = self._body().get("password")
        if not isinstance(password, str) or not password:
            return self._responses.refusal(400, "Credential password can not be empty!")
        credential = _find(account, username)
        if credential is None:
            return self._responses.no_credential(username)
        return self._deployed(account.update(KIND, credential.id, password=Secret(password)))

    def _delete(self, account: SimulatedAccount, username: str) -> Response:
        credential = _find(account, username)
        if credential is None:
            return self._responses.no_credential(username)
        account.delete(KIND, credential.id, disconnect=True)
        del self._details[credential.id]
        self.rate_limits.drop(username)
        return self._deployed(credential, removed=True)

    def _limit(self, account: SimulatedAccount, name: str) -> Response:
        return self.rate_limits.add(name, self._body(), lambda username: _find(account, username) is not None)

    # -- access

    def _list_access(self, account: SimulatedAccount, username: str) -> Response:
        credential = _find(account, username)
        if credential is None:
            return self._responses.no_credential(username)
        access = [{"name": name, "type": kind} for name, kind in self._details[credential.id].access]
        return self._responses.success(resultList=access)

    def _grant(self, account: SimulatedAccount, username: str) -> Response:
        credential, wanted = _find(account, username), requested_access(self._body())
        if credential is None:
            return self._responses.no_credential(username)
        if wanted is None:
            return self._responses.refusal(400, "Credential access object name can not be empty!")
        details = self._details[credential.id]
        for name, kind in wanted:
            label = f"{LABELS[kind]} (name:{name})"
            if name not in (self._proxies if kind == "API_PROXY" else self._groups):
                text = f"{label} is not found or user does not have privilege to access it!"
                return self._responses.refusal(400, text)
            if (name, kind) in details.access:
                return self._responses.refusal(400, f"Credential (username:{username}) has already access to {label}!")
        details.access += wanted
        return self._deployed(credential)

    def _revoke(self, account: SimulatedAccount, username: str) -> Response:
        credential, wanted = _find(account, username), requested_access(self._body())
        if credential is None:
            return self._responses.no_credential(username)
        details = self._details[credential.id]
        details.access = [access for access in details.access if access not in (wanted or ())]
        return self._deployed(credential)

    # -- deployment

    def _deployed(self, credential: SimulatedCredential, *, removed: bool = False) -> Response:
        """Deploys a change to every environment, except those that a fault leaves out, and reports the result."""
        fault, names = deployment_fault(), self._environments.names
        failed: frozenset[str] = frozenset()
        if fault is not None:
            failed = frozenset((fault.environment or names[-1],) if fault.deployment == "partial" else names)
        for name in names:
            if name not in failed:
                self._deploy(name, None if removed else credential, credential.username)
        reported = failed if fault is not None and fault.deployment == "partial" else frozenset()
        result = self._responses.deployed(names, reported, fault, removed=removed)
        return self._responses.success(deploymentResult=result)

    def _deploy(self, environment: str, credential: SimulatedCredential | None, username: str = "") -> None:
        deployed = None
        if credential is not None:
            details = self._details[credential.id]
            expires, own = moment(details.fields["expireDate"]), details.own_passwords.get(environment)
            password = credential.password if own is None or self.readings.password_reaches_all else own
            deployed = DeployedCredential(password, credential.enabled, expires, frozenset(details.access))
        name = username if credential is None else credential.username
        self._environments.deploy(environment, name, deployed, self.readings.gateway_delay)


def _default_fields(username: str) -> dict[str, Any]:
    known = {"email": f"{username}@example.com", "fullName": username, "description": ""}
    return {**known, "roleNameList": [], "ipList": [], "expireDate": None}


def _find(account: SimulatedAccount, username: str) -> SimulatedCredential | None:
    try:
        credential = account.by_username(username)
    except NotFound:
        return None
    return credential if credential.kind == KIND else None
