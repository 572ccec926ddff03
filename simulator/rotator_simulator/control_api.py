"""The control API of the simulator: `/_sandbox/state`, `/faults`, `/calls` and `/readings`, in JSON.

It shows no password. Every change needs `Content-Type: application/json`, which a web page cannot send unnoticed.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rotator_simulator.account import NotFound, SimulatedAccount
from rotator_simulator.faults import REDIRECT_TARGET, FaultInjector, PlannedFault, fault_named
from rotator_simulator.registrar import SimulatedRegistrar
from rotator_simulator.simulated_api import SimulatedApi

_PLAN_FIELDS = ("account", "verb", "times", "probability", "seed")


class ControlApi:
    """Shows the state of the simulator, and changes it."""

    def __init__(
        self, apis: Mapping[str, SimulatedApi[Any]], injector: FaultInjector, registrar: SimulatedRegistrar
    ) -> None:
        """Takes the parts of the simulator to control."""
        self._apis = apis
        self._injector = injector
        self._registrar = registrar
        self._redirects_followed = 0

    def blueprint(self) -> Blueprint:
        """Returns the routes."""
        routes = Blueprint("sandbox", __name__)
        base = "/_sandbox"
        routes.add_url_rule(f"{base}/state", view_func=self._state)
        routes.add_url_rule(f"{base}/faults", "faults", self._list_faults)
        routes.add_url_rule(f"{base}/faults", "plan_fault", self._plan_fault, methods=["POST"])
        routes.add_url_rule(f"{base}/faults", "clear_faults", self._clear_faults, methods=["DELETE"])
        routes.add_url_rule(f"{base}/calls", "start_call", self._start_call, methods=["POST"])
        routes.add_url_rule(f"{base}/calls/<call>", "end_call", self._end_call, methods=["DELETE"])
        routes.add_url_rule(f"{base}/readings/<name>", "read_as", self._read_as, methods=["PATCH"])
        routes.add_url_rule(
            REDIRECT_TARGET, "redirected", self._redirected, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]
        )
        routes.register_error_handler(ValueError, _bad_request)
        routes.register_error_handler(NotFound, _not_found)
        return routes

    def _state(self) -> Response:
        accounts = [account for api in self._apis.values() for account in api.accounts]
        return jsonify(
            accounts={account.name: _account_as_json(account) for account in accounts},
            readings={name: asdict(api.readings) for name, api in self._apis.items()},
            faults=[_plan_as_json(plan) for plan in self._injector.plans()],
            registrations={"accepted": self._registrar.accepted(), "refused": self._registrar.refused()},
            redirects_followed=self._redirects_followed,
        )

    def _list_faults(self) -> Response:
        return jsonify([_plan_as_json(plan) for plan in self._injector.plans()])

    def _plan_fault(self) -> Response:
        body = _object()
        name = body.pop("fault", None)
        if not isinstance(name, str):
            raise ValueError('name a fault, as in {"fault": "lost-answer", "verb": "create"}')  # noqa: TRY004 - input
        plan = {key: body.pop(key) for key in _PLAN_FIELDS if key in body}
        try:
            return jsonify(_plan_as_json(self._injector.plan(fault_named(name, **body), **plan)))
        except TypeError:
            raise ValueError("times and retry_after must be whole numbers, probability and seconds numbers") from None

    def _clear_faults(self) -> Response:
        self._injector.clear()
        return jsonify([])

    def _start_call(self) -> Response:
        body = _object()
        accounts = {account.name: account for api in self._apis.values() for account in api.accounts}
        account = accounts.get(str(body.get("account")))
        if account is None:
            raise ValueError(f"there is no such account; use one of {', '.join(accounts)}")
        credential = account.by_username(str(body.get("username")))
        return jsonify(call=account.start_call(credential.id), credential=credential.id)

    def _end_call(self, call: str) -> Response:
        for api in self._apis.values():
            for account in api.accounts:
                try:
                    account.end_call(call)
                except NotFound:
                    continue
                return jsonify(ended=call)
        raise NotFound(call)

    def _read_as(self, name: str) -> Response:
        if name not in self._apis:
            raise ValueError(f"there is no provider {name!r}; use one of {', '.join(self._apis)}")
        self._apis[name].read_as(**_object())
        return jsonify(asdict(self._apis[name].readings))

    def _redirected(self) -> Response:
        # A client that sends credentials must not follow a redirect.
        self._redirects_followed += 1
        return jsonify(followed=self._redirects_followed)


def _object() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise ValueError("send a JSON object with Content-Type: application/json")  # noqa: TRY004 - input
    return body


def _bad_request(error: Exception) -> tuple[Response, int]:
    return jsonify(error=str(error)), 400


def _not_found(_: Exception) -> tuple[Response, int]:
    return jsonify(error="there is no such credential or call; /_sandbox/state lists them"), 404


def _plan_as_json(plan: PlannedFault) -> dict[str, Any]:
    fault = {**asdict(plan.fault), "kind": plan.fault.kind.value}
    return {"account": plan.account, "verb": plan.verb, "fault": fault, "left": plan.left, "fired": plan.fired}


def _account_as_json(account: SimulatedAccount) -> dict[str, Any]:
    calls = account.calls()
    credentials = [
        {
            "id": one.id,
            "kind": one.kind,
            "username": one.username,
            "enabled": one.enabled,
            "created": one.created.isoformat(),
            "updated": one.updated.isoformat(),
            "calls": calls.get(one.id, 0),
            "registered": [binding.contact for binding in account.bindings(one.username)],
        }
        for one in account.credentials()
    ]
    history = [
        {"at": entry.at.isoformat(), "event": entry.event.value, "id": entry.id, "username": entry.username}
        for entry in account.history()
    ]
    return {"credentials": credentials, "history": history}
