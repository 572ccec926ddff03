"""What must hold between the parts: one table of changes to a good configuration, and checks on other providers."""

import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from settings_texts import ENVIRON, GOOD, changed, check_text, complaints, mistakes, warnings_of

from rotator.core.model import Capabilities
from rotator.core.passwords import PasswordRules, generate
from rotator.fields.proxy import ProxySettings
from rotator.fields.text import LoadContext
from rotator.providers.vobiz.options import VobizOptions
from rotator.settings import (
    Settings,
    account_checks,
    audit_checks,
    grace_checks,
    hook_checks,
    http_checks,
    limit_checks,
    policy_checks,
    selection_checks,
    strength,
    target_checks,
    usage_checks,
)
from rotator.settings.checks import CHECKS, all_findings
from rotator.settings.document import parse

SECOND = """\
  - name: {name}
    provider: {provider}
    strategy: replace
    credential: {{username: {username}}}
    path: {path}
"""


def second(name: str = "other", provider: str = "prod", username: str = "other01", path: str = "sip/other") -> str:
    return SECOND.format(name=name, provider=provider, username=username, path=path)


def two_accounts(kind: str, auth_id: str) -> str:
    """Two entries for provider accounts, with one username in both."""
    other = f"  other:\n    type: {kind}\n    auth_id: {auth_id}\n    auth_token: {{env: VOBIZ_AUTH_TOKEN}}\n"
    return changed(GOOD, "policies:", f"{other}policies:") + second(username="phone01", provider="other")


TWICE = (
    "targets[0] rotates a credential with the same username at the same account; give each target its own credential"
)
INSIDE = (
    "config.yaml:18: targets[0].path: is inside vault.state_prefix, which only rotator may read; "
    "keep the two apart, such as 'sip/phone' and 'rotator/state'"
)
AROUND = (
    "config.yaml:18: targets[0].path: contains vault.state_prefix, but devices may read this path; "
    "keep the two apart, such as 'sip/phone' and 'rotator/state'"
)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (GOOD + second(), []),
        (
            GOOD + second(name="phone"),
            ["config.yaml:20: targets[1].name: targets[0] has the same name; give each target its own name"],
        ),
        (
            GOOD + second(path="sip/phone"),
            ["config.yaml:24: targets[1].path: targets[0] has the same path; give each target its own path"],
        ),
        (GOOD + second(username="phone01"), [f"config.yaml:23: targets[1].credential: {TWICE}"]),
        (two_accounts("vobiz", "MA_1"), [f"config.yaml:27: targets[1].credential: {TWICE}"]),
        (two_accounts("vobiz", "MA_2"), []),
        (changed(GOOD, "sip/phone", "rotator/state/phone"), [INSIDE]),
        (changed(GOOD, "sip/phone", "rotator/state"), [INSIDE]),
        (changed(GOOD, "sip/phone", "rotator"), [AROUND]),
        (changed(GOOD, "sip/phone", "rotator/states/phone"), []),
    ],
)
def test_targets_do_not_get_in_each_others_way(tmp_path, text, messages):
    """Names, paths, credentials, and the state documents."""
    assert complaints(text, tmp_path) == messages


@pytest.mark.parametrize("mistake", mistakes("relations"))
def test_parts_that_do_not_fit_are_explained(tmp_path, mistake):
    """What was changed in a good configuration, and everything that is said to it."""
    assert complaints(changed(GOOD, mistake["old"], mistake["new"]), tmp_path) == mistake["said"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("https://vault:8200", "http://127.0.0.1:8200"),
        ("https://vault:8200", "http://[::1]:8200"),
        ("https://vault:8200", "http://localhost:8200"),
        ("https://vault:8200", "http://Vault.svc:8200\n  allow_plain_http: [vault.SVC]"),
        ("auth_id: MA_1", "auth_id: MA_1\n    base_url: http://sandbox:8080\n    allow_plain_http: [sandbox]"),
        ("every: 90d", "cron: 0 3 * * SUN"),
        ("overlap: 24h", "overlap: 30s\n    quarantine: 0s"),
        ("overlap: 24h", "overlap: 80d"),
        ("    policy: usual\n", ""),
        ("strategy: replace", "strategy: in-place"),
    ],
)
def test_what_is_right_passes(tmp_path, old, new):
    """Loopback, hosts allowed by name, the edges of the rules."""
    assert complaints(changed(GOOD, old, new), tmp_path) == []


