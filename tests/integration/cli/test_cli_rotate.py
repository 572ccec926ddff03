"""`rotator rotate` and `rotator undo` against a real OpenBao and the sandbox."""

import signal
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bao import eventually
from cli_bench import DAY, LOBBY, OFFICE, PAIR, hold, process
from stage import TOKEN

from rotator.core.model import Claim


def test_one_target_is_rotated_and_what_is_published_works(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE])
    printed = typed("rotate", "office", "--reason", "ticket 4711", "--output", "json")
    assert printed.code == 0, printed.err
    row = printed.row("office")
    assert row["result"] == "rotated"
    assert not row["elsewhere"]
    assert row["published"]["username"] == stage.published("sip/office").username != "office"
    assert stage.works("sip/office")
    closed = next(line for line in stage.audit() if line["verb"] == "close")
    assert closed["facts"]["reason"] == "ticket 4711"
    assert closed["facts"]["requested_by"].startswith("cli:")


def test_the_table_and_the_messages_hold_no_password_and_no_token(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], log={"level": "debug"})
    printed = typed("rotate", "office")
    assert printed.code == 0, printed.err
    assert "rotated" in printed.out
    password = stage.published("sip/office").password.reveal()
    for secret in (password, TOKEN, stage.login.secret_id.reveal()):
        assert secret not in printed.out + printed.err


def test_many_and_all(stage, typed):
    hold(stage, "office", "lobby", "paira", "pairb")
    stage.configure([OFFICE, LOBBY, PAIR])
    printed = typed("rotate", "office", "lobby", "office", "-o", "json")
    assert [row["name"] for row in printed.json["targets"]] == ["office", "lobby"]
    assert printed.code == 0, printed.err
    assert not stage.published("sip/pair").exists
    printed = typed("rotate", "--all", "-o", "json")
    assert printed.code == 0, printed.err
    assert {row["result"] for row in printed.json["targets"]} == {"rotated"}
    assert all(stage.works(f"sip/{name}") for name in ("office", "lobby", "pair"))
    assert [stage.rotations(name) for name in ("office", "lobby", "pair")] == [2, 2, 1]
    assert printed.err.count(": rotated in ") == 3


def test_compromised_ends_the_old_one_at_once(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], policies=DAY)
    assert typed("rotate", "office").code == 0
    old = stage.published("sip/office")
    assert stage.account.accepts(old.username, old.password)
    printed = typed("rotate", "office", "--compromised", "--reason", "seen in a log", "-o", "json")
    assert printed.code == 0, printed.err
    assert not stage.account.accepts(old.username, old.password)
    assert stage.works("sip/office")


def test_compromised_says_so_where_the_old_one_cannot_be_disabled(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], policies=DAY)
    assert typed("rotate", "office").code == 0
    stage.sandbox.faults.plan("forbidden", verb="update", times=None)
    printed = typed("rotate", "office", "--compromised", "-o", "json")
    assert printed.code == 1
    assert stage.works("sip/office")
    assert "still accepted by the provider" in printed.row("office")["message"]


def test_undo_publishes_the_replaced_one_again(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], policies=DAY)
    assert typed("rotate", "office").code == 0
    first = stage.published("sip/office")
    assert typed("rotate", "office").code == 0
    printed = typed("undo", "office", "--reason", "does not register", "-o", "json")
    assert printed.code == 0, printed.err
    assert f"{first.username} again (possible until " in printed.err
    assert printed.row("office")["result"] == "undone"
    assert stage.published("sip/office").username == first.username
    assert stage.works("sip/office")


def test_undo_says_why_it_is_impossible_and_asks_for_nothing(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], policies=DAY)
    assert typed("undo", "office").err == "rotator: office: nothing can be undone: no replaced credential is left\n"
    assert typed("rotate", "office").code == 0
    printed = typed("undo", "office")
    assert printed.code == 1
    assert printed.err == "rotator: office: nothing can be undone: office: its password is unknown\n"
    assert stage.state("office").request is None


def test_undo_is_refused_while_an_attempt_is_open(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], policies=DAY)
    assert typed("rotate", "office").code == 0
    stage.sandbox.faults.plan("unauthorized", times=None)
    assert typed("rotate", "office").code == 1
    printed = typed("undo", "office")
    assert printed.code == 1
    assert "office: a rotation has been open since" in printed.err
    assert stage.state("office").request is None


def test_a_document_that_somebody_else_wrote_is_only_overwritten_when_told_to(stage, bao, typed):
    hold(stage, "office")
    stage.configure([OFFICE])
    bao.call("POST", "secret/data/sip/office", {"data": {"username": "mine"}})
    printed = typed("rotate", "office", "-o", "json")
    assert printed.code == 1
    assert "--take-over" in printed.row("office")["message"]
    assert stage.published("sip/office").username == "mine"
    assert typed("rotate", "office", "--take-over").code == 0
    assert stage.works("sip/office")


