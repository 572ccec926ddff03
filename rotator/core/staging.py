"""Whether a new attempt is opened now, and with which credential: the part of `decide` that starts things."""

from dataclasses import replace
from datetime import datetime

from rotator.core.actions import Action, Drop, LookUp, Stage
from rotator.core.facts import Facts, entry_of, key
from rotator.core.model import Credential, Purpose, Request, Strategy
from rotator.core.undo import UndoImpossible, undo_candidate

SCHEDULED_BY = "schedule"


def stage(facts: Facts) -> Action | None:
    """Opens an attempt where one is asked for or due, and nothing stands in its way."""
    request = _wanted(facts)
    if request is None or facts.state.attempt is not None or facts.target.account in facts.closed:
        return None
    if facts.target.strategy is Strategy.IN_PLACE and facts.target.account in facts.doubted:
        return None  # one provider that says done and means nothing must not cut a whole fleet off
    if facts.backing_off() or not (facts.undisturbed or request.take_over):
        return None
    if request.purpose is Purpose.UNDO:
        return _undo(facts, request)
    return _ROTATE[facts.target.strategy](facts, request)


def _wanted(facts: Facts) -> Request | None:
    if facts.state.request is not None:
        return facts.state.request
    due, window = facts.state.next_rotation, facts.target.policy.window
    if due is None or due > facts.now or not (window is None or window.contains(facts.now)):
        return None
    why = f"due since {due:%Y-%m-%dT%H:%M:%SZ}" if facts.state.published else "first rotation"
    return Request(Purpose.ROTATE, SCHEDULED_BY, why, facts.now)


def _replace(facts: Facts, request: Request) -> Action:
    predecessor = _predecessor(facts)
    if isinstance(predecessor, LookUp):
        return predecessor
    return Stage(request, Credential(facts.target.account, username=""), predecessor)


def _in_place(facts: Facts, request: Request) -> Action:
    current = _predecessor(facts, only_here=True)
    if isinstance(current, LookUp):
        return current
    published = facts.state.published
    if current is None:
        name = facts.target.usernames[0]
        return Drop(
            f"{facts.target.account} has no credential {name!r}; in-place cannot create one: check the username"
        )
    # A published credential that is gone, and was made anew by hand, is not what is replaced.
    gone = published is None or (published.account == current.account and published.id != current.id)
    return Stage(request, replace(current, password=None), current if gone else published)


def _alternating(facts: Facts, request: Request) -> Action | None:
    idle = _idle(facts)
    if isinstance(idle, LookUp):
        return idle
    until = idle_in_overlap(facts)
    # Once its overlap has passed it is disabled first; whoever asks does not wait for that where it cannot be done.
    if until is not None and not request.compromised and (until > facts.now or facts.state.request is None):
        return None
    predecessor = _predecessor(facts)
    return predecessor if isinstance(predecessor, LookUp) else Stage(request, idle, predecessor)


_ROTATE = {Strategy.REPLACE: _replace, Strategy.IN_PLACE: _in_place, Strategy.ALTERNATING: _alternating}


def _predecessor(facts: Facts, *, only_here: bool = False) -> Credential | LookUp | None:
    """What the new credential will replace: the published one, or at the first rotation the configured one.

    Args:
        only_here: the published one counts only if it is there, at the target's own account (`in-place` sets its
            password).
    """
    published = facts.state.published
    if published is not None and not only_here:
        return published
    if published is not None and published.account == facts.target.account:
        gone = _gone(facts, published)
        if isinstance(gone, LookUp) or not gone:
            return gone or published
    if not facts.target.usernames:
        return None
    wanted = Credential(facts.target.account, _configured(facts))
    found = facts.found.get(key(wanted))
    if found is None:
        return LookUp(wanted)
    return _with_known_password(facts, found[0]) if found else None


def _gone(facts: Facts, credential: Credential) -> bool | LookUp:
    """True where the listing no longer has a credential that we knew. That is asked only after a failure."""
    if not facts.state.failures:
        return False
    found = facts.found.get(key(credential))
    return LookUp(credential) if found is None else not found


def _configured(facts: Facts) -> str:
    """The configured username that devices use: at a take-over the one that they are handed out, else the first."""
    handed_out = facts.consumer.username if facts.state.published is None else None
    return next((name for name in facts.target.usernames if name == handed_out), facts.target.usernames[0])


def _with_known_password(facts: Facts, adopted: Credential) -> Credential:
    """An adopted credential's password is only known where the consumer document that is taken over names it."""
    known = facts.consumer.password if facts.consumer.username == adopted.username else None
    return replace(adopted, password=known)


def _idle(facts: Facts) -> Credential | LookUp:
    first, second = facts.target.usernames
    published = facts.state.published
    used = published.username if published else _configured(facts)
    wanted = Credential(facts.target.account, first if used == second else second)
    standby = facts.state.standby
    if standby is not None and standby.account == wanted.account and standby.username == wanted.username:
        gone = _gone(facts, standby)
        if isinstance(gone, LookUp) or not gone:
            return gone or replace(standby, password=None)
    found = facts.found.get(key(wanted))
    if found is None:
        return LookUp(wanted)
    return replace(found[0], password=None) if found else wanted


def idle_in_overlap(facts: Facts) -> datetime | None:
    """`alternating`: until when devices may still use the idle credential, so that its password must not be set."""
    if facts.target.strategy is not Strategy.ALTERNATING:
        return None
    idle = _idle(facts)
    entry = None if isinstance(idle, LookUp) else entry_of(facts.state, idle)
    return entry.disable_at if entry is not None and not entry.disabled else None


def _undo(facts: Facts, request: Request) -> Action:
    candidate = undo_candidate(facts.state, facts.capabilities, facts.now)
    if isinstance(candidate, UndoImpossible):
        return Drop(candidate.reason)
    return Stage(request, candidate.entry.credential, facts.state.published)
