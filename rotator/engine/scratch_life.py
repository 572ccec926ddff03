"""The life of a scratch credential: every verb that rotations use, on something that nobody needs.

What is worked on is written down in Vault before the provider hears of it (`Ground`). So a check that is killed leaves
a record, and the next one cleans up first.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from rotator.core import evidence as known
from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.evidence import Assumption, Shown
from rotator.core.exchanges import ProviderExchange, outcomes
from rotator.core.model import Credential
from rotator.core.passwords import SAFE_SYMBOLS, PasswordRules, generate
from rotator.core.secret import Secret
from rotator.engine.check_results import CheckResults
from rotator.engine.log_in_trials import LogInTrials
from rotator.engine.provider_caller import message_of
from rotator.engine.scratch_ground import TARGET, Ground
from rotator.ports import Clock, Provider, Randomness

T = TypeVar("T")

_TRIES, _PAUSE, _LONGEST_PAUSE = 6, 2.0, 30.0  # of a verb whose answer asks for another one; seconds
_LENGTH, _LONGER = 20, 32  # characters
_END_IN = timedelta(hours=1)
_AGAIN_LATER = (Wait.IN_USE, Wait.ATTACHED)  # nothing that a moment changes


class ScratchLife:
    """Takes one scratch credential through its life, and judges what each step shows."""

    def __init__(
        self,
        provider: Provider,
        clock: Clock,
        randomness: Randomness,
        results: CheckResults,
        ground: Ground,
        learn: Callable[[Secret | None], None],
    ) -> None:
        """Prepares the life without a request. `learn` is told of every password."""
        self._provider, self._can, self._clock, self._randomness = provider, provider.capabilities, clock, randomness
        self._results, self._ground, self._learn = results, ground, learn
        self._log_ins = LogInTrials(provider, clock, results)
        self._refused_already = False  # it is disabled for good

    def live(self, like: Credential | None, neighbour: Credential | None, trunk: str = "") -> None:
        """Creates a credential, tries everything, and deletes it again.

        Args:
            like: a credential of a target, from which it inherits what it needs for a log-in, such as grants.
            neighbour: a published credential that something at the provider names, with its password.
            trunk: the domain where log-ins are tried, if that is a trunk's.
        """
        scratch = self._create(like)
        if scratch is None:
            return
        scratch = replace(scratch, host=scratch.host or trunk)  # no trunk names it: nothing else says where to try
        self._find(scratch)
        self._log_in(scratch, neighbour)
        if self._can.sets_password:
            scratch = self.set_passwords(scratch)
        if self._can.expires:
            self._end_in_advance(scratch)
        if self._can.disables:
            self._disable(scratch)
        self._delete(scratch)

    def work_on(self, expendable: Credential) -> None:
        """Sets passwords of a credential that the operator named; the old one is not known to be right."""
        self.set_passwords(expendable)

    # -- creating

    def _create(self, like: Credential | None) -> Credential | None:
        staged = self._ground.staged(self.new_password() if self._can.chooses_password else None)
        with self._results.watching() as seen:
            answer = self._ground.effect("create", staged, lambda: self._provider.create(staged, TARGET, like))
            if isinstance(answer, Refused):
                self._ground.ended(staged)  # nothing was made
            elif not isinstance(answer, Done):
                answer = self._completed(staged, like, answer)
        if not isinstance(answer, Done):
            self._results.add(known.CREATES, _shown(answer), _words(answer, seen))
            return None
        self._learn(answer.value.password)
        self._ground.keep(answer.value)
        self._results.holds(known.CREATES, _words(answer, seen), _seconds(seen, "create"))
        return answer.value

    def _completed(self, staged: Credential, like: Credential | None, answer: Answer[Credential]) -> Answer[Credential]:
        """Looks for what a create whose answer says nothing may have made, once that can be seen."""
        self._results.wait(min(self._can.propagation.total_seconds(), _LONGEST_PAUSE))
        found = self.tried(lambda: self._provider.find(replace(staged, password=None)))
        if not isinstance(found, Done) or not found.value:
            return answer
        made = replace(staged, id=found.value[0].id, username=found.value[0].username)
        self._ground.keep(made)
        return self.tried(lambda: self._provider.complete(made, like))

    def _find(self, scratch: Credential) -> None:
        wanted = replace(scratch, id=None, password=None)
        if self._can.generates_password:
            wanted = replace(wanted, username="")
        with self._results.watching() as seen:
            by_name = self.tried(lambda: self._provider.find(wanted))
        found = isinstance(by_name, Done) and any(one.id == scratch.id for one in by_name.value)
        judge = self._results.holds if found else self._results.does_not
        judge(known.FINDS, _words(by_name, seen))
        with self._results.watching() as seen:
            by_id = self.tried(lambda: self._provider.find(replace(scratch, password=None)))
        asked = [one for one in seen if one.verb == "get"]
        if asked:
            (self._results.holds if any(one.ok for one in asked) else self._results.does_not)(
                known.GETS, outcomes(asked[:1])
            )
        if self._can.shows_password and isinstance(by_id, Done) and by_id.value:
            shown = by_id.value[0].password is not None
            judge = self._results.holds if shown else self._results.does_not
            judge(known.SHOWS_PASSWORDS, "of the scratch credential" if shown else "masked or missing")

    # -- log-ins and passwords

    def _log_in(self, scratch: Credential, neighbour: Credential | None) -> None:
        self._log_ins.expect_accepted(known.LOGS_IN, scratch)
        if self._can.attaches:
            self._judge_unattached(neighbour)
        self._log_ins.expect_wrong_refused(replace(scratch, password=self.new_password()))

    def _judge_unattached(self, neighbour: Credential | None) -> None:
        """A log-in that was refused may have been refused because no trunk names the credential."""
        if self._log_ins.trusted:
            self._results.holds(known.UNATTACHED, "the scratch credential was let in, and no trunk names it")
        elif self._results.shown(known.LOGS_IN) is Shown.DOES_NOT:
            words = "the scratch credential is refused, and no trunk names it"
            accepted = neighbour is not None and self._log_ins.accepts(neighbour)
            self._results.not_shown(known.LOGS_IN, words)
            if accepted and neighbour is not None:
                self._results.does_not(known.UNATTACHED, f"{words}; {neighbour.username}, which one names, is let in")
            else:
                self._results.not_shown(known.UNATTACHED, words)

    def set_passwords(self, scratch: Credential) -> Credential:
        """Sets passwords, and judges what that shows. Returns the credential with the one that was set last."""
        if scratch.password is None:  # one that is not known cannot be shown to be refused: it is set twice
            first = self._set(known.SETS, replace(scratch, password=self.new_password()))
            if first is None:
                return scratch
            self._log_ins.expect_accepted(known.NEW_LOGS_IN, first)
            scratch = first
        changed = self._set(known.SETS, replace(scratch, password=self.new_password()))
        if changed is None:
            return scratch
        self._log_ins.expect_accepted(known.NEW_LOGS_IN, changed)
        self._log_ins.expect_wrong_refused(replace(changed, password=self.new_password()))
        self._log_ins.expect_refused(known.OLD_REFUSED, scratch)
        self._set(known.SETS_AGAIN, changed)
        if self._can.password_limits.longest < _LONGER:
            changed = self._try_longer(changed)
        return changed

    def _set(self, assumption: Assumption, wanted: Credential) -> Credential | None:
        with self._results.watching() as seen:
            answer = self._ground.effect(
                "set_password", wanted, lambda: self.tried(lambda: self._provider.set_password(wanted))
            )
        self._results.add(assumption, _shown(answer), _words(answer, seen), _seconds(seen, "set_password"))
        if assumption is known.SETS:
            form = self._provider.first_forms.get("set_password")
            self._results.add_form(form, "set_password", seen, alone=True)
        return answer.value if isinstance(answer, Done) else None

    def _add_form(self, verb: str, seen: list[ProviderExchange]) -> None:
        self._results.add_form(self._provider.first_forms.get(verb), verb, seen)

    def _try_longer(self, scratch: Credential) -> Credential:
        """Tries a password that is longer than the pages, or a console's form, allow."""
        longer = replace(scratch, password=self.new_password(_LONGER))
        changed = self._set(known.LONGER, longer)
        if changed is None:
            return scratch
        accepted = self._log_ins.accepts(changed)
        if accepted is False:
            self._results.does_not(known.LONGER, f"{_LONGER} characters are taken, and the log-in is refused")
        else:
            tried = "" if accepted else "; no log-in tried it"
            self._results.holds(known.LONGER, f"{_LONGER} characters{tried}")
        return changed

    def new_password(self, length: int = _LENGTH) -> Secret:
        """Returns a password within the provider's rules, or with so many characters."""
        limits = self._can.password_limits
        symbols = "".join(one for one in SAFE_SYMBOLS if one in limits.symbols)
        within = min(length, limits.longest) if length == _LENGTH else length
        rules = PasswordRules(within, symbol=1 if symbols else 0, symbols=symbols)
        password = generate(rules, self._randomness.text)
        self._learn(password)
        return password

    # -- ends

    def _end_in_advance(self, scratch: Credential) -> None:
        at = self._clock.now() + _END_IN
        with self._results.watching() as seen:
            answer = self._ground.effect(
                "expire", scratch, lambda: self.tried(lambda: self._provider.expire(scratch, at))
            )
        self._results.add(known.EXPIRES, _shown(answer), _words(answer, seen))
        if isinstance(answer, Done):
            self._enable(known.LIFTS_END, scratch)

    def _enable(self, assumption: Assumption, scratch: Credential) -> bool:
        with self._results.watching() as seen:
            answer = self._ground.effect("enable", scratch, lambda: self.tried(lambda: self._provider.enable(scratch)))
        self._results.add(assumption, _shown(answer), _words(answer, seen))
        self._add_form("enable", seen)
        return isinstance(answer, Done)

    def _disable(self, scratch: Credential) -> None:
        with self._results.watching() as seen:
            answer = self._ground.effect(
                "disable", scratch, lambda: self.tried(lambda: self._provider.disable(scratch))
            )
        self._add_form("disable", seen)
        shown = self._provider.find(replace(scratch, password=None))
        still = isinstance(shown, Done) and any(one.enabled for one in shown.value)
        if isinstance(answer, Done) and still:
            self._results.does_not(known.DISABLES, f"{_words(answer, seen)}; and then it is shown enabled")
        else:
            self._results.add(known.DISABLES, _shown(answer), _words(answer, seen))
        if not isinstance(answer, Done):
            return
        self._log_ins.expect_refused(known.DISABLED_REFUSED, scratch)
        if self._can.re_enables and self._enable(known.ENABLES, scratch):
            self._log_ins.expect_accepted(known.ENABLED_LOGS_IN, scratch)
            return
        self._refused_already = True

    def _delete(self, scratch: Credential) -> None:
        with self._results.watching() as seen:
            answer = self._ground.delete(scratch, self.tried)
        self._add_form("delete", seen)
        gone = isinstance(answer, Done) or _is_gone(answer)
        self._results.add(known.DELETES, Shown.HOLDS if gone else _shown(answer), _words(answer, seen))
        if not gone:
            return
        if not self._refused_already:
            self._log_ins.expect_refused(known.DELETED_REFUSED, scratch)
        with self._results.watching() as seen:
            again = self.tried(lambda: self._provider.delete(scratch))
        known_gone = isinstance(again, Done) or _is_gone(again)
        self._results.add(known.DELETES_AGAIN, Shown.HOLDS if known_gone else _shown(again), _words(again, seen))
        if known_gone:
            self._ground.ended(scratch)

    def tried(self, call: Callable[[], Answer[T]]) -> Answer[T]:
        """Makes a call that may be repeated, until its answer is one that another try would not change."""
        answer = call()
        for number in range(1, _TRIES):
            if isinstance(answer, Done | Refused) or (isinstance(answer, Retry) and answer.why in _AGAIN_LATER):
                break
            asked = answer.after.total_seconds() if answer.after is not None else 0.0
            self._results.wait(min(max(asked, _PAUSE * number), _LONGEST_PAUSE))
            answer = call()
        return answer


def _is_gone(answer: Answer[object]) -> bool:
    return isinstance(answer, Refused) and answer.why is Refusal.NOT_FOUND


def _shown(answer: Answer[object]) -> Shown:
    """Returns what an answer shows of the assumption that the call is carried out."""
    if isinstance(answer, Done):
        return Shown.HOLDS
    if isinstance(answer, Unknown | Retry) or answer.why.concerns_account:
        return Shown.NOT_SHOWN
    return Shown.DOES_NOT


def _words(answer: Answer[object], seen: list[ProviderExchange]) -> str:
    return "; ".join(part for part in (outcomes(seen), message_of(answer)) if part)


def _seconds(seen: list[ProviderExchange], verb: str) -> float | None:
    return next((one.seconds for one in seen if one.verb == verb and one.ok), None)