@pytest.mark.parametrize("mistake", mistakes("unwise"))
def test_what_is_unwise_is_a_warning(tmp_path, mistake):
    """It loads, and is said."""
    warnings = warnings_of(changed(GOOD, mistake["old"], mistake["new"]), tmp_path)

    assert [str(warning).replace(f"{tmp_path}/", "") for warning in warnings] == mistake["said"]


def test_in_place_needs_no_overlap(tmp_path):
    """There is none, so that its length does not matter."""
    text = changed(changed(GOOD, "strategy: replace", "strategy: in-place"), "overlap: 24h", "overlap: 0s")

    assert complaints(text, tmp_path) == []


def test_a_policy_nobody_wrote_is_blamed_on_the_target(tmp_path):
    """The default overlap of a day is too short for a propagation of two."""
    text = changed(changed(GOOD, "    policy: usual\n", ""), "auth_id: MA_1", "auth_id: MA_1\n    propagation: 2d")

    (message,) = complaints(text, tmp_path)

    assert message.startswith("config.yaml:15: targets[0]: 1d is too short: the vobiz account may refuse")


def test_one_fault_of_a_policy_is_said_once(tmp_path):
    """However many targets use it."""
    text = changed(GOOD, "overlap: 24h", "overlap: 5s") + "".join(
        second(name=f"t{n}", username=f"u{n}", path=f"p/{n}") + "    policy: usual\n" for n in range(5)
    )

    assert len(complaints(text, tmp_path)) == 1


class Able(VobizOptions):
    """A Vobiz account with other abilities."""

    changes: dict[str, Any]

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, **self.changes)


def others(tmp_path: Path, text: str, **changes: object) -> list[str]:
    """The findings if Vobiz had other abilities."""
    settings = Settings.model_validate(parse(text).data, context=LoadContext(ENVIRON, tmp_path))
    able = Able.model_construct(**dict(settings.providers["prod"]), changes=changes)
    return [finding.what for finding in all_findings(settings.model_copy(update={"providers": {"prod": able}}))]


def test_a_provider_that_makes_the_usernames_needs_none(tmp_path):
    """Telnyx's telephony credentials: nothing is asked of usernames and passwords that nobody here makes."""
    generates = {"generates_password": True, "chooses_password": False, "username_pattern": "gencred[A-Za-z0-9]+"}
    text = changed(GOOD, "    credential: {username: phone01}\n", "")
    text = changed(text, "    overlap: 24h", "    password: {length: 5}")

    assert others(tmp_path, text, **generates) == []


def test_usernames_that_would_be_made_are_tried_against_the_provider(tmp_path):
    """Telnyx connections: 4 to 32 characters, a letter among the first five; the suffix may be all digits."""
    text = changed(GOOD, "phone01", "'12345'")

    assert others(tmp_path, GOOD, username_pattern=r"(?=.{0,4}[A-Za-z])[A-Za-z0-9]{4,32}") == []
    assert others(tmp_path, text, username_pattern=r"(?=.{0,4}[A-Za-z])[A-Za-z0-9]{4,32}") == [
        "the vobiz account would reject usernames derived from this"
    ]


def test_a_fleet_of_usernames_with_dashes_is_one_warning_an_account(tmp_path):
    """Vobiz's own examples have underscores, so an account may have thousands of them."""
    text = changed(GOOD, "username: phone01", "username: phone-01") + "".join(
        second(name=f"other{number}", username=f"other-{number}", path=f"sip/other{number}") for number in range(2)
    )
    (warning,) = warnings_of(text, tmp_path)
    assert warning.key == "targets[0].credential"
    form = "'phone-01' does not match [A-Za-z0-9]+, the form that vobiz is sure to accept"
    assert warning.what == f"{form} (2 more targets of this account are like it)"


