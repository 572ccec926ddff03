"""Selections over an account: what is picked up, what is left alone, what is reported, and what is remembered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.model import (
    Attempt,
    Credential,
    Ending,
    LedgerEntry,
    Phase,
    Policy,
    Purpose,
    Strategy,
    Target,
    TargetState,
)
from rotator.core.naming import new_username
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Every
from rotator.core.selection import Known, ListedCredential, Selection, judge, remembered
from rotator.fields.text import is_name

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = Policy("p", Every(90 * DAY), None, DAY, 7 * DAY, PasswordRules())
AGENTS = Selection("prod", "agent*", "", "sel-{username}", "sip/{name}", Strategy.REPLACE, POLICY)


def listed(*usernames: str) -> list[ListedCredential]:
    return [ListedCredential(f"id-{username}", username) for username in usernames]


def known(
    *targets: Target,
    taken: frozenset[str] = frozenset(),
    undecided: frozenset[str] = frozenset(),
    **states: TargetState,
) -> Known:
    def read(name: str) -> TargetState | None:
        return states.get(name.replace("-", "_"))

    return Known(targets, read, read, is_name, taken, undecided)


def state(target: Target, published: str | None = None, *ledger: str) -> TargetState:
    return TargetState(
        target.name,
        Credential("prod", published) if published else None,
        ledger=tuple(
            LedgerEntry(Credential("prod", name), Ending.DELETE, NOW, NOW, timedelta(days=7)) for name in ledger
        ),
    )


def names(found) -> list[str]:
    return [target.name for target in found.new]


def test_every_credential_that_matches_becomes_a_target():
    """Without regard to case; disabled ones and others are left alone."""
    entries = [*listed("agent01", "Agent02", "office"), ListedCredential("x", "agent03", enabled=False)]

    found = judge([AGENTS], entries, known())

    assert found.new == (AGENTS.target("agent01"), AGENTS.target("Agent02"))
    assert found.new[0] == Target("sel-agent01", "prod", Strategy.REPLACE, ("agent01",), "sip/sel-agent01", POLICY)


def test_a_username_that_cannot_be_a_name_is_reported():
    """And picks up nothing."""
    found = judge([AGENTS], listed("agent+1", "agent@x", "agent1"), known())

    assert (names(found), found.unnamable) == (["sel-agent1"], ("agent+1", "agent@x"))


def test_the_first_selection_that_fits_has_the_target():
    """By username and description."""
    doors = replace(AGENTS, description="door *", name="door-{username}")
    entries = [ListedCredential("1", "agent1", description="Door north"), ListedCredential("2", "agent2")]

    assert names(judge([doors, AGENTS], entries, known())) == ["door-agent1", "sel-agent2"]


def test_a_target_that_is_configured_by_itself_is_not_selected():
    """Whatever the case of its username."""
    own = replace(AGENTS.target("Agent01"), name="front")

    assert names(judge([AGENTS], listed("agent01", "agent02"), known(own))) == ["sel-agent02"]


@pytest.mark.parametrize("place", ["published", "staged", "ledger"])
def test_what_a_rotation_creates_is_no_target_of_its_own(place):
    """Its username matches; the state document of the target that it was made for names it."""
    target = AGENTS.target("agent01")
    made = new_username(target, lambda characters, length: characters[7] * length)
    staged = Attempt(
        "a", Purpose.ROTATE, Strategy.REPLACE, Phase.STAGED, Credential("prod", made), None, NOW, "schedule", ""
    )
    document = {
        "published": state(target, made),
        "staged": replace(state(target, "agent01"), attempt=staged),
        "ledger": state(target, "agent01", made),
    }[place]

    found = judge([AGENTS], listed("agent01", made), known(target, sel_agent01=document))

    assert (names(found), found.undecided, found.ours) == ([], (), (made,))


def test_what_was_made_for_a_target_without_a_username_is_made_from_its_name():
    """Telnyx's telephony credentials have none in the configuration."""
    target = replace(AGENTS.target("x"), name="agent-9", usernames=())
    made = new_username(target, lambda characters, length: characters[7] * length)

    found = judge([AGENTS], listed(made), known(target, agent_9=state(target, made)))

    assert (names(found), found.ours) == ([], (made,))


