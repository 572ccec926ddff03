"""The operator's surface of the sandbox: `/_sandbox/state`, `/faults`, `/calls`, `/readings` as JSON.

It shows no password. A change needs `Content-Type: application/json`, so that no web page can send one unnoticed.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rotator_simulator.account import Account, Missing
from rotator_simulator.faults import ELSEWHERE, Faults, Plan, named
from rotator_simulator.registrar import Registrar
from rotator_simulator.simulated_api import SimulatedApi

_PLAN = ("account", "verb", "times", "probability", "seed")


class Admin:
    """What the operator sees and may change."""

    def __init__(self, apis: Mapping[str, SimulatedApi], faults: Faults, registrar: Registrar) -> None:
        """Makes the surface over the parts of one sandbox."""
        self._apis = apis
        self._faults = faults
        self._registrar = registrar
        self._followed: list[str] = []

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("sandbox", __name__)
        base = "/_sandbox"
        routes.add_url_rule(f"{base}/state", view_func=self._state)
        routes.add_url_rule(f"{base}/faults", "faults", self._list_faults)
        routes.add_url_rule(f"{base}/faults", "plan_fault", self._plan_fault, methods=["POST"])
        routes.add_url_rule(f"{base}/faults", "clear_faults", self._clear_faults, methods=["DELETE"])
        routes.add_url_rule(f"{base}/calls", "start_call", self._start_call, methods=["POST"])
        routes.add_url_rule(f"{base}/calls/<call>", "end_call", self._end_call, methods=["DELETE"])
        routes.add_url_rule(f"{base}/readings/<name>", "read_as", self._read_as, methods=["PATCH"])
        routes.add_url_rule(ELSEWHERE, "elsewhere", self._elsewhere, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        routes.register_error_handler(ValueError, _bad_request)
        routes.register_error_handler(Missing, _not_found)
        return routes

    def _state(self) -> Response:
        accounts = [account for api in self._apis.values() for account in api.accounts]
        return jsonify(
            accounts={account.name: _shown(account) for account in accounts},
            readings={name: asdict(api.readings) for name, api in self._apis.items()},
            faults=[_plan(plan) for plan in self._faults.plans()],
            registrations={"accepted": self._registrar.accepted(), "refused": self._registrar.refused()},
            redirects_followed=len(self._followed),
        )

    def _list_faults(self) -> Response:
        return jsonify([_plan(plan) for plan in self._faults.plans()])

    def _plan_fault(self) -> Response:
        given = _object()
        name = given.pop("fault", None)
        if not isinstance(name, str):
            raise ValueError('say which fault: {"fault": "lost-answer", "verb": "create"}')  # noqa: TRY004 - input
        where = {key: given.pop(key) for key in _PLAN if key in given}
        try:
            return jsonify(_plan(self._faults.plan(named(name, **given), **where)))
        except TypeError:
            raise ValueError("times and retry_after are whole numbers, probability and seconds numbers") from None

    def _clear_faults(self) -> Response:
        self._faults.clear()
        return jsonify([])

    def _start_call(self) -> Response:
        given = _object()
        accounts = {account.name: account for api in self._apis.values() for account in api.accounts}
        account = accounts.get(str(given.get("account")))
        if account is None:
            raise ValueError(f"there is no such account; there are {', '.join(accounts)}")
        record = account.named(str(given.get("username")))
        return jsonify(call=account.start_call(record.id), credential=record.id)

    def _end_call(self, call: str) -> Response:
        for api in self._apis.values():
            for account in api.accounts:
                try:
                    account.end_call(call)
                except Missing:
                    continue
                return jsonify(ended=call)
        raise Missing(call)

    def _read_as(self, name: str) -> Response:
        if name not in self._apis:
            raise ValueError(f"there is no provider {name!r}; there are {', '.join(self._apis)}")
        self._apis[name].read_as(**_object())
        return jsonify(asdict(self._apis[name].readings))

    def _elsewhere(self) -> Response:
        # Nobody should ever come here: a redirect is not followed with credentials.
        self._followed.append(request.method)
        return jsonify(followed=len(self._followed))


def _object() -> dict[str, Any]:
    given = request.get_json(silent=True)
    if not isinstance(given, dict):
        raise ValueError("send a JSON object with Content-Type: application/json")  # noqa: TRY004 - input
    return given


def _bad_request(error: Exception) -> tuple[Response, int]:
    return jsonify(error=str(error)), 400


def _not_found(_: Exception) -> tuple[Response, int]:
    return jsonify(error="there is no such credential or call; /_sandbox/state shows what there is"), 404


def _plan(plan: Plan) -> dict[str, Any]:
    fault = {**asdict(plan.fault), "kind": plan.fault.kind.value}
    return {"account": plan.account, "verb": plan.verb, "fault": fault, "left": plan.left, "fired": plan.fired}


def _shown(account: Account) -> dict[str, Any]:
    calls = account.calls()
    credentials = [
        {
            "id": record.id,
            "kind": record.kind,
            "username": record.username,
            "enabled": record.enabled,
            "created": record.created.isoformat(),
            "updated": record.updated.isoformat(),
            "calls": calls.get(record.id, 0),
            "registered": [binding.contact for binding in account.bindings(record.username)],
        }
        for record in account.records()
    ]
    history = [
        {"at": line.at.isoformat(), "event": line.event.value, "id": line.id, "username": line.username}
        for line in account.history()
    ]
    return {"credentials": credentials, "history": history}
