"""What targets that are not configured any more left behind, and what of it nobody ends."""

from dataclasses import replace

import pytest
from core_facts import ATTEMPT, DAY, ENTRY, NEW, NOW, OLD, STAGED

from rotator.core.blackouts import Blackout
from rotator.core.clocks import Clocks
from rotator.core.freezes import freezes
from rotator.core.left_over import Orphan, OrphanKind, left_over, orphans, with_rules
from rotator.core.model import Ending, FormerPath, Policy, Strategy, TargetState
from rotator.core.passwords import PasswordRules
from rotator.core.pauses import Pauses
from rotator.core.schedule import Every

ELSEWHERE = replace(NEW, account="gone")
LEFT = TargetState("office", published=OLD, path="sip/office", overlap=DAY, quarantine=7 * DAY)


@pytest.mark.parametrize("state", [TargetState("office"), TargetState("office", renamed_to="reception")])
def test_nothing_is_left_of_a_target_that_was_emptied_or_renamed(state):
    assert left_over(state) is None
    assert kinds(state, configured=False) == []


def test_a_removed_target_is_rebuilt_as_its_document_says():
    target = left_over(LEFT)
    assert (target.name, target.account, target.strategy, target.path) == (
        "office",
        "fake",
        Strategy.REPLACE,
        "sip/office",
    )
    assert target.removed
    assert (target.policy.overlap, target.policy.quarantine, target.policy.window) == (DAY, 7 * DAY, None)
    assert target.policy.password == PasswordRules()
    assert target.policy.schedule.longest > 30_000 * DAY


@pytest.mark.parametrize(
    ("state", "account"),
    [
        (LEFT, "fake"),
        (replace(LEFT, published=None, ledger=(replace(ENTRY, credential=ELSEWHERE),)), "gone"),
        (replace(LEFT, attempt=replace(ATTEMPT, staged=ELSEWHERE)), "gone"),
        (TargetState("office", former_paths=(FormerPath("sip/old", NOW),)), ""),
    ],
)
def test_its_account_is_the_one_where_most_is_left_to_do(state, account):
    assert left_over(state).account == account


def test_both_standing_credentials_of_an_open_attempt_are_the_targets():
    pair = replace(ATTEMPT, strategy=Strategy.ALTERNATING)
    assert left_over(replace(LEFT, attempt=pair)).usernames == ("new", "old")
    assert left_over(replace(LEFT, attempt=replace(pair, predecessor=None))).usernames == ("new",)
    assert left_over(replace(LEFT, attempt=ATTEMPT)).usernames == ()


def test_the_policy_that_it_had_is_named_and_stays_in_its_document():
    """Its document is written again when an attempt that was open is closed."""
    state = replace(LEFT, policy="quarterly")
    had = Policy(
        "quarterly",
        Every(90 * DAY),
        None,
        DAY,
        DAY,
        PasswordRules(),
        blackouts=(Blackout(NOW - DAY, NOW + DAY, "end of the year"),),
    )
    target = left_over(state, {"quarterly": had})
    (freeze,) = freezes(target, Pauses(), Clocks(NOW, NOW)).in_force
    assert freeze.words.startswith("blackout of policy quarterly until ")
    assert with_rules(state, target).policy == "quarterly"
    assert left_over(state).policy.name == "quarterly"  # it may come back
    assert left_over(LEFT).policy.name == "removed"


def kinds(state: TargetState, *, configured: bool, accounts: tuple[str, ...] = ("fake",)) -> list[OrphanKind]:
    return [orphan.kind for orphan in orphans(state, accounts, configured=configured)]


def test_what_a_removed_target_has_published_is_an_orphan_and_what_goes_on_is_none():
    state = replace(LEFT, attempt=ATTEMPT, ledger=(ENTRY,))
    assert list(orphans(state, ("fake",), configured=False)) == [Orphan("office", OrphanKind.PUBLISHED, OLD)]
    assert kinds(state, configured=True) == []


def test_what_is_left_at_an_account_that_is_not_configured_is_an_orphan():
    state = TargetState(
        "office",
        attempt=replace(ATTEMPT, staged=replace(STAGED, account="gone")),
        ledger=(
            replace(ENTRY, credential=ELSEWHERE),
            replace(ENTRY, credential=ELSEWHERE, ending=Ending.FORGET),
            ENTRY,
        ),
    )
    assert kinds(state, configured=False) == [OrphanKind.ATTEMPT, OrphanKind.LEDGER]
    assert kinds(state, configured=True) == [OrphanKind.LEDGER]  # its attempt is a hold of its own


def test_what_a_rename_that_was_cut_has_not_moved_is_an_orphan_until_it_is_repeated():
    state = replace(LEFT, attempt=ATTEMPT, ledger=(ENTRY,), renamed_to="reception")
    assert left_over(state).name == "office"
    assert [(each.kind, each.credential) for each in orphans(state, ("fake",), configured=False)] == [
        (OrphanKind.RENAMED, STAGED),
        (OrphanKind.RENAMED, OLD),
        (OrphanKind.RENAMED, ENTRY.credential),
    ]
    assert kinds(state, configured=True) == []  # it is held, which is an alert of its own
