"""What would be done for a target, step by step, as if every call succeeded. Pure but for the question it is given.

It decides as the engine does (`core.decide`) and moves the state as the engine does (`core.advance`), on paper.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.core import actions as do
from rotator.core import advance, ledger
from rotator.core.answers import Answer, Done
from rotator.core.decide import decide
from rotator.core.facts import Facts, key
from rotator.core.model import (
    ConsumerDocument,
    Credential,
    Ending,
    LedgerEntry,
    Purpose,
    Strategy,
    Target,
    TargetState,
)
from rotator.core.schedule import Cron, first_due, next_due
from rotator.core.secret import Secret

Ask = Callable[[Credential], Answer[tuple[Credential, ...]]]

_MOST_STEPS = 60
_NEW = "(new)"
_LATEST = 1 - 1e-9  # the spread is drawn from [0, 1)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that would be done now."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Coming:
    """Something that would be done later, at `at`, or between `at` and `until` where a time is yet to be drawn."""

    at: datetime
    what: str
    why: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Foresight:
    """The plan for one target."""

    target: Target
    now: tuple[Step, ...]
    waits: str  # why nothing (more) is done now
    coming: tuple[Coming, ...]  # in the order of time
    notes: tuple[str, ...]
    unanswered: str = ""  # why a provider that had to be asked did not answer


def foresee(facts: Facts, ask: Ask) -> Foresight:
    """The plan for the target of `facts`. `ask` looks a credential up in the provider's listing."""
    walk = _Walk(facts, ask)
    walk.go()
    coming = tuple(sorted(walk.coming(), key=lambda event: event.at))
    return Foresight(facts.target, tuple(walk.steps), walk.waits, coming, tuple(_notes(facts)), walk.unanswered)


class _Walk:
    """Decides and moves on, until there is nothing to do now."""

    def __init__(self, facts: Facts, ask: Ask) -> None:
        self._facts, self._ask = facts, ask
        self._drawn_anew = False
        self.steps: list[Step] = []
        self.waits = self.unanswered = ""
        self._by_action: dict[type, Callable[..., bool]] = {
            do.Hold: self._hold,
            do.LookUp: self._look_up,
            do.Schedule: self._schedule,
            do.Stage: self._stage,
            do.Apply: self._apply,
            do.Prove: self._prove,
            do.Publish: self._publish,
            do.Close: self._close,
            do.Expire: self._expire,
            do.Disable: self._disable,
            do.Delete: self._remove,
            do.Forget: self._remove,
            do.Drop: self._drop,
            do.Abandon: self._abandon,
            do.Restore: self._restore,
        }

    def go(self) -> None:
        """Takes every step that can be taken now."""
        for _ in range(_MOST_STEPS):
            # The claim is never in the way on paper.
            action = decide(replace(self._facts, claimed=True))
            if not self._by_action[type(action)](action):
                return

    def coming(self) -> Iterable[Coming]:
        """What the state that was reached leads to later."""
        yield from _retirements(self._facts)
        following = _next_rotation(self._facts, drawn_anew=self._drawn_anew)
        if following is not None:
            yield following

    @property
    def _state(self) -> TargetState:
        return self._facts.state

    def _to(self, state: TargetState) -> bool:
        self._facts = replace(self._facts, state=state)
        return True

    def _step(self, what: str, why: str = "") -> None:
        self.steps.append(Step(what, why))

    def _hold(self, hold: do.Hold) -> bool:
        self.waits = hold.message or hold.reason.value
        return False

    def _look_up(self, action: do.LookUp) -> bool:
        wanted = action.wanted
        answer = self._ask(wanted)
        if not isinstance(answer, Done):
            self._step(f"look up {wanted.username or wanted.id} at {wanted.account}", "what follows depends on it")
            self.waits = self.unanswered = f"{wanted.account}: {answer.message}"
            return False
        found = {**self._facts.found, key(wanted): answer.value}
        self._facts = replace(self._facts, found=found)
        return True

    def _schedule(self, _: do.Schedule) -> bool:
        self._drawn_anew = True
        return self._to(advance.scheduled(self._state, self._facts.target, self._facts.now, 0.0))

    def _stage(self, action: do.Stage) -> bool:
        request = action.request
        name = action.credential.username or _NEW
        password = action.credential.password or Secret(_NEW)
        credential = replace(action.credential, username=name, password=password, attempt=_NEW)
        what = "undo" if request.purpose is Purpose.UNDO else "rotation"
        whose = "a new credential" if name == _NEW else name
        secret = "its old password" if request.purpose is Purpose.UNDO else "a new password"
        urgent = ", as compromised" if request.compromised else ""
        self._step(
            f"open the {what}: stage {secret} for {whose} in Vault",
            f"{request.reason} ({request.requested_by}{urgent})",
        )
        return self._to(advance.staged(self._state, action, _NEW, credential, self._facts.now))

    def _apply(self, action: do.Apply) -> bool:
        credential = action.credential
        verbs = {
            do.Verb.CREATE: "create",
            do.Verb.SET_PASSWORD: "set the password of",
            do.Verb.ENABLE: "enable",
            do.Verb.COMPLETE: "complete",
        }
        attempt = self._state.attempt
        why = "its last answer is unknown" if attempt and attempt.uncertain else ""
        name = "it" if credential.username == _NEW else credential.username
        self._step(f"{verbs[action.verb]} {name} at {credential.account}", why)
        return self._to(advance.applied(self._state, replace(credential, id=credential.id or _NEW), self._facts.now))

    def _prove(self, action: do.Prove) -> bool:
        can = self._facts.capabilities[action.credential.account]
        self._step("prove that the provider accepts it", f"by {can.proof}")
        return self._to(advance.proved(self._state, str(can.proof)))

    def _publish(self, action: do.Publish) -> bool:
        credential, consumer = action.credential, self._facts.consumer
        self._step(f"publish it at {self._facts.target.path}", "devices read it there")
        published = ConsumerDocument(
            consumer.version + 1, True, credential.username, credential.password, credential.id, credential.attempt
        )
        self._facts = replace(self._facts, consumer=published)
        return True

    def _close(self, _: do.Close) -> bool:
        self._drawn_anew = True
        return self._to(advance.closed(self._state, self._facts.target, self._facts.now, 0.0))

    def _expire(self, action: do.Expire) -> bool:
        entry = action.entry
        self._step(f"tell {entry.credential.account} when {_name(entry)} ends", "it then ends by itself")
        return self._to(ledger.expiring(self._state, entry, entry.disable_at))

    def _disable(self, action: do.Disable) -> bool:
        entry = action.entry
        self._step(f"disable {_name(entry)}", _why_disabled(self._facts, entry))
        self._facts = replace(self._facts, retirements_left=self._facts.retirements_left - 1)
        return self._to(ledger.disabled(self._state, entry, self._facts.now))

    def _remove(self, action: do.Delete | do.Forget) -> bool:
        deleted, entry = isinstance(action, do.Delete), action.entry
        self._step(_end(entry, deleted=deleted), "its quarantine has ended")
        if deleted:
            self._facts = replace(self._facts, retirements_left=self._facts.retirements_left - 1)
        # A look-up may have filled in the credential: the entry is known by all the rest.
        left = tuple(e for e in self._state.ledger if replace(e, credential=entry.credential) != entry)
        return self._to(replace(self._state, ledger=left))

    def _drop(self, action: do.Drop) -> bool:
        self.waits = f"it cannot be carried out: {action.message}"
        return False

    def _abandon(self, _: do.Abandon) -> bool:
        self._step("discard the staged password; a new one is tried after a pause", self._state.last_error)
        return False

    def _restore(self, action: do.Restore) -> bool:
        self._step(f"set the old password of {action.credential.username} again", self._state.last_error)
        return False


