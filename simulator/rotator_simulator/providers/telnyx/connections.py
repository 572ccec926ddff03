"""Telnyx credential connections: SIP trunks with one username and password (Telnyx, Credential connections)."""

import re
from typing import Any

from flask import Response, request

from rotator.core.secret import Secret
from rotator_simulator.account import Account, Record, Taken
from rotator_simulator.providers.telnyx.common import Answers, View, matches

KIND = "connection"
_ON_IT = "telephony"
_USERNAME = re.compile(r"(?=.{0,4}[A-Za-z])[A-Za-z0-9]{4,32}")


class Connections:
    """The five verbs."""

    def __init__(self, answers: Answers) -> None:
        """Makes the resource; `answers` knows the readings in force."""
        self._answers = answers

    def routes(self) -> tuple[tuple[str, str, str, View], ...]:
        """Method, path, name (its first word is the verb) and view of each route."""
        return (
            ("POST", "credential_connections", "create_connection", self._create),
            ("GET", "credential_connections", "list_connections", self._list),
            ("GET", "credential_connections/<identity>", "get_connection", self._get),
            ("PATCH", "credential_connections/<identity>", "update_connection", self._update),
            ("DELETE", "credential_connections/<identity>", "delete_connection", self._delete),
        )

    def _create(self, account: Account) -> Response:
        given = self._answers.body() or {}
        lacking = [name for name in ("user_name", "password", "connection_name") if not given.get(name)]
        problem = _problem(given) or (f"{', '.join(lacking)} required" if lacking else None)
        if problem:
            return self._answers.error(422, None, problem)
        extra = {"connection_name": str(given["connection_name"])}
        number = str(1_494_404_757_140_276_705 + len(account.history()))
        try:
            record = account.create(KIND, given["user_name"], Secret(given["password"]), extra, identity=number)
        except Taken:
            return self._answers.error(422, None, "user_name is taken")
        return self._answers.data(201, self._shown(record))

    def _list(self, account: Account) -> Response:
        contains = request.args.get("filter[connection_name][contains]")
        if contains is not None and len(contains) < 3:
            return self._answers.error(400, None, "at least three characters")
        found = [
            self._shown(record)
            for record in self._answers.ordered(account, KIND)
            if matches(contains, str(record.extra["connection_name"]), "contains")
        ]
        return self._answers.page(found, default=250)

    def _get(self, account: Account, identity: str) -> Response:
        return self._answers.data(200, self._shown(account.get(KIND, identity)))

    def _update(self, account: Account, identity: str) -> Response:
        given = self._answers.body() or {}
        record = account.get(KIND, identity)
        problem = _problem(given)
        if given.get("user_name", record.username) != record.username:
            problem = "the sandbox keeps a user_name for ever"
        if problem:
            return self._answers.error(422, None, problem)
        secret = Secret(given["password"]) if "password" in given else None
        active: bool | None = given.get("active")
        extra = {name: given[name] for name in ("connection_name",) if name in given}
        record = account.update(KIND, record.id, password=secret, enabled=active, extra=extra)
        if active is not None:
            # The whole connection, with everything on it.
            for one in account.records(_ON_IT):
                if one.extra["connection_id"] == record.id:
                    account.update(_ON_IT, one.id, enabled=active)
        return self._answers.data(200, self._shown(record))

    def _delete(self, account: Account, identity: str) -> Response:
        shown = self._shown(account.get(KIND, identity))
        account.delete(KIND, identity, disconnect=True)
        return self._answers.data(200, shown)  # with the password

    def _shown(self, record: Record) -> dict[str, Any]:
        return {
            "id": record.id,
            "record_type": "credential_connection",
            "active": record.enabled,
            "user_name": record.username,
            "password": record.password.reveal(),
            "connection_name": record.extra["connection_name"],
            "created_at": self._answers.stamp(record.created),
            "updated_at": self._answers.stamp(record.updated),
        }


def _problem(given: dict[str, Any]) -> str | None:
    """Why a body is refused; None where it is taken."""
    username, password = given.get("user_name", "good"), given.get("password", "good-enough")
    if not isinstance(username, str) or not _USERNAME.fullmatch(username):
        return "user_name has 4 to 32 letters and digits, a letter among the first five"
    if not isinstance(password, str) or not 8 <= len(password) <= 128:
        return "password has 8 to 128 characters"
    return None if isinstance(given.get("active", True), bool) else "active is true or false"
