"""The forecast of a target: the steps that would follow now if every call succeeded, and the events after that.

It decides (`decide`) and advances the state (`advance`, `ledger`) as the engine does, without effects.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from rotator.core import actions as do
from rotator.core import advance, attempt_ends, drift, hooks, ledger, moves, usage, verification
from rotator.core.backoff import LONGEST_ASKED
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.decide import decide
from rotator.core.facts import Facts, is_same_credential
from rotator.core.forecast_events import (
    LARGEST_FRACTION,
    ForecastEvent,
    last_step,
    later_events,
    why_disabled,
)
from rotator.core.forecast_notes import notes
from rotator.core.holding import Hold
from rotator.core.model import Credential, Cutoff, Purpose, Target, TargetState
from rotator.core.secret import Secret
from rotator.core.usage_rules import Sighting

_MOST_STEPS = 60
_NEW = "(new)"
_APPLIED_BY = {
    do.Verb.CREATE: "create",
    do.Verb.SET_PASSWORD: "set the password of",
    do.Verb.ENABLE: "enable",
    do.Verb.COMPLETE: "complete",
}


@dataclass(frozen=True, slots=True)
class ForecastStep:
    """A step that would be taken now."""

    what: str
    why: str
    instead_of: tuple[Credential, ...] = ()  # it concerns only what names one of these at the provider


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast for one target."""

    target: Target
    steps: tuple[ForecastStep, ...]
    waits_for: str  # why nothing more happens now
    events: tuple[ForecastEvent, ...]  # in chronological order
    notes: tuple[str, ...]
    needs: Credential | None = None  # the forecast ends here until the facts include this look-up


def forecast(facts: Facts) -> Forecast:
    """Returns the forecast for the target of `facts`."""
    run = _PaperRun(facts)
    for _ in range(_MOST_STEPS):
        run.carry_out(decide(replace(run.facts, holds_claim=True)))  # a forecast needs no claim
        if run.waits_for is not None:
            break
    coming = later_events(run.facts, drawn_anew=run.drawn_anew, verified_from=run.verified_from)
    events = tuple(sorted(coming, key=lambda event: event.at))
    said = tuple(notes(facts, run.facts))
    return Forecast(facts.target, tuple(run.steps), run.waits_for or "", events, said, run.needs)