def test_an_expired_api_key_is_said_and_the_attempt_stays(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE])
    stage.sandbox.faults.plan("unauthorized", times=None)
    printed = typed("rotate", "office", "-o", "json")
    assert printed.code == 1
    row = printed.row("office")
    assert row["result"] == "failed"
    assert "401" in row["message"]
    assert "the daemon retries it" in row["message"]
    stage.sandbox.faults.clear()
    assert typed("rotate", "office").code == 0
    assert stage.works("sip/office")


def test_a_lost_answer_is_looked_into_before_anybody_is_told(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE])
    plan = stage.sandbox.faults.plan("lost-answer", verb="create", times=1)
    printed = typed("rotate", "office", "-o", "json")
    assert printed.code == 0, printed.err
    assert plan.fired == 1
    assert stage.works("sip/office")


def test_one_that_fails_does_not_hold_up_the_others(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE, LOBBY])  # the provider has no `lobby`, and in-place cannot create it
    printed = typed("rotate", "--all", "-o", "json")
    assert printed.code == 1
    assert printed.row("office")["result"] == "rotated"
    assert "no credential 'lobby'" in printed.row("lobby")["message"]
    table = typed("rotate", "lobby")
    assert "lobby: vobiz has no credential 'lobby'" in table.err


def test_no_wait_leaves_it_to_the_daemon(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], daemon={"poll": "30s"})
    daemon = stage.start()
    eventually(lambda: stage.rotations("office") == 1, "the first rotation")
    printed = typed("rotate", "office", "--no-wait", "--reason", "later", "-o", "json")
    assert printed.code == 0, printed.err
    assert printed.row("office")["result"] == "requested"
    assert stage.state("office").request.reason == "later"
    assert stage.rotations("office") == 1
    daemon.send(signal.SIGUSR1)
    eventually(lambda: stage.rotations("office") == 2, "the daemon carries it out")
    assert daemon.stop() == 0
    closed = [line["facts"] for line in stage.audit() if line["verb"] == "close"]
    assert closed[-1]["reason"] == "later"


def test_what_another_process_does_meanwhile_is_waited_for_and_reported(stage, typed):
    """The claim is held by a process that then carries the request out: the daemon."""
    hold(stage, "office")
    stage.configure([OFFICE], daemon={"poll": "30s"})
    daemon = stage.start()
    eventually(lambda: stage.rotations("office") == 1, "the first rotation")
    slow = stage.sandbox.faults.plan("latency", verb="create", times=1)
    assert typed("rotate", "office", "--no-wait").code == 0
    daemon.send(signal.SIGUSR1)
    eventually(lambda: slow.fired, "the daemon is at the provider")
    printed = typed("rotate", "office", "-o", "json")
    assert printed.code == 0, printed.err
    assert printed.row("office")["elsewhere"]
    assert stage.rotations("office") == 2
    assert daemon.stop() == 0


def test_ctrl_c_leaves_the_request_in_vault_and_says_so(stage):
    hold(stage, "office")
    stage.configure([OFFICE], daemon={"claim": "50s"})
    found = stage.vault.store.read_state("office")
    other = Claim("another-process", datetime.now(UTC) + timedelta(seconds=50))
    stage.vault.store.write_state(replace(found.state, claim=other), found.version)
    words = ["rotate", "office", "--config", str(stage.config)]
    with process(words, stage.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        eventually(lambda: stage.state("office").request is not None, "the request is written")
        line = b""
        while b"is working on it" not in line:
            line = child.stderr.readline()
            assert line, "ended early"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert b"interrupted" in out
    assert b"the requests stay in Vault" in err
    assert b"Traceback" not in err
    assert stage.state("office").request is not None


def test_unknown_names_are_refused_with_a_suggestion(stage, typed):
    stage.configure([OFFICE, LOBBY])
    printed = typed("rotate", "offce", "nobody")
    assert printed.code == 2
    assert printed.out == ""
    assert printed.err == (
        "rotator: there is no target 'offce': did you mean 'office'?\n"
        "there is no target 'nobody': known targets: lobby, office\n"
    )
    assert stage.state("office").request is None


def test_it_has_to_be_said_which(stage, typed):
    stage.configure([OFFICE])
    assert "no target given: name targets, or use --all" in typed("rotate").err
    assert "exclude each other" in typed("rotate", "--all", "office").err
    assert typed("rotate").code == 2
