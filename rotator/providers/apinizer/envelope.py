"""The meaning of an answer of Apinizer's Management API, in both generations of its envelope.

The facts are from Apinizer's pages Create, Update, List and Delete Credential, Change Credential Password, Grant Access
and Get Granted Access List, as of Dec 2025 (`success`, `error_description`) and of Jul 2026 (`status`,
`resultMessage`). No page says which version of the product uses which form, so both are understood everywhere.
Messages are compared with the documented ones and never repeated.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.secret import Secret
from rotator.providers.http.replies import Failure, HttpReply, failure, settled

MOVED = "or was it moved to the admin project (Move to Global)?"
NOWHERE = "the change is stored, but the answer names no environment in which it is in force: deploy the project"
_PROJECT_ADVICE = (
    "check the base URL, the project's name (it is case-sensitive), and that the access token's user has "
    "IDENTITY MANAGE and DEPLOY_UNDEPLOY in it"
)
_LONGEST_TEXT = 1000
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}")
_CUT, _MOST_NAMES = 32, 5


class DocumentedError(Enum):
    """The documented errors that decide the next request."""

    NO_CREDENTIAL = "no such credential"
    NO_PROJECT = "no such project"
    NO_PERMISSION = "no permission"
    BAD_TOKEN = "bad token"  # noqa: S105 - no token
    TAKEN = "username taken"
    GRANTED = "already granted"
    NO_RESOURCE = "no such API proxy"


_NAMED = r"\(username: ?(?P<username>.{1,255})\)"
_TEXTS: tuple[tuple[DocumentedError, re.Pattern[str]], ...] = tuple(
    (error, re.compile(pattern))
    for error, pattern in (
        (DocumentedError.NO_CREDENTIAL, rf"Credential {_NAMED} was not found!"),
        (
            DocumentedError.GRANTED,
            rf"Credential {_NAMED} has already access to API Proxy(?: Group)? \(name: ?.{{1,255}}\)!",
        ),
        (
            DocumentedError.NO_PROJECT,
            r"Project ?\(.{1,255}\) was not found or user does not have privilege to access it!",
        ),
        (DocumentedError.NO_PROJECT, r"Project ?\(.{1,255}\) is not found!"),
        (DocumentedError.NO_PERMISSION, r"User does not have required permission for this operation!"),
        (
            DocumentedError.BAD_TOKEN,
            r"Invalid token|Token is not valid!|Token was expired!|Empty Key! Client must be .{1,200}",
        ),
        (DocumentedError.TAKEN, r"There is already a credential has this name!"),
        (DocumentedError.TAKEN, r"This username is already used by another credential\b.{0,400}"),
        (
            DocumentedError.NO_RESOURCE,
            r"API Proxy(?: Group)? \(name: ?.{1,255}\) is not found or user does not have privilege .{1,99}",
        ),
    )
)


def documented_error(reply: HttpReply, username: str) -> DocumentedError | None:
    """Returns the error in an answer, by a documented message about this username or by the status."""
    if reply.status >= 500:
        return None
    if reply.status == 404:  # every path is inside the project: a 404 never means the credential (Delete Credential)
        return DocumentedError.NO_PROJECT
    body = reply.body if isinstance(reply.body, dict) else {}
    for text in (body.get("error_description"), body.get("resultMessage")):
        meaning = _meaning(text, username) if isinstance(text, str) and len(text) <= _LONGEST_TEXT else None
        if meaning is not None:
            return meaning
    return DocumentedError.TAKEN if reply.status == 409 else None  # `duplicate_name` (Error Handling, Dec 2025)


def _meaning(text: str, username: str) -> DocumentedError | None:
    for meaning, pattern in _TEXTS:
        match = pattern.fullmatch(text)
        if match and match.groupdict().get("username", username) == username:
            return meaning
    return None


_REFUSALS: Mapping[DocumentedError, tuple[Refusal, str]] = {
    DocumentedError.NO_PROJECT: (Refusal.PERMISSION, _PROJECT_ADVICE),
    DocumentedError.NO_PERMISSION: (Refusal.PERMISSION, _PROJECT_ADVICE),
    DocumentedError.BAD_TOKEN: (Refusal.AUTHENTICATION, "the access token is wrong or has expired"),
    DocumentedError.TAKEN: (Refusal.DUPLICATE, "the username is taken, in this project or in another one"),
    DocumentedError.NO_CREDENTIAL: (Refusal.INVALID, f"the credential does not exist: was it deleted, {MOVED}"),
    DocumentedError.NO_RESOURCE: (Refusal.INVALID, "an API proxy to grant access to does not exist, or is not visible"),
}


def failed(reply: HttpReply, username: str) -> Failure:
    """Interprets an answer that is not a success."""
    meaning = documented_error(reply, username)
    if meaning is not None and meaning in _REFUSALS and (reply.ok or reply.status >= 400):
        why, advice = _REFUSALS[meaning]
        return settled(reply, Refused(why, f"the provider answered {reply.status}: {advice}"))
    if reply.ok:
        return Unknown(f"the provider answered {reply.status} with neither a success nor a documented error")
    return failure(reply)


def accepted(reply: HttpReply, username: str) -> Done[Mapping[str, Any]] | Failure:
    """Returns the body if status and flag both report success; the deployment may still have failed."""
    body = reply.body
    if not reply.ok or not isinstance(body, dict):
        return failed(reply, username)
    flags = [body[key] == good and type(body[key]) is type(good) for key, good in _FLAGS if key in body]
    return Done(body) if flags and all(flags) else failed(reply, username)


_FLAGS: tuple[tuple[str, bool | str], ...] = (("success", True), ("status", "SUCCESS"))


def outcome(reply: HttpReply, username: str, hidden: Iterable[Secret]) -> Done[None] | Failure:
    """Returns the result of a write: status, flag, the deployment and every environment must all report success.

    `Retry(PARTIAL)`: the change is stored, but may not be in force everywhere. A `deploymentResult` that is null or
    names no environment proves nothing and counts as partial, too.

    Args:
        reply: the answer.
        username: of the credential.
        hidden: secrets that no environment's name may contain.
    """
    answer = accepted(reply, username)
    if isinstance(answer, Done):
        return _deployed(answer.value.get("deploymentResult"), tuple(hidden))
    if isinstance(answer, Unknown) and reply.ok and isinstance(reply.body, dict):
        deployed = _deployed(reply.body.get("deploymentResult"), tuple(hidden))
        if isinstance(deployed, Retry) and deployed.message != NOWHERE:
            return deployed  # the flag reports a failure because of the named environments
    return answer


def _deployed(result: Any, hidden: tuple[Secret, ...]) -> Done[None] | Failure:
    if result is None:
        return Retry(Wait.PARTIAL, NOWHERE)
    entries = _entries(result)
    if entries is None:
        return Unknown("the result of the deployment is unreadable: it does not have a documented form")
    failures = [entry for entry in entries if entry.get("success") is not True]
    if failures:
        names = ", ".join(_names(failures, hidden))
        return Retry(Wait.PARTIAL, f"stored, but not deployed to {names}; the same request is sent again")
    if result.get("success") is not True:
        return Retry(Wait.PARTIAL, "stored, but the deployment as a whole failed; the same request is sent again")
    return Done(None) if entries else Retry(Wait.PARTIAL, NOWHERE)


def _entries(result: Any) -> list[dict[str, Any]] | None:
    """Returns every environment (Dec 2025) and every pod (Jul 2026) in the result; None if it is unreadable."""
    if not isinstance(result, dict):
        return None
    entries: list[dict[str, Any]] = []
    for key in ("environmentResults", "detailList"):
        listed = result.get(key) or []
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            return None
        entries += listed
    return entries


def _names(entries: Iterable[Mapping[str, Any]], hidden: tuple[Secret, ...]) -> Iterator[str]:
    """Yields their names if they look like names: nothing else of a body is ever repeated."""
    names = dict.fromkeys(_name(entry, hidden) for entry in entries)
    yield from list(names)[:_MOST_NAMES]
    if len(names) > _MOST_NAMES:
        yield f"{len(names) - _MOST_NAMES} more"


def _name(entry: Mapping[str, Any], hidden: tuple[Secret, ...]) -> str:
    for key in ("environmentName", "envName"):
        name = entry.get(key)
        if isinstance(name, str) and _ENVIRONMENT.fullmatch(name):
            return "an unnamed environment" if any(secret.reveal() in name for secret in hidden) else name[:_CUT]
    return "an unnamed environment"
