"""Loading: the file itself, its shape, and the secrets it refers to. Every message is checked as a whole."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from settings_texts import ENVIRON, GOOD, SENTINEL, changed, check_text, complaints, load_text, mistakes, warnings_of

from rotator.core.model import Policy, Strategy, Target
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Cron, Every, Window
from rotator.core.secret import Secret
from rotator.fields.references import InVault, Resolved
from rotator.settings import ConfigError, load
from rotator.settings.vault import (
    AppRoleAuth,
    EmbeddedVaultSettings,
    JwtAuth,
    KubernetesAuth,
    RemoteVaultSettings,
    TokenFileAuth,
)

TOKEN = "auth_token: {env: VOBIZ_AUTH_TOKEN}"
NO_MAPPING = "the file is not a mapping; begin it with the keys vault:, providers: and targets:"
UNFIT = "line breaks or other characters that a header cannot carry; store only the secret in it"
WRAPPED = "{method: approle, role_id: r, wrapped_secret_id: {env: VAULT_TOKEN}}"
PROJECTED = "/var/run/secrets/kubernetes.io/serviceaccount/token"
AUTH = "auth: {method: token, token: {env: VAULT_TOKEN}}"


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, ENVIRON)
    return str(caught.value)


# -- the file itself


def test_a_missing_file_is_named(tmp_path):
    """With what to do."""
    assert refused(tmp_path / "no.yaml") == (
        f"{tmp_path}/no.yaml: cannot be read: No such file or directory; check the path and its permissions"
    )


def test_a_folder_is_no_file(tmp_path):
    """Nor is a pipe, which would hang."""
    os.mkfifo(tmp_path / "pipe")

    assert refused(tmp_path) == f"{tmp_path}: is not a file; give the path of a YAML file"
    assert refused(tmp_path / "pipe") == f"{tmp_path}/pipe: is not a file; give the path of a YAML file"


def test_an_unreadable_path_is_no_traceback():
    """A NUL in a path is refused by Python itself."""
    assert "not a path" in refused(Path("a\0b"))


def test_what_is_not_utf_8_is_refused_with_its_line(tmp_path):
    """And without the bytes."""
    file = tmp_path / "config.yaml"
    file.write_bytes(b"vault:\n  address: \xff\xfe\n")

    assert refused(file) == f"{file}:2: is not text in UTF-8; save it as UTF-8"


def test_a_byte_order_mark_does_no_harm(tmp_path):
    """Some editors write one."""
    file = tmp_path / "config.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())

    assert load(file, ENVIRON).core_targets()[0].name == "phone"


def test_a_huge_file_is_refused(tmp_path):
    """Before it is parsed."""
    file = tmp_path / "config.yaml"
    file.write_bytes(b"#" * (64 * 1024 * 1024 + 1))

    assert refused(file) == (
        f"{file}: is larger than 64 MiB; check that this is the right file, or divide it with include:"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "config.yaml: the file is empty; let rotator init write a first one"),
        ("# nothing\n", "config.yaml: the file is empty; let rotator init write a first one"),
        (
            "- a\n- b\n",
            "config.yaml:1: the file is not a mapping; begin it with the keys vault:, providers: and targets:",
        ),
        (
            "hello",
            "config.yaml:1: the file is not a mapping; begin it with the keys vault:, providers: and targets:",
        ),
        ("vault:\n\taddress: x", "config.yaml:2: a tab is not allowed here; indent with spaces"),
        (GOOD + "log: {}\nlog: {}\n", "config.yaml:21: log: this key is already on line 20; keep one of the two"),
    ],
)
def test_what_is_no_configuration_at_all(tmp_path, text, message):
    """One problem, and where."""
    assert complaints(text, tmp_path) == [message]


# -- the shape


@pytest.mark.parametrize("mistake", mistakes("shape"))
def test_a_wrong_shape_is_explained(tmp_path, mistake):
    """What was changed in a good configuration, and everything that is said to it."""
    assert complaints(changed(GOOD, mistake["old"], mistake["new"]), tmp_path) == mistake["said"]


def test_all_problems_are_named_at_once_in_the_order_of_the_file(tmp_path):
    """So that one look mends them all."""
    text = changed(changed(GOOD, "type: vobiz", "type: vobis"), "policy: usual", "polcy: usual")
    text = changed(text, "every: 90d", "every: soon")

    lines = [line.split(": ")[0] for line in complaints(text, tmp_path)]

    assert lines == ["config.yaml:6", "config.yaml:11", "config.yaml:19"]


def test_three_missing_sections_have_no_line(tmp_path):
    """They are nowhere."""
    assert complaints("log:\n", tmp_path) == [
        "config.yaml: vault: is missing; add 'vault:'",
        "config.yaml: providers: is missing; add 'providers:'",
        "config.yaml: targets: is missing; add 'targets:'",
    ]


def test_a_problem_carries_its_parts(tmp_path):
    """For `--output json`."""
    with pytest.raises(ConfigError) as caught:
        load_text(changed(GOOD, "policy: usual", "polcy: usual"), tmp_path)

    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == (str(tmp_path / "config.yaml"), 19, 5)
    assert (problem.key, problem.what, problem.remedy) == ("targets[0].polcy", "unknown key", "did you mean 'policy'?")


def test_a_key_that_does_not_look_like_one_is_not_repeated(tmp_path):
    """It may be a password, or bring control characters into a log."""

    known = (
        "audit, daemon, defaults, hooks, include, limits, log, notifications, policies, providers, selections, "
        "targets, usage_sources, vault"
    )

    known = (
        "audit, daemon, defaults, hooks, include, limits, log, notifications, policies, providers, selections, "
        "targets, usage_sources, vault"
    )

    assert complaints(changed(GOOD, "policies:", '"a\\u001b[31m b": 1\npolicies:'), tmp_path) == [
        f"config.yaml:9: ?: unknown key; known keys: {known}"
    ]


def test_sections_may_be_commented_out_as_a_whole(tmp_path):
    """A key without a value counts as left out."""
    assert complaints(GOOD + "daemon:\nlog:\n  level:\naudit:\n", tmp_path) == []


# -- secrets


@pytest.mark.parametrize("mistake", mistakes("secrets"))
def test_a_secret_that_is_not_there_is_an_error_at_load(tmp_path, mistake):
    """What stands where a secret is expected, and what is said, which never repeats it."""
    text = changed(GOOD, mistake["old"], mistake["new"])

    assert complaints(text, tmp_path, {**ENVIRON, "EMPTY": "\n"}) == mistake["said"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n\n", "is empty; put the secret in it"),
        (b"  \n", "is empty; put the secret in it"),
        (b"one\ntwo\n", f"contains {UNFIT}"),
        ("pässword\n".encode(), f"contains {UNFIT}"),
        (b"\xff\xfe", "is not text in UTF-8; store the secret as text"),
        (
            b"x" * 70_000,
            "is not a regular file of at most 64 KiB; give the path of a file that contains only the secret",
        ),
    ],
)
def test_a_file_that_holds_no_secret_is_an_error(tmp_path, content, message):
    """Said with its path, without its content."""
    secret = tmp_path / "secret"
    secret.write_bytes(content)

    (said,) = complaints(changed(GOOD, "{env: VOBIZ_AUTH_TOKEN}", f"{{file: {secret}}}"), tmp_path)

    assert said == f"config.yaml:8: providers.prod.auth_token: the file secret {message}"


def test_secrets_come_from_where_the_file_says(tmp_path):
    """The environment, a file beside the configuration without the line break at its end, and later Vault."""
    (tmp_path / "token").write_text(f"{SENTINEL}\r\n")
    (tmp_path / "token").chmod(0o600)
    text = changed(GOOD, "{env: VOBIZ_AUTH_TOKEN}", "{file: token}")

    settings, warnings = check_text(text, tmp_path)

    assert settings.providers["prod"].auth_token == Resolved(Secret(SENTINEL))  # type: ignore[attr-defined]
    assert settings.vault.auth.token == Resolved(Secret(SENTINEL))  # type: ignore[union-attr]
    assert warnings == ()


def test_a_secret_in_vault_is_read_by_the_caller(tmp_path):
    """Loading needs no connection."""
    text = changed(GOOD, "{env: VOBIZ_AUTH_TOKEN}", "{vault: {path: keys/vobiz, key: token}}")
    account = load_text(text, tmp_path).providers["prod"]
    asked = []

    def read(path: str, key: str) -> Secret:
        asked.append((path, key))
        return Secret("from vault")

    assert account.auth_token == InVault("keys/vobiz", "token")  # type: ignore[attr-defined]
    with pytest.raises(LookupError, match="before it was read"):
        account.headers()
    assert account.capabilities.creates  # without the secret
    complete = account.with_secrets(read)
    assert complete.secrets == (Secret("from vault"),)
    assert complete.headers()["X-Auth-Token"] == Secret("from vault")
    assert asked == [("keys/vobiz", "token")]
    assert complete.with_secrets(read) == complete


def test_a_file_that_everybody_can_read_is_a_warning(tmp_path):
    """It works, and is said."""
    (tmp_path / "token").write_text(SENTINEL)
    (tmp_path / "token").chmod(0o644)

    (warning,) = warnings_of(changed(GOOD, "{env: VOBIZ_AUTH_TOKEN}", "{file: token}"), tmp_path)

    assert str(warning).endswith(
        "config.yaml:8: providers.prod.auth_token: every user of this machine can read this secret's file; "
        "run chmod o-rwx; in Kubernetes, set defaultMode: 0440 on the volume"
    )


def test_no_secret_is_in_any_representation_or_chain(tmp_path):
    """Neither of the settings, nor of an error, nor of what led to it."""
    assert SENTINEL not in repr(load_text(GOOD, tmp_path))
    wrong = (
        changed(GOOD, TOKEN, f"auth_token: {SENTINEL}"),
        changed(GOOD, TOKEN, f"auth_token: x: {SENTINEL}"),
        changed(GOOD, "auth_id: MA_1", f"auth_id: {SENTINEL}!"),
    )
    for text in wrong:
        with pytest.raises(ConfigError) as caught:
            load_text(text, tmp_path)
        error: BaseException | None = caught.value
        while error is not None:  # those that a traceback would leave out, too: a debugger does not
            assert SENTINEL not in f"{error!r} {error} {error.args}"
            error = error.__context__


# -- what comes out


def test_a_minimal_configuration_has_sane_defaults(tmp_path):
    """Ninety days, a day of overlap, a week of quarantine, loopback only."""
    text = GOOD[: GOOD.index("policies:")] + GOOD[GOOD.index("targets:") :].replace("    policy: usual\n", "")

    settings, warnings = check_text(text, tmp_path)

    (target,) = settings.core_targets()
    policy = Policy(
        "default",
        Every(timedelta(days=90)),
        None,
        timedelta(days=1),
        timedelta(days=7),
        PasswordRules(),
        verify=timedelta(days=1),
    )
    # Without a registrar the proof is a read-back, which is not worth repeating.
    unverified = replace(policy, verify=None)
    assert target == Target("phone", "prod", Strategy.REPLACE, ("phone01",), "sip/phone", unverified)
    assert settings.core_policies == {"default": policy}
    assert (settings.vault.mount, settings.vault.state_prefix) == ("secret", "rotator/state")
    assert (str(settings.daemon.http.listen), settings.daemon.workers) == ("127.0.0.1:9464", 8)
    assert settings.daemon.backoff.core().cap == timedelta(hours=1)
    assert (settings.log.level.value, settings.log.format.value, settings.audit.file) == ("info", "auto", None)
    assert settings.providers["prod"].base_url == "https://api.vobiz.ai"
    assert warnings == ()


def test_everything_reaches_the_core(tmp_path):
    """Cron, window, lengths of time, password rules, two usernames."""
    text = changed(GOOD, "    every: 90d\n", "    cron: 0 3 * * SUN\n    timezone: Europe/Berlin\n    quarantine: 2d\n"
        "    verify: 12h\n"
        "    window: {cron: 0 2 * * *, duration: 4h, timezone: Asia/Kolkata}\n"
        "    password: {length: 18, lower: 2, upper: 3, digits: 4, symbol: 2, symbols: '!_'}\n")  # fmt: skip
    text = changed(text, "strategy: replace", "strategy: alternating")
    text = changed(text, "{username: phone01}", "{usernames: [phonea, phoneb]}")
    text = changed(text, "auth_id: MA_1", "auth_id: MA_1\n    registrar: sip.example.com:5061")

    (target,) = load_text(text, tmp_path).core_targets()

    assert target.usernames == ("phonea", "phoneb")
    assert target.strategy is Strategy.ALTERNATING
    assert target.policy == Policy(
        name="usual",
        schedule=Cron("0 3 * * SUN", "Europe/Berlin"),
        window=Window("0 2 * * *", timedelta(hours=4), "Asia/Kolkata"),
        overlap=timedelta(hours=24),
        quarantine=timedelta(days=2),
        password=PasswordRules(length=18, lower=2, upper=3, digits=4, symbol=2, symbols="!_"),
        verify=timedelta(hours=12),
    )
    assert load_text(changed(text, "verify: 12h", "verify: off"), tmp_path).core_targets()[0].policy.verify is None


@pytest.mark.parametrize(
    ("auth", "kind", "facts"),
    [
        ("{method: token_file, file: t}", TokenFileAuth, {"file": "/t"}),
        (WRAPPED, AppRoleAuth, {"mount": "approle", "secret_id": None}),
        ("{method: kubernetes, role: r}", KubernetesAuth, {"mount": "kubernetes", "jwt_file": PROJECTED}),
        ("{method: jwt, role: r, jwt_file: /j, mount: oidc/x}", JwtAuth, {"mount": "oidc/x", "jwt_file": "/j"}),
    ],
)
def test_each_way_to_log_in_is_read(tmp_path, auth, kind, facts):
    """With its defaults."""
    vault = load_text(changed(GOOD, AUTH, f"auth: {auth}"), tmp_path).vault

    assert isinstance(vault, RemoteVaultSettings)
    assert isinstance(vault.auth, kind)
    for key, value in facts.items():
        found = getattr(vault.auth, key)
        assert (str(found).replace(str(tmp_path), "") if isinstance(found, Path) else found) == value


def test_an_embedded_vault_needs_no_login(tmp_path):
    """Only a folder, here beside the configuration."""
    vault = load_text(
        changed(GOOD, f"  address: https://vault:8200\n  {AUTH}", "  embedded: {data_dir: data}"), tmp_path
    ).vault

    assert isinstance(vault, EmbeddedVaultSettings)
    assert (vault.embedded.data_dir, vault.embedded.port) == (tmp_path / "data", 8200)


def test_loading_twice_gives_the_same(tmp_path):
    """So that a reload can tell what has changed."""
    assert load_text(GOOD, tmp_path) == load_text(GOOD, tmp_path)
