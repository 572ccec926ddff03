"""The obstacles that several checks of `decide` share. Each function returns the `Hold` for one, or None."""

from datetime import datetime, timedelta

from rotator.core.attempts import is_published
from rotator.core.backoff import is_waiting
from rotator.core.canaries import CanaryResult
from rotator.core.circuit import ProviderVerb
from rotator.core.facts import Facts, has_other_identity
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Attempt, Credential, Phase, Request, Strategy, Target
from rotator.core.strategy_evidence import Standing, StrategyEvidence

_SOON, _NEXT, _SPREAD = timedelta(seconds=10), timedelta(seconds=2), timedelta(milliseconds=20)
_CANARY_LOOK = timedelta(minutes=1)  # until the canaries are asked again
_EVIDENCE_LOOK = timedelta(minutes=1)  # until the evidence of the account is read again


def missing_account_hold(facts: Facts, account: str) -> Hold | None:
    """Holds if a provider account is not configured."""
    if account not in facts.capabilities:
        name = facts.target.name
        message = f"{account} is not in the configuration, but the attempt of {name} may have changed it: "
        return Hold(HoldReason.ACCOUNT_MISSING, f"{message}add it again, or give it up: rotator abandon {name}")
    return None


def circuit_hold(facts: Facts, account: str, verb: ProviderVerb) -> Hold | None:
    """Holds if a call may not be sent to a provider account now."""
    if account in facts.open_circuits:
        message = f"too many calls to {account} failed in a row: calls pause for a while"
        return Hold(HoldReason.CIRCUIT_OPEN, message)
    if (account, verb) in facts.shut_verbs:
        message = f"the key of {account} may not {verb.value}, as several refusals in a row say: give it that right"
        return Hold(HoldReason.CIRCUIT_OPEN, message)
    return None


def pace_hold(facts: Facts, account: str) -> Hold | None:
    """Holds if the account's pace allows no request for longer than an effect waits for one. That is no failure."""
    until = facts.paced.get(account)
    if until is None:
        return None
    return Hold(HoldReason.PACED, f"{account} takes no more requests before {until:%H:%M:%S} UTC")


def identity_hold(facts: Facts, *credentials: Credential | None) -> Hold | None:
    """Holds if the configuration's name for the account of a credential now means another account at the provider.

    Its key would not find the credential there, which must not be taken for one that is gone.
    """
    for credential in credentials:
        if credential is not None and has_other_identity(facts, credential):
            name, account = credential.username or "a credential", credential.account
            what = f"{account} is now {facts.identities[account]}, but {name} belongs to {credential.identity}"
            remedy = "correct the account, or give each of the two its own name under providers"
            return Hold(HoldReason.ACCOUNT_CHANGED, f"{what}: {remedy}")
    return None


def one_account_hold(facts: Facts, found: Credential) -> Hold | None:
    """Holds a move to another name of the same account: a credential there is one that the target has already.

    The wrong key was mounted, or an account has two names. Under the new name, what is in use would be taken for its
    own successor, and retired as its predecessor.
    """
    state = facts.state
    for known in (state.published, state.standby, *(entry.credential for entry in state.ledger)):
        if known is not None and facts.is_under_another_name(known, found):
            name = known.username or "a credential"
            what = f"{found.account} and {known.account} mean the same account, in which {name} is known as one of"
            again = f"if both names are right, go on under this one: rotator adopt {facts.target.name}"
            remedy = f"correct the key of {found.account}, or move the target back to {known.account}; {again}"
            return Hold(HoldReason.ACCOUNT_CHANGED, f"{what} {known.account}: {remedy}")
    return None


def backoff_hold(facts: Facts) -> Hold | None:
    """Holds while the target waits after a failure, or for a password to propagate."""
    if not is_waiting(facts.state.not_before, facts.clocks.vault):
        return None
    state = facts.state
    if state.attempt is not None and state.attempt.before:
        return _failed_hook_hold(facts, state.attempt)
    propagating = state.attempt is not None and state.attempt.phase is Phase.APPLIED and not state.failures
    return Hold(HoldReason.PROPAGATING if propagating else HoldReason.BACKING_OFF, state.last_error)


