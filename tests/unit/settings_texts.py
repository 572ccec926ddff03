"""What the tests of the settings share: a good configuration, and ways to load a text."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rotator.providers.registry import KINDS
from rotator.settings import ConfigError, ConfigProblem, Settings, check

CONFIG = Path(__file__).parents[2] / "config"
SENTINEL = "hunter2-Tr0ub4dor"
ENVIRON = {
    "VOBIZ_AUTH_TOKEN": SENTINEL,
    "ROTATOR_SECRET_ID": SENTINEL,
    "VAULT_TOKEN": SENTINEL,
    "PROXY_PASSWORD": SENTINEL,
    "AUDIT_TOKEN": SENTINEL,
    "PROMETHEUS_TOKEN": SENTINEL,
    "HOOK_KEY": "aHVudGVyMi1UcjB1YjRkb3ItaHVudGVyMg==",  # the sentinel, in Base64
    "APINIZER_TOKEN": SENTINEL,
    "ROTATOR_PAGER_URL": SENTINEL,
    "TELNYX_API_KEY": SENTINEL,
    "ROTATOR_HTTP_TOKEN": SENTINEL * 2,
}

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


def check_text(
    text: str, folder: Path, environ: Mapping[str, str] = ENVIRON
) -> tuple[Settings, tuple[ConfigProblem, ...]]:
    """The configuration in `text`, and its warnings."""
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return check(file, environ)


def load_text(text: str, folder: Path, environ: Mapping[str, str] = ENVIRON) -> Settings:
    """The configuration in `text`."""
    return check_text(text, folder, environ)[0]


def warnings_of(text: str, folder: Path) -> tuple[ConfigProblem, ...]:
    """The warnings about `text`."""
    return check_text(text, folder)[1]


def complaints(text: str, folder: Path, environ: Mapping[str, str] = ENVIRON) -> list[str]:
    """What is wrong with `text`, one line each, without the folder."""
    try:
        load_text(text, folder, environ)
    except ConfigError as error:
        said = str(error).replace(f"{folder}/", "")
    else:
        return []
    assert SENTINEL not in said
    return said.split("\n")


def changed(text: str, old: str, new: str) -> str:
    """`text` with one replacement, which must be possible exactly once."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    return text.replace(old, new)


def mistakes(section: str) -> list[Any]:
    """One section of settings_mistakes.yaml, as parameters for a test."""
    return [pytest.param(row, id=f"{section}{number}") for number, row in enumerate(_all_mistakes()[section])]


@functools.cache
def _all_mistakes() -> Any:
    text = Path(__file__).with_name("settings_mistakes.yaml").read_text(encoding="utf-8")
    return YAML(typ="safe", pure=True).load(text.replace("<types>", ", ".join(sorted(KINDS))))
