"""Showing that an Apinizer gateway accepts a username and a password: in the data plane, not at the Management API.

One address stands for one environment. That all the others have the password, too, is what the deployment's result
says when it is set.
"""

import base64
from urllib.parse import urlsplit

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Wait
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.providers.apinizer.api import ApinizerOptions
from rotator.providers.http.calls import Call, Request
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, Reply, failure

_TURNED_AWAY = (401, 403)
_BY_REQUEST = "HTTP Basic request through the gateway"
_BY_TOKEN = "token request at the gateway"  # noqa: S105 - no token


def proof(options: ApinizerOptions) -> str:
    """How a password is shown to be accepted, in words."""
    if options.probe_url:
        return _BY_REQUEST
    return (
        _BY_TOKEN if options.gateway_url else "read-back: listed and enabled, the password itself is not tried (weak)"
    )


class Gateway:
    """The gateway of one environment, asked by `probe_url` or by its token endpoint."""

    def __init__(self, options: ApinizerOptions, http: Http) -> None:
        """Connects to nothing yet. Raises ValueError where the address cannot be used."""
        self._by_token = options.gateway_url is not None
        url = options.probe_url or options.gateway_url
        self._http: Http | None = None
        if url is not None:
            allowed = (urlsplit(url).hostname or "") in options.allow_plain_http
            self._http = http.elsewhere(url, allow_plain_http=allowed)

    def accepts(self, credential: Credential, within: float) -> Answer[str] | None:
        """Tries the password. None: there is no gateway to ask, or it lets in anybody, so that nothing is shown."""
        if self._http is None:
            return None
        if credential.password is None or ":" in credential.username:
            message = "nobody knows the password that was to be proved, or HTTP Basic cannot carry the username"
            return Refused(Refusal.INVALID, message)
        authorization = {"Authorization": basic(credential.username, credential.password)}
        call = self._http.call(within)
        return _by_token(call, authorization) if self._by_token else _by_request(call, authorization)


def basic(username: str, password: Secret) -> Secret:
    """The value of the header `Authorization` (RFC 7617)."""
    return Secret("Basic " + base64.b64encode(f"{username}:{password.reveal()}".encode()).decode())


def _by_request(call: Call, authorization: dict[str, Secret]) -> Answer[str] | None:
    """A GET with the password, and where that is let in another without: only the difference shows anything.

    401 and 403 refuse: a wrong password, or grants that are not in force yet. Any other answer below 500, a redirect or
    a 404 from behind the gateway included, was let in, provided that nobody is let in without a password.
    """
    reply = _asked(call, authorization)
    if not isinstance(reply, Reply):
        return reply
    if reply.status in _TURNED_AWAY:
        return Retry(Wait.NOT_YET, f"the gateway answered {reply.status}: it does not accept the password yet")
    without = _asked(call, {})
    if not isinstance(without, Reply):
        return without
    if without.status not in _TURNED_AWAY:
        return None
    return Done(f"{_BY_REQUEST}: {reply.status} with the password, {without.status} without")


def _asked(call: Call, headers: dict[str, Secret]) -> Reply | Failure:
    """The answer, where the gateway is able to give one."""
    reply = call.send(Request("prove", "GET", "", headers=headers))
    if isinstance(reply, Reply) and (not 200 <= reply.status < 500 or reply.status in (408, 429)):
        return failure(reply)
    return reply


def _by_token(call: Call, authorization: dict[str, Secret]) -> Answer[str]:
    """The client's id and secret go in the header alone: both there and in the form is an `invalid_request`."""
    form = {"grant_type": "client_credentials"}
    # Sent once: each token that is issued may end the one before it.
    request = Request("prove", "POST", "/credential/token", form=form, headers=authorization, repeatable=False)
    reply = call.send(request)
    if not isinstance(reply, Reply):
        return reply
    body = reply.body if isinstance(reply.body, dict) else {}
    token = body.get("access_token")
    if reply.ok and isinstance(token, str) and token:
        return Done(f"{_BY_TOKEN}: a token was issued")
    if reply.status in _TURNED_AWAY or (
        reply.status == 400 and body.get("error") in ("invalid_client", "invalid_grant")
    ):
        return Retry(Wait.NOT_YET, f"the gateway answered {reply.status}: it does not accept the password yet")
    return failure(reply)
