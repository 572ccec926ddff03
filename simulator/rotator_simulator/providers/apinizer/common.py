"""What the simulated Apinizer's API and gateway share: readings, both generations of answers, and the environments.

The numbers A1 to A5 are the traps that Apinizer's pages on credentials hold.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from flask import Response, jsonify, request

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.faults import Fault

FIELDS = ("email", "fullName", "description", "roleNameList", "ipList", "expireDate")
"""What a credential has beside its username, its password and `enabled`."""
LABELS = {"API_PROXY": "API Proxy", "API_PROXY_GROUP": "API Proxy Group"}
_REQUIRED = {"username": "username", "password": "password", "fullName": "full name", "email": "email"}
Access = tuple[str, str]
"""An API proxy's or group's name, and which of the two it is."""


@dataclass(frozen=True, slots=True)
class ApinizerReadings:
    """How to read what the pages leave open or say twice."""

    envelope: Literal["success", "status"] = "success"
    """Pages of Dec 2025, and of Jul 2026 (A5)."""
    pods: bool = False
    """True: a deployment's result names pods (`detailList`), as the page Delete Credential of Jul 2026 does."""
    hides_failures: bool = False
    """True: `deploymentResult.success` is true although an environment failed (A2)."""
    project_visible: bool = True
    """False: no project is found. 404 on the pages of Dec 2025, 400 on those of Jul 2026."""
    permitted: bool = True
    """False: the token's user lacks a permission: told as a project that is not there, and with words of its own."""
    enabled_enforced: bool = True
    """False: the gateway lets in a disabled credential whose password is right."""
    proxies_ask: bool = True
    """False: the API proxies have no authentication policy, and let in anybody."""
    delete_previous: bool = False
    """Token Settings, `deletePrevious`: a new token ends the one before."""
    gateway_delay: float = 0.0
    """Seconds after which the gateway follows a deployment. Not documented."""


_ERRORS = {400: "bad_request", 401: "unauthorized_client", 404: "not_found", 409: "conflict", 500: "server_error"}


class Answers:
    """Makes the answers of one simulated Apinizer under the readings in force."""

    def __init__(self, readings: ApinizerReadings) -> None:
        """Starts with these readings; they may be replaced at any time."""
        self.readings = readings

    @property
    def older(self) -> bool:
        """True for the envelope of Dec 2025."""
        return self.readings.envelope == "success"

    def error(self, status: int, retry_after: int | None) -> Response:
        """An error without a cause of its own, as the faults want it."""
        answer = self.refusal(status, "Invalid token" if status == 401 else "An error occurred!")
        if retry_after is not None:
            answer.headers["Retry-After"] = str(retry_after)
        return answer

    def refusal(self, status: int, text: str) -> Response:
        """An error in the words of the pages."""
        if self.older:
            answer = jsonify(error=_ERRORS.get(status, "error"), error_description=text)
        else:
            answer = jsonify(status="FAILURE", resultMessage=text)
        answer.status_code = status
        return answer

    def no_project(self, name: str) -> Response:
        """The project is not there, or cannot be seen: 404 (A1), in the newer generation 400."""
        if self.older:
            text = f"Project({name}) was not found or user does not have privilege to access it!"
            return self.refusal(404, text)
        return self.refusal(400, f"Project ({name}) is not found!")

    def no_permission(self, name: str) -> Response:
        """The token's user may not do this; the older pages do not tell it from a project that is not there."""
        if self.older:
            return self.no_project(name)
        return self.refusal(400, "User does not have required permission for this operation!")

    def bad_token(self) -> Response:
        """The access token is wrong."""
        return self.refusal(401, "Invalid token" if self.older else "Token is not valid!")

    def no_credential(self, username: str) -> Response:
        """400, not 404 (A1)."""
        return self.refusal(400, f"Credential (username: {username}) was not found!")

    def taken(self) -> Response:
        """The username is in use, in whichever project."""
        if self.older:
            return self.refusal(400, "There is already a credential has this name!")
        text = (
            "This username is already used by another credential. Credential usernames must be unique across ALL "
            "projects, not only this one, so the credential holding it may live in a different project. Choose a "
            "different username."
        )
        return self.refusal(400, text)

    def success(self, **content: Any) -> Response:
        """200 with the flag of the generation."""
        flag = {"success": True} if self.older else {"status": "SUCCESS"}
        return jsonify({**flag, **content})

    def deployed(
        self, environments: Iterable[str], failed: frozenset[str], fault: Fault | None, *, undone: bool
    ) -> Any:
        """The `deploymentResult` of a change: what happened in each environment."""
        if fault is not None and fault.deployment == "null":
            return None
        named = [] if fault is not None and fault.deployment == "empty" else list(environments)
        what = "Undeployment" if undone else "Deployment"
        succeeded = not failed or self.readings.hides_failures
        head = {"success": succeeded, "message": f"{what} {'completed successfully' if succeeded else 'failed'}"}
        if self.readings.pods or (undone and not self.older):
            pods = [_pod(name, number, name not in failed) for name in named for number in (1, 2)]
            return {**head, "responseTime": 12, "detailList": pods}
        return {**head, "environmentResults": [_environment(name, name not in failed) for name in named]}