def _failed_hook_hold(facts: Facts, attempt: Attempt) -> Hold | None:
    """Holds a rotation before its first call, while a hook that the policy runs before it fails."""
    policy, name = facts.target.policy, facts.target.name
    if attempt.before[0] not in policy.hooks.before_rotation:
        return None
    remedies = ("fix it", f"take it out of the policy {policy.name}", f"end the rotation (rotator abandon {name})")
    waits = "nothing is sent to the provider until it succeeds"
    return Hold(HoldReason.HOOK_FAILED, f"{facts.state.last_error}: {waits}; {_one_of(*remedies)}")


def unproved_hold(facts: Facts, request: Request | Attempt | None) -> Hold | None:
    """Holds if a provider reports success but does not accept the new passwords: it must not cut off a whole fleet.

    At first no more passwords are set than it may refuse, until one of them is proved. An emergency waits for neither:
    what leaked must end.
    """
    account, in_place = facts.target.account, facts.target.strategy is Strategy.IN_PLACE
    if request is None or request.compromised or not (in_place or facts.capabilities[account].attaches):
        return None
    if account in facts.unproved_accounts:
        message = f"{account} does not accept the passwords that were set last: find the cause at the provider"
        return Hold(HoldReason.UNPROVED, message, _later(facts, _SOON))
    if in_place and account in facts.proving_accounts:
        message = f"the passwords that were set at {account} last are being proved"
        return Hold(HoldReason.PROVING, message, _later(facts, _NEXT))
    return None


def _later(facts: Facts, soon: timedelta) -> datetime:
    """Returns when to look again, spread by how many wait for the same. As soon as there is room, some are woken."""
    return facts.now + soon + facts.waiting_targets * _SPREAD


def window_hold(facts: Facts) -> Hold | None:
    """Holds a scheduled rotation until the window opens."""
    window, clocks = facts.target.policy.window, facts.clocks
    if window is None or (window.contains(clocks.earliest) and window.contains(clocks.latest)):
        return None
    opening = window.next_opening(clocks.latest)
    return Hold(HoldReason.OUTSIDE_WINDOW, "a rotation is due and waits for the maintenance window", opening)


def log_in_hold(facts: Facts, account: str) -> Hold | None:
    """Holds a log-in while too many at the account were wrong."""
    until = facts.log_ins_rest_until.get(account)
    if until is None or not facts.capabilities[account].proof.tries_password:
        return None
    message = f"several log-ins at {account} were refused: the next one waits, since registrars lock addresses out"
    return Hold(HoldReason.LOG_INS_REST, message, until)


def foreign_document_hold(facts: Facts) -> Hold | None:
    """Holds if the consumer document names neither what was published last nor what is staged now."""
    attempt, consumer, name = facts.state.attempt, facts.consumer, facts.target.name
    if consumer.deleted:
        what = f"{facts.target.path} was deleted in Vault"
        again = f"publish again what is in use (rotator adopt {name})"
        return Hold(HoldReason.DOCUMENT_DELETED, f"{what}: {_one_of(consumer.remedy, again)}")
    is_staged = attempt is not None and (consumer.names(attempt.staged) or is_published(attempt, consumer))
    if facts.consumer_document_is_ours or is_staged:
        return None
    what = "is not what rotator published" if consumer.exists else "is gone"
    if facts.state.published is None and consumer.credential_id is not None:
        what = "names a credential of which the state document knows nothing"
    remedies = (
        "correct it",
        f"take up what it names (rotator adopt {name})",
        f"rotate (rotator rotate {name} --take-over)",
    )
    return Hold(HoldReason.FOREIGN_DOCUMENT, f"{facts.target.path} {what}: {_one_of(*remedies)}")


def is_taken_over(facts: Facts, hold: Hold) -> bool:
    """True if somebody has already asked to overwrite the document that a hold is about."""
    request = facts.state.request
    return hold.reason is HoldReason.FOREIGN_DOCUMENT and request is not None and request.take_over


def lost_state_hold(facts: Facts) -> Hold | None:
    """Holds if the state document was deleted: what is in use is in its older versions, or at the provider."""
    if not facts.state_deleted:
        return None
    return Hold(HoldReason.DOCUMENT_DELETED, lost_state_message(facts.target.name, facts.state_remedy))


