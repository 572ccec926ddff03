"""The proof that an Apinizer gateway accepts a username and a password.

One address tests one environment. The result of the deployment, when the password is set, covers the others, except
for those that have a password of their own.
"""

import base64
from http import HTTPStatus

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential, Proof
from rotator.core.secret import Secret
from rotator.providers.apinizer.options import BASIC_REQUEST, TOKEN_REQUEST, ApinizerOptions
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, HttpReply, failure

_TURNED_AWAY = (401, 403)


class Gateway:
    """The gateway of one environment, tested at `probe_url` or at its token endpoint."""

    def __init__(self, options: ApinizerOptions, http: Http) -> None:
        """Prepares the client without connecting. Raises ValueError if the address is unusable."""
        self._by_token = options.gateway_url is not None
        url = options.probe_url or options.gateway_url
        key = "gateway_url" if self._by_token else "probe_url"
        self._http = http.elsewhere(url, key) if url is not None else None

    def accepts(self, credential: Credential, within: float) -> Answer[Proof] | None:
        """Tries the password. Returns None if no gateway is configured, or it does not ask for a password."""
        if self._http is None:
            return None
        if credential.password is None or ":" in credential.username:
            message = "the password is unknown, or HTTP Basic cannot carry the username"
            return Refused(Refusal.INVALID, message)
        authorization = {"Authorization": basic(credential.username, credential.password)}
        call = self._http.call(within)
        return _by_token(call, authorization) if self._by_token else _by_request(call, authorization)

    def asks(self, within: float) -> Answer[None]:
        """Returns `Done` if the gateway turns away who has no password, or only a log-in could tell."""
        without = _asked(self._http.call(within), {}) if self._http is not None and not self._by_token else None
        if isinstance(without, HttpReply) and without.status not in _TURNED_AWAY:
            what = "the API proxy at probe_url lets in anybody, so nothing would prove a password there"
            return Retry(Wait.UNREACHABLE, what)
        return without if isinstance(without, Refused | Retry | Unknown) else Done(None)


def basic(username: str, password: Secret) -> Secret:
    """Returns the value of the header `Authorization` (RFC 7617)."""
    return Secret("Basic " + base64.b64encode(f"{username}:{password.reveal()}".encode()).decode())


def _by_request(call: HttpCall, authorization: dict[str, Secret]) -> Answer[Proof] | None:
    """Sends a GET with the password and, if that is let in, another one without: only the difference is a proof.

    401 and 403 mean a wrong password, or grants that are not in force yet. Any other answer below 500, even a redirect
    or a 404 from behind the gateway, means that the request was let in.
    """
    reply = _asked(call, authorization)
    if not isinstance(reply, HttpReply):
        return reply
    if reply.status in _TURNED_AWAY:
        return Retry(Wait.NOT_YET, _refusal(reply.status))
    without = _asked(call, {})
    if not isinstance(without, HttpReply):
        return without
    if without.status not in _TURNED_AWAY:
        return None
    return Done(
        Proof(f"{BASIC_REQUEST}: {reply.status} with the password, {without.status} without", tries_password=True)
    )


def _asked(call: HttpCall, headers: dict[str, Secret]) -> HttpReply | Failure:
    """Returns the gateway's answer, or a failure if the gateway itself fails."""
    reply = call.send(HttpRequest("prove", "GET", "", headers=headers))
    if isinstance(reply, HttpReply) and (not 200 <= reply.status < 500 or reply.status in (408, 429)):
        return failure(reply)
    return reply


def _by_token(call: HttpCall, authorization: dict[str, Secret]) -> Answer[Proof]:
    """Requests a token. Id and secret go only into the header: in the form as well they are an `invalid_request`."""
    form = {"grant_type": "client_credentials"}
    # Sent once: each new token may end the previous one.
    request = HttpRequest("prove", "POST", "/credential/token", form=form, headers=authorization, repeatable=False)
    reply = call.send(request)
    if not isinstance(reply, HttpReply):
        return reply
    body = reply.body if isinstance(reply.body, dict) else {}
    token = body.get("access_token")
    if reply.ok and isinstance(token, str) and token:
        return Done(Proof(f"{TOKEN_REQUEST}: a token was issued", tries_password=True))
    if reply.status in _TURNED_AWAY or (
        reply.status == 400 and body.get("error") in ("invalid_client", "invalid_grant")
    ):
        return Retry(Wait.NOT_YET, _refusal(reply.status))
    return failure(reply)


def _refusal(status: int) -> str:
    what = "it does not accept the password yet"
    if status == HTTPStatus.FORBIDDEN:
        what += ", or the credential was not granted access to this API proxy; then grant it in the console"
    return f"the gateway answered {status}: {what}"
