"""A stage for the commands, and a way to type one."""

import pytest
from cli_bench import Typed, typist
from stage import stage_on


@pytest.fixture
def stage(bao, tmp_path):
    with stage_on(bao, tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def clean(bao):
    """Each test begins with nothing in Vault."""
    for folder in ("rotator/state", "sip"):
        found = bao.call("LIST", f"secret/metadata/{folder}", also=404).get("data", {}).get("keys", [])
        for name in found:
            bao.call("DELETE", f"secret/metadata/{folder}/{name}")


@pytest.fixture
def typed(stage, monkeypatch, capfd) -> Typed:
    """Types a command against the stage's configuration, in this process."""
    for name, value in stage.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ROTATOR_CONFIG", str(stage.config))
    monkeypatch.setenv("COLUMNS", "120")
    return typist(monkeypatch, capfd)