def test_every_check_is_run_once():
    """No check is forgotten or listed twice."""
    written = {
        check
        for module in (
            account_checks,
            audit_checks,
            grace_checks,
            hook_checks,
            http_checks,
            policy_checks,
            selection_checks,
            target_checks,
            usage_checks,
            limit_checks,
        )
        for name, check in vars(module).items()
        if not name.startswith("_") and getattr(check, "__module__", "") == module.__name__
    }
    assert sorted(map(repr, written)) == sorted(map(repr, CHECKS))


# -- the strength of passwords


@pytest.mark.parametrize(
    ("rules", "count"),
    [
        (PasswordRules(length=1, lower=0, upper=0, digits=0, symbol=0, symbols=""), 62),
        (PasswordRules(length=2, lower=1, upper=1, digits=0, symbol=0, symbols=""), 2 * 26 * 26),
        (PasswordRules(length=2, lower=0, upper=0, digits=2, symbol=0), 100),
        (PasswordRules(length=3, lower=1, upper=1, digits=0, symbol=1, symbols="!_"), 6 * 26 * 26 * 2),
        (PasswordRules(length=2, lower=1, upper=1, digits=1, symbol=0), 0),
    ],
)
def test_the_entropy_is_exact(rules, count):
    """Counted by hand for a few."""
    assert 2 ** strength.bits(rules) == pytest.approx(count or 1)
    assert (strength.odds(rules) == 0) is (count == 0)


def test_the_odds_are_those_of_drawing():
    """Three digits among six characters: one draw in about seventeen."""
    rules = PasswordRules(length=6, digits=3, lower=0, upper=0, symbol=0, symbols="")
    dice, drawn = random.Random(1), 0

    def draw(characters: str, length: int) -> str:
        nonlocal drawn
        drawn += 1
        return "".join(dice.choices(characters, k=length))

    for _ in range(300):
        generate(rules, draw)

    assert 300 / drawn == pytest.approx(strength.odds(rules), rel=0.2)


@pytest.mark.parametrize(
    ("limits", "policy", "days"),
    [
        ("", "overlap: 24h", 90),
        ("limits: {max_age: 90d}\n", "overlap: 24h", 81),
        ("limits: {max_age: 90d}\n", "overlap: 10d", 72),
        ("limits: {max_age: 90d}\n", "overlap: 24h\n    limits: {max_age: 40d, warn_before: 1d}", 37),
        ("limits: {max_age: 90d}\n", "window: {cron: 0 2 1 * *, duration: 4h}", 81),
        ("limits: {max_age: 90d}\n", "window: {cron: 0 2 1 */2 *, duration: 4h}", 39),
    ],
)
def test_without_an_interval_a_policy_rotates_as_rarely_as_its_limit_allows(tmp_path, limits, policy, days):
    text = limits + changed(changed(GOOD, "    every: 90d\n", ""), "overlap: 24h", policy)
    settings, warnings = check_text(text, tmp_path)
    (target,) = settings.core_targets()
    assert target.policy.schedule.longest == timedelta(days=days)
    assert [warning for warning in warnings if "limit" in warning.what or "warning" in warning.what] == []


def test_a_fleet_that_is_rotated_at_once_counts_the_queue_of_its_retirements(tmp_path):
    text = "limits: {max_age: 91d2h, warn_before: 1s}\n" + GOOD
    assert complaints(text, tmp_path) == []
    others = (second(f"p{number}", username=f"p{number}", path=f"sip/p{number}") for number in range(99))
    slow = text + "".join(others) + "daemon: {retirements_per_minute: 1}\n"
    assert "       1h40m  until it is refused" in complaints(slow, tmp_path)