def _retirements(facts: Facts) -> Iterable[Coming]:
    for entry in facts.state.ledger:
        if entry.ending is not Ending.FORGET and not entry.disabled and _disables(facts, entry):
            at = max(entry.disable_at, entry.not_before or entry.disable_at, facts.now)
            yield Coming(at, f"disable {_name(entry)}", _why_disabled(facts, entry))
        at = max(entry.ends_at, entry.not_before or entry.ends_at, facts.now)
        yield Coming(at, _end(entry, deleted=entry.ending is Ending.DELETE), entry.note or "its quarantine ends")


def _disables(facts: Facts, entry: LedgerEntry) -> bool:
    can = facts.capabilities.get(entry.credential.account)
    return can is not None and can.disables


def _why_disabled(facts: Facts, entry: LedgerEntry) -> str:
    can = facts.capabilities.get(entry.credential.account)
    for_good = can is not None and not can.re_enables
    return "its overlap ends" + ("; this cannot be undone at this provider" if for_good else "")


def _name(entry: LedgerEntry) -> str:
    return entry.credential.username or entry.credential.id or "what a lost call may have created"


def _end(entry: LedgerEntry, *, deleted: bool) -> str:
    if deleted:
        return f"delete {_name(entry)}"
    which = "the old password" if entry.ending is Ending.FORGET else "the password"
    return f"forget {which} of {_name(entry)}"


def _next_rotation(facts: Facts, *, drawn_anew: bool) -> Coming | None:
    state, policy, now = facts.state, facts.target.policy, facts.now
    if state.next_rotation is None or state.attempt is not None:
        return None
    what = "rotation" if state.published else "first rotation"
    why = _why_then(facts.target)
    if not drawn_anew:
        at = state.next_rotation
        if at <= now and policy.window is not None:
            at = policy.window.next_opening(now)
        return Coming(max(at, now), what, why)
    last = state.last_rotation
    ends = sorted(
        first_due(policy.window, now, fraction)
        if last is None
        else next_due(policy.schedule, policy.window, last, fraction)
        for fraction in (0.0, _LATEST)
    )
    return Coming(ends[0], what, why, ends[1] if ends[1] - ends[0] > timedelta(seconds=1) else None)


def _why_then(target: Target) -> str:
    schedule, window = target.policy.schedule, target.policy.window
    why = f"policy {target.policy.name}"
    if isinstance(schedule, Cron):
        why += f": cron {schedule.expression}, {schedule.timezone}"
    return f"{why}; window {window.cron}, {window.timezone}" if window else why


def _notes(facts: Facts) -> Iterable[str]:
    target = facts.target
    can = facts.capabilities[target.account]
    if target.strategy is Strategy.IN_PLACE:
        yield "in-place has no overlap: devices are cut off from a rotation until they read Vault again"
    elif not can.re_enables:
        yield f"disabling at {target.account} cannot be undone, so that undo ends with the overlap"
    if target.strategy is Strategy.REPLACE:
        yield "replace: every rotation changes the username"
