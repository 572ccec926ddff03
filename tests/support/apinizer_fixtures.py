"""Apinizer's answers in both generations, its adapter over a scripted network, and a simulated project on sockets."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from threading import Event
from typing import Any

import httpx
from openapi_contract import Contract
from provider_fixtures import PASSWORD, TOKEN, FakeNetwork, RecordingMeter, Responder, account_options, answer

from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.providers.apinizer.credentials import ApinizerCredentials
from rotator.providers.http.client import Http
from rotator.testing import FakeClock, FakeRandomness
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.providers.apinizer.api import ApinizerApi
from rotator_simulator.server import SimulatorServer

PROJECT = "Pay ments"
BASE = "/apiops/projects/Pay%20ments/credentials/"
ENVIRONMENTS = ("production", "staging")
OLD, NEW = "success", "status"
GENERATIONS = (OLD, NEW)
ORDERS, INVOICES, ALL = ("Orders", "API_PROXY"), ("Invoices", "API_PROXY"), ("All", "API_PROXY_GROUP")

# -- answers


def success(generation: str = OLD, **content: Any) -> httpx.Response:
    return answer(200, {**({"success": True} if generation == OLD else {"status": "SUCCESS"}), **content})


def failure(text: str | None, generation: str = OLD, status: int = 400, error: str = "bad_request") -> httpx.Response:
    if generation == OLD:
        return answer(status, {"error": error, "error_description": text})
    return answer(status, {"status": "FAILURE", "resultMessage": text})


def environments(*failed: str, names: tuple[str, ...] = ENVIRONMENTS, success: bool | None = None) -> dict[str, Any]:
    """A deployment's result, as in Dec 2025."""
    results = [{"environmentName": name, "success": name not in failed, "message": "m"} for name in names]
    return {"success": not failed if success is None else success, "message": "m", "environmentResults": results}


def pods(*failed: str, names: tuple[str, ...] = ENVIRONMENTS, success: bool | None = None) -> dict[str, Any]:
    """A deployment's result, as in Jul 2026."""
    results = [
        {"envName": name, "podName": f"{name}-1", "podIp": "10.0.0.1", "success": name not in failed} for name in names
    ]
    return {"success": not failed if success is None else success, "responseTime": 3, "detailList": results}


def deployed(*failed: str, generation: str = OLD) -> httpx.Response:
    return success(generation, deploymentResult=environments(*failed))


def entry(username: str = "client1", enabled: bool = True, **more: Any) -> dict[str, Any]:
    """A credential as the listing shows it."""
    return {
        "email": "team@example.com",
        "fullName": "The Team",
        "description": "billing",
        "username": username,
        "password": None,
        "roleNameList": ["API_USER"],
        "enabled": enabled,
        "ipList": ["10.0.0.0/8"],
        "expireDate": None,
    } | more


CARRIED = {key: value for key, value in entry().items() if key not in ("username", "password", "enabled")}


def listing(*entries: Any, generation: str = OLD) -> httpx.Response:
    return success(generation, resultList=list(entries))


def access(*granted: tuple[str, str], generation: str = OLD) -> httpx.Response:
    return success(generation, resultList=[{"name": name, "type": kind} for name, kind in granted])


def credential(username: str = "client1", password: str | None = PASSWORD, **more: Any) -> Credential:
    return Credential("prod", username, username, Secret(password) if password else None, **more)


def staged(username: str = "client2", password: str | None = PASSWORD) -> Credential:
    return Credential("prod", username, None, Secret(password) if password else None, attempt="a1")


def apinizer(handler: Responder, **options: Any) -> tuple[ApinizerCredentials, FakeNetwork]:
    """Returns `ApinizerCredentials` whose requests the handler answers, and the network they cross."""
    account = account_options("apinizer", project=PROJECT, **options)
    network = FakeNetwork(handler, {"headers": account.headers(), "allow_plain_http": account.allow_plain_http})
    return ApinizerCredentials(account, network.http, FakeRandomness()), network


# -- on sockets


@dataclass
class ApinizerProject:
    """A simulated installation with one project, and `rotator`'s view of it."""

    sandbox: SimulatorServer
    api: ApinizerApi
    account: SimulatedAccount
    provider: ApinizerCredentials
    http: Http
    meter: RecordingMeter

    def enabled_by_username(self) -> dict[str, bool]:
        """What the project holds: which username is enabled."""
        return {record.username: record.enabled for record in self.account.credentials()}

    def lets_in(self, username: str, password: Secret | str, proxy: str | None = None) -> dict[str, bool]:
        """Which environment accepts the password."""
        secret = Secret(password) if isinstance(password, str) else password
        return {name: self.api.lets_in(name, username, secret, proxy) for name in ENVIRONMENTS}

    def accepted_everywhere(self, username: str, password: Secret | str, proxy: str | None = None) -> bool:
        return all(self.lets_in(username, password, proxy).values())

    def accepted_nowhere(self, username: str, password: Secret | str) -> bool:
        return not any(self.lets_in(username, password).values())

    def request_lines(self) -> list[str]:
        """What was asked of the API so far."""
        return [f"{seen.method} {seen.path}" for seen in self.sandbox.exchanges()]


@cache
def _contract(lenient: bool) -> Contract:
    return Contract.load("apinizer", lenient=lenient)


@contextmanager
def apinizer_project(
    generation: str = OLD, *, clock: Any = None, proof: str | None = None, lenient: bool = False, **readings: Any
) -> Iterator[ApinizerProject]:
    """A project whose exchanges are checked by the contract. `proof`: `probe` or `token` at production's gateway."""
    wall = SystemClock(Event())
    clock = clock or FakeClock()
    account, other = (
        SimulatedAccount(PROJECT, Secret(TOKEN), clock),
        SimulatedAccount("Elsewhere", Secret("other-token"), clock),
    )
    api = ApinizerApi([account, other], clock, environments=ENVIRONMENTS, groups={"All": ["Orders", "Invoices"]})
    api.read_as(envelope=generation, **readings)
    contract = _contract(lenient)
    contract.problems.clear()
    contract.seen.clear()
    with SimulatorServer([api], wall, observe=contract.watch) as sandbox:
        gateway = f"{sandbox.http_url}/gateway/production"
        urls = {"probe": {"probe_url": f"{gateway}/Orders"}, "token": {"gateway_url": gateway}, None: {}}[proof]
        own = {"base_url": sandbox.http_url, "project": PROJECT, "email": "new@example.com", "full_name": "New"}
        options, meter = account_options("apinizer", **own, **urls), RecordingMeter()
        http = Http(replace(options.http("prod"), rate_limit=None), clock, meter)
        try:
            yield ApinizerProject(
                sandbox, api, account, ApinizerCredentials(options, http, FakeRandomness()), http, meter
            )
        finally:
            http.close()
    if any(seen.path.startswith("/apiops/") for seen in sandbox.exchanges()):
        contract.verify()
