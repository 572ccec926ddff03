"""A listing against the documents: each discrepancy by its cause, and none while rotator is at work."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import combinations_with_replacement

import pytest
from core_facts import ALTERNATING, ATTEMPT, CLAIM, DAY, NEW, NOW, OLD, OTHER, POLICY, TARGET
from engine_harness import ALTERNATING as ALTERNATING_LIFE
from engine_harness import IN_PLACE as IN_PLACE_LIFE
from engine_harness import REPLACE as REPLACE_LIFE
from engine_harness import EngineHarness
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.discrepancies import AccountListing, Discrepancy, DiscrepancyKind, Reason, TargetDocuments
from rotator.core.left_over import left_over
from rotator.core.model import Credential, Ending, LedgerEntry, Purpose, Strategy, Target, TargetState
from rotator.core.reconciliation import compare
from rotator.core.secret import Secret
from rotator.core.selection import ListedCredential, Selection
from rotator.testing import CHOSEN
from rotator.testing.provider import GENERATED

REST = TargetState("office", published=OLD)
HERE = ListedCredential("id-old", "old")
WAITS = LedgerEntry(NEW, Ending.DELETE, NOW - DAY, NOW + DAY, 7 * DAY)
DISABLED = replace(WAITS, disabled_at=NOW)
NEW_HERE = ListedCredential("id-new", "new")
STOPPED = ListedCredential("id-new", "new", enabled=False)


def listing(*entries: ListedCredential, **changes: object) -> AccountListing:
    return replace(AccountListing({"fake": ""}, entries), **changes)


def found(
    shown: AccountListing, *states: TargetState, target: Target = TARGET, more: tuple[TargetDocuments, ...] = ()
) -> list[Discrepancy]:
    result = compare(shown, [TargetDocuments(target, states or (REST,)), *more], NOW)
    return list(result.discrepancies)


def reasons(*args: object, **options: object) -> list[Reason]:
    return [each.reason for each in found(*args, **options)]


def idle(**changes: object) -> TargetState:
    standby = replace(OTHER, username="b", id="id-b", enabled=False)
    return replace(REST, published=replace(OLD, username="a"), standby=standby, **changes)


REMOVED = left_over(REST)
assert REMOVED is not None
A, B = ListedCredential("id-old", "a"), ListedCredential("id-b", "b", enabled=False)

CASES: dict[str, tuple[Callable[[], list[Reason]], list[Reason]]] = {
    "nothing": (partial(reasons, listing(HERE)), []),
    "somebody else's": (partial(reasons, listing(HERE, ListedCredential("x", "pbx"))), [Reason.UNNAMED]),
    "an attempt's": (partial(reasons, listing(HERE, ListedCredential("x", "gen", attempt="77"))), [Reason.BY_ATTEMPT]),
    "a made username": (partial(reasons, listing(HERE, ListedCredential("x", "officeab12cd34"))), [Reason.BY_NAME]),
    "in capitals": (partial(reasons, listing(HERE, ListedCredential("x", "OFFICEAB12CD34"))), [Reason.BY_NAME]),
    "the configured name of replace": (
        partial(reasons, listing(HERE, ListedCredential("x", "office"))),
        [Reason.REPLACED_NAME],
    ),
    "a scratch without a document": (
        partial(reasons, listing(HERE, ListedCredential("x", "rotatorcheckab12cd34"))),
        [Reason.LOST_SCRATCH],
    ),
    "a scratch that is written down": (
        partial(
            reasons,
            listing(HERE, ListedCredential("x", "gen", attempt="7"), scratch=(Credential("fake", "", attempt="7"),)),
        ),
        [Reason.SCRATCH],
    ),
    "a scratch at work": (
        partial(
            reasons,
            listing(
                HERE,
                ListedCredential("x", "gen", attempt="7"),
                scratch=(Credential("fake", "", attempt="7"),),
                checking=True,
            ),
        ),
        [],
    ),
    "selected": (
        partial(
            reasons,
            listing(
                HERE,
                ListedCredential("x", "agent1"),
                selections=(Selection("fake", "agent*", "", "{username}", "sip/{name}", Strategy.IN_PLACE, POLICY),),
            ),
        ),
        [Reason.SELECTED],
    ),
    "of a removed target": (partial(reasons, listing(HERE), target=REMOVED), [Reason.OF_REMOVED]),
    "of a retired target": (
        partial(reasons, listing(STOPPED), replace(REST, published=None, retired_at=NOW, ledger=(DISABLED,))),
        [],
    ),
    "gone, of a removed target": (partial(reasons, listing(), target=REMOVED), [Reason.REMOVED_GONE]),
    "gone": (partial(reasons, listing()), [Reason.PUBLISHED_GONE]),
    "gone, by a listing that is not certain": (partial(reasons, listing(whole=False)), []),
    "gone, and not there before": (partial(reasons, listing(), replace(REST, published=OTHER), REST), []),
    "enabled by an undo that has not ended": (
        partial(
            reasons,
            listing(HERE, NEW_HERE),
            replace(REST, ledger=(DISABLED,), attempt=replace(ATTEMPT, purpose=Purpose.UNDO, staged=NEW)),
        ),
        [],
    ),
    "a replaced one overwritten, and disabled": (
        partial(reasons, listing(HERE, STOPPED), replace(REST, ledger=(replace(WAITS, overwritten_at=NOW),))),
        [],
    ),
    "gone, while somebody works": (partial(reasons, listing(), replace(REST, claim=CLAIM)), []),
    "gone, and whoever worked is dead": (
        partial(reasons, listing(), replace(REST, claim=replace(CLAIM, until=NOW - DAY))),
        [Reason.PUBLISHED_GONE],
    ),
    "gone, of another account": (
        partial(reasons, listing(), replace(REST, published=replace(OLD, account="elsewhere"))),
        [],
    ),
    "of another identity": (
        partial(reasons, listing(accounts={"fake": "B"}), replace(REST, published=replace(OLD, identity="A"))),
        [],
    ),
    "a replaced one gone": (partial(reasons, listing(HERE), replace(REST, ledger=(WAITS,))), [Reason.REPLACED_GONE]),
    "a replaced one deleted meanwhile": (partial(reasons, listing(HERE), replace(REST, ledger=(WAITS,)), REST), []),
    "a replaced one": (partial(reasons, listing(HERE, NEW_HERE), replace(REST, ledger=(WAITS,))), []),
    "a replaced one disabled": (
        partial(reasons, listing(HERE, STOPPED), replace(REST, ledger=(WAITS,))),
        [Reason.REPLACED_DISABLED],
    ),
    "disabled, and enabled there": (
        partial(reasons, listing(HERE, NEW_HERE), replace(REST, ledger=(DISABLED,))),
        [Reason.REPLACED_ENABLED],
    ),
    "never disabled by this kind": (
        partial(reasons, listing(HERE, NEW_HERE, disables=False), replace(REST, ledger=(DISABLED,))),
        [],
    ),
    "the configured one gone": (
        partial(reasons, listing(), TargetState("office")),
        [Reason.NOTHING_PUBLISHED, Reason.CONFIGURED_GONE],
    ),
    "the configured one is new": (
        partial(reasons, listing(), TargetState("office"), target=replace(TARGET, new=True)),
        [Reason.NOTHING_PUBLISHED],
    ),
    "adopted": (partial(reasons, listing(HERE), replace(REST, published=replace(OLD, attempt=None))), [Reason.ADOPTED]),
    "disabled": (partial(reasons, listing(replace(HERE, enabled=False))), [Reason.DISABLED]),
    "created again": (partial(reasons, listing(ListedCredential("another", "old"))), [Reason.RECREATED]),
    "renamed": (partial(reasons, listing(ListedCredential("id-old", "else"))), [Reason.RENAMED]),
    "in another letter case": (partial(reasons, listing(ListedCredential("id-old", "OLD"))), []),
    "the same password": (partial(reasons, listing(replace(HERE, password=OLD.password))), []),
    "another password": (partial(reasons, listing(replace(HERE, password=Secret("x")))), [Reason.OTHER_PASSWORD]),
    "another password, in flight": (
        partial(
            reasons,
            listing(replace(HERE, password=Secret("x"))),
            replace(REST, attempt=replace(ATTEMPT, staged=OLD)),
            REST,
        ),
        [],
    ),
    "an idle one": (partial(reasons, listing(A, B), idle(), target=ALTERNATING), []),
    "an idle one enabled": (
        partial(reasons, listing(A, replace(B, enabled=True)), idle(), target=ALTERNATING),
        [Reason.STANDBY_ENABLED],
    ),
    "an idle one gone": (partial(reasons, listing(A), idle(), target=ALTERNATING), [Reason.STANDBY_GONE]),
    "twice, in two letter cases": (
        partial(reasons, listing(HERE, ListedCredential("x", "Old"))),
        [Reason.UNNAMED, Reason.USERNAME_TWICE],
    ),
    "listed twice by moving pages": (partial(reasons, listing(HERE, HERE)), []),
    "of two targets": (
        partial(
            reasons,
            listing(HERE),
            more=(TargetDocuments(replace(TARGET, name="two"), [TargetState("two", published=OLD)]),),
        ),
        [Reason.TWO_TARGETS],
    ),
    "used by one, to be ended by another": (
        partial(
            reasons,
            listing(HERE, NEW_HERE),
            replace(REST, ledger=(WAITS,)),
            more=(TargetDocuments(replace(TARGET, name="two"), [TargetState("two", published=NEW)]),),
        ),
        [Reason.TWO_TARGETS],
    ),
    "renamed target": (
        partial(
            reasons,
            listing(HERE),
            TargetState("office", published=OLD, renamed_to="two"),
            more=(TargetDocuments(replace(TARGET, name="two"), [TargetState("two", published=OLD)]),),
        ),
        [],
    ),
    "a rename that was cut short": (
        partial(
            reasons,
            listing(ListedCredential("id-old", "officeab12cd34")),
            replace(REST, published=replace(OLD, username="officeab12cd34"), renamed_to="two"),
        ),
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_discrepancy_has_its_cause(case: str) -> None:
    show, wanted = CASES[case]
    assert sorted(show(), key=str) == sorted([*wanted], key=str)


def test_two_names_of_one_account_are_one_listing() -> None:
    shown = listing(HERE, NEW_HERE, accounts={"fake": "A", "fake-again": "A"})
    again = TargetDocuments(
        Target("two", "fake-again", Strategy.REPLACE, ("two",), "sip/two", POLICY),
        [TargetState("two", published=replace(NEW, account="fake-again"))],
    )
    assert found(shown, more=(again,)) == []


@pytest.mark.parametrize(("identity", "known"), [("SA_1", True), ("", True)])
def test_what_the_main_account_lists_of_a_sub_account_is_known_by_its_id(identity: str, known: bool) -> None:
    sub = TargetDocuments(
        Target("two", "sub", Strategy.REPLACE, ("two",), "sip/two", POLICY),
        [TargetState("two", published=replace(NEW, account="sub", identity=identity))],
    )
    shown = compare(listing(HERE, NEW_HERE, accounts={"fake": "MA_1"}), [TargetDocuments(TARGET, [REST]), sub], NOW)
    assert (shown.discrepancies == ()) is known


def test_where_the_username_is_the_id_another_account_may_have_the_same() -> None:
    shown = listing(HERE, ListedCredential("new", "new"), accounts={"fake": "project"})
    other = replace(NEW, id="new", account="other", identity="another project")
    more = (TargetDocuments(replace(TARGET, name="two", account="other"), [TargetState("two", published=other)]),)
    assert reasons(shown, more=more) == [Reason.UNNAMED]


def test_a_discrepancy_has_what_is_listed_or_else_what_is_documented() -> None:
    renamed = ListedCredential("id-old", "else")
    assert found(listing(renamed)) == [Discrepancy(Reason.RENAMED, "fake", "else", "id-old", ("office",), (renamed,))]
    assert found(listing()) == [Discrepancy(Reason.PUBLISHED_GONE, "fake", "old", "id-old", ("office",))]
    twice = ListedCredential("x", "Old")
    assert found(listing(HERE, twice)) == [
        Discrepancy(Reason.USERNAME_TWICE, "fake", "old", "id-old", (), (HERE, twice)),
        Discrepancy(Reason.UNNAMED, "fake", "Old", "x", (), (twice,)),
    ]
    removed = TargetDocuments(replace(TARGET, removed=True), [REST])
    assert list(compare(listing(HERE), [removed], NOW).discrepancies) == [
        Discrepancy(Reason.OF_REMOVED, "fake", "old", "id-old", ("office",), (HERE,))
    ]


def test_a_foreign_one_can_be_taken_up() -> None:
    entry = ListedCredential("x", "pbx", enabled=False, description="the gate")
    result = compare(listing(HERE, entry), [TargetDocuments(TARGET, [REST])], NOW)
    assert [each.listed for each in result.of(DiscrepancyKind.FOREIGN)] == [(entry,)]
    assert (result.listed, result.known) == (2, 1)
    assert dict(result.counts) == {finding: int(finding is DiscrepancyKind.FOREIGN) for finding in DiscrepancyKind}


usernames = st.sampled_from(["old", "new", "OLD", "other", "office", "officeab12cd34", "rotatorcheckab12cd34", "pbx"])
entries = st.lists(
    st.builds(
        ListedCredential,
        st.sampled_from(["id-old", "id-new", "x", "y", "z"]),
        usernames,
        st.booleans(),
        attempt=st.sampled_from([None, "1", "9"]),
    )
)
credentials = st.sampled_from([OLD, NEW, OTHER, replace(NEW, id=None), Credential("fake", "", attempt="9"), None])
states = st.builds(
    lambda published, standby, ledger: TargetState(
        "office", published, standby, ledger=tuple(replace(WAITS, credential=one) for one in ledger if one is not None)
    ),
    credentials,
    credentials,
    st.lists(credentials, max_size=2),
)


@given(entries, st.lists(states, min_size=1, max_size=2), st.booleans())
def test_every_entry_is_known_or_somebodys(shown: list[ListedCredential], readings: list[TargetState], whole: bool):
    """Nothing is left out, nothing is judged twice, and what a document names by its id is never anybody else's."""
    result = compare(listing(*shown, whole=whole), [TargetDocuments(TARGET, readings)], NOW)
    others = {Reason.UNNAMED, Reason.REPLACED_NAME, Reason.BY_ATTEMPT, Reason.BY_NAME, Reason.LOST_SCRATCH}
    judged = [each.id for each in result.discrepancies if each.reason in others]
    assert len(judged) == len(set(judged)) == result.listed - result.known
    named = {one.id for state in readings for one in (state.published, state.standby) if one is not None}
    assert not named & set(judged)
    assert whole or not result.of(DiscrepancyKind.MISSING)


