"""`rotator rotate` and `rotator undo` against a real OpenBao and the sandbox."""

import json
import signal
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from command_runner import DAY, LOBBY, OFFICE, PAIR, create_credentials, start_rotator
from daemon_environment import TOKEN
from openbao_server import TamperingProxy
from polling import eventually
from terminal_talk import TerminalTalk

from rotator.cli.context import open_context
from rotator.core.model import Claim
from rotator_simulator.faults import fault_named

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def test_one_target_is_rotated_and_what_is_published_works(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    printed = run_command("rotate", "office", "--reason", "ticket 4711", "--output", "json")
    assert printed.code == 0, printed.err
    row = printed.row("office")
    assert row["result"] == "rotated"
    assert not row["elsewhere"]
    assert row["published"]["username"] == environment.consumer_document("sip/office").username != "office"
    assert environment.published_works("sip/office")
    closed = next(line for line in environment.audit() if line["verb"] == "close")
    assert closed["facts"]["reason"] == "ticket 4711"
    assert closed["facts"]["requested_by"].startswith("vault:approle")


def test_the_table_and_the_messages_hold_no_password_and_no_token(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], log={"level": "debug"})
    printed = run_command("rotate", "office")
    assert printed.code == 0, printed.err
    assert "rotated" in printed.out
    password = environment.consumer_document("sip/office").password.reveal()
    for secret in (password, TOKEN, environment.login.secret_id.reveal()):
        assert secret not in printed.out + printed.err


def test_many_and_all(environment, run_command):
    create_credentials(environment, "office", "lobby", "paira", "pairb")
    environment.configure([OFFICE, LOBBY, PAIR])
    printed = run_command("rotate", "office", "lobby", "office", "-o", "json")
    assert [row["name"] for row in printed.json["targets"]] == ["office", "lobby"]
    assert printed.code == 0, printed.err
    assert not environment.consumer_document("sip/pair").exists
    printed = run_command("rotate", "--all", "-o", "json")
    assert printed.code == 0, printed.err
    assert {row["result"] for row in printed.json["targets"]} == {"rotated"}
    assert all(environment.published_works(f"sip/{name}") for name in ("office", "lobby", "pair"))
    assert [environment.rotations(name) for name in ("office", "lobby", "pair")] == [2, 2, 1]
    assert printed.err.count(": rotated in ") == 3


