"""`rotator import` and `rotator init` against a real OpenBao and the sandbox: what a new user does, in that order."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_runner import DAY, OFFICE, CommandResult, create_credentials
from daemon_environment import DaemonEnvironment

PASSWORD = "Vbz!2025$SecureP"  # what `create_credentials` sets
AGENTS = [f"agent{number}" for number in range(3)]


@pytest.fixture
def fleet(environment) -> DaemonEnvironment:
    """An account with agents that nothing knows, a configured target, and a folder that is included and not there."""
    create_credentials(environment, "office", "reception", *AGENTS)
    config = environment.configure([OFFICE], policies=DAY)
    document = json.loads(config.read_text())
    config.write_text(json.dumps({**document, "include": ["targets.d"]}))
    return environment


def private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def results(printed: CommandResult) -> dict[str, tuple[str, str]]:
    return {row["name"]: (row["result"], row["why"]) for row in printed.json["rows"]}


LISTING = ("import", "vobiz", "--from", "listing", "--username", "AGENT*", "--strategy", "in-place", "--policy", "fast")


def test_what_the_account_lists_becomes_targets(fleet, run_command, tmp_path):
    assert run_command("rotate", "office").code == 2  # the folder is not there yet
    words = (*LISTING, "--path", "sip/{name}", "--name", "desk-{username}")
    shown = run_command(*words, "--dry-run")
    assert shown.code == 0, shown.err
    assert "vobiz: 3 new" in shown.out
    assert not (tmp_path / "targets.d").exists()
    refused = run_command(*words)
    assert (refused.code, "add --yes" in refused.err) == (2, True)
    done = run_command(*words, "--yes", "-o", "json")
    assert done.code == 0, done.err
    assert results(done) == {f"desk-{name}": ("new", "") for name in AGENTS}
    assert (tmp_path / "targets.d" / "vobiz.csv").read_text().splitlines()[:2] == [
        "name,provider,strategy,username,path,policy",
        "desk-agent0,vobiz,in-place,agent0,sip/desk-agent0,fast",
    ]
    checked = run_command("check-config", "-o", "json")
    assert [target["name"] for target in checked.json["targets"]] == ["office", *(f"desk-{name}" for name in AGENTS)]
    # What rotations make, and what is configured, is nothing to import.
    assert run_command("rotate", "office").code == 0
    again = run_command(
        "import",
        "vobiz",
        "--from",
        "listing",
        "--path",
        "sip/{name}",
        "--strategy",
        "replace",
        "--dry-run",
        "-o",
        "json",
    )
    assert results(again) == {"reception": ("new", "")}
    made = private(tmp_path / "made.csv", f"username\n{fleet.state('office').published.username}\n")
    owned = run_command(
        "import", "vobiz", "--from", made, "--path", "sip/{name}", "--strategy", "replace", "-o", "json"
    )
    assert [row["result"] for row in owned.json["rows"]] == ["conflict"]


def test_a_list_with_passwords_is_adopted_and_again_changes_nothing(fleet, run_command, tmp_path):
    lines = "".join(f"{name};{PASSWORD}\r\n" for name in AGENTS)
    words = (
        "import",
        "vobiz",
        "--strategy",
        "in-place",
        "--path",
        "sip/{name}",
        "--policy",
        "fast",
        "--adopt",
        "--yes",
    )
    open_to_all = tmp_path / "open.csv"
    open_to_all.write_text(f"username;password\r\n{lines}")
    refused = run_command(*words, "--from", str(open_to_all))
    assert (refused.code, "chmod 600" in refused.err) == (2, True)
    file = private(tmp_path / "phones.csv", f"\ufeffUsername;Password\r\n{lines}")
    done = run_command(*words, "--from", file, "--reason", "ticket 4711", "-o", "json")
    assert done.code == 0, done.err
    assert {each["name"]: each["result"] for each in done.json["adopted"]} == dict.fromkeys(AGENTS, "adopted")
    for name in AGENTS:
        assert fleet.consumer_document(f"sip/{name}").password.reveal() == PASSWORD
        assert fleet.rotations(name) == 0
        assert fleet.published_works(f"sip/{name}")
    written = (tmp_path / "targets.d" / "vobiz.csv").read_text()
    assert PASSWORD not in written + done.out + done.err
    again = run_command(*words, "--from", file, "-o", "json")
    assert (again.code, again.json["written"]) == (0, False)
    assert {row["result"] for row in again.json["rows"]} == {"configured"}
    assert {each["result"] for each in again.json["adopted"]} == {"adopted before"}
    assert (tmp_path / "targets.d" / "vobiz.csv").read_text() == written
    shown = run_command("status", "-o", "json")
    assert shown.row("agent0")["published"]["username"] == "agent0"


def test_conflicts_with_the_account_and_with_vault_are_shown_and_nothing_is_written(fleet, run_command, tmp_path):
    fleet.bao.call("POST", "secret/data/sip/agent1", {"data": {"username": "somebody", "password": "x" * 12}})
    fleet.bao.call("POST", "secret/data/sip/agent2", {"data": {"username": "agent2", "password": PASSWORD}})
    rows = [
        {"credential": {"username": "agent0"}, "password": "wrong-password"},
        {"credential": {"username": "agent1"}},
        {"credential": {"username": "agent2"}},
        {"credential": {"username": "agent9"}},
        {"name": "fresh", "credential": {"username": "fresh", "new": True}},
        {"name": "office", "credential": {"username": "reception"}},
        {"credential": {"username": "office"}},
        {"name": "odd", "credential": {"username": "odd1", "new": True}, "policy": "fats"},
    ]
    file = private(tmp_path / "phones.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    words = ("import", "vobiz", "--from", file, "--strategy", "replace", "--path", "sip/{name}", "--policy", "fast")
    refused = run_command(*words, "--yes", "-o", "json")
    assert refused.code == 1
    assert "4 rows in conflict; correct them, or add --skip-conflicts" in refused.err
    found = results(refused)
    assert found["agent0"] == ("new", "")
    assert found["agent1"] == ("conflict", "sip/agent1 has a document that names somebody")
    assert found["agent2"] == ("new", "")
    assert "of 1 the document is in Vault already" in run_command(*words, "--skip-conflicts", "--dry-run").err
    assert found["agent9"] == ("conflict", "vobiz has no credential with this username")
    assert found["fresh"] == ("new", "")
    assert found["odd"][1] == "there is no policy with this name"
    assert [row["why"] for row in refused.json["rows"][5:7]] == ["the target office has this name", ""]
    assert not (tmp_path / "targets.d").exists()
    # The rest is imported, and what is not accepted is not taken up; the same command goes on when that is mended.
    done = run_command(*words, "--skip-conflicts", "--adopt", "--yes", "-o", "json")
    assert done.code == 1, done.err
    adopted = {each["name"]: each["result"] for each in done.json["adopted"]}
    assert adopted == {"agent0": "failed", "agent2": "adopted", "office": "failed"}
    assert "wrong-password" not in done.out + done.err
    assert fleet.state("agent0").published is None
    rows[0]["password"] = PASSWORD
    private(tmp_path / "phones.jsonl", f"{json.dumps(rows[0])}\n{json.dumps(rows[2])}\n")
    mended = run_command(*words, "--adopt", "--yes", "-o", "json")
    assert [each["result"] for each in mended.json["adopted"]] == ["adopted", "adopted before"]


def test_without_a_password_a_rotation_is_requested(fleet, run_command, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"username\nagent0\n"), isatty=lambda: False))
    words = ("import", "vobiz", "--from", "-", "--strategy", "replace", "--path", "sip/{name}", "--policy", "fast")
    assert "add --yes, or --dry-run" in run_command(*words, "--rotate").err
    done = run_command(*words, "--rotate", "--yes")
    assert done.code == 0, done.err
    assert "1 adopted, rotation requested" in done.out
    assert fleet.state("agent0").request is not None
    assert run_command("rotate", "agent0").code == 0
    assert fleet.published_works("sip/agent0")
    assert fleet.consumer_document("sip/agent0").username != "agent0"


def test_mistakes_are_found_before_anything_is_asked(fleet, run_command, tmp_path):
    def wrong(*words: str) -> str:
        done = run_command("import", "vobiz", "--from", *words)
        assert (done.code, (tmp_path / "targets.d").exists()) == (2, False)
        return done.err

    file = private(tmp_path / "phones.csv", f"username,nmae\nagent0,x\nagent 1,{PASSWORD}\n")
    said = wrong(file, "--strategy", "replace", "--path", "sip/{name}")
    assert f"{file}:1: column 2: the header has an unknown name; did you mean 'name'?" in said
    assert f"{file}:3: credential.username: contains a character that is not allowed here" in said
    assert PASSWORD not in said
    file = private(tmp_path / "phones.csv", "username\nagent0\n")
    assert f"{file}:2: path: is missing" in wrong(file, "--strategy", "replace")
    assert "--strategy unknown value; did you mean 'replace'?" in wrong(file, "--strategy", "replacee")
    assert "targets.d/x.txt has an unknown ending" in wrong(file, "--to", str(tmp_path / "targets.d" / "x.txt"))
    assert "did you mean 'vobiz'?" in run_command("import", "vobis", "--from", file).err
    folder = tmp_path / "targets.d"
    folder.mkdir()
    mine = "targets:\n- {name: own, provider: vobiz, strategy: replace, credential: {username: own}, path: sip/own}\n"
    (folder / "mine.yaml").write_text(mine)
    words = ("--strategy", "replace", "--path", "sip/{name}", "--to", str(folder / "mine.yaml"))
    odd = run_command("import", "vobiz", "--from", file, *words)
    assert (odd.code, "mine.yaml; name a file of its own with --to" in odd.err) == (1, True)
    assert (folder / "mine.yaml").read_text() == mine
    (folder / "mine.yaml").unlink()
    folder.rmdir()
    fleet.configure([OFFICE])
    assert "includes no folder for files of targets: add 'include: [targets.d]'" in wrong(file)
    elsewhere = wrong(file, "--strategy", "replace", "--path", "sip/{name}", "--to", str(tmp_path / "x.csv"))
    assert f"does not include {tmp_path}/x.csv: add it to include:" in elsewhere


def test_a_first_configuration_rotates(environment, run_command, tmp_path, monkeypatch):
    """init, check-config, plan, rotate; the key and the login from what the environment has."""
    create_credentials(environment, "phone1")
    access = environment.configure([OFFICE])
    account = json.loads(access.read_text())["providers"]["vobiz"]
    login = json.loads(access.read_text())["vault"]
    keys = {key: value for key, value in account.items() if key not in ("type", "auth_token")}
    chosen = {f"account.{key}": value for key, value in keys.items()}
    chosen |= {"account.auth_token": "env:VOBIZ_TOKEN", "vault.auth.role_id": login["auth"]["role_id"]}
    chosen |= {"vault.auth.secret_id": "env:SECRET_ID", "vault.state_prefix": login["state_prefix"]}
    words = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
    folder = tmp_path / "etc"
    written = run_command(
        *("init", str(folder), "--yes", "--provider", "vobiz", "--username", "phone1", "--targets-folder", "targets.d"),
        *("--vault", environment.bao.address, "--login", "approle", *words),
    )
    assert written.code == 0, written.err
    assert "missing so far" not in written.out
    monkeypatch.setenv("ROTATOR_CONFIG", str(folder / "config.yaml"))
    for command in (["check-config"], ["plan"], ["rotate", "phone1"]):
        done = run_command(*command)
        assert done.code == 0, done.err
    assert environment.published_works("sip/phone1")
    create_credentials(environment, "phone2")
    done = run_command("import", "vobiz", "--from", "listing", "--strategy", "replace", "--path", "sip/{name}", "--yes")
    assert done.code == 0, done.err
    assert [line.split(",")[0] for line in (folder / "targets.d" / "vobiz.csv").read_text().splitlines()] == [
        *("name", "phone1", "phone2"),
    ]


def test_a_list_of_wrong_passwords_does_not_lock_the_address_out(environment, run_command, tmp_path):
    """Not one after the other is tried; each of those that were stays as it is."""
    usernames = [f"desk{number:02}" for number in range(30)]
    create_credentials(environment, "office", *usernames)
    config = environment.configure([OFFICE], policies=DAY)
    config.write_text(json.dumps({**json.loads(config.read_text()), "include": ["targets.d"]}))
    file = private(tmp_path / "desks.csv", "username,password\n" + "".join(f"{name},wrong\n" for name in usernames))
    words = ("--strategy", "in-place", "--path", "sip/{name}", "--adopt", "--yes", "-o", "json")
    done = run_command("import", "vobiz", "--from", file, *words)
    assert done.code == 1
    failed = [each for each in done.json["adopted"] if each["result"] == "failed"]
    assert 5 <= len(failed) <= 13  # as many as may be under way at once
    assert all("does not accept" in each["message"] for each in failed)
    left = [each for each in done.json["adopted"] if each["result"] == "not done"]
    assert len(left) == 30 - len(failed)
    assert "passwords in a row were refused: correct the source" in left[-1]["message"]
