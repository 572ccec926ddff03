"""What a command logs in with ends with it."""

import pytest
from command_runner import OFFICE, RunCommand
from daemon_environment import DaemonEnvironment


def test_commands_leave_no_token_behind(environment: DaemonEnvironment, run_command: RunCommand) -> None:
    environment.configure([OFFICE])

    def tokens() -> int:
        return len(environment.bao.call("LIST", "auth/token/accessors")["data"]["keys"])

    before = tokens()
    for _ in range(5):
        assert run_command("status").code == 0
    assert tokens() == before


def test_a_token_that_was_given_stays(
    environment: DaemonEnvironment, run_command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = environment.bao.token(["default", "stagerotator-state"])
    monkeypatch.setenv("GIVEN", token.reveal())
    environment.configure([OFFICE], vault={"auth": {"method": "token", "token": {"env": "GIVEN"}}})
    for _ in range(2):
        assert run_command("status").code == 0
