"""The few administrative requests to an embedded server."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from rotator.core.secret import Secret
from rotator.ports import Clock, StoreError
from rotator.vault.auth import AppRole
from rotator.vault.process import EmbeddedError
from rotator.vault.transport import Connection, VaultSession

TIMEOUT = 30.0
"""Seconds for one administrative request."""


class VaultAdmin:
    """Sends administrative requests. Raises EmbeddedError for every answer except success."""

    def __init__(self, connection: Connection, clock: Clock, token: Secret | None = None) -> None:
        self.token = token
        self._address = connection.address
        self._session = VaultSession(connection, clock)

    def call(self, verb: str, path: str, body: Mapping[str, Any] | None = None, also: int = 200) -> dict[str, Any]:
        """Sends one request, with the token if there is one; `also` is a further status that means success."""
        headers = {} if self.token is None else {"X-Vault-Token": self.token.reveal()}
        url = f"{self._address}/v1/{path}"
        try:
            answer = self._session.request(
                verb, url, json=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
            document = answer.json() if answer.content else {}
        except (StoreError, ValueError) as error:
            raise EmbeddedError(f"the embedded server did not answer {path} ({type(error).__name__})") from None
        if answer.status_code not in {200, 204, also}:
            raise EmbeddedError(f"the embedded server answered {answer.status_code} to {path}")
        return document

    @contextmanager
    def logged_in(self, login: AppRole) -> Iterator[Self]:
        """Logs in for the block, and revokes the token at its end."""
        fields = {"role_id": login.role_id, "secret_id": login.current_secret_id().reveal()}
        self.token = Secret(self.call("POST", "auth/approle/login", fields)["auth"]["client_token"])
        try:
            yield self
        finally:
            self.call("POST", "auth/token/revoke-self")
            self.token = None

    def health(self) -> int:
        """Returns the status of /sys/health: 200 ready, 501 not initialised, 503 sealed; 0 if nothing answers yet."""
        try:
            return self._session.request("GET", f"{self._address}/v1/sys/health", timeout=5).status_code
        except StoreError:
            return 0

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()
