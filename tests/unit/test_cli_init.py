"""`rotator init`: what it writes loads, and nothing is written that does not, or over anything."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from command_runner import RunCommand, command_runner
from terminal_talk import TerminalTalk

from rotator.settings import ConfigProblem, Settings, check

KEY = {"VOBIZ_AUTH_TOKEN": "sentinel-9f2c", "TELNYX_API_KEY": "sentinel-9f2c", "APINIZER_TOKEN": "sentinel-9f2c"}
VOBIZ = ("--provider", "vobiz", "--set", "account.auth_id=MA_XXXXXXXX", "--username", "officephone01")


@pytest.fixture
def run_init(tmp_path, monkeypatch, capfd) -> RunCommand:
    """Runs `rotator init` in a folder of its own, without a terminal."""
    monkeypatch.chdir(tmp_path)
    for name in KEY:
        monkeypatch.delenv(name, raising=False)
    run = command_runner(monkeypatch, capfd)
    return lambda *words: run("init", str(tmp_path / "etc"), *words)


def loaded(folder: Path, environ: Mapping[str, str] = KEY) -> tuple[Settings, tuple[ConfigProblem, ...]]:
    return check(folder / "etc" / "config.yaml", environ)


def test_options_alone_make_a_configuration_that_loads(run_init, tmp_path):
    done = run_init("--yes", *VOBIZ)
    assert done.code == 0, done.err
    settings, warnings = loaded(tmp_path)
    (target,) = settings.core_targets()
    assert (target.name, target.account, target.path) == ("officephone01", "vobiz", "sip/officephone01")
    assert (target.strategy.value, target.usernames) == ("replace", ("officephone01",))
    assert not warnings
    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["config.yaml"]  # an embedded Vault needs no policy
    assert "the environment variable VOBIZ_AUTH_TOKEN is not set" in done.out
    config = tmp_path / "etc" / "config.yaml"
    commands = ("check-config", "check-provider vobiz", "plan")
    assert done.out.endswith("then:\n" + "".join(f"  rotator {each} -c {config}\n" for each in commands))


@pytest.mark.parametrize(
    "words",
    [
        ("--provider", "telnyx", "--set", "account.connection_id=1494404757140276705", "--target", "lobby"),
        ("--provider", "telnyx-connection", "--username", "trunk1"),
        ("--provider", "vobiz-endpoint", "--set", "account.auth_id=MA_1", "--username", "user1"),
        (
            *("--provider", "apinizer", "--set", "account.base_url=https://c.example.com", "--username", "a b"),
            *("--set", "account.project=My Project: 1", "--strategy", "alternating", "--new"),
        ),
    ],
    ids=["telnyx", "telnyx-connection", "vobiz-endpoint", "apinizer"],
)
def test_every_type_of_account_loads(run_init, tmp_path, words):
    done = run_init("--yes", *words)
    assert done.code == 0, done.err
    settings, _ = loaded(tmp_path)
    assert settings.providers[words[1]].type == words[1]
    assert settings.core_targets()[0].new is ("--new" in words)


@pytest.mark.parametrize(
    ("login", "more"),
    [
        ("token", ["token=env:VOBIZ_AUTH_TOKEN"]),
        ("token_file", []),
        ("approle", ["role_id=8f0c", "secret_id=file:secret-id", "mount=approle-eu"]),
        ("kubernetes", ["role=rotator"]),
        ("jwt", ["role=rotator"]),
    ],
)
def test_every_login_to_vault_loads_and_brings_a_policy(run_init, tmp_path, login, more):
    chosen = [word for each in more for word in ("--set", f"vault.auth.{each}")]
    key = ("--set", "account.auth_token=vault:keys/vobiz#auth_token")
    done = run_init(
        *("--yes", *VOBIZ, *key, "--vault", "https://vault:8200", "--login", login, *chosen),
        *("--set", "vault.mount=kv", "--path", "phones/hq/office"),
    )
    assert done.code == 0, done.err
    (tmp_path / "etc" / "secret-id").write_text("sentinel")
    settings, _ = loaded(tmp_path)
    assert settings.vault.auth.method == login
    rules = (tmp_path / "etc" / "vault-policy.hcl").read_text()
    assert '"kv/data/phones/hq/*"' in rules
    assert '"kv/data/keys/vobiz" {\n  capabilities = ["read"]' in rules
    assert f"vault policy write rotator {tmp_path}/etc/vault-policy.hcl" in done.out


def test_the_schedule_and_any_other_key_can_be_given(run_init, tmp_path):
    done = run_init(
        *("--yes", *VOBIZ, "--max-age", "60d", "--window", "0 2 * * *", "--timezone", "Europe/Berlin"),
        *("--set", "policy.overlap=36h", "--set", "policy.password.length=18", "--set", "account.rate_limit=3/s"),
        *("--set", "vault.state_prefix=own/state", "--set", "target.labels.floor=1"),
    )
    assert done.code == 0, done.err
    settings, _ = loaded(tmp_path)
    (target,) = settings.core_targets()
    assert target.policy.window.timezone == "Europe/Berlin"
    assert (target.policy.overlap.total_seconds(), target.policy.password.length) == (36 * 3600, 18)
    assert target.labels == (("floor", "1"),)
    assert target.policy.age_limit.max_age.days == 60


def test_many_targets_begin_in_a_folder(run_init, tmp_path):
    done = run_init("--yes", *VOBIZ, "--targets-folder", "targets.d", "-o", "json")
    assert done.code == 0, done.err
    folder = tmp_path / "etc"
    assert done.json["written"] == [str(folder / "targets.d" / "vobiz.csv"), str(folder / "config.yaml")]
    assert [each["key"] for each in done.json["missing"]] == ["providers.vobiz.auth_token"]
    assert len(done.json["next"]) == 3
    assert (folder / "targets.d" / "vobiz.csv").read_text().splitlines() == [
        "name,provider,strategy,username,path",
        "officephone01,vobiz,replace,officephone01,sip/officephone01",
    ]
    assert [target.name for target in loaded(tmp_path)[0].core_targets()] == ["officephone01"]


def test_every_wrong_answer_is_named_at_once_and_nothing_is_written(run_init, tmp_path):
    done = run_init(
        *("--provider", "vobiz", "--set", "account.auth_token=hunter2-Tr0ub4dor", "--max-age", "90", "--window", "2"),
        *("--set", "bla=1", "--set", "vault.adress=x", "--login", "jwt"),
    )
    assert done.code == 2
    assert not (tmp_path / "etc").exists()
    assert "hunter2" not in done.err
    for said in (
        "--set account.auth_id is missing: auth_id: The id that the token belongs to",
        "--set account.auth_token: a key is never written into a configuration; refer to it as env:NAME",
        "--max-age: is not a duration",
        "--window: is not a cron expression",
        "--set bla: begins with none of account., limits., policy., target., vault.",
        "--set vault.adress: unknown key",
        "--login has no effect here",
    ):
        assert said in done.err


def test_what_only_the_whole_shows_is_found_before_anything_is_written(run_init, tmp_path):
    """The loader judges it: an overlap that is longer than passwords may live."""
    done = run_init("--yes", *VOBIZ, "--set", "policy.overlap=100d")
    assert done.code == 2
    assert "the configuration is invalid" in done.err
    assert not (tmp_path / "etc").exists()


def test_nothing_is_replaced_without_being_told(run_init, tmp_path):
    folder = tmp_path / "etc"
    remote = ("--yes", *VOBIZ, "--vault", "https://vault:8200")
    folder.mkdir()
    (folder / "vault-policy.hcl").write_text("mine")
    refused = run_init(*remote)
    assert refused.code == 1
    assert f"{folder}/vault-policy.hcl: there already; nothing was written: add --force" in refused.err
    assert not (folder / "config.yaml").exists()
    (folder / "vault-policy.hcl").chmod(0o640)
    assert run_init(*remote, "--force").code == 0
    assert "sys/capabilities-self" in (folder / "vault-policy.hcl").read_text()
    assert stat.S_IMODE((folder / "vault-policy.hcl").stat().st_mode) == 0o640
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml", "vault-policy.hcl"]  # no draft stays
    again = run_init(*remote)
    assert (again.code, "config.yaml is there already" in again.err) == (1, True)


def test_at_a_terminal_it_asks_and_asks_again_after_a_wrong_answer(tmp_path):
    talk = TerminalTalk(["init", str(tmp_path)], os.environ | KEY)
    for question, answer in (
        ("The type of the provider account [vobiz]", "telnix"),
        ("The type of the provider account [vobiz]", "vobiz"),
        ("A name for the account [vobiz]", "prod"),
        ("The id that the token belongs to", ""),
        ("The id that the token belongs to", "MA_XXXXXXXX"),
        ("[env:VOBIZ_AUTH_TOKEN]", "hunter2-Tr0ub4dor"),
        ("[env:VOBIZ_AUTH_TOKEN]", ""),
        ("How it is rotated [replace]", ""),
        ("The username at the provider", "office phone"),
        ("The username at the provider", "officephone01"),
        ("The target's name", ""),
        ("Its document in Vault", "sip/office"),
        ("A folder for files of further targets", ""),
        ("Vault's address", "ftp://vault"),
        ("Vault's address", "https://vault:8200"),
        ("The login to Vault [token_file]", ""),
        ("[/run/vault/token]", ""),
        ("The greatest age of a password [90d]", "90"),
        ("The greatest age of a password [90d]", "90d"),
        ("When rotations may begin", ""),
    ):
        talk.answer(question, f"{answer}\n")
    code, said = talk.end(), talk.said
    assert code == 0, said
    assert "is not one of vobiz, vobiz-endpoint" in said
    assert "that contains a character that is not allowed here" in said
    assert "that is not a URL" in said
    settings, _ = check(tmp_path / "config.yaml", KEY)
    assert settings.core_targets()[0].path == "sip/office"
    assert "hunter2" not in (tmp_path / "config.yaml").read_text()
    assert "missing so far" not in said


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 130)], ids=["ctrl-c", "ctrl-d"])
def test_leaving_at_a_question_writes_nothing(tmp_path, key, code):
    talk = TerminalTalk(["init", str(tmp_path / "etc")], os.environ)
    talk.answer("The type of the provider account", "vobiz\n")
    talk.answer("A name for the account", key)
    assert talk.end() == code
    assert "stopped" in talk.said
    assert "Traceback" not in talk.said
    assert not (tmp_path / "etc").exists()


def test_json_is_only_the_result(run_init):
    assert json.loads(run_init("--yes", *VOBIZ, "-o", "json").out)["missing"]
