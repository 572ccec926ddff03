"""The parts that the simulated Apinizer's API and gateway share: readings, both forms of responses, environments.

The numbers A1 to A5 are the traps in Apinizer's pages on credentials.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from flask import Response, jsonify

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.faults import SimulatedFault
from rotator_simulator.simulated_api import Responses

FIELDS = ("email", "fullName", "description", "roleNameList", "ipList", "expireDate")
"""The fields of a credential other than its username, its password and `enabled`."""
LABELS = {"API_PROXY": "API Proxy", "API_PROXY_GROUP": "API Proxy Group"}
HIDDEN = ("metadata",)
"""The fields that a create and an update take, and that the listing does not show."""
_REQUIRED = {"username": "username", "password": "password", "fullName": "full name", "email": "email"}
ApiAccess = tuple[str, str]
"""The name of an API proxy or group, and which of the two it is."""


@dataclass(frozen=True, slots=True)
class ApinizerReadings:
    """The reading of each point that the pages leave open or contradict."""

    envelope: Literal["success", "status"] = "success"
    """The envelope of the pages of Dec 2025, or of Jul 2026 (A5)."""
    pods: bool = False
    """True: a deployment's result lists pods (`detailList`), as on the page Delete Credential of Jul 2026."""
    hides_failures: bool = False
    """True: `deploymentResult.success` is true although an environment failed (A2)."""
    project_visible: bool = True
    """False: no project is found: 404 on the pages of Dec 2025, 400 on those of Jul 2026."""
    permitted: bool = True
    """False: the token's user lacks a permission, reported as a missing project or with a separate message."""
    enabled_enforced: bool = True
    """False: the gateway accepts a disabled credential with the right password."""
    update_keeps_hidden: bool = True
    """False: a full update drops what the listing does not show, such as metadata ("All fields are required")."""
    password_reaches_all: bool = True
    """False: a changed password does not reach an environment for which the credential has one of its own."""
    proxies_ask: bool = True
    """False: the API proxies have no authentication policy and accept every request."""
    delete_previous: bool = False
    """Token Settings, `deletePrevious`: a new token revokes the one before."""
    gateway_delay: float = 0.0
    """The seconds by which the gateway lags behind a deployment. Not documented."""


_ERRORS = {400: "bad_request", 401: "unauthorized_client", 404: "not_found", 409: "conflict", 500: "server_error"}


class ApinizerResponses(Responses[ApinizerReadings]):
    """Builds Apinizer's responses."""

    @property
    def older(self) -> bool:
        """True for the envelope of Dec 2025."""
        return self.readings.envelope == "success"

    def error(self, status: int, retry_after: int | None) -> Response:
        """Returns a generic error."""
        answer = self.refusal(status, "Invalid token" if status == 401 else "An error occurred!")
        if retry_after is not None:
            answer.headers["Retry-After"] = str(retry_after)
        return answer

    def refusal(self, status: int, text: str) -> Response:
        """Returns an error with one of the messages on the pages."""
        if self.older:
            return self.json(status, {"error": _ERRORS.get(status, "error"), "error_description": text})
        return self.json(status, {"status": "FAILURE", "resultMessage": text})

    def no_project(self, name: str) -> Response:
        """Returns the error for a missing or invisible project: 404 (A1), in the newer form 400."""
        if self.older:
            text = f"Project({name}) was not found or user does not have privilege to access it!"
            return self.refusal(404, text)
        return self.refusal(400, f"Project ({name}) is not found!")

    def no_permission(self, name: str) -> Response:
        """Returns the error for a missing permission, on the older pages the same as for a missing project."""
        if self.older:
            return self.no_project(name)
        return self.refusal(400, "User does not have required permission for this operation!")

    def bad_token(self) -> Response:
        """Returns the error for a wrong access token."""
        return self.refusal(401, "Invalid token" if self.older else "Token is not valid!")

    def no_credential(self, username: str) -> Response:
        """Returns the error for a missing credential: 400, not 404 (A1)."""
        return self.refusal(400, f"Credential (username: {username}) was not found!")

    def username_taken(self) -> Response:
        """Returns the error for a username that is in use, in any project."""
        if self.older:
            return self.refusal(400, "There is already a credential has this name!")
        text = (
            "This username is already used by another credential. Credential usernames must be unique across ALL "
            "projects, not only this one, so the credential holding it may live in a different project. Choose a "
            "different username."
        )
        return self.refusal(400, text)

    def success(self, **content: Any) -> Response:
        """Returns a 200 with the success flag of the form."""
        flag = {"success": True} if self.older else {"status": "SUCCESS"}
        return jsonify({**flag, **content})

    def deployed(
        self, environments: Iterable[str], failed: frozenset[str], fault: SimulatedFault | None, *, removed: bool
    ) -> Any:
        """Returns the `deploymentResult` of a change: one result for each environment."""
        if fault is not None and fault.deployment == "null":
            return None
        listed = [] if fault is not None and fault.deployment == "empty" else list(environments)
        what = "Undeployment" if removed else "Deployment"
        succeeded = not failed or self.readings.hides_failures
        head = {"success": succeeded, "message": f"{what} {'completed successfully' if succeeded else 'failed'}"}
        if self.readings.pods or (removed and not self.older):
            pods = [_pod(name, number, name not in failed) for name in listed for number in (1, 2)]
            return {**head, "responseTime": 12, "detailList": pods}
        return {**head, "environmentResults": [_environment(name, name not in failed) for name in listed]}


