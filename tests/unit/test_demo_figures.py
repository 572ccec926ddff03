"""The demo's verdict: it names each broken promise, and the search for secrets finds them."""

import base64
import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from rotator.core.secret import Secret
from rotator_simulator.demo.report import (
    CredentialCheck,
    Measurements,
    ScenarioResults,
    SecretSearch,
    failures,
    search,
    summary,
)
from rotator_simulator.devices.fleet import FleetReport

FLEET = FleetReport(4, 100, 100, 0, 0, 0, 0.1, (), ())
FINE = Measurements(
    seconds=40.0,
    rotations={"replace": 5, "in-place": 3},
    undone=1,
    retried=1,
    never_rotated=(),
    overlapping=FLEET,
    others=replace(FLEET, refused=9, longest_gap=0.8),
    patience=3.0,
    credentials=CredentialCheck(7, 7, (), 2, ()),
    search=SecretSearch(30, 1000, ("the audit",), ()),
    scenarios=ScenarioResults(("it was shown",), (), ()),
    daemon_ended=False,
)
VALUE = 'p"ass/w\\ord!2$Kd'


def test_nothing_is_wrong_where_every_promise_was_kept() -> None:
    assert failures(FINE) == ()
    assert summary(FINE)[-1] == "RESULT: no device was cut off, no credential was left over, no secret was found"


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        (replace(FINE, overlapping=replace(FLEET, cut_off=("desk: refused for 5 s",))), "cut off: desk"),
        (replace(FINE, others=replace(FLEET, cut_off=("door: refused for 5 s",))), "cut off: door"),
        (replace(FINE, overlapping=replace(FLEET, never_accepted=("desk",))), "a device never logged in: desk"),
        (replace(FINE, others=replace(FLEET, never_accepted=("door",))), "a device never logged in: door"),
        (replace(FINE, credentials=replace(FINE.credentials, orphans=("phone9",))), "in no document"),
        (
            replace(FINE, credentials=replace(FINE.credentials, unusable=("lobby",))),
            "the provider accepts for lobby",
        ),
        (replace(FINE, search=replace(FINE.search, leaks=("the audit",))), "a secret was found in the audit"),
        (replace(FINE, never_rotated=("lobby",)), "a target was never rotated: lobby"),
        (
            replace(FINE, scenarios=ScenarioResults((), (), ("rotator undo lobby ended with exit code 1",))),
            "exit code 1",
        ),
        (replace(FINE, daemon_ended=True), "the daemon ended by itself"),
    ],
)
def test_each_broken_promise_is_named_and_fails_the_demo(broken: Measurements, word: str) -> None:
    wrong = failures(broken)
    assert len(wrong) == 1
    assert word in wrong[0]
    lines = summary(broken)
    assert lines[-1] == "RESULT: FAILED, 1 thing is wrong (see above)"
    assert any("WRONG" in line and word in line for line in lines)


def test_the_summary_tells_what_was_measured() -> None:
    text = "\n".join(summary(FINE))
    assert "replace 5, in-place 3; undone 1; steps that failed and were retried 1" in text
    assert "tried 100, accepted 100, refused 9" in text
    assert "at the provider 7, named in Vault 7, orphans 0; targets with a working password 2 of 2" in text
    assert "searched for 30 passwords, keys and tokens in 1000 characters: leaks found 0" in text


def test_a_scenario_that_found_no_time_is_shown_and_is_no_failure() -> None:
    short = replace(FINE, scenarios=ScenarioResults((), ("an undo",), ()))
    assert any("not shown" in line and "an undo" in line for line in summary(short))
    assert failures(short) == ()


@pytest.mark.parametrize(
    "text",
    [
        VALUE,
        f"line\nlast {VALUE}",
        json.dumps({"detail": f"it was {VALUE} then"}),
        f"GET /?password={quote(VALUE, safe='')}",
        base64.b64encode(VALUE.encode()).decode(),
        "x" * 40_000 + VALUE + "x" * 40_000,
        *("y" * (15_990 + shift) + VALUE for shift in range(0, 20, 5)),
        *("y" * (14_970 + shift) + VALUE for shift in range(0, 20, 5)),
    ],
)
def test_a_secret_is_found_in_every_form_and_place(text: str) -> None:
    found = search({"here": text, "elsewhere": "nothing of the kind"}, [Secret("another-one-1"), Secret(VALUE)])
    assert found.leaks == ("here",)
    assert found.secrets == 2


def test_nothing_is_found_where_nothing_is() -> None:
    assert search({"here": "y" * 50_000}, [Secret(VALUE)]).leaks == ()


def test_what_only_looks_like_a_secret_is_none() -> None:
    """A browser on the same machine, say, is started so."""
    command = "/usr/lib/chromium --password-store=basic --use-mock-keychain -H Authorization: Bearer abcdefghijkl"
    assert search({"process lists": command}, [Secret(VALUE)]).leaks == ()
