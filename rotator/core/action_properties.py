"""What is true of each action, whoever carries it out: its claim, the verb of its call, and what it changes."""

from typing import assert_never

from rotator.core.actions import (
    Abandon,
    Action,
    Apply,
    Attach,
    CheckUsage,
    Close,
    Delete,
    Disable,
    DrawDueTime,
    DrawVerification,
    Drop,
    Expire,
    Forget,
    LiftEnd,
    LookUp,
    Move,
    Overwrite,
    Prove,
    Publish,
    Repair,
    Republish,
    Restore,
    RunHook,
    Settle,
    Stage,
    TakeClaim,
    TryEnded,
    Verify,
    Withdraw,
)
from rotator.core.circuit import ProviderVerb
from rotator.core.model import Credential

# Effects at a provider or in the consumer document. Each needs a claim, which is renewed while it runs.
NEEDS_CLAIM = (
    Apply,
    Attach,
    Settle,
    Restore,
    Prove,
    Publish,
    Move,
    Republish,
    Withdraw,
    Close,
    Abandon,
    Expire,
    LiftEnd,
    Disable,
    Overwrite,
    Delete,
    RunHook,
)


def verb_of(action: Action) -> ProviderVerb | None:
    """Returns the verb of the call that an action makes to a provider; None if it makes none, or only a proof."""
    if isinstance(action, Apply):
        return ProviderVerb(action.verb.value)
    return _VERBS.get(type(action))


_VERBS: dict[type, ProviderVerb] = {
    LookUp: ProviderVerb.FIND,
    Attach: ProviderVerb.ATTACH,
    Restore: ProviderVerb.SET_PASSWORD,
    Expire: ProviderVerb.EXPIRE,
    LiftEnd: ProviderVerb.ENABLE,
    Disable: ProviderVerb.DISABLE,
    Overwrite: ProviderVerb.SET_PASSWORD,
    Delete: ProviderVerb.DELETE,
}


def touched_by(action: Action) -> Credential | None:
    """Returns the credential at the provider that an action changes."""
    match action:
        case Apply() | Restore():
            return action.credential
        case Expire() | LiftEnd() | Disable() | Overwrite() | Delete():
            return action.entry.credential
        case DrawDueTime() | TakeClaim() | LookUp() | Stage() | Drop() | Forget():
            return None
        case Verify() | DrawVerification() | Repair() | TryEnded() | CheckUsage() | RunHook():
            return None
        case Attach() | Settle() | Prove() | Publish() | Close() | Abandon():
            return None
        case Move() | Republish() | Withdraw():
            return None
        case _:
            assert_never(action)