LIVES = {
    "replace": (REPLACE_LIFE, CHOSEN),
    "generated": (REPLACE_LIFE, GENERATED),
    "alternating": (ALTERNATING_LIFE, CHOSEN),
    "in-place": (IN_PLACE_LIFE, CHOSEN),
}


@pytest.mark.parametrize("life", LIVES)
def test_rotator_at_work_is_no_discrepancy(life: str) -> None:
    """At whatever moments of two rotations and an undo the documents and, between them, the listing are read."""
    target, capabilities = LIVES[life]
    harness = EngineHarness(target, capabilities)
    if not target.new:
        harness.provider.add(target.usernames[0])
    moments: list[tuple[TargetState, tuple[ListedCredential, ...], datetime]] = []

    def watch(_: str) -> None:
        known = harness.store.states.get(target.name)
        shown = tuple(
            ListedCredential(one.id, one.username, one.enabled and not one.expired, "", one.name or None, one.password)
            for one in harness.provider.credentials.values()
        )
        state = known.state if known is not None else TargetState(target.name)
        if not moments or moments[-1][:2] != (state, shown):
            moments.append((state, shown, harness.clock.now()))

    harness.cut_at(0, watch)
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.request(engine)
    harness.until_rotated(engine)
    if capabilities.re_enables:
        harness.request(engine, Purpose.UNDO)
    harness.settle(engine, timedelta(days=9))
    assert len(moments) > 10
    for before, between, after in combinations_with_replacement(range(len(moments)), 3):
        if moments[after][2] - moments[before][2] >= target.policy.overlap:
            continue  # nothing is created, replaced and deleted meanwhile
        documents = TargetDocuments(target, [moments[before][0], moments[after][0]])
        shown = AccountListing({"fake": harness.provider.identity}, moments[between][1])
        result = compare(shown, [documents], moments[after][2])
        wrong = [each for each in result.discrepancies if each.kind is not DiscrepancyKind.NEVER_ROTATED]
        assert not wrong, (before, between, after, wrong, documents.states)
