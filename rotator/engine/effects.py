"""Maps each action to the function that carries it out, in one place."""

from typing import assert_never

from rotator.core import actions as do
from rotator.engine import (
    attachment_effects,
    attempt_effects,
    end_effects,
    hook_effects,
    in_place_effects,
    ledger_effects,
    move_effects,
    preparing_effects,
    staging_effects,
    usage_effects,
    verification_effects,
)
from rotator.engine.provider_caller import ProviderCaller
from rotator.engine.session import Session


def carry_out(caller: ProviderCaller, session: Session, action: do.Action) -> None:
    """Carries out one action, which ends with a check-and-set write of what is now known.

    Raises:
        Conflict: somebody else wrote first: read and decide again.
        StoreError: a request to Vault failed; the next look finds out what happened.
    """
    if isinstance(action, do.OnAttempt):
        _carry_out_on_attempt(caller, session, action)
    elif isinstance(action, do.OnPublished):
        _carry_out_on_published(caller, session, action)
    elif isinstance(action, do.OnReplaced):
        _carry_out_on_replaced(caller, session, action)
    elif isinstance(action, do.DrawDueTime):
        preparing_effects.draw_due_time(caller, session)
    elif isinstance(action, do.TakeClaim):
        preparing_effects.take_claim(session)
    else:
        assert_never(action)


def _carry_out_on_attempt(caller: ProviderCaller, session: Session, action: do.OnAttempt) -> None:  # noqa: C901, PLR0912 - each
    match action:
        case do.LookUp():
            preparing_effects.look_up(caller, session, action)
        case do.Stage():
            staging_effects.stage(caller, session, action)
        case do.Drop():
            staging_effects.drop(caller, session, action)
        case do.RunHook():
            hook_effects.run_hook(caller, session, action)
        case do.Apply():
            attempt_effects.apply(caller, session, action)
        case do.Attach():
            attachment_effects.attach(caller, session, action)
        case do.Settle():
            in_place_effects.settle(caller, session, action)
        case do.Restore():
            in_place_effects.restore(caller, session, action)
        case do.Prove():
            attempt_effects.prove(caller, session, action)
        case do.Publish():
            attempt_effects.publish(caller, session, action)
        case do.Close():
            attempt_effects.close(caller, session)
        case do.Abandon():
            attempt_effects.abandon(caller, session, action)
        case _:
            assert_never(action)


def _carry_out_on_published(caller: ProviderCaller, session: Session, action: do.OnPublished) -> None:
    match action:
        case do.Verify():
            verification_effects.verify(caller, session, action)
        case do.DrawVerification():
            verification_effects.draw_verification(caller, session)
        case do.Repair():
            verification_effects.repair(caller, session, action)
        case do.Move():
            move_effects.move(caller, session)
        case do.Republish():
            move_effects.republish(caller, session, action)
        case do.Withdraw():
            move_effects.withdraw(caller, session, action)
        case _:
            assert_never(action)


def _carry_out_on_replaced(caller: ProviderCaller, session: Session, action: do.OnReplaced) -> None:
    match action:
        case do.CheckUsage():
            usage_effects.check_usage(caller, session, action)
        case do.Expire():
            ledger_effects.expire(caller, session, action)
        case do.LiftEnd():
            ledger_effects.lift_end(caller, session, action)
        case do.Disable():
            ledger_effects.disable(caller, session, action)
        case do.Overwrite():
            ledger_effects.overwrite(caller, session, action)
        case do.Delete():
            ledger_effects.delete(caller, session, action)
        case do.Forget():
            ledger_effects.forget(caller, session, action)
        case do.TryEnded():
            end_effects.try_ended(caller, session, action)
        case _:
            assert_never(action)
