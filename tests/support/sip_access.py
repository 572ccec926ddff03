"""How adapters under test reach the simulated registrar: over TLS, with its own authority."""

import atexit
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from rotator_simulator.authority import authority_pem
from rotator_simulator.server import SimulatorServer


@cache
def authority_file() -> Path:
    """The registrar's authority, in a file that lives as long as the process."""
    with NamedTemporaryFile(prefix="sip-ca-", suffix=".pem", delete=False) as file:
        file.write(authority_pem())
    atexit.register(Path(file.name).unlink)
    return Path(file.name)


def over_tls(server: SimulatorServer) -> dict[str, str | Path]:
    """The options of an account that proves its passwords at this registrar."""
    return {"registrar": str(server.sips_address), "sip_ca_file": authority_file()}


def written_over_tls(server: SimulatorServer) -> dict[str, str]:
    """The same as a configuration says it."""
    return {key: str(value) for key, value in over_tls(server).items()}
