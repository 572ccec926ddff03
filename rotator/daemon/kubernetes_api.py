"""The API of the Kubernetes cluster in which rotator runs, for the hooks that annotate and for Events.

A request to it needs no client library: address, authorities and token are where the kubelet puts them.
"""

import json
import ssl
from collections.abc import Mapping
from pathlib import Path

from rotator.core.secret import Secret
from rotator.daemon.receiver import ReceiverClient
from rotator.fields.network import bracketed
from rotator.fields.tls import client_context
from rotator.ports import Clock

# Where the chart puts what is needed; the usual folder may have the token for Vault, which the API refuses.
ACCOUNT = Path("/var/run/secrets/rotator/kubernetes")
_TRIES = 3


class NoServiceAccount(OSError):
    """rotator does not run in a pod, or its service account is not mounted."""


class KubernetesApi:
    """Sends requests as the pod's service account. Its files are read each time: the kubelet replaces them."""

    def __init__(self, environ: Mapping[str, str], clock: Clock, account: Path | None = None) -> None:
        """Prepares it without connecting. `account` is the folder of the service account; default ACCOUNT."""
        self._host, self._port = (environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
        self._clock, self._account = clock, account or ACCOUNT

    def own(self, what: str) -> str:
        """Returns what a file says of this pod: its `namespace`, and `pod` or `uid`. Raises NoServiceAccount."""
        try:
            return (self._account / what).read_text().strip()
        except (OSError, ValueError):
            raise self._none() from None

    def send(self, method: str, path: str, body: Mapping[str, object], content_type: str, *, within: float) -> None:
        """Sends a request, up to three times if it may be taken later.

        Args:
            path: without a slash at its beginning.
            within: seconds for everything.

        Raises:
            NoServiceAccount: there is nothing to ask with.
            NotNow: it was not taken, or perhaps not.
            Rejected: it was refused.
        """
        token, trust = self._login()
        receiver = ReceiverClient(f"https://{bracketed(self._host)}:{self._port}/{path}", trust, None, self._clock)
        headers = {
            "Authorization": f"Bearer {token.reveal()}",
            "Content-Type": content_type,
            # The answer is the object, with the values of a Secret; this asks for its metadata alone.
            "Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        }
        try:
            receiver.send(method, json.dumps(body).encode(), headers, within=within, one_try=within, tries=_TRIES)
        finally:
            receiver.close()

    def _login(self) -> tuple[Secret, ssl.SSLContext]:
        if not self._host or not self._port:
            raise self._none()
        token = Secret(self.own("token"))
        try:
            return token, client_context(self._account / "ca.crt")
        except (OSError, ValueError):
            raise self._none() from None

    def _none(self) -> NoServiceAccount:
        return NoServiceAccount(f"no service account of Kubernetes is in {self._account}: mount its token")