def test_compromised_ends_the_old_one_at_once(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    old = environment.consumer_document("sip/office")
    assert environment.account.accepts(old.username, old.password)
    printed = run_command("rotate", "office", "--compromised", "--reason", "seen in a log", "-o", "json")
    assert printed.code == 0, printed.err
    assert not environment.account.accepts(old.username, old.password)
    assert environment.published_works("sip/office")


def test_compromised_says_so_where_the_old_one_cannot_be_disabled(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    for verb in ("update", "delete"):  # what cannot be disabled is deleted
        environment.sandbox.faults.plan("forbidden", verb=verb, times=None)
    printed = run_command("rotate", "office", "--compromised", "-o", "json")
    assert printed.code == 1
    assert environment.published_works("sip/office")
    assert "still accepted by the provider" in printed.row("office")["message"]


def test_undo_publishes_the_replaced_one_again(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    first = environment.consumer_document("sip/office")
    assert run_command("rotate", "office").code == 0
    printed = run_command("undo", "office", "--reason", "does not register", "-o", "json")
    assert printed.code == 0, printed.err
    assert f"{first.username} again (possible until " in printed.err
    assert printed.row("office")["result"] == "undone"
    assert environment.consumer_document("sip/office").username == first.username
    assert environment.published_works("sip/office")


def test_undo_says_why_it_is_impossible_and_asks_for_nothing(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert (
        run_command("undo", "office").err == "rotator: office: nothing can be undone: no replaced credential is left\n"
    )
    assert run_command("rotate", "office").code == 0
    printed = run_command("undo", "office")
    assert printed.code == 1
    assert printed.err == "rotator: office: nothing can be undone: office: its password is unknown\n"
    assert environment.state("office").request is None


def test_undo_is_refused_while_an_attempt_is_open(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    environment.sandbox.faults.plan("unauthorized", times=None)
    assert run_command("rotate", "office").code == 1
    printed = run_command("undo", "office")
    assert printed.code == 1
    assert "office: a rotation has been open since" in printed.err
    assert "rotator abandon office" in printed.err
    assert environment.state("office").request is None


def test_a_document_that_somebody_else_wrote_is_only_overwritten_when_told_to(environment, bao, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    bao.call("POST", "secret/data/sip/office", {"data": {"username": "mine"}})
    printed = run_command("rotate", "office", "-o", "json")
    assert printed.code == 1
    assert "--take-over" in printed.row("office")["message"]
    assert environment.consumer_document("sip/office").username == "mine"
    assert run_command("rotate", "office", "--take-over").code == 0
    assert environment.published_works("sip/office")


def test_an_expired_api_key_is_said_and_the_attempt_stays(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    environment.sandbox.faults.plan("unauthorized", times=None)
    printed = run_command("rotate", "office", "-o", "json")
    assert printed.code == 1
    row = printed.row("office")
    assert row["result"] == "failed"
    assert "401" in row["message"]
    assert "a daemon, or this command again, retries it" in row["message"]
    environment.sandbox.faults.clear()
    assert run_command("rotate", "office").code == 0
    assert environment.published_works("sip/office")


def test_a_lost_answer_is_looked_into_before_anybody_is_told(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    plan = environment.sandbox.faults.plan("lost-answer", verb="create", times=1)
    printed = run_command("rotate", "office", "-o", "json")
    assert printed.code == 0, printed.err
    assert plan.fired == 1
    assert environment.published_works("sip/office")


def test_one_that_fails_does_not_hold_up_the_others(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE, LOBBY])  # the provider has no `lobby`, and in-place cannot create it
    printed = run_command("rotate", "--all", "-o", "json")
    assert printed.code == 1
    assert printed.row("office")["result"] == "rotated"
    assert "no credential 'lobby'" in printed.row("lobby")["message"]
    table = run_command("rotate", "lobby")
    assert "lobby: vobiz has no credential 'lobby'" in table.err


def test_no_wait_leaves_it_to_the_daemon(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], daemon={"poll": "2m"}, policies=DAY)
    daemon = environment.start()
    eventually(lambda: environment.rotations("office") == 1, "the first rotation")
    first = environment.consumer_document("sip/office").password
    printed = run_command("rotate", "office", "--no-wait", "--reason", "later", "-o", "json")
    assert printed.code == 0, printed.err
    assert printed.row("office")["result"] == "requested"
    eventually(lambda: environment.rotations("office") == 2, "the daemon hears of it long before its poll")
    printed = run_command("undo", "office", "--no-wait", "--reason", "not this", "-o", "json")
    assert printed.code == 0, printed.err
    assert printed.row("office")["result"] == "requested"
    eventually(lambda: environment.state("office").counts.undone == 1, "the daemon hears of the undo as well")
    assert environment.consumer_document("sip/office").password == first
    assert daemon.stop() == 0
    closed = [line["facts"] for line in environment.audit() if line["verb"] == "close"]
    assert [facts["reason"] for facts in closed[1:]] == ["later", "not this"]


def test_a_request_that_cannot_be_announced_is_written_all_the_same(environment, bao, run_command):
    create_credentials(environment, "office")
    with TamperingProxy(bao.address) as proxy:
        environment.configure([OFFICE], vault={"address": proxy.address})
        proxy.tamper = lambda seen: (
            replace(seen, status=403, body=b'{"errors":["permission denied"]}') if "_bell" in seen.path else seen
        )
        printed = run_command("rotate", "office", "--no-wait")
    assert printed.code == 0, printed.err
    assert "the daemon looks at its next sweep, not at once" in printed.err
    assert environment.state("office").request is not None


def test_what_another_process_does_meanwhile_is_waited_for_and_reported(environment, run_command):
    """The claim is held by a process that then carries the request out: the daemon."""
    create_credentials(environment, "office")
    environment.configure([OFFICE], daemon={"poll": "30s"})
    daemon = environment.start()
    eventually(lambda: environment.rotations("office") == 1, "the first rotation")
    # Long enough for the second request to be written meanwhile, on a loaded machine too.
    slow = environment.sandbox.faults.plan(fault_named("latency", seconds=4.0), verb="create", times=1)
    assert run_command("rotate", "office", "--no-wait").code == 0
    eventually(lambda: slow.fired, "the daemon is at the provider")
    printed = run_command("rotate", "office", "-o", "json")
    assert printed.code == 0, printed.err
    assert printed.row("office")["elsewhere"]
    assert environment.rotations("office") == 2
    assert daemon.stop() == 0


def test_ctrl_c_leaves_the_request_in_vault_and_says_so(environment):
    create_credentials(environment, "office")
    environment.configure([OFFICE], daemon={"claim": "50s"})
    found = environment.vault.store.read_state("office")
    other = Claim("another-process", datetime.now(UTC) + timedelta(seconds=50))
    environment.vault.store.write_state(replace(found.state, claim=other), found.version)
    words = ["rotate", "office", "--config", str(environment.config)]
    with start_rotator(words, environment.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        eventually(lambda: environment.state("office").request is not None, "the request is written")
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
    assert environment.state("office").request is not None


def test_whoever_presses_ctrl_c_is_told_what_happens_and_may_press_it_again(environment):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    slow = environment.sandbox.faults.plan(fault_named("latency", seconds=20.0), verb="create", times=1)
    words = ["rotate", "office", "-o", "json", "--config", str(environment.config)]
    talk = TerminalTalk(words, environment.variables)
    eventually(lambda: slow.fired, "it is at the provider")
    talk.press_ctrl_c()
    talk.wait_for("stopping after the present step; Ctrl-C again stops at once")
    talk.press_ctrl_c()
    assert talk.end() == 130
    shown = talk.said[talk.said.rindex(HIDE_CURSOR) :]
    assert SHOW_CURSOR in shown
    assert "rotator: stopped at once" in shown
    assert json.loads(shown[shown.index("{") :])["error"]["code"] == 130
    assert environment.state("office").attempt is not None


def test_the_end_of_a_command_is_no_ctrl_c(environment):
    """The first one after the end counted as the second, and stopped at once."""
    environment.configure([OFFICE])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.variables.items():
            patch.setenv(name, value)
        with open_context(environment.config, read_only=True) as context:
            pass
    assert not context.stop.is_set()


def test_ctrl_c_before_there_is_anything_to_wait_for_is_one_line(environment, run_command, monkeypatch):
    """As while a large configuration is read."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    environment.configure([OFFICE])
    monkeypatch.setattr("rotator.cli.show_status.show_status", interrupt)
    printed = run_command("status", "-o", "json")
    assert (printed.code, printed.err) == (130, "rotator: stopped\n")
    assert printed.json["error"]["message"] == "stopped"


def test_unknown_names_are_refused_with_a_suggestion(environment, run_command):
    environment.configure([OFFICE, LOBBY])
    printed = run_command("rotate", "offce", "nobody")
    assert printed.code == 2
    assert printed.out == ""
    assert printed.err == (
        "rotator: there is no target 'offce': did you mean 'office'?\n"
        "there is no target 'nobody': known targets: lobby, office\n"
    )
    assert environment.state("office").request is None


def test_it_has_to_be_said_which(environment, run_command):
    environment.configure([OFFICE])
    assert "no target given: name targets, or use --label or --all" in run_command("rotate").err
    assert "exclude each other" in run_command("rotate", "--all", "office").err
    assert run_command("rotate").code == 2
