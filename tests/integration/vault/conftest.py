"""The policy that `rotator` is given, and an authority for TLS."""

from pathlib import Path

import pytest
from openbao_server import Bao

POLICY = Path(__file__).parents[3] / "config" / "vault-policy.hcl"


@pytest.fixture(scope="session")
def policy(bao: Bao) -> str:
    """The name of the policy of config/vault-policy.hcl in the server."""
    return bao.policy("least", POLICY.read_text())


@pytest.fixture(scope="session")
def authority(bao: Bao) -> dict[str, str]:
    """A certificate for 127.0.0.1 and its key, issued by an authority that OpenBao itself runs."""
    bao.call("POST", "sys/mounts/pki", {"type": "pki"})
    bao.call("POST", "pki/root/generate/internal", {"common_name": "test authority", "ttl": "87600h"})
    bao.call("POST", "pki/roles/server", {"allow_ip_sans": True, "allow_any_name": True, "max_ttl": "700h"})
    issued = bao.call("POST", "pki/issue/server", {"common_name": "vault.test", "ip_sans": "127.0.0.1", "ttl": "600h"})
    return {name: str(issued["data"][name]) for name in ("certificate", "private_key", "issuing_ca")}


@pytest.fixture(scope="session")
def certificate(authority: dict[str, str]) -> str:
    return authority["issuing_ca"]
