"""What the evidence of an account means for each strategy."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from core_facts import REQUEST, facts

from rotator.core import evidence as known
from rotator.core.actions import Stage
from rotator.core.decide import decide
from rotator.core.evidence import AccountEvidence, Assumption, AssumptionResult, Scratch, Shown
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Capabilities, Credential, Proof, Strategy, Verification
from rotator.core.naming import is_scratch, scratch_username
from rotator.core.strategy_evidence import Standing, StrategyEvidence, judge
from rotator.testing import CHOSEN, FakeRandomness

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING = tuple(one for one in vars(known).values() if isinstance(one, Assumption))


def evidence(**shown: Shown) -> AccountEvidence:
    """Everything holds, except what is named, by the names of the constants."""
    other = {vars(known)[name].key: each for name, each in shown.items()}
    results = tuple(
        AssumptionResult(one.key, one.text, other.get(one.key, Shown.HOLDS), "PUT 200", NOW) for one in EVERYTHING
    )
    return AccountEvidence(1, results, written_at=NOW)


@pytest.mark.parametrize("strategy", Strategy)
def test_a_strategy_is_proved_where_everything_holds_and_unproved_where_nothing_was_tried(strategy):
    assert judge(strategy, CHOSEN, evidence()).standing is Standing.PROVED
    untried = judge(strategy, CHOSEN, AccountEvidence(), required=True)
    assert untried == StrategyEvidence(Standing.UNPROVED, "nothing was tried there yet", required=True)


@pytest.mark.parametrize(
    ("strategy", "lacking"),
    [
        (Strategy.REPLACE, "CREATES"),
        (Strategy.REPLACE, "LOGS_IN"),
        (Strategy.REPLACE, "WRONG_REFUSED"),
        (Strategy.ALTERNATING, "SETS"),
        (Strategy.ALTERNATING, "ENABLES"),
        (Strategy.IN_PLACE, "SETS"),
        (Strategy.IN_PLACE, "NEW_LOGS_IN"),
        (Strategy.IN_PLACE, "OLD_REFUSED"),
    ],
)
def test_what_a_strategy_needs_disproves_it_or_leaves_it_unproved(strategy, lacking):
    disproved = judge(strategy, CHOSEN, evidence(**{lacking: Shown.DOES_NOT}))
    assert disproved.standing is Standing.DISPROVED
    assert vars(known)[lacking].text in disproved.why
    assert "PUT 200" in disproved.why
    assert judge(strategy, CHOSEN, evidence(**{lacking: Shown.NOT_SHOWN})).standing is Standing.UNPROVED


def test_without_a_word_from_the_provider_nothing_is_quoted():
    silent = replace(evidence(CREATES=Shown.DOES_NOT).result(known.CREATES), evidence="")
    found = judge(Strategy.REPLACE, CHOSEN, AccountEvidence(1, (silent,), written_at=NOW))
    assert found.why == "it does not hold that a credential can be created"


def test_what_another_strategy_needs_does_not_count():
    assert judge(Strategy.IN_PLACE, CHOSEN, evidence(CREATES=Shown.DOES_NOT)).standing is Standing.PROVED
    assert judge(Strategy.REPLACE, CHOSEN, evidence(ENABLES=Shown.DOES_NOT)).standing is Standing.PROVED


def test_replace_needs_one_way_to_end_what_it_replaces():
    assert judge(Strategy.REPLACE, CHOSEN, evidence(DISABLES=Shown.DOES_NOT)).standing is Standing.PROVED
    both = evidence(DISABLES=Shown.DOES_NOT, DELETES=Shown.DOES_NOT)
    assert judge(Strategy.REPLACE, CHOSEN, both).standing is Standing.DISPROVED


def test_masks_disprove_in_place_only_without_a_log_in():
    masked = evidence(SHOWS_PASSWORDS=Shown.DOES_NOT)
    assert judge(Strategy.IN_PLACE, CHOSEN, masked).standing is Standing.PROVED
    alone = evidence(SHOWS_PASSWORDS=Shown.DOES_NOT, NEW_LOGS_IN=Shown.NOT_SHOWN)
    assert judge(Strategy.IN_PLACE, CHOSEN, alone).standing is Standing.DISPROVED


@pytest.mark.parametrize("strategy", [Strategy.REPLACE, Strategy.ALTERNATING])
def test_trunks_that_are_not_shown_disprove_a_new_credential_that_nobody_tries_or_that_was_refused(strategy):
    hidden = evidence(SHOWS_ATTACHMENTS=Shown.DOES_NOT)
    read_back = replace(CHOSEN, proof=Proof("listed", tries_password=False))
    assert judge(strategy, CHOSEN, hidden).standing is Standing.PROVED
    assert judge(strategy, read_back, hidden).standing is Standing.DISPROVED
    refused = evidence(SHOWS_ATTACHMENTS=Shown.DOES_NOT, UNATTACHED=Shown.DOES_NOT)
    assert judge(strategy, CHOSEN, refused).standing is Standing.DISPROVED
    assert judge(strategy, CHOSEN, evidence(UNATTACHED=Shown.DOES_NOT)).standing is Standing.PROVED
    assert judge(Strategy.IN_PLACE, read_back, refused).standing is Standing.UNPROVED


def test_without_a_log_in_nothing_is_more_than_unproved():
    read_back = replace(CHOSEN, proof=Proof("listed", tries_password=False))
    assert judge(Strategy.REPLACE, read_back, evidence()).standing is Standing.UNPROVED
    assert judge(Strategy.REPLACE, read_back, evidence(CREATES=Shown.DOES_NOT)).standing is Standing.DISPROVED


@pytest.mark.parametrize("required", [False, True])
def test_what_is_missing_is_said_and_whether_it_is_required(required):
    read_back = replace(CHOSEN, proof=Proof("listed", tries_password=False))
    unshown = evidence(LOGS_IN=Shown.NOT_SHOWN)

    def judged(can: Capabilities, known_so_far: AccountEvidence) -> StrategyEvidence:
        return judge(Strategy.REPLACE, can, known_so_far, required=required)

    assert judged(CHOSEN, evidence()) == StrategyEvidence(Standing.PROVED, required=required)
    why = "it was not shown that a log-in with the right password is let in"
    assert judged(CHOSEN, unshown) == StrategyEvidence(Standing.UNPROVED, why, required)
    why = "no log-in is configured that tries a password"
    assert judged(read_back, unshown) == StrategyEvidence(Standing.UNPROVED, why, required)
    why = "it was not shown that a credential can be created"
    assert judged(read_back, evidence(CREATES=Shown.NOT_SHOWN)) == StrategyEvidence(Standing.UNPROVED, why, required)
    why = "it does not hold that a credential can be created: PUT 200"
    assert judged(CHOSEN, evidence(CREATES=Shown.DOES_NOT)) == StrategyEvidence(Standing.DISPROVED, why, required)


def test_nothing_is_required_unless_it_is_said():
    assert judge(Strategy.REPLACE, CHOSEN, evidence()).required is False


DISPROVED = StrategyEvidence(Standing.DISPROVED, "it does not hold that a credential can be created")
UNPROVED = StrategyEvidence(Standing.UNPROVED, "nothing was tried there yet")


def test_a_disproved_strategy_begins_nothing_and_says_which_command_ends_that():
    held = decide(facts(state_request=REQUEST, evidence=DISPROVED))
    assert isinstance(held, Hold)
    assert held.reason is HoldReason.STRATEGY_DISPROVED
    assert held.reason.end.blocks
    assert "rotator check-provider fake --write" in held.message
    assert "a credential can be created" in held.message


def test_an_unproved_strategy_is_held_only_where_that_is_required():
    assert isinstance(decide(facts(state_request=REQUEST, evidence=UNPROVED)), Stage)
    held = decide(facts(state_request=REQUEST, evidence=replace(UNPROVED, required=True)))
    assert isinstance(held, Hold)
    assert held.reason is HoldReason.STRATEGY_UNPROVED


def test_an_emergency_and_devices_that_are_out_do_not_wait_for_a_check():
    emergency = replace(REQUEST, compromised=True)
    assert isinstance(decide(facts(state_request=emergency, evidence=DISPROVED)), Stage)
    refused = Verification(facts().now, accepted=False, refusals=2)
    assert isinstance(decide(facts(state_request=REQUEST, evidence=DISPROVED, state_verification=refused)), Stage)


def test_a_new_run_replaces_what_it_covers_and_keeps_the_rest():
    before = evidence()
    new = AssumptionResult(known.KEY.key, known.KEY.text, Shown.DOES_NOT, "GET 401", NOW)
    after = before.with_results([new], [known.KEY.key, known.LISTS.key])
    assert after.shown(known.KEY) is Shown.DOES_NOT
    assert after.result(known.LISTS) is None
    assert after.shown(known.CREATES) is Shown.HOLDS


def test_a_scratch_username_is_recognised_and_nothing_else_is():
    name = scratch_username(FakeRandomness(1).text)
    assert name.isalnum()
    assert is_scratch(name)
    assert is_scratch(name.upper())
    assert not any(map(is_scratch, ("rotatorcheck", "rotatorcheckphone1", "office1234abcd")))


def test_a_scratch_credential_is_written_down_once_and_taken_out_alone():
    first, other = (Scratch(Credential("fake", name, attempt=name), NOW) for name in ("one", "two"))
    found = replace(first, credential=replace(first.credential, id="id-1"))
    both = AccountEvidence().with_scratch(first).with_scratch(other)
    assert both.scratch == (first, other)
    assert both.with_scratch(found).scratch == (other, found)
    assert both.without_scratch(found).scratch == (other,)
