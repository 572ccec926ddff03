"""Deciding on what the ledger names: what is retired, and what is left alone."""

from dataclasses import replace

import pytest
from core_facts import DAY, ENTRY, HOUR, NEW, NOW, OLD, attempt, document, facts

from rotator.core.actions import Delete, Disable, Forget
from rotator.core.blackouts import Extent
from rotator.core.circuit import ProviderVerb
from rotator.core.decide import decide
from rotator.core.facts import lookup_key
from rotator.core.freezes import Freeze, Freezes
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Credential, Ending, Phase
from rotator.testing import CHOSEN, GENERATED


def test_the_cap_is_no_reason_where_nothing_was_to_be_retired():
    disabled = replace(ENTRY, disabled_at=NOW)
    assert decide(facts(state_ledger=(disabled,), retirements_left=0)).reason is HoldReason.NOT_DUE


@pytest.mark.parametrize(
    "changes",
    [
        {"state_published": NEW, "consumer": document(NEW)},
        {"state_attempt": attempt(staged=NEW, phase=Phase.PROVED), "state_not_before": NOW + HOUR},
        {"consumer": replace(document(OLD), username="new", credential_id=None)},
        {"consumer": document(NEW)},
        {"consumer": replace(document(OLD), exists=False)},
        {"capabilities": {"other": CHOSEN}},
        {"open_circuits": {"fake": NOW + HOUR}},
        {"retirements_left": 0},
        {"state_ledger": (replace(ENTRY, not_before=NOW + HOUR),)},
        {"state_ledger": (replace(ENTRY, disable_at=NOW + HOUR),)},
    ],
)
def test_what_is_in_use_or_cannot_be_judged_is_not_retired(changes):
    assert isinstance(decide(facts(**({"state_ledger": (ENTRY,)} | changes))), Hold)


def test_what_a_key_has_no_right_to_end_is_told():
    """The status said that nothing was due."""
    shut = {"shut_verbs": {("fake", ProviderVerb.DISABLE): NOW + HOUR}}
    hold = decide(facts(state_ledger=(ENTRY,), **shut))
    why = "the key of fake may not disable, as several refusals in a row say: give it that right"
    assert hold == Hold(HoldReason.NOT_RETIRED, f"{why}; {ENTRY.label} is not retired meanwhile", NOW + HOUR)
    frozen = Freezes((Freeze(HoldReason.PAUSED, NOW, NOW + DAY, "paused", Extent.CHANGES),))
    assert decide(facts(state_ledger=(ENTRY,), freezes=frozen, **shut)).reason is HoldReason.PAUSED
    leaked = replace(ENTRY, compromised=True)
    assert decide(facts(state_ledger=(leaked,), **shut)) == Disable(leaked)


def test_what_is_tried_again_later_is_told():
    later = replace(ENTRY, not_before=NOW + HOUR, note="active calls use it")
    hold = decide(facts(state_ledger=(later,)))
    assert hold == Hold(HoldReason.RETIREMENT_DELAYED, "new is not retired yet: active calls use it", NOW + HOUR)
    harmless = replace(later, ending=Ending.STAND_BY, overwritten_at=NOW - HOUR)
    assert harmless.stays_enabled
    assert decide(facts(state_ledger=(harmless,))).reason is HoldReason.NOT_DUE, "it has a random password"
    not_due = replace(later, disable_at=NOW + HOUR)
    assert decide(facts(state_ledger=(not_due,))).reason is HoldReason.NOT_DUE


def test_a_provider_that_cannot_disable_only_deletes_when_the_quarantine_is_over():
    cannot = {"fake": replace(CHOSEN, disables=False)}
    assert isinstance(decide(facts(state_ledger=(ENTRY,), capabilities=cannot)), Hold)
    over = replace(ENTRY, disable_at=NOW - 7 * DAY)
    assert decide(facts(state_ledger=(over,), capabilities=cannot)) == Delete(over)


def test_strays_are_only_those_that_nothing_names():
    unknown = replace(ENTRY, credential=Credential("fake", "", attempt="2"))
    generated = {"fake": GENERATED}
    found = {lookup_key(unknown.credential): (OLD, NEW)}
    assert decide(facts(state_ledger=(unknown,), capabilities=generated, lookups=found)) == Delete(unknown, NEW)
    waiting = replace(ENTRY, disable_at=NOW + HOUR, expires_at=NOW + HOUR)
    both = facts(state_ledger=(unknown, waiting), capabilities=generated, lookups=found)
    assert decide(both) == Forget(unknown)
