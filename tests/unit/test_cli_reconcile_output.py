"""What `rotator reconcile` prints: one table for each account, of a length that somebody reads."""

import json
from dataclasses import replace

import pytest

from rotator.cli.options import Why
from rotator.cli.reconcile import ReconcileOptions, print_found
from rotator.core.discrepancies import Discrepancy, DiscrepancyKind, Reason
from rotator.core.reconciliation import Reconciliation
from rotator.core.secret import Secret
from rotator.core.selection import ListedCredential
from rotator.engine import ReconciledAccount
from rotator.observe.discrepancy_words import remedy_of, row_of, what_of

OPTIONS = ReconcileOptions((), tuple(DiscrepancyKind), Why(""))
ENTRY = ListedCredential("id-1", "lobby", password=Secret("not to be seen"))


def found(reason: Reason = Reason.UNNAMED, number: int = 0) -> Discrepancy:
    return Discrepancy(reason, "prod", f"lobby{number}", f"id-{number}", ("one", "two"), (ENTRY, ENTRY))


def account(*discrepancies: Discrepancy, problem: str = "", unread: tuple[str, ...] = ()) -> ReconciledAccount:
    return ReconciledAccount(("prod", "again"), Reconciliation(discrepancies, 3, 2), problem, unread)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_and_a_remedy_and_shows_no_password(reason: Reason) -> None:
    said = f"{what_of(found(reason))}; {remedy_of(found(reason))}; {json.dumps(row_of(found(reason)))}"
    assert "{" not in what_of(found(reason)) + remedy_of(found(reason))
    assert "not to be seen" not in said


def test_a_long_table_ends_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_found([account(*(found(number=number) for number in range(1200)))], OPTIONS)
    out, err = capsys.readouterr()
    assert out.count("foreign  ") == 500
    assert "prod, again: 3 credentials listed; 1,200 foreign" in out
    assert "700 more" in err


def test_a_remedy_is_printed_once_for_all_that_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    two = [replace(found(Reason.PUBLISHED_GONE, number), targets=(f"target{number}",)) for number in range(2)]
    many = [replace(found(Reason.OF_REMOVED, number), targets=(f"target{number}",)) for number in range(7)]
    print_found([account(*two, *many, found(Reason.SCRATCH), found(Reason.DISABLED))], OPTIONS)
    lines = [line for line in capsys.readouterr().out.splitlines() if "): " in line]
    assert lines == [
        "missing (lobby0, lobby1): rotator verify target0 target1: the daemon looks into it, and repairs it",
        "orphaned (7 credentials): rotator retire NAME --published, or configure it again",
        "orphaned (lobby0): rotator check-provider prod --write",
        "changed (lobby0): rotator verify one: the daemon looks into it, and repairs it",
    ]


def test_what_is_not_certain_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_found([account(problem="the key may not list", unread=tuple("abcdefg"))], OPTIONS)
    out, err = capsys.readouterr()
    assert "at least 3 credentials listed; no finding" in out
    assert "nothing counts as missing: the key may not list" in err
    assert "7 state documents cannot be read (a, b, c, d, e, …)" in err
