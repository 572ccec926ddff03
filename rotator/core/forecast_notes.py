"""The notes of a forecast: what a strategy or a provider cannot do, and what is left to a person."""

from collections.abc import Iterator

from rotator.core.facts import Facts
from rotator.core.forecast_events import coming_to_an_end
from rotator.core.holds import evidence_in_words
from rotator.core.model import Strategy
from rotator.core.naming import SUFFIX, username_stem
from rotator.core.strategy_evidence import Standing


def notes(facts: Facts, final: Facts) -> Iterator[str]:
    """Yields what a plan says beside its steps; `final` are the facts after them."""
    target = facts.target
    if coming_to_an_end(final) != final.state.ledger:
        yield "nothing is retired until the provider accepts what is published"
    if target.strategy is Strategy.IN_PLACE:
        yield "in-place has no overlap: devices are cut off from a rotation until they read Vault again"
        if facts.state.published is None and facts.consumer.password is None:
            yield "its present password is unknown: it can neither be proved before the rotation nor be put back"
    elif not facts.capabilities[target.account].re_enables:
        yield f"disabling at {target.account} cannot be undone: an undo is possible only during the overlap"
    if target.strategy is Strategy.REPLACE:
        yield "replace: every rotation changes the username"
    lists = facts.capabilities[target.account].lists_by_name
    if lists and target.strategy is not Strategy.IN_PLACE:
        yield f"{lists} name credentials by username, and no request shows them: {_to_be_listed(facts)}"
    if facts.evidence is not None and facts.evidence.standing is not Standing.PROVED:
        yield evidence_in_words(target, facts.evidence)


def _to_be_listed(facts: Facts) -> str:
    """Says which username has to be added by hand to what names credentials by username."""
    target, attempt, published = facts.target, facts.state.attempt, facts.state.published
    if target.strategy is Strategy.ALTERNATING:
        return f"put both {' and '.join(target.usernames)} into those that name one of them"
    configured = target.usernames[0] if target.usernames and not target.new else ""
    old = published.username if published is not None else facts.consumer.username or configured or "the old one"
    if attempt is not None and attempt.staged.username not in ("", old):
        return f"add {attempt.staged.username} to those that name {old}"
    new = f"{username_stem(target.usernames, target.name)} and {SUFFIX} letters and digits"
    return f"add the new username, {new}, to those that name {old}; the audit's create has it"