def _environment(name: str, succeeded: bool) -> dict[str, Any]:  # noqa: FBT001
    message = "Deployed successfully" if succeeded else "Connection refused"
    return {"environmentName": name, "success": succeeded, "message": message}


def _pod(name: str, number: int, succeeded: bool) -> dict[str, Any]:  # noqa: FBT001
    # If a deployment fails, only one of the pods does.
    deployed = succeeded or number == 1
    pod = {"envName": name, "podName": f"worker-{name}-{number}", "podIp": f"10.0.0.{number}", "success": deployed}
    return {**pod, "responseTime": 6} if deployed else {**pod, "responseTime": 6, "detail": "Connection refused"}


def problem(body: Mapping[str, Any]) -> str | None:
    """Returns why a body is refused (Create Credential); None if it is accepted."""
    for key, label in _REQUIRED.items():
        if not isinstance(body.get(key), str) or not body[key]:
            return f"Credential {label} can not be empty!"
    if not isinstance(body.get("enabled", True), bool):
        return "Credential enabled can not be empty!"
    return None


def missing_field(body: Mapping[str, Any]) -> str | None:
    """Returns which field a full update lacks (Update Credential); None if it has all."""
    # "All fields are required (same as create)"; the message for the others is not documented.
    missing = [key for key in (*FIELDS, "enabled") if key not in body]
    return f"Credential {missing[0]} can not be empty!" if missing else None


def requested_access(body: Mapping[str, Any]) -> list[ApiAccess] | None:
    """Returns the access that a request grants or revokes; None if it is malformed."""
    listed = body.get("credentialAccessList")
    if not isinstance(listed, list) or not listed:
        return None
    pairs = [(item.get("name"), item.get("type")) for item in listed if isinstance(item, dict)]
    known = [(name, kind) for name, kind in pairs if isinstance(name, str) and name and kind in LABELS]
    return known if len(known) == len(listed) else None


def moment(text: Any) -> datetime | None:
    """Returns the moment of an `expireDate`."""
    return datetime.fromisoformat(text) if isinstance(text, str) else None


@dataclass(frozen=True, slots=True)
class DeployedCredential:
    """A credential as deployed to an environment."""

    password: Secret
    enabled: bool
    expires: datetime | None
    access: frozenset[ApiAccess]


@dataclass(slots=True)
class GatewayEnvironments:
    """The credentials deployed to each environment, and since when; they may differ from the API's."""

    names: tuple[str, ...]
    clock: Clock
    _states: dict[tuple[str, str], list[tuple[float, DeployedCredential | None]]] = field(default_factory=dict)

    def deploy(self, environment: str, username: str, deployed: DeployedCredential | None, delay: float) -> None:
        """Deploys a credential to an environment, or removes it (None), with effect after `delay` seconds."""
        states = self._states.setdefault((environment, username), [])
        now = self.clock.monotonic()
        while len(states) > 1 and states[1][0] <= now:
            states.pop(0)
        states.append((now + delay, deployed))

    def deployed(self, environment: str, username: str) -> DeployedCredential | None:
        """Returns the credential that an environment has for a username now."""
        now = self.clock.monotonic()
        in_force = [state for since, state in self._states.get((environment, username), ()) if since <= now]
        return in_force[-1] if in_force else None
