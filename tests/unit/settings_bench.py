"""What the tests of the settings share: the providers' facts, a good configuration, and ways to load a text."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from rotator.core.model import Capabilities, Strategy
from rotator.core.passwords import PasswordRules
from rotator.settings import ConfigError, Settings, load
from rotator.settings.world import Kind, ProviderFacts

CONFIG = Path(__file__).parents[2] / "config"
SENTINEL = "hunter2-Tr0ub4dor"
ENVIRON = {"VOBIZ_AUTH_TOKEN": SENTINEL, "ROTATOR_SECRET_ID": SENTINEL, "VAULT_TOKEN": SENTINEL}

TRUNK = Capabilities(
    chooses_password=True,
    sets_password=True,
    generates_password=False,
    disables=True,
    re_enables=True,
    deletes=True,
    lists=True,
    creates=True,
    proof="read-back",
    propagation=timedelta(seconds=30),
    password_limits=PasswordRules(shortest=8, longest=20, symbol=1, symbols="~!@#$%^&*()_+"),
    username_pattern=r"[A-Za-z0-9]+",
)
ENDPOINT = replace(TRUNK, disables=False, creates=False)


def unsupported(strategy: Strategy, capabilities: Capabilities) -> str | None:
    if strategy is not Strategy.IN_PLACE and not capabilities.disables:
        return "it cannot disable a credential"
    return None


FACTS = ProviderFacts(
    {"vobiz": Kind(TRUNK, timedelta(seconds=31)), "vobiz-endpoint": Kind(ENDPOINT, timedelta(seconds=31))}, unsupported
)

GOOD = """\
vault:
  address: https://vault:8200
  auth: {method: token, token: {env: VAULT_TOKEN}}
providers:
  prod:
    type: vobiz
    auth_id: MA_1
    auth_token: {env: VOBIZ_AUTH_TOKEN}
policies:
  usual:
    every: 90d
    overlap: 24h
targets:
  - name: phone
    provider: prod
    strategy: replace
    credential: {username: phone01}
    path: sip/phone
    policy: usual
"""


def load_text(text: str, folder: Path, environ: Mapping[str, str] = ENVIRON, facts: ProviderFacts = FACTS) -> Settings:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ, facts)


def complaints(
    text: str, folder: Path, environ: Mapping[str, str] = ENVIRON, facts: ProviderFacts = FACTS
) -> list[str]:
    """What is wrong with `text`, one line each, without the folder."""
    try:
        load_text(text, folder, environ, facts)
    except ConfigError as error:
        assert SENTINEL not in str(error)
        return str(error).replace(f"{folder}/", "").split("\n")
    return []


def changed(text: str, old: str, new: str) -> str:
    """`text` with one replacement, which must be possible exactly once."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    return text.replace(old, new)
