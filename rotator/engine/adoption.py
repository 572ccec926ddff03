"""The effects of `rotator adopt`: looks a credential up, proves it, and makes it the published one."""

from dataclasses import replace

from rotator.core import adoption
from rotator.core.adoption import AdoptionImpossible, AdoptionPlan, AdoptionRefused, KnownToOperator
from rotator.core.answers import Done
from rotator.core.audit_words import AuditOutcome, AuditVerb, outcome_of
from rotator.core.circuit import ProviderVerb
from rotator.core.log_ins import is_wrong
from rotator.core.model import Credential, Target, TargetState
from rotator.core.origin import Origin
from rotator.engine.provider_caller import ProviderCaller, message_of
from rotator.engine.session import Session


def plan_adoption(caller: ProviderCaller, session: Session, known: KnownToOperator) -> AdoptionPlan:
    """Looks up what is in use, and returns what taking it up means. Changes nothing.

    Raises:
        AdoptionImpossible: nothing can be taken up, or the provider does not have it.
    """
    target, state, consumer = session.target, session.state, session.consumer
    if session.restorable:
        alone = "it alone knows the replaced credentials that wait to be retired"
        raise AdoptionImpossible(f"its state document was deleted, and {alone}: restore it first: {session.restorable}")
    moved_from = _other_name(caller, target, state.published)
    wanted = adoption.credential_in_use(target, state, consumer, known, moved_from)
    if wanted.account not in caller.providers:
        raise AdoptionImpossible(f"its account {wanted.account} is not in the configuration")
    answer = caller.ask(wanted.account, ProviderVerb.FIND, lambda provider: provider.find(wanted))
    if not isinstance(answer, Done):
        raise AdoptionImpossible(f"{wanted.account} could not be asked for {wanted.username!r}: {message_of(answer)}")
    identity = caller.providers[wanted.account].identity
    matches = tuple(replace(match, identity=identity) for match in answer.value)
    return adoption.adoption_plan(target, state, consumer, wanted, matches, known, moved_from)


def _other_name(caller: ProviderCaller, target: Target, published: Credential | None) -> str:
    """Returns the name of the target's account under which the published credential is known; empty if it is this one.

    Both names are configured for one account, or the provider knows the account by the same identity.
    """
    if published is None or published.account == target.account or target.account not in caller.providers:
        return ""
    identity, key = caller.providers[target.account].identity, caller.throttles.key
    is_one = key(published.account) == key(target.account) or (identity and identity == published.identity)
    return published.account if is_one else ""


def adopt(caller: ProviderCaller, session: Session, plan: AdoptionPlan, origin: Origin) -> TargetState:
    """Proves the credential and takes it up, even over a state document that is lost for good.

    The state document is written first: if the consumer document then cannot be, the same command publishes it.

    Raises:
        AdoptionImpossible: the provider does not accept the credential, or its end cannot be taken back.
        StoreError: a request to Vault failed, or somebody else wrote first.
    """
    _prove(caller, plan)
    if plan.writes_document:
        session.check_publishable()
    _lift_end(caller, session, plan, origin)
    credential = plan.credential
    now, fraction = session.clocks().latest, caller.randomness.fraction()
    caller.intend(AuditVerb.ADOPT, session.target, credential, **origin.facts)
    session.allow_over_deleted()
    session.write(adoption.after_adopt(session.state, session.target, plan, origin, now, fraction))
    known = session.state.published or credential  # with the moment that its age counts from
    caller.record(AuditVerb.ADOPT, session.target, AuditOutcome.DONE, known, **origin.facts)
    if plan.writes_document:
        caller.intend(AuditVerb.PUBLISH, session.target, credential, **origin.facts)
        session.write_consumer(credential, plan.rotated_at)
        caller.record(AuditVerb.PUBLISH, session.target, AuditOutcome.DONE, known, **origin.facts)
    return session.state


def _prove(caller: ProviderCaller, plan: AdoptionPlan) -> None:
    credential = plan.credential
    if credential.password is None:
        return  # a rotation follows, which replaces it
    answer = caller.prove(credential)
    if not isinstance(answer, Done):
        what = f"{credential.account} does not accept {credential.username}, so it was not taken up"
        raise (AdoptionRefused if is_wrong(answer) else AdoptionImpossible)(f"{what}: {message_of(answer)}")


def _lift_end(caller: ProviderCaller, session: Session, plan: AdoptionPlan, origin: Origin) -> None:
    if plan.told_end is None:
        return
    account = plan.credential.account
    caller.intend(AuditVerb.LIFT_END, session.target, plan.credential, **origin.facts)
    answer = caller.ask(account, ProviderVerb.ENABLE, lambda provider: provider.enable(plan.credential))
    detail = message_of(answer)
    caller.record(
        AuditVerb.LIFT_END, session.target, outcome_of(answer), plan.credential, detail=detail, **origin.facts
    )
    if not isinstance(answer, Done):
        raise AdoptionImpossible(f"its end could not be taken back at {account}: {detail}")
