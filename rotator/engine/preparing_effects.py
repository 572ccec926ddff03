"""The effects that come before an attempt or a retirement: the due time, the claim, a look-up."""

from dataclasses import replace

from rotator.core import actions as do
from rotator.core import advance, ledger
from rotator.core.answers import Done
from rotator.core.circuit import ProviderVerb
from rotator.core.verification import longest_asked
from rotator.core.waves import after_slot
from rotator.engine.provider_caller import ProviderCaller, message_of
from rotator.engine.session import Session


def draw_due_time(caller: ProviderCaller, session: Session) -> None:
    """Draws the time of the next rotation."""
    fraction, now, target = caller.randomness.fraction(), session.clocks().earliest, session.target
    drawn = advance.after_draw(session.state, target, now, fraction)
    if drawn.next_rotation is not None and drawn.next_rotation <= now:
        slot = caller.waves.slot(target, now)
        drawn = after_slot(drawn, target.policy, slot, fraction) if slot is not None else drawn
    session.note(drawn)


def take_claim(session: Session) -> None:
    """Takes the claim, or renews it."""
    if session.holds_claim:  # it is about to expire, and no call was lost in between
        session.write(session.state)
    else:
        session.write_claimed(advance.after_claim(session.state, session.new_claim()))
    session.read_consumer()  # an effect depends on the consumer document of now, not of before


def look_up(caller: ProviderCaller, session: Session, action: do.LookUp) -> None:
    """Looks a credential up in the provider's listing."""
    account = action.wanted.account
    answer = caller.ask(account, ProviderVerb.FIND, lambda provider: provider.find(action.wanted))
    if isinstance(answer, Done):
        identity = caller.providers[account].identity
        session.remember_lookup(action.wanted, tuple(replace(found, identity=identity) for found in answer.value))
        return
    state = session.state
    later = caller.next_try(state.failures + 1, answer, obeyed=longest_asked(state))
    if action.entry is not None:
        session.write(ledger.after_postponement(state, action.entry, message_of(answer), later))
    elif state.attempt is not None:
        session.write(advance.after_setback(state, message_of(answer), later, uncertain=True))
    else:
        session.write(advance.after_delay(state, message_of(answer), later))
