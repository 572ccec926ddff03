"""The words of the forecast, as `rotator plan` prints them: each step and each event, with its reason."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from core_facts import (
    ALTERNATING,
    DAY,
    ENTRY,
    HOUR,
    IN_PLACE,
    NEW,
    NOW,
    OLD,
    OTHER,
    POLICY,
    REQUEST,
    STAGED,
    TARGET,
    attempt,
    document,
    facts,
)

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import Facts, lookup_key
from rotator.core.forecast import ForecastStep, forecast
from rotator.core.forecast_events import ForecastEvent, later_events
from rotator.core.forecast_notes import notes
from rotator.core.holding import HoldReason
from rotator.core.model import Ending, FormerPath, Phase, Purpose, Strategy, Verification
from rotator.core.schedule import SPREAD, Cron, Every, Window
from rotator.core.strategy_evidence import Standing, StrategyEvidence
from rotator.testing import CHOSEN, GENERATED

UNDO = replace(REQUEST, purpose=Purpose.UNDO)
LIVE = replace(ENTRY, disable_at=NOW + DAY)
DISABLED = replace(ENTRY, credential=OTHER, disabled_at=NOW - 8 * DAY)
GENERATING = {"fake": GENERATED}
PROVE = ("prove that the provider accepts it", "by asking the fake")
PUBLISH = ("publish it at sip/office", "devices read it there")
APPLIED = [PROVE, PUBLISH]
CAPPED = "this minute's maximum of retired credentials is reached"

STEPS: dict[str, tuple[Facts, list[tuple[str, str]], str]] = {
    "nothing": (facts(), [], "nothing is due"),
    "a hold that has no message": (
        facts(state_request=REQUEST, state_not_before=NOW + HOUR),
        [],
        HoldReason.BACKING_OFF.value,
    ),
    "rotation": (
        facts(state_request=REQUEST),
        [
            ("open the rotation: stage a new password for a new credential in Vault", "because (somebody)"),
            ("create it at fake", ""),
            *APPLIED,
        ],
        "nothing is due",
    ),
    "rotation of a compromised credential": (
        facts(state_request=replace(REQUEST, compromised=True), retirements_left=2),
        [
            (
                "open the rotation: stage a new password for a new credential in Vault",
                "because (somebody, as compromised)",
            ),
            ("create it at fake", ""),
            *APPLIED,
            ("disable old", "its overlap ends"),
            ("delete old", "its quarantine has ended"),
        ],
        "nothing is due",
    ),
    "rotation in place": (
        facts(IN_PLACE, state_request=REQUEST),
        [
            ("open the rotation: stage a new password for old in Vault", "because (somebody)"),
            ("set the password of old at fake", ""),
            *APPLIED,
        ],
        "nothing is due",
    ),
    "rotation at a provider that ends credentials itself": (
        facts(state_request=REQUEST, capabilities=GENERATING),
        [
            ("open the rotation: stage a new password for a new credential in Vault", "because (somebody)"),
            ("create it at fake", ""),
            *APPLIED,
            ("tell fake when old ends", "it then ends by itself"),
        ],
        "nothing is due",
    ),
    "undo": (
        facts(state_request=UNDO, state_ledger=(LIVE,)),
        [
            ("open the undo: stage its old password for new in Vault", "because (somebody)"),
            ("enable new at fake", ""),
            *APPLIED,
        ],
        "nothing is due",
    ),
    "undo that is impossible": (
        facts(state_request=UNDO),
        [],
        "it is impossible: nothing can be undone: no replaced credential is left",
    ),
    "attempt that was not sent": (
        facts(state_attempt=attempt()),
        [("create new at fake", ""), *APPLIED],
        "nothing is due",
    ),
    "attempt with a lost answer": (
        facts(state_attempt=attempt(uncertain=True), lookups={lookup_key(STAGED): (NEW,)}),
        [("complete new at fake", "its last answer is unknown"), *APPLIED],
        "nothing is due",
    ),
    "refused password": (
        facts(state_attempt=attempt(refused=True), state_last_error="too short"),
        [("discard the staged password; a new one is tried after a pause", "too short")],
        "",
    ),
    "refused password in place": (
        facts(
            state_attempt=attempt(refused=True, uncertain=True, strategy=Strategy.IN_PLACE),
            state_last_error="too short",
        ),
        [("set the old password of old again", "too short")],
        "",
    ),
    "retirements": (
        facts(state_ledger=(ENTRY, DISABLED), retirements_left=2),
        [("disable new", "its overlap ends"), ("delete other", "its quarantine has ended")],
        "nothing is due",
    ),
    "retirements within the cap of a minute": (
        facts(
            state_ledger=(ENTRY, replace(ENTRY, credential=OTHER), replace(ENTRY, credential=STAGED)),
            retirements_left=2,
        ),
        [("disable new", "its overlap ends"), ("disable other", "its overlap ends")],
        CAPPED,
    ),
    "two credentials that were replaced at the same time": (
        facts(state_ledger=(DISABLED, replace(DISABLED, credential=NEW)), retirements_left=2),
        [("delete other", "its quarantine has ended"), ("delete new", "its quarantine has ended")],
        "nothing is due",
    ),
    "deletions within the cap of a minute": (
        facts(state_ledger=(DISABLED, ENTRY), retirements_left=1),
        [("delete other", "its quarantine has ended")],
        CAPPED,
    ),
    "disabling for good": (
        facts(state_ledger=(replace(ENTRY, expires_at=NOW),), capabilities={"fake": replace(GENERATED, expires=False)}),
        [("disable new", "its overlap ends; this cannot be undone at this provider")],
        "nothing is due",
    ),
    "passwords to forget": (
        facts(
            state_ledger=(
                replace(ENTRY, ending=Ending.FORGET, disable_at=NOW - 7 * DAY),
                replace(DISABLED, ending=Ending.STAND_BY),
            )
        ),
        [
            ("forget the old password of new", "its quarantine has ended"),
            ("forget the password of other", "its quarantine has ended"),
        ],
        "nothing is due",
    ),
    "stray of a lost create": (
        facts(state_ledger=(replace(ENTRY, credential=STAGED),), lookups={lookup_key(STAGED): (NEW,)}),
        [("delete new", "its quarantine has ended")],
        "nothing is due",
    ),
    "look-up": (
        facts(state_ledger=(replace(ENTRY, credential=STAGED),)),
        [("look up new at fake", "the next step depends on it")],
        "the provider's answer",
    ),
    "look-up without a username": (
        facts(
            IN_PLACE,
            state_request=REQUEST,
            state_failures=1,
            state_published=replace(OLD, username=""),
            consumer=ConsumerDocument(1, exists=True, username="", password=OLD.password, credential_id="id-old"),
        ),
        [("look up id-old at fake", "the next step depends on it")],
        "the provider's answer",
    ),
}


@pytest.mark.parametrize(("known", "steps", "waits_for"), STEPS.values(), ids=STEPS.keys())
def test_each_step_says_what_is_done_and_why(known, steps, waits_for):
    told = forecast(known)
    assert told.steps == tuple(ForecastStep(what, why) for what, why in steps)
    assert told.waits_for == waits_for
    assert told.target == known.target
    assert (told.needs is not None) is (waits_for == "the provider's answer")


def later(known: Facts) -> list[tuple[timedelta, str, str]]:
    return [(event.at - NOW, event.what, event.why) for event in forecast(known).events]


ROTATION = (80 * DAY, "rotation", "policy p")


@pytest.mark.parametrize(
    ("known", "events"),
    [
        (facts(), [ROTATION]),
        (
            facts(state_ledger=(LIVE,)),
            [(DAY, "disable new", "its overlap ends"), (8 * DAY, "delete new", "its quarantine ends"), ROTATION],
        ),
        (
            facts(state_ledger=(replace(LIVE, expires_at=NOW + DAY),), capabilities=GENERATING),
            [
                (DAY, "disable new", "its overlap ends; this cannot be undone at this provider"),
                (8 * DAY, "delete new", "its quarantine ends"),
                ROTATION,
            ],
        ),
        # What failed waits until it is tried again, and says why; what should have been done long ago comes now.
        (
            facts(
                state_ledger=(replace(ENTRY, disabled_at=NOW - 8 * DAY, not_before=NOW + HOUR, note="active calls"),)
            ),
            [(HOUR, "delete new", "active calls"), ROTATION],
        ),
        (
            facts(state_ledger=(replace(ENTRY, not_before=NOW + HOUR),)),
            [(HOUR, "disable new", "its overlap ends"), (7 * DAY, "delete new", "its quarantine ends"), ROTATION],
        ),
        (
            facts(state_ledger=(replace(ENTRY, disable_at=NOW - 8 * DAY),), retirements_left=0),
            [
                (timedelta(), "disable new", "its overlap ends"),
                (timedelta(), "delete new", "its quarantine ends"),
                ROTATION,
            ],
        ),
        (
            facts(state_ledger=(replace(LIVE, not_before=NOW + HOUR, note="429"),)),
            [(DAY, "disable new", "its overlap ends"), (8 * DAY, "delete new", "429"), ROTATION],
        ),
        # Nobody disables a mere password, what is disabled already, or where that is impossible.
        (
            facts(state_ledger=(replace(LIVE, ending=Ending.FORGET),)),
            [(8 * DAY, "forget the old password of new", "its quarantine ends"), ROTATION],
        ),
        (
            facts(state_ledger=(replace(LIVE, ending=Ending.STAND_BY, disabled_at=NOW),)),
            [(7 * DAY, "forget the password of new", "its quarantine ends"), ROTATION],
        ),
        (
            facts(state_ledger=(LIVE,), capabilities={"fake": replace(GENERATED, disables=False, expires=False)}),
            [(8 * DAY, "delete new", "its quarantine ends"), ROTATION],
        ),
        (
            facts(state_ledger=(replace(LIVE, credential=replace(NEW, account="gone")),)),
            [(8 * DAY, "delete new", "its quarantine ends"), ROTATION],
        ),
        (facts(state_attempt=attempt(), state_not_before=NOW + HOUR), []),
        # A path that was left; where its document could not be withdrawn on time, that comes now.
        (
            facts(
                state_former_paths=(FormerPath("sip/old", NOW + DAY, "sip/office"),),
                other_documents={"sip/old": document(OLD)},
            ),
            [(DAY, "withdraw the document at sip/old", "its overlap ends"), ROTATION],
        ),
        (
            facts(
                state_former_paths=(FormerPath("sip/old", NOW - DAY, "sip/office", not_before=NOW + HOUR),),
                other_documents={"sip/old": document(OLD)},
            ),
            [(timedelta(), "withdraw the document at sip/old", "its overlap ends"), ROTATION],
        ),
        # An overwritten one of a pair is disabled when the provider does that.
        (
            facts(
                state_ledger=(
                    replace(LIVE, ending=Ending.STAND_BY, overwritten_at=NOW, not_before=NOW + HOUR, note="503"),
                )
            ),
            [
                (DAY, "disable new", "it was not disabled, and has a random password meanwhile"),
                (7 * DAY, "forget the password of new", "503"),
                ROTATION,
            ],
        ),
        # What was removed or retired only ends.
        (
            facts(replace(TARGET, removed=True), state_ledger=(LIVE,), state_verify_at=NOW + DAY),
            [(DAY, "disable new", "its overlap ends"), (8 * DAY, "delete new", "its quarantine ends")],
        ),
    ],
)
def test_what_comes_later_is_told_with_its_time_and_reason(known, events):
    assert later(known) == events


NIGHT = Window("0 2 * * *", HOUR, "Europe/Berlin")
TONIGHT = datetime.fromisoformat("2026-01-06T01:00:00+00:00")


def with_policy(**changes) -> Facts:
    return facts(replace(TARGET, policy=replace(POLICY, **changes)))


def test_the_next_rotation_names_its_policy_with_the_expression_and_the_window():
    cron = Cron("0 3 1 * *", "Europe/Berlin")
    whys = [
        forecast(with_policy(schedule=schedule, window=window)).events[0].why
        for schedule in (Every(90 * DAY), cron)
        for window in (None, NIGHT)
    ]
    assert whys == [
        "policy p",
        "policy p; window 0 2 * * *, Europe/Berlin",
        "policy p: cron 0 3 1 * *, Europe/Berlin",
        "policy p: cron 0 3 1 * *, Europe/Berlin; window 0 2 * * *, Europe/Berlin",
    ]


def test_a_rotation_that_is_due_comes_now_or_when_the_window_opens():
    held = {"state_not_before": NOW + HOUR, "state_next_rotation": NOW - HOUR}
    assert forecast(facts(**held)).events == (ForecastEvent(NOW, "rotation", "policy p"),)
    windowed = replace(TARGET, policy=replace(POLICY, window=NIGHT))
    for due in (NOW - HOUR, NOW):
        (event,) = forecast(facts(windowed, state_next_rotation=due)).events
        assert (event.at, event.until) == (TONIGHT, None)
    (event,) = forecast(facts(windowed, state_next_rotation=NOW + HOUR)).events
    assert event.at == NOW + HOUR


@pytest.mark.parametrize(
    ("window", "earliest", "latest", "why"),
    [
        (None, NOW - DAY + 90 * DAY * (1 - SPREAD), NOW + 89 * DAY, "policy p"),
        # The last windows that end before 81 and before 90 days are over; summer time begins between the two.
        (
            NIGHT,
            datetime(2026, 3, 26, 2, tzinfo=NOW.tzinfo),
            datetime(2026, 4, 4, 0, tzinfo=NOW.tzinfo),
            "policy p; window 0 2 * * *, Europe/Berlin",
        ),
    ],
)
def test_a_time_that_is_drawn_only_later_is_told_as_a_span(window, earliest, latest, why):
    target = replace(TARGET, policy=replace(POLICY, window=window))
    (event,) = forecast(facts(target, state_scheduled_by="another policy", state_last_rotation=NOW - DAY)).events
    assert (event.what, event.why) == ("rotation", why)
    assert abs(event.at - earliest) < timedelta(seconds=1)
    assert abs(event.until - latest) < timedelta(seconds=1)


def test_a_time_that_is_not_drawn_yet_is_not_taken_for_due():
    long_ago = facts(state_last_rotation=NOW - 85 * DAY, state_scheduled_by="another policy")
    assert forecast(long_ago).steps == ()


def test_a_time_without_spread_is_told_as_one_moment():
    target = replace(TARGET, policy=replace(POLICY, schedule=Cron("0 3 1 * *")))
    (event,) = forecast(facts(target, state_scheduled_by="another policy", state_last_rotation=NOW - DAY)).events
    assert (event.at, event.until) == (datetime(2026, 2, 1, 3, tzinfo=NOW.tzinfo), None)


def test_the_first_rotation_is_told_as_such_and_in_the_next_window():
    target = replace(TARGET, policy=replace(POLICY, window=NIGHT))
    new = facts(
        target,
        consumer=ConsumerDocument(0, exists=False),
        state_published=None,
        state_last_rotation=None,
        state_next_rotation=None,
        state_scheduled_by="",
    )
    (event,) = forecast(new).events
    assert (event.what, event.at) == ("first rotation", TONIGHT)
    assert abs(event.until - TONIGHT - HOUR) < timedelta(seconds=1)


def test_the_forecast_reads_the_document_as_the_engine_will_write_it():
    told = forecast(facts(state_attempt=attempt(phase=Phase.PROVED, staged=NEW)))
    assert [step.what for step in told.steps] == ["publish it at sip/office"]
    assert told.waits_for == "nothing is due"


@pytest.mark.parametrize(
    ("target", "capabilities", "said"),
    [
        (TARGET, None, ["replace: every rotation changes the username"]),
        (
            TARGET,
            GENERATING,
            [
                "disabling at fake cannot be undone: an undo is possible only during the overlap",
                "replace: every rotation changes the username",
            ],
        ),
        (ALTERNATING, None, []),
        (IN_PLACE, None, ["in-place has no overlap: devices are cut off from a rotation until they read Vault again"]),
    ],
)
def test_the_notes_name_what_a_strategy_and_a_provider_cannot_do(target, capabilities, said):
    known = facts(target) if capabilities is None else facts(target, capabilities=capabilities)
    assert forecast(known).notes == tuple(said)


LISTED = {"fake": replace(CHOSEN, lists_by_name="rate-limit lists")}
SAID = "rate-limit lists name credentials by username, and no request shows them: "


NOTHING = ConsumerDocument(0, exists=False)
TO_BE_MADE = "add the new username, office and 8 letters and digits, to those that name {}; the audit's create has it"


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (facts(TARGET, capabilities=LISTED), TO_BE_MADE.format("old")),
        (facts(TARGET, NOTHING, capabilities=LISTED, state_published=None), TO_BE_MADE.format("office")),
        (
            facts(replace(TARGET, new=True), NOTHING, capabilities=LISTED, state_published=None),
            TO_BE_MADE.format("the old one"),
        ),
        (facts(TARGET, capabilities=LISTED, state_attempt=attempt(staged=NEW)), "add new to those that name old"),
        (facts(ALTERNATING, capabilities=LISTED), "put both a and b into those that name one of them"),
    ],
)
def test_the_notes_name_the_username_that_a_person_has_to_add_to_lists(known, words):
    assert SAID + words in forecast(known).notes


def test_an_attempt_whose_username_is_not_known_yet_names_none():
    made = replace(NEW, username="")
    known = facts(TARGET, capabilities=LISTED, state_attempt=attempt(staged=made))
    assert SAID + TO_BE_MADE.format("old") in forecast(known).notes


def test_what_is_published_counts_before_the_document_and_a_name_without_a_username_makes_one():
    unnamed = replace(TARGET, usernames=())
    known = facts(unnamed, document(OTHER), capabilities=LISTED)
    assert SAID + TO_BE_MADE.format("old") in list(notes(known, known))


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (facts(IN_PLACE, NOTHING, state_published=None), True),
        (facts(IN_PLACE, document(OLD), state_published=None), False),
        (facts(IN_PLACE, NOTHING), False),
    ],
)
def test_the_notes_say_that_a_present_password_is_unknown(known, said):
    unknown = "its present password is unknown: it can neither be proved before the rotation nor be put back"
    assert (unknown in list(notes(known, known))) is said


def test_the_notes_say_what_no_check_has_proved():
    unproved = StrategyEvidence(Standing.UNPROVED, "nothing was tried there yet")
    known = facts(IN_PLACE, evidence=unproved)
    words = "in-place is unproved at fake: nothing was tried there yet; rotator check-provider fake --write shows it"
    assert list(notes(known, known))[-1] == words
    proved = facts(IN_PLACE, evidence=StrategyEvidence(Standing.PROVED))
    assert not any("proved" in note for note in notes(proved, proved))


def test_a_username_that_stays_is_in_its_lists_already():
    assert not any(SAID in note for note in forecast(facts(IN_PLACE, capabilities=LISTED)).notes)


def test_while_what_is_published_is_refused_no_retirement_is_forecast():
    refused = Verification(NOW, accepted=False, proof="refused", refusals=2, repaired=True)
    known = facts(state_ledger=(replace(ENTRY, disable_at=NOW + HOUR),), state_verification=refused)
    known = replace(known, state=replace(known.state, verify_at=NOW + DAY))
    seen = forecast(known)
    assert [event.what for event in seen.events] == ["prove what is published", "rotation"]
    assert "nothing is retired until the provider accepts what is published" in seen.notes
    old_password = replace(ENTRY, ending=Ending.FORGET)
    seen = forecast(replace(known, state=replace(known.state, ledger=(old_password,))))
    assert "forget the old password of new" in [event.what for event in seen.events]


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (None, "it was not proved yet"),
        (Verification(NOW - HOUR, accepted=True, proof="REGISTER"), "accepted 2026-01-05T11:00:00Z: REGISTER"),
        (Verification(NOW, accepted=False, proof="403", refusals=2), "refused 2026-01-05T12:00:00Z: 403"),
    ],
)
def test_the_next_proof_says_how_the_last_one_ended(last, why):
    known = facts(state_verification=last, state_verify_at=NOW + HOUR)
    proof, *_ = later_events(known, drawn_anew=False, verified_from=None)
    assert (proof.at, proof.what, proof.why) == (NOW + HOUR, "prove what is published", why)


@pytest.mark.parametrize(
    ("drawn_from", "due", "told"),
    [
        (NOW + HOUR, NOW + DAY, (NOW + HOUR, NOW + DAY)),
        (NOW + DAY, NOW + DAY, (NOW + DAY, None)),
        (None, NOW + DAY, (NOW + DAY, None)),
        (None, NOW - HOUR, (NOW, None)),  # overdue
    ],
)
def test_the_next_proof_is_told_as_a_span_only_if_its_time_is_still_drawn(drawn_from, due, told):
    proof, *_ = later_events(facts(state_verify_at=due), drawn_anew=False, verified_from=drawn_from)
    assert (proof.at, proof.until) == told
