"""What the fake provider's requests would look like, told to whoever watches as an adapter tells it."""

from dataclasses import replace

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Wait
from rotator.core.exchanges import ProviderExchange
from rotator.ports import WITNESS

_METHODS = {"create": "POST", "delete": "DELETE", "log_in": "REGISTER", "prove": "REGISTER"}
_GETS = {"each": "list", "find": "list", "attachments": "list", "usage": "usage", "get": "get"}
_STATUS = {
    Refusal.AUTHENTICATION: 401,
    Refusal.PERMISSION: 403,
    Refusal.NOT_FOUND: 404,
    Refusal.DUPLICATE: 409,
    Refusal.INVALID: 422,
}


def tell(verb: str, answer: Answer[object], like: ProviderExchange, *, refused_first: bool = False) -> None:
    """Tells of one request, and with `refused_first` of one before it whose form was refused.

    Args:
        verb: of the fake provider; `get` for a look-up by id that reads no listing.
        like: has everything that does not follow from the verb and its answer.
    """
    witness = WITNESS.get()
    if witness is None:
        return
    method = "GET" if verb in _GETS else _METHODS.get(verb, "PUT")
    called = "prove" if method == "REGISTER" else _GETS.get(verb, verb)
    if refused_first:
        witness(replace(like, verb=called, method=method, status=422))
    witness(replace(like, verb=called, method=method, status=_status(answer)))


def _status(answer: Answer[object]) -> int | None:
    if isinstance(answer, Done):
        return 200
    if isinstance(answer, Refused):
        return _STATUS.get(answer.why, 400)
    statuses = {Wait.RATE_LIMITED: 429, Wait.NOT_YET: 401, Wait.IN_USE: 409}
    return statuses.get(answer.why) if isinstance(answer, Retry) else None
