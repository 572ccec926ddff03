"""The port of what is counted."""

from typing import Protocol


class Meter(Protocol):
    """A counter of the calls that leave the process."""

    def provider_request(self, account: str, verb: str, outcome: str, seconds: float) -> None:
        """Counts a request to a provider: `verb` such as `create`, `outcome` a status code or `timeout`, `reset` ..."""
        ...

    def vault_request(self, operation: str, outcome: str, seconds: float) -> None:
        """Counts a request to Vault: `operation` such as `read_state`, `outcome` such as `ok`, `conflict`, `denied`."""
        ...
