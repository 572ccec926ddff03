"""The effect that asks whether devices still use a replaced credential, and the source that reads Vault."""

from dataclasses import dataclass

from rotator.core import actions as do
from rotator.core import usage
from rotator.core.answers import Answer, Done, Refusal, Refused, Unknown
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.model import Credential, is_same_name
from rotator.core.usage_rules import PROVIDER_SOURCE, Usage
from rotator.engine.provider_caller import ProviderCaller
from rotator.engine.session import Session
from rotator.ports import Store, StoreError, UsageQuestion


def check_usage(caller: ProviderCaller, session: Session, action: do.CheckUsage) -> None:
    """Asks the sources one after the other until one says that devices use the credential, and stores what they said.

    The audit has what changed, and the end of a credential what was found last.
    """
    entry = action.entry
    question = UsageQuestion(session.target.name, entry.credential, session.state.published)
    said: list[tuple[str, Answer[Usage]]] = []
    for name in action.sources:
        said.append((name, _ask(caller, name, question)))
        answer = said[-1][1]
        if isinstance(answer, Done) and answer.value.in_use:
            break
    sighting = usage.summed_up(entry.sighting, said, caller.shared_now())
    changed = entry.sighting is None or entry.sighting.in_use is not sighting.in_use
    after = usage.after_usage_check(session.state, entry, sighting)
    if sighting.in_use is False:
        session.note(after)  # its end follows, and is written with it
    else:
        session.write(after)
    if changed:
        outcome = AuditOutcome.UNKNOWN if sighting.in_use is None else AuditOutcome.DONE
        detail = usage.in_words(sighting)
        caller.record(AuditVerb.CHECK_USAGE, session.target, outcome, entry.credential, detail=detail)


def _ask(caller: ProviderCaller, name: str, question: UsageQuestion) -> Answer[Usage]:
    if name == PROVIDER_SOURCE:
        return caller.usage(question.credential)
    source = caller.usage_sources.get(name)
    if source is None:
        return Refused(Refusal.OTHER, "not in the configuration")
    return source.ask(question)


@dataclass(frozen=True, slots=True)
class AcknowledgementSource:
    """A document in Vault in which devices, or their agents, write what they use, each under a key of its own."""

    store: Store
    path: str  # with `{name}` in it, the target's
    at_least: int  # so many devices have to say that they use what is published

    def ask(self, question: UsageQuestion) -> Answer[Usage]:
        """Returns "in use" while anybody names the old one, and "not in use" once enough name the published one."""
        path = self.path.replace("{name}", question.target)
        try:
            said = self.store.read_acknowledgement(path)
        except StoreError as error:
            return Unknown(str(error))
        old = sum(_names(words, question.credential) for words in said)
        if old:
            return Done(Usage(in_use=True, evidence=f"{path} names it {_times(old)}"))
        new = sum(question.published is not None and _names(words, question.published) for words in said)
        evidence = f"{path} names what is published {_times(new)}"
        if new >= self.at_least:
            return Done(Usage(in_use=False, evidence=evidence))
        return Unknown(f"{evidence}, and not {_times(self.at_least)}")


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _names(words: str, credential: Credential) -> bool:
    return words in (credential.attempt, credential.id) or is_same_name(words, credential.username)