def test_only_replace_makes_usernames():
    """What looks like one made for a target with another strategy is somebody else's."""
    target = replace(AGENTS.target("agent01"), strategy=Strategy.IN_PLACE)

    found = judge([AGENTS], listed("agent01abcdefgh"), known(target, sel_agent01=state(target, "agent01")))

    assert names(found) == ["sel-agent01abcdefgh"]


def test_what_may_be_rotators_own_waits_for_the_next_listing():
    """Rotator may have deleted it since it was listed; and a document that cannot be read says nothing, ever."""
    target = AGENTS.target("agent01")
    made = new_username(target, lambda characters, length: characters[7] * length)
    other = {"sel_agent01": state(target, "agent01")}
    seen_before = frozenset({made})

    first = judge([AGENTS], listed("agent01", made), known(target, **other))
    second = judge([AGENTS], listed("agent01", made), known(target, undecided=seen_before, **other))
    unread = judge([AGENTS], listed("agent01", made), known(target, undecided=seen_before))

    assert (names(first), first.undecided) == ([], (made,))
    assert (names(second), second.undecided) == ([f"sel-{made}"], ())
    assert (names(unread), unread.undecided) == ([], (made,))


def test_what_a_removed_target_left_behind_is_not_picked_up():
    """Its state document still names it: somebody has to retire it, or to configure it again."""
    assert names(judge([AGENTS], listed("agent01"), known(taken=frozenset({"agent01"})))) == []


def test_a_provider_that_lists_the_attempt_says_itself_what_was_created_here():
    """Telnyx makes the usernames: nothing else in them tells."""
    entry = ListedCredential("1", "agentxyz", attempt="abc")

    assert names(judge([AGENTS], [entry], known())) == []


def test_what_the_listing_no_longer_shows_is_reported():
    """The credential in use counts, not the one that was there at first; targets of other accounts do not."""
    rotated, never, fine, elsewhere, unseen = (AGENTS.target(f"agent0{number}") for number in range(1, 6))
    elsewhere = replace(elsewhere, account="other")
    single = replace(AGENTS.target("agent06"), name="front")
    states = {
        "sel_agent04": state(elsewhere),
        "front": state(single),
        "sel_agent01": state(rotated, "agent01abcdefgh"),
        "sel_agent02": state(never),
        "sel_agent03": state(fine, "agent03abcdefgh"),
    }

    targets = (rotated, never, fine, elsewhere, unseen, single)
    found = judge([AGENTS], listed("Agent01", "AGENT03abcdefgh"), known(*targets, **states))

    assert found.gone == ("sel-agent01", "sel-agent02")
    assert names(found) == []


def test_labels_and_the_username_in_the_path_are_the_targets():
    """Both placeholders may be in the path."""
    selection = replace(AGENTS, path="sip/{username}/{name}", labels=(("site", "berlin"),))

    target = selection.target("agent01")

    assert (target.path, target.labels) == ("sip/agent01/sel-agent01", (("site", "berlin"),))


@pytest.mark.parametrize("name", ["a-b", "a-b-", "xa-agent1-b", "a-agent1-bx", "a-office-b"])
def test_a_name_that_the_selection_does_not_make_is_another_ones(name):
    """Too short, with something around it, or with a username that is not selected."""
    assert replace(AGENTS, name="a-{username}-b").username_of(name) is None


def test_of_two_selections_that_fit_a_document_the_first_has_the_target():
    """And a name that is configured by itself hides none of those that follow."""
    first = replace(AGENTS, username="agent0*", labels=(("first", "yes"),))

    found = remembered([first, AGENTS], ["front", "sel-agent01", "sel-agent11"], {"front"})

    assert found == [first.target("agent01"), AGENTS.target("agent11")]


def test_the_state_documents_remember_what_was_selected():
    """Without the provider: a restart while it is down takes no target for a removed one."""
    documents = ["sel-agent01", "sel-office", "front", "sel-", "sel-agent02"]

    assert remembered([AGENTS], documents, {"sel-agent02"}) == [AGENTS.target("agent01")]


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}", fullmatch=True), st.sampled_from(["{username}", "a-{username}-b"])
)
def test_a_name_leads_back_to_its_username(username, template):
    """Or nothing would be remembered."""
    selection = replace(AGENTS, username="*", name=template)

    assert selection.username_of(selection.target(username).name) == username
