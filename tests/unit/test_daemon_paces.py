"""Which entries under `providers` share a pace, and who rests for whose open circuit."""

import json
from pathlib import Path
from threading import Event

import pytest

from rotator.core.answers import Refusal, Refused
from rotator.core.circuit import ProviderVerb
from rotator.core.pace import AccountPace
from rotator.daemon.composition import Composition
from rotator.ports import StoreUnavailable
from rotator.vault.store import VaultStore

ACCOUNT = {"type": "vobiz", "auth_token": {"env": "TOKEN"}, "registrar": "127.0.0.1:5061", "rate_limit": "7/s"}
ACCOUNTS = {
    "one": {**ACCOUNT, "auth_id": "MA_PARENT", "account_id": "SA_ONE"},
    "two": {**ACCOUNT, "auth_id": "MA_PARENT", "account_id": "SA_TWO", "rate_limit": "3/s"},
    "other": {**ACCOUNT, "auth_id": "MA_OTHER"},
}
NO_KEY = Refused(Refusal.AUTHENTICATION, "the API key is refused")


def sealed(*_: object) -> AccountPace:
    raise StoreUnavailable("Vault is sealed")


def test_what_one_key_administers_shares_its_pace_and_no_circuit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A sub-account that is closed must not stop the others, which are well."""
    monkeypatch.setattr(VaultStore, "read_pace", sealed)
    document = {
        "vault": {"address": "http://127.0.0.1:9", "auth": {"method": "token", "token": {"env": "TOKEN"}}},
        "providers": ACCOUNTS,
        "policies": {"daily": {"every": "1d", "overlap": "1h", "quarantine": "1h"}},
        "targets": [
            {"name": "t", "provider": "one", "strategy": "replace", "policy": "daily",
             "credential": {"username": "user1"}, "path": "sip/t"}
        ],
    }  # fmt: skip
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(document))
    with Composition(config, {"TOKEN": "secret-token-1"}, Event(), read_only=True, quiet=True) as composition:
        components = composition.assemble(composition.settings, seen=lambda *_: None)
        try:
            paces, throttles = components.paces, components.engine.throttles
            assert paces["one"] is paces["two"] is not paces["other"]
            for name in ("one", "other"):
                for _ in range(composition.settings.daemon.circuit.failures):
                    throttles.learn_from(name, ProviderVerb.FIND, NO_KEY)
            assert throttles.open_circuits() == ("one", "other")
            assert paces["two"].delay() == 0.0
            assert paces["other"].delay() > 0.0
        finally:
            components.close()