def _environment(name: str, succeeded: bool) -> dict[str, Any]:  # noqa: FBT001
    message = "Deployed successfully" if succeeded else "Connection refused"
    return {"environmentName": name, "success": succeeded, "message": message}


def _pod(name: str, number: int, succeeded: bool) -> dict[str, Any]:  # noqa: FBT001
    # Where a deployment fails, only one of the pods does.
    fine = succeeded or number == 1
    pod = {"envName": name, "podName": f"worker-{name}-{number}", "podIp": f"10.0.0.{number}", "success": fine}
    return {**pod, "responseTime": 6} if fine else {**pod, "responseTime": 6, "detail": "Connection refused"}


def body() -> dict[str, Any]:
    """The JSON object of the request; an empty one where there is none."""
    given = request.get_json(silent=True)
    return given if isinstance(given, dict) else {}


def problem(given: Mapping[str, Any]) -> str | None:
    """Why a body is refused (Create Credential); None where it is taken."""
    for key, label in _REQUIRED.items():
        if not isinstance(given.get(key), str) or not given[key]:
            return f"Credential {label} can not be empty!"
    if not isinstance(given.get("enabled", True), bool):
        return "Credential enabled can not be empty!"
    return None


def lacking(given: Mapping[str, Any]) -> str | None:
    """What a full update lacks (Update Credential); None where it is whole."""
    # "All fields are required (same as create)"; in which words the others are missed is not documented.
    missing = [key for key in (*FIELDS, "enabled") if key not in given]
    return f"Credential {missing[0]} can not be empty!" if missing else None


def wanted_access(given: Mapping[str, Any]) -> list[Access] | None:
    """What a request grants or revokes; None where that cannot be read."""
    listed = given.get("credentialAccessList")
    if not isinstance(listed, list) or not listed:
        return None
    wanted = [(item.get("name"), item.get("type")) for item in listed if isinstance(item, dict)]
    known = [(name, kind) for name, kind in wanted if isinstance(name, str) and name and kind in LABELS]
    return known if len(known) == len(listed) else None


def moment(text: Any) -> datetime | None:
    """An `expireDate`."""
    return datetime.fromisoformat(text) if isinstance(text, str) else None


@dataclass(frozen=True, slots=True)
class Deployed:
    """A credential as an environment's gateway knows it."""

    password: Secret
    enabled: bool
    expires: datetime | None
    access: frozenset[Access]


@dataclass(slots=True)
class Environments:
    """The data plane: what was deployed to each environment, and when. It may differ from what the API holds."""

    names: tuple[str, ...]
    clock: Clock
    _states: dict[tuple[str, str], list[tuple[float, Deployed | None]]] = field(default_factory=dict)

    def deploy(self, environment: str, username: str, deployed: Deployed | None, delay: float) -> None:
        """Puts a credential into an environment, or (None) takes it out, in force after `delay` seconds."""
        states = self._states.setdefault((environment, username), [])
        now = self.clock.monotonic()
        while len(states) > 1 and states[1][0] <= now:
            states.pop(0)
        states.append((now + delay, deployed))

    def known(self, environment: str, username: str) -> Deployed | None:
        """What the gateway knows of a username now."""
        now = self.clock.monotonic()
        in_force = [state for since, state in self._states.get((environment, username), ()) if since <= now]
        return in_force[-1] if in_force else None