def endpoint_settings(folder: Path, *, mode: int = 0o640, listen: str = "0.0.0.0:9464") -> str:
    """A configuration with a certificate, a key of this mode, and a token."""
    certificate = trustme.CA().issue_cert("rotator.example.com")
    certificate.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    (folder / "tls.key").chmod(mode)
    tls = "{certificate: tls.crt, key: tls.key}"
    return GOOD + f"daemon: {{http: {{listen: '{listen}', token: {{env: ROTATOR_HTTP_TOKEN}}, tls: {tls}}}}}\n"


def test_an_endpoint_with_a_certificate_and_a_token_needs_no_warning(tmp_path):
    assert warnings_of(endpoint_settings(tmp_path), tmp_path) == ()


def test_a_key_that_everybody_can_read_is_warned_of(tmp_path):
    (warning,) = warnings_of(endpoint_settings(tmp_path, mode=0o644), tmp_path)
    assert (warning.key, warning.what) == ("daemon.http.tls.key", "every user of this machine can read this key")


@pytest.mark.parametrize(("listen", "warned"), [("0.0.0.0:9464", True), ("127.0.0.1:9464", False)])
def test_a_token_that_crosses_a_network_without_tls_is_warned_of(tmp_path, listen, warned):
    text = endpoint_settings(tmp_path, listen=listen).replace(", tls: {certificate: tls.crt, key: tls.key}", "")
    said = [f"{warning.key} {warning.sentence}" for warning in warnings_of(text, tmp_path)]
    assert said == ["daemon.http.token crosses the network unprotected; set daemon.http.tls as well"] * warned


@pytest.mark.parametrize(
    ("receiver", "said"),
    [
        ("{address: 'logs.example.com:514'}", ["514 is the usual port of syslog without TLS"]),
        ("{address: 'logs.example.com:6514'}", []),
        ("{address: '127.0.0.1:6514', transport: tcp}", ["6514 is the usual port of syslog over TLS"]),
        ("{address: 'LOGS.example.com:514', transport: tcp, allow_plain_tcp: [logs.example.com]}", []),
        (
            "{address: 'logs:6514', certificate: tls.crt, key: tls.key}",
            ["every user of this machine can read this key"],
        ),
    ],
)
def test_what_is_odd_about_a_receiver_of_the_audit_is_warned_of(tmp_path, receiver, said):
    endpoint_settings(tmp_path, mode=0o644)  # makes the files
    warnings = warnings_of(GOOD + f"audit: {{syslog: {receiver}}}\n", tmp_path)
    assert [warning.what for warning in warnings] == said


def test_a_key_that_belongs_to_another_certificate_is_refused_without_its_text(tmp_path):
    text = endpoint_settings(tmp_path)
    trustme.CA().issue_cert("other.example.com").private_key_pem.write_to_path(tmp_path / "tls.key")
    said = "the files tls.crt and tls.key do not hold a certificate and its key in PEM form, without a passphrase"
    remedy = "give a certificate and the key that belongs to it"
    assert complaints(text, tmp_path) == [f"config.yaml:20: daemon.http.tls: {said}; {remedy}"]


def key_at(path: str) -> str:
    return changed(GOOD, "{env: VOBIZ_AUTH_TOKEN}", f"{{vault: {{path: {path}, key: token}}}}")


def told(where: str, devices: str, path: str) -> str:
    return (
        f"config.yaml:8: providers.prod.auth_token: {where} is at {devices}, where devices read, and would let them "
        f"read this key at {path}; move the key to a folder of its own, such as rotator/keys/"
    )


SELECTED = """\
selections:
  - {provider: prod, username: "*", description: "*", name: "{username}", path: "phones/{name}", strategy: replace}
"""


@pytest.mark.parametrize(
    ("path", "where", "devices"),
    [
        ("sip/phone", "targets[0]", "sip/phone"),
        ("sip/keydoc", "targets[0]", "sip/phone"),  # finding 8: devices read sip/*
        ("sip/keys/vobiz", "targets[0]", "sip/phone"),
        ("sip/phone/keydoc", "targets[0]", "sip/phone"),
        ("sip", "targets[0]", "sip/phone"),
        ("phones/keydoc", "selections[0]", "phones/{name}"),
    ],
)
def test_a_key_is_not_where_devices_read(path: str, where: str, devices: str, tmp_path: Path) -> None:
    assert complaints(key_at(path) + SELECTED, tmp_path) == [told(where, devices, path)]


