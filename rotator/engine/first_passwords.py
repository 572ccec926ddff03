"""The first password of `in-place`: what it replaces is not known, so it cannot be put back."""

from rotator.core import actions as do
from rotator.core.answers import Done
from rotator.engine.provider_caller import ProviderCaller, message_of


def unprovable(caller: ProviderCaller, action: do.Stage) -> str:
    """Returns why an unknown password must not be replaced: nobody could prove the next one. Empty if it may."""
    provider, old = caller.providers[action.credential.account], action.predecessor
    if not provider.capabilities.proof.tries_password or (old is not None and old.password is not None):
        return ""
    answer = provider.can_prove(action.credential)
    if isinstance(answer, Done):
        return ""
    left = f"{action.credential.username} keeps its password, which is not known and could not be put back"
    return f"{left}: {message_of(answer)}"
