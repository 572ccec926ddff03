"""The commands that need no Vault; the help; the last resort; the start without the simulator."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from command_runner import RunCommand, command_runner

from rotator import __version__
from rotator.cli import simulator_commands

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def run_command(monkeypatch, capfd) -> RunCommand:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("VOBIZ_AUTH_TOKEN", "sentinel-token")
    return command_runner(monkeypatch, capfd)


def test_the_version(run_command):
    assert run_command("--version").out == f"rotator {__version__}\n"


def test_no_command_shows_the_help(run_command):
    printed = run_command()
    assert "Commands:" in printed.out + printed.err


def test_a_misspelt_command_is_refused_with_a_suggestion(run_command):
    printed = run_command("rotat")
    assert printed.code == 2
    assert "Did you mean 'rotate'?" in printed.err


def test_check_config_sums_up_what_is_right(run_command, tmp_path):
    (tmp_path / "token").write_text("x")
    (tmp_path / "token").chmod(0o600)
    config = tmp_path / "minimal.yaml"
    config.write_text((CONFIG / "minimal.yaml").read_text().replace("/run/vault/token", str(tmp_path / "token")))
    printed = run_command("check-config", "-c", str(config))
    assert printed.code == 0, printed.out
    for text in ("office-phone", "vobiz-prod", "sip/office-phone", "every 90 d", "20 characters, 122 bits"):
        assert text in printed.out
    assert printed.out.endswith("minimal.yaml is valid: 1 target, 0 warnings\n")
    document = run_command("check-config", "-c", str(config), "-o", "json").json
    assert document["ok"]
    assert document["policies"][0]["password_entropy_bits"] > 120
    assert "sentinel" not in json.dumps(document)


@pytest.mark.unmeasured
def test_check_config_sums_up_many_targets(run_command, tmp_path, monkeypatch):
    """Ten thousand lines help nobody; JSON has them all."""
    monkeypatch.setenv("TELNYX_API_KEY", "x")
    text = (CONFIG / "many-targets.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("targets.d", "many.csv"))
    rows = "".join(f"agent-{number:05d},agent{number:05d}\n" for number in range(10_000))
    (tmp_path / "many.csv").write_text(f"name,username\n{rows}")

    printed = run_command("check-config", "-c", str(tmp_path / "config.yaml"))

    assert printed.code == 0, printed.err
    assert len(printed.out.splitlines()) < 20
    assert "10,000" in printed.out
    assert "agent-00000" in printed.out
    assert "agent-09999" in printed.out
    assert "desk-{username}" in printed.out
    document = run_command("check-config", "-c", str(tmp_path / "config.yaml"), "-o", "json").json
    assert len(document["targets"]) == 10_000
    assert [selection["username"] for selection in document["selections"]] == ["desk*", "*"]


def test_check_config_names_every_problem(run_command, tmp_path):
    file = tmp_path / "config.yaml"
    text = (
        (CONFIG / "minimal.yaml").read_text().replace("strategy: replace", "strategy: replac").replace("auth_id", "id")
    )
    file.write_text(text)
    printed = run_command("check-config", "-c", str(file))
    assert printed.code == 2
    assert printed.out.count(f"{file}:") >= 2
    assert "did you mean 'replace'?" in printed.out
    document = run_command("check-config", "-c", str(file), "-o", "json")
    assert document.code == 2
    assert {"file", "line", "column", "key", "what", "remedy"} == set(document.json["problems"][0])


def test_check_config_without_the_environment_says_what_is_missing(run_command, monkeypatch):
    monkeypatch.delenv("VOBIZ_AUTH_TOKEN")
    printed = run_command("check-config", "-c", str(CONFIG / "minimal.yaml"))
    assert printed.code == 2
    assert "VOBIZ_AUTH_TOKEN" in printed.out


def test_an_audit_that_is_not_there_is_wrong_usage(run_command, tmp_path):
    assert run_command("verify-audit", str(tmp_path / "none")).code == 2


LIGHT = """
import sys
sys.modules["flask"] = None
import rotator.cli
heavy = {"flask", "hvac", "httpx", "apscheduler", "pydantic", "structlog"} & {m for m in sys.modules if sys.modules[m]}
sys.exit(f"imported: {heavy}" if heavy else 0)
"""


def test_the_import_is_light_and_needs_no_flask():
    child = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, timeout=30, check=False)
    assert child.returncode == 0, child.stderr


@pytest.mark.parametrize("command", ["demo", "sandbox"])
@pytest.mark.parametrize("options", [[], ["--duration", "60", "--port=1", "--unknown"]])
def test_without_the_simulator_its_commands_say_what_to_install(run_command, monkeypatch, command, options):
    monkeypatch.setattr(simulator_commands, "entry_points", lambda **_: ())
    outcome = run_command(command, *options)
    assert outcome.code == 1
    remedy = "simulator/README.md of a checkout says how to install it"
    assert outcome.err == f"rotator: rotator {command} needs the simulator; {remedy}\n"


@pytest.mark.parametrize("value", ["rotator_simulator.no_such_module:demo", "rotator.cli:no_such_name"])
def test_a_simulator_of_another_version_stops_no_other_command(run_command, monkeypatch, value):
    stale = EntryPoint("demo", value, "rotator.commands")
    monkeypatch.setattr(simulator_commands, "entry_points", lambda **_: (stale,))
    assert run_command("check-config", "-c", str(CONFIG / "minimal.yaml")).code == 0
    assert "needs the simulator" in run_command("demo").err


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_without_the_simulator_its_commands_stand_in_the_help(run_command, monkeypatch, command):
    monkeypatch.setattr(simulator_commands, "entry_points", lambda **_: ())
    line = next(line for line in run_command("--help").out.splitlines() if line.startswith(f"  {command} "))
    assert "needs the simulator" in line
    text = run_command(command, "--help").out
    assert "simulator/README.md" in text
    assert "1  the simulator is not installed" in text