@pytest.mark.parametrize("path", ["rotator/keys/vobiz", "siphon", "sipkeys/x", "phone", "keys/sip/phone"])
def test_a_key_elsewhere_is_right(path: str, tmp_path: Path) -> None:
    assert complaints(key_at(path) + SELECTED, tmp_path) == []


def test_documents_of_devices_outside_of_folders_leave_keys_alone(tmp_path: Path) -> None:
    text = changed(key_at("keydoc"), "path: sip/phone", "path: phone")
    assert complaints(text, tmp_path) == []
    assert complaints(changed(text, "path: phone", "path: keydoc"), tmp_path) != []


@pytest.mark.parametrize(
    ("auth", "key"),
    [("method: token_file, file", "file"), ("method: jwt, role: rotator, jwt_file", "jwt_file")],
)
def test_a_token_file_that_is_not_there_is_a_warning(auth: str, key: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    text = changed(GOOD, "{method: token, token: {env: VAULT_TOKEN}}", f"{{{auth}: {file}}}")
    (warning,) = warnings_of(text, tmp_path)
    assert str(warning) == (
        f"{tmp_path}/config.yaml:3: vault.auth.{key}: there is no such file; check the path, and the program that "
        "writes it; rotator waits until it is there"
    )
    file.write_text("token")
    assert warnings_of(text, tmp_path) == ()


PROXY = "proxy: {url: http://proxy:3128%s}"
PLAIN = "    base_url: http://localhost:1\n"
READS = "providers.prod.proxy: would read what is sent without TLS; use https, or name the host in no_proxy"
PAIR = "vault.proxy: username and password of a proxy belong together; give both, or neither"
FORM = "vault.proxy: the address of a proxy is http://, a host and a port; write 'http://proxy.internal:3128'"
MISSING = "the file cannot be read: No such file or directory; check the path and its permissions"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  auth: {", f"  {PROXY % ''}\n  auth: {{", []),
        ("    auth_id: MA_1", f"    {PROXY % ', no_proxy: [vobiz.ai]'}\n    auth_id: MA_1", []),
        ("    auth_id: MA_1", f"{PLAIN}    {PROXY % ''}\n    auth_id: MA_1", [f"config.yaml:8: {READS}"]),
        ("    auth_id: MA_1", f"{PLAIN}    {PROXY % ', no_proxy: [localhost]'}\n    auth_id: MA_1", []),
        ("  auth: {", f"  {PROXY % ', username: me'}\n  auth: {{", [f"config.yaml:3: {PAIR}"]),
        ("  auth: {", "  proxy: {url: https://proxy:3128}\n  auth: {", [f"config.yaml:3: {FORM}"]),
        (
            "{method: token, token: {env: VAULT_TOKEN}}",
            "{method: cert, certificate: no.pem, key: no-key.pem}",
            [f"config.yaml:3: vault.auth.{key}: {MISSING}" for key in ("certificate", "key")],
        ),
    ],
)
def test_proxies_and_client_certificates(old: str, new: str, said: list[str], tmp_path: Path) -> None:
    assert complaints(changed(GOOD, old, new), tmp_path) == said


def test_a_proxy_is_left_out_for_hosts_and_whole_domains() -> None:
    proxy = ProxySettings(url="http://proxy:3128", no_proxy=("bank.example", "10.0.0.1"))
    urls = {
        "https://bank.example/x": False,
        "https://vault.bank.example:8200": False,
        "https://10.0.0.1": False,
        "https://mybank.example": True,
        "https://api.vobiz.ai": True,
    }
    assert {url: proxy.carries(url) for url in urls} == urls
    assert proxy.headers() == {}
