"""Vobiz `Endpoint` users: SIP users with passwords, without an `enabled` flag (Vobiz, Endpoint pages).

Trailing slashes and the capital E are part of every path. An update is a POST answered 202 with an empty body.
"""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from rotator.core.secret import Secret
from rotator_simulator.account import Account, Missing, Record, Taken
from rotator_simulator.providers.vobiz.common import Answers, View, stamp

KIND = "endpoint"
_CHANGEABLE = {"password", "alias", "application", "allow_voice", "allow_message", "allow_video"}


class Endpoints:
    """The five verbs."""

    def __init__(self, answers: Answers) -> None:
        """Makes the resource; `answers` knows the readings in force."""
        self._answers = answers

    def routes(self) -> tuple[tuple[str, str, str, View], ...]:
        """Method, path below the account, name (its first word is the verb) and view of each route."""
        return (
            ("POST", "Endpoint/", "create_endpoint", self._create),
            ("GET", "Endpoint/", "list_endpoints", self._list),
            ("GET", "Endpoint/<identity>/", "get_endpoint", self._get),
            ("POST", "Endpoint/<identity>/", "update_endpoint", self._update),
            ("DELETE", "Endpoint/<identity>/", "delete_endpoint", self._delete),
        )

    def _create(self, account: Account) -> Response:
        given = self._answers.body() or {}
        problems = {}
        if problem := self._answers.username_problem(given.get("username")):
            problems["username"] = problem
        problems |= _password_problem(given.get("password"))
        if problems:
            return self._invalid(problems)
        extra = {"alias": str(given.get("alias", given["username"])), "application": given.get("application")}
        try:
            record = account.create(KIND, given["username"], Secret(given["password"]), extra)
        except Taken:
            return self._answers.plain(409, {"error": "Username already exists", "code": 409})
        shown = {"alias": record.extra["alias"], "endpoint_id": record.id, "username": record.username}
        return self._answers.plain(self._answers.readings.create_status, shown)

    def _list(self, account: Account) -> Response:
        try:
            limit, offset = int(request.args.get("limit", "20")), int(request.args.get("offset", "0"))
        except ValueError:
            return self._invalid({"limit": "limit and offset are numbers"})
        if limit < 1 or offset < 0:
            return self._invalid({"limit": "limit is 1 or more, offset 0 or more"})
        found = [record for record in account.records(KIND) if _matches(record)]
        page = found[offset : offset + limit]
        meta = {"limit": limit, "offset": offset, "total_count": len(found), "next": None, "previous": None}
        return self._answers.plain(200, {"meta": meta, "objects": [_shown(account, record) for record in page]})

    def _get(self, account: Account, identity: str) -> Response:
        try:
            return self._answers.plain(200, _shown(account, account.get(KIND, identity)))
        except Missing:
            return Response(status=404)

    def _update(self, account: Account, identity: str) -> Response:
        given = self._answers.body() or {}
        locked = sorted(set(given) - _CHANGEABLE)
        problems = {name: f"{name} cannot be changed" for name in locked}
        if "password" in given:
            problems |= _password_problem(given["password"])
        if problems:
            return self._invalid(problems)
        secret = Secret(given["password"]) if "password" in given else None
        extra = {name: value for name, value in given.items() if name != "password"}
        try:
            account.update(KIND, identity, password=secret, extra=extra)
        except Missing:
            return Response(status=404)
        return Response(status=202)

    def _delete(self, account: Account, identity: str) -> Response:
        try:
            account.delete(KIND, identity, disconnect=True)  # registered devices are disconnected at once
        except Missing:
            return Response(status=404)
        return Response(status=204)

    def _invalid(self, details: dict[str, str]) -> Response:
        return self._answers.plain(400, {"error": "invalid request parameters", "details": details})


def _password_problem(password: Any) -> dict[str, str]:
    if isinstance(password, str) and len(password) >= 8:
        return {}
    return {"password": "password must be at least 8 characters"}


def _matches(record: Record) -> bool:
    alias = str(record.extra.get("alias", ""))
    application = record.extra.get("application")
    tests: dict[str, Callable[[str], bool]] = {
        "username__exact": record.username.__eq__,
        "username__contains": record.username.__contains__,
        "username__startswith": record.username.startswith,
        "alias__exact": alias.__eq__,
        "alias__contains": alias.__contains__,
        "application_id__exact": str(application).__eq__,
        "application_id__isnull": lambda wanted: (application is None) == (wanted.lower() == "true"),
    }
    return all(test(request.args[name]) for name, test in tests.items() if name in request.args)


def _shown(account: Account, record: Record) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "endpoint_id": record.id,
        "username": record.username,
        "alias": record.extra.get("alias"),
        "application": record.extra.get("application"),
        "domain": "registrar.vobiz.ai",
        "sip_uri": f"sip:{record.username}@registrar.vobiz.ai",
        "created_at": stamp(record.created),
        "sip_registered": "false",  # text, not a boolean
    }
    shown |= {name: record.extra.get(name, True) for name in ("allow_voice", "allow_message", "allow_video")}
    for binding in account.bindings(record.username)[-1:]:
        shown |= {"sip_registered": "true", "sip_contact": binding.contact, "sip_user_agent": binding.agent}
    return shown
