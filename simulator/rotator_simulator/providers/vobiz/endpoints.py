"""Vobiz `Endpoint` users: SIP users with a password and without an `enabled` flag (Vobiz, Endpoint pages).

Every path has a trailing slash and a capital E. An update is a POST; its response is a 202 without a body.
"""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from rotator.core.secret import Secret
from rotator_simulator.account import NotFound, SimulatedAccount, SimulatedCredential, UsernameTaken
from rotator_simulator.providers.vobiz.common import VobizResponses
from rotator_simulator.simulated_api import View

KIND = "endpoint"
_CHANGEABLE = {"password", "alias", "application", "allow_voice", "allow_message", "allow_video"}


class EndpointRoutes:
    """The routes of the five verbs."""

    def __init__(self, responses: VobizResponses) -> None:
        """Takes the builder of responses, which knows the current readings."""
        self._responses = responses

    def routes(self) -> tuple[tuple[str, str, str, View], ...]:
        """Returns the method, path below the account, name (its first word is the verb) and view of each route."""
        return (
            ("POST", "Endpoint/", "create_endpoint", self._create),
            ("GET", "Endpoint/", "list_endpoints", self._list),
            ("GET", "Endpoint/<identity>/", "get_endpoint", self._get),
            ("POST", "Endpoint/<identity>/", "update_endpoint", self._update),
            ("DELETE", "Endpoint/<identity>/", "delete_endpoint", self._delete),
        )

    def _create(self, account: SimulatedAccount) -> Response:
        body = self._responses.body() or {}
        problems = {}
        if problem := self._responses.username_problem(body.get("username")):
            problems["username"] = problem
        problems |= _password_problem(body.get("password"))
        if problems:
            return self._invalid(problems)
        extra = {"alias": str(body.get("alias", body["username"])), "application": body.get("application")}
        try:
            credential = account.create(KIND, body["username"], Secret(body["password"]), extra)
        except UsernameTaken:
            return self._responses.json(409, {"error": "Username already exists", "code": 409})
        created = {"alias": credential.extra["alias"], "endpoint_id": credential.id, "username": credential.username}
        return self._responses.json(self._responses.readings.create_status, created)

    def _list(self, account: SimulatedAccount) -> Response:
        try:
            limit, offset = int(request.args.get("limit", "20")), int(request.args.get("offset", "0"))
        except ValueError:
            return self._invalid({"limit": "limit and offset must be numbers"})
        if limit < 1 or offset < 0:
            return self._invalid({"limit": "limit must be 1 or more, offset 0 or more"})
        matching = [
            credential for credential in account.listed(KIND, self._responses.readings.order) if _matches(credential)
        ]
        page = matching[offset : offset + limit]
        meta = {"limit": limit, "offset": offset, "total_count": len(matching), "next": None, "previous": None}
        return self._responses.json(
            200, {"meta": meta, "objects": [_as_json(account, credential) for credential in page]}
        )

    def _get(self, account: SimulatedAccount, identity: str) -> Response:
        try:
            return self._responses.json(200, _as_json(account, account.get(KIND, identity)))
        except NotFound:
            return Response(status=404)

    def _update(self, account: SimulatedAccount, identity: str) -> Response:
        body = self._responses.body() or {}
        locked = sorted(set(body) - _CHANGEABLE)
        problems = {name: f"{name} cannot be changed" for name in locked}
        if "password" in body:
            problems |= _password_problem(body["password"])
        if problems:
            return self._invalid(problems)
        secret = Secret(body["password"]) if "password" in body else None
        extra = {name: value for name, value in body.items() if name != "password"}
        try:
            account.update(KIND, identity, password=secret, extra=extra)
        except NotFound:
            return Response(status=404)
        return Response(status=202)

    def _delete(self, account: SimulatedAccount, identity: str) -> Response:
        try:
            account.delete(KIND, identity, disconnect=True)  # registered devices are disconnected at once
        except NotFound:
            return Response(status=404)
        return Response(status=204)

    def _invalid(self, details: dict[str, str]) -> Response:
        return self._responses.json(400, {"error": "invalid request parameters", "details": details})


def _password_problem(password: Any) -> dict[str, str]:
    if isinstance(password, str) and len(password) >= 8:
        return {}
    return {"password": "password must be at least 8 characters"}


def _matches(credential: SimulatedCredential) -> bool:
    alias = str(credential.extra.get("alias", ""))
    application = credential.extra.get("application")
    tests: dict[str, Callable[[str], bool]] = {
        "username__exact": credential.username.__eq__,
        "username__contains": credential.username.__contains__,
        "username__startswith": credential.username.startswith,
        "alias__exact": alias.__eq__,
        "alias__contains": alias.__contains__,
        "application_id__exact": str(application).__eq__,
        "application_id__isnull": lambda wanted: (application is None) == (wanted.lower() == "true"),
    }
    return all(test(request.args[name]) for name, test in tests.items() if name in request.args)


def _as_json(account: SimulatedAccount, credential: SimulatedCredential) -> dict[str, Any]:
    item: dict[str, Any] = {
        "endpoint_id": credential.id,
        "username": credential.username,
        "alias": str(credential.extra.get("alias") or credential.username),
        "application": str(credential.extra.get("application") or ""),
        "resource_uri": f"/v1/Account/{account.name}/Endpoint/{credential.id}/",
        "sip_uri": f"sip:{credential.username}@registrar.vobiz.ai",
        "sip_registered": "false",  # text, not a boolean
        "sub_account": None,
    }
    for binding in account.bindings(credential.username)[-1:]:
        item |= {"sip_registered": "true", "sip_contact": binding.contact, "sip_user_agent": binding.agent}
    return item