class _PaperRun:
    """Advances the facts action by action, and notes each as a step."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.steps: list[ForecastStep] = []
        self.waits_for: str | None = None  # None while there is a next step
        self.needs: Credential | None = None
        self.drawn_anew = False
        self.verified_from: datetime | None = None  # the least that can be drawn for the next verification

    def carry_out(self, action: do.Decision) -> None:
        """Takes one step."""
        match action:
            case Hold() | do.TakeClaim() | do.Drop() | do.LookUp() | do.Restore() | do.TryEnded():
                self._stop(action)
            case do.DrawDueTime() | do.Stage() | do.Apply() | do.Attach() | do.Publish() | do.Close() | do.Abandon():
                self._attempt(action)
            case do.Prove() | do.Settle() | do.Verify() | do.DrawVerification() | do.Repair():
                self._prove(action)
            case do.Move() | do.Republish() | do.Withdraw():
                self._change_path(action)
            case do.CheckUsage():
                self._check_usage(action)
            case do.RunHook():
                self._run_hook(action)
            case do.Expire() | do.LiftEnd() | do.Disable() | do.Overwrite() | do.Delete() | do.Forget():
                self._retire(action)
            case _:
                assert_never(action)

    def _stop(self, action: Hold | do.TakeClaim | do.Drop | do.LookUp | do.Restore | do.TryEnded) -> None:
        """Ends the forecast: what follows depends on something else."""
        match action:
            case Hold():
                self.waits_for = action.message or action.reason.value
            case do.TakeClaim():
                self.waits_for = ""
            case do.Drop():
                self.waits_for = action.message if action.needless else f"it is impossible: {action.message}"
            case do.LookUp():
                self.needs, wanted = action.wanted, action.wanted
                self._step(f"look up {wanted.username or wanted.id} at {wanted.account}", "the next step depends on it")
                self.waits_for = "the provider's answer"
            case do.Restore():
                why = self.facts.state.last_error
                self._step(f"set the old password of {action.credential.username} again", why)
                self.waits_for = ""
            case do.TryEnded():
                name = action.ended.credential.username
                if action.why_not:
                    self._step(f"note that nothing shows the end of {name}", action.why_not)
                else:
                    self._step(f"log in with the old password of {name}", "it must be refused")
                self.waits_for = ""

    def _attempt(
        self, action: do.DrawDueTime | do.Stage | do.Apply | do.Attach | do.Publish | do.Close | do.Abandon
    ) -> None:
        facts, state = self.facts, self.facts.state
        match action:
            case do.DrawDueTime():
                self.drawn_anew = True
                self._move(advance.after_draw(state, facts.target, facts.clocks.earliest, 0.0))
            case do.Stage():
                self._stage(action)
            case do.Apply():
                self._apply(action)
            case do.Attach():
                self._attach(action)
            case do.Publish():
                self._publish(action.credential)
            case do.Close():
                self.drawn_anew = True
                closed = (state, facts.target, facts.clocks.latest)
                self._draw(lambda drawn: attempt_ends.after_close(*closed, drawn), LARGEST_FRACTION, 0.0)
            case do.Abandon():
                self._abandon(action)

    def _prove(self, action: do.Prove | do.Settle | do.Verify | do.DrawVerification | do.Repair) -> None:
        facts, state = self.facts, self.facts.state
        match action:
            case do.Prove():
                proof = facts.capabilities[action.credential.account].proof
                self._step("prove that the provider accepts it", f"by {proof}")
                self._move(advance.after_proof(state, str(proof), facts.clocks.vault))
            case do.Settle():
                name = action.credential.username
                self._step(f"try the staged and the old password of {name}", "which one is in force is unknown")
                self.facts = replace(facts, unsettled=True)
            case do.Verify():
                proof = facts.capabilities[action.credential.account].proof
                self._step(f"prove that {action.credential.username} is accepted", f"by {proof}")
                how = (state, facts.target, str(proof), facts.clocks)
                self._draw(lambda drawn: verification.after_acceptance(*how, drawn), LARGEST_FRACTION, 0.0)
            case do.DrawVerification():
                first = (state, facts.target.policy, facts.clocks.vault)
                self._draw(lambda drawn: verification.after_verification_draw(*first, drawn), 0.0, LARGEST_FRACTION)
            case do.Repair():
                self._step("request a repair of what is published", action.request.reason)
                self._move(drift.after_repair(state, action.request))

    def _retire(self, action: do.Expire | do.LiftEnd | do.Disable | do.Overwrite | do.Delete | do.Forget) -> None:
        facts, state, entry = self.facts, self.facts.state, action.entry
        now, account = facts.clocks.latest, entry.credential.account
        match action:
            case do.Expire():
                self._step(f"tell {account} when {entry.label} ends", "it then ends by itself")
                self._move(ledger.after_expire(state, entry, entry.disable_at))
            case do.LiftEnd():
                self._step(f"tell {account} not to end {entry.label}", "devices still need it")
                self._move(ledger.after_lift(state, entry))
            case do.Disable() if entry.compromised and ledger.is_overwritten_first(entry, facts.capabilities[account]):
                self._move(ledger.after_new_password(state, entry, Secret(""), Cutoff.OVERWRITE))
            case do.Disable():
                self._step(f"disable {entry.label}", why_disabled(facts, entry))
                self._move_capped(ledger.after_disable(state, entry, now))
            case do.Overwrite():
                self._step(f"give {entry.label} a random password", "it was not disabled, or is still accepted")
                self._move_capped(ledger.after_overwrite(state, entry, now))
            case do.Delete():
                self._step(last_step(entry, deletes=True), "its quarantine has ended")
                self._move_capped(ledger.after_removal(state, entry, deleted=True))
            case do.Forget():
                self._step(last_step(entry, deletes=False), "its quarantine has ended")
                self._move(ledger.after_forget(state, entry))

    def _check_usage(self, action: do.CheckUsage) -> None:
        """Goes on as if nobody used it: an answer extends its overlap at most."""
        what = f"ask whether devices still log in with {action.entry.label}"
        self._step(what, f"its overlap ends; asked: {', '.join(action.sources)}")
        nobody = Sighting(self.facts.clocks.vault, in_use=False, evidence="")
        self._move(usage.after_usage_check(self.facts.state, action.entry, nobody))

    def _run_hook(self, action: do.RunHook) -> None:
        """Goes on as if it succeeded."""
        if not action.why_not:
            self._step(f"run the hook {action.call.hook}", action.call.moment.value.replace("_", " "))
        self._move(hooks.after_run(self.facts.state, action, self.facts.now))

    def _step(self, what: str, why: str) -> None:
        self.steps.append(ForecastStep(what, why))

    def _move(self, state: TargetState) -> None:
        self.facts = replace(self.facts, state=state)

    def _draw(self, after: Callable[[float], TargetState], soonest: float, latest: float) -> None:
        """Moves to the state with the latest verification that can be drawn, and notes when the soonest would be."""
        self.verified_from = after(soonest).verify_at
        self._move(after(latest))

    def _move_capped(self, state: TargetState) -> None:
        self.facts = replace(self.facts, state=state, retirements_left=self.facts.retirements_left - 1)

    def _stage(self, action: do.Stage) -> None:
        request, name = action.request, action.credential.username or _NEW
        password = action.credential.password or Secret(_NEW)
        credential = replace(action.credential, username=name, password=password)
        what, secret = ("rotation", "a new password")
        if request.purpose is Purpose.UNDO:
            what, secret = ("undo", "its old password")
        whose = "a new credential" if name == _NEW else name
        urgent = ", as compromised" if request.compromised else ""
        self._step(
            f"open the {what}: stage {secret} for {whose} in Vault",
            f"{request.reason} ({request.requested_by}{urgent})",
        )
        opened = advance.after_stage(self.facts.state, action, _NEW, credential, self.facts.now)
        self._move(hooks.due_before_rotation(opened, self.facts.target.policy))

    def _abandon(self, action: do.Abandon) -> None:
        if action.change:
            self._step("abandon the open attempt, of which nothing was carried out", action.change)
            now = self.facts.now
            self._move(attempt_ends.after_change(self.facts.state, action.change, now, now + LONGEST_ASKED))
        else:
            self._step("discard the staged password; a new one is tried after a pause", self.facts.state.last_error)
            self.waits_for = ""

    def _apply(self, action: do.Apply) -> None:
        credential, attempt = action.credential, self.facts.state.attempt
        name = "it" if credential.username == _NEW else credential.username
        why = "its last answer is unknown" if attempt and attempt.uncertain else ""
        self._step(f"{_APPLIED_BY[action.verb]} {name} at {credential.account}", why)
        self._move(advance.after_apply(self.facts.state, credential, self.facts.now))

    def _attach(self, action: do.Attach) -> None:
        credential, state = action.credential, self.facts.state
        name = "it" if credential.username == _NEW else credential.username
        names = ", ".join(one.username for one in action.instead_of)
        what = f"point every trunk that names {names} to {name}"
        self.steps.append(ForecastStep(what, "perhaps a trunk lets in only what it names", action.instead_of))
        back = state.attempt is not None and not is_same_credential(credential, state.attempt.staged)
        self._move(advance.after_reattach(state) if back else advance.after_attach(state, self.facts.now))

    def _publish(self, credential: Credential) -> None:
        self._step(f"publish it at {self.facts.target.path}", "devices read it there")
        self._move(advance.before_publish(self.facts.state, self.facts.consumer))
        self._document(self.facts.target.path, credential)

    def _change_path(self, action: do.Move | do.Republish | do.Withdraw) -> None:
        facts, state, now = self.facts, self.facts.state, self.facts.clocks.latest
        if isinstance(action, do.Move):
            name = state.published.username if state.published is not None else "nothing yet"
            self._step(f"publish {name} at {facts.target.path} as well", f"its path was {state.path}")
            self._document(facts.target.path, state.published)
            self._move(moves.after_move(state, facts.target, now))
        elif isinstance(action, do.Republish):
            self._step(f"publish it at {action.former.path} as well", "devices still read there")
            document = facts.document_at(action.former.path)
            self._document(action.former.path, action.credential)
            self._move(moves.after_republishing(moves.with_overlap_for_readers(state, document, now), action.former))
        else:
            path = action.former.path
            self._step(f"leave {path}" if action.leaves_it else f"withdraw {path}", "the target has left this path")
            self._move(moves.after_withdrawal(state, action.former, facts.document_at(path), now))
            if not action.leaves_it:
                self._document(path, None)

    def _document(self, path: str, credential: Credential | None) -> None:
        """Puts a credential into the document at a path; None: withdraws it."""
        before = self.facts.document_at(path)
        after = ConsumerDocument(before.version + 1, exists=True, withdrawn=credential is None)
        if credential is not None:
            after = replace(
                after, username=credential.username, password=credential.password, credential_id=credential.id
            )
        if path == self.facts.target.path:
            self.facts = replace(self.facts, consumer=after)
        else:
            self.facts = replace(self.facts, other_documents={**self.facts.other_documents, path: after})