def lost_state_message(target: str, remedy: str) -> str:
    """Says that a state document was deleted, and what to do about it."""
    way_out = remedy or f"take up what is in use (rotator adopt {target})"
    return f"the state document of {target} was deleted in Vault: {way_out}"


def ending_document_hold(facts: Facts) -> Hold | None:
    """Holds if Vault will delete one of the two documents by itself, with the passwords in it."""
    consumer, path = facts.consumer, facts.target.path
    documents = (
        (f"the state document of {facts.target.name}", facts.state_ends_at, facts.state_remedy),
        (path, consumer.ends_at, consumer.remedy),
    )
    for what, ends_at, remedy in documents:
        if ends_at is not None:
            message = f"Vault deletes {what} by itself at {ends_at:%Y-%m-%d %H:%M:%S} UTC: {remedy}"
            return Hold(HoldReason.DOCUMENT_DELETED, message)
    return None


def _one_of(*remedies: str) -> str:
    return ", or ".join(remedy for remedy in remedies if remedy)


def renamed_hold(facts: Facts) -> Hold | None:
    """Holds while everything that is known of the target stands in another state document, before or after a rename.

    Beginning anew would forget the credential that devices use, even if somebody asks for `take_over`.
    """
    name, old, new = facts.target.name, facts.former_name, facts.state.renamed_to
    if new:
        message = f"it was renamed to {new}: finish that with rotator rename {name} {new}"
    elif old:
        message = (
            f"its path or its username is that of {old}, which is not in the configuration any more: "
            f"rotator rename {old} {name}, or, if it is another target, rotator retire {old} --published"
        )
    else:
        return None
    return Hold(HoldReason.RENAMED, message)


def clocks_hold(facts: Facts, due: datetime) -> Hold | None:
    """Holds what is due by one clock only, while this machine's and Vault's tell different times."""
    clocks = facts.clocks
    if not clocks.differ or not clocks.earliest < due <= clocks.latest:
        return None
    where = "ahead of" if clocks.offset > timedelta() else "behind"
    apart = timedelta(seconds=round(abs(clocks.offset).total_seconds()))
    message = f"due by one clock only: this machine's is {apart} {where} Vault's; correct whichever is wrong"
    return Hold(HoldReason.CLOCKS_DIFFER, message)


def evidence_hold(facts: Facts, request: Request) -> Hold | None:
    """Holds a rotation that a check has shown to fail at the account, or that `require_checked` wants checked first.

    Not an emergency: what leaked has to end, and the proof still decides what is published.
    """
    known = facts.evidence
    if known is None or request.compromised or known.standing is Standing.PROVED:
        return None
    disproved = known.standing is Standing.DISPROVED
    if not disproved and not known.required:
        return None
    reason = HoldReason.STRATEGY_DISPROVED if disproved else HoldReason.STRATEGY_UNPROVED
    return Hold(reason, evidence_in_words(facts.target, known), facts.now + _EVIDENCE_LOOK)


def evidence_in_words(target: Target, known: StrategyEvidence) -> str:
    """Returns what is wrong, or missing, and the command that shows otherwise."""
    what = f"{target.strategy.value} is {known.standing.value} at {target.account}: {known.why}"
    if known.standing is Standing.DISPROVED:
        return f"{what}; fix that, or use another strategy, then rotator check-provider {target.account} --write"
    return f"{what}; rotator check-provider {target.account} --write shows it"


def canary_hold(facts: Facts) -> Hold | None:
    """Holds a first rotation until those that go before it are well. A request does not wait for them."""
    verdict = facts.canary
    if verdict is None or verdict.result is CanaryResult.PASSED:
        return None
    name = verdict.canary
    if verdict.result is CanaryResult.WAITING:
        message = f"{name} is rotated and verified first: {verdict.why}"
        return Hold(HoldReason.WAITING_FOR_CANARY, message, facts.now + _CANARY_LOOK)
    message = (
        f"{name} was rotated first, and is not well: {verdict.why}; find the cause, then "
        f"rotator rotate {name}, or rotator verify {name}: once it is accepted, the others go on"
    )
    return Hold(HoldReason.CANARY_FAILED, message, facts.now + _CANARY_LOOK)
