"""An environment for the commands, and a way to run one."""

from collections.abc import Iterator

import pytest
from command_runner import RunCommand, command_runner
from daemon_environment import DaemonEnvironment, daemon_environment


@pytest.fixture
def environment(bao, tmp_path) -> Iterator[DaemonEnvironment]:
    with daemon_environment(bao, tmp_path) as made:
        yield made


@pytest.fixture
def run_command(environment, monkeypatch, capfd) -> RunCommand:
    """Runs a command with the environment's configuration, in this process."""
    for name, value in environment.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ROTATOR_CONFIG", str(environment.config))
    monkeypatch.setenv("COLUMNS", "120")
    return command_runner(monkeypatch, capfd)
