"""A hook that annotates an object of the cluster in which rotator runs: a rollout, or a sign for whoever watches.

One request to the API needs no client library: address, authorities and token are where the kubelet puts them.
"""

import json
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from rotator.core.answers import Answer, Done, Refusal, Refused, Unknown
from rotator.core.secret import Secret
from rotator.daemon.receiver import NotNow, ReceiverClient
from rotator.fields.network import bracketed
from rotator.ports import Clock

# Where the chart puts what is needed; the usual folder may have the token for Vault, which the API refuses.
ACCOUNT = Path("/var/run/secrets/rotator/kubernetes")
ANNOTATION = "rotator/event"
_PLACES = {
    "Deployment": "apis/apps/v1/namespaces/{}/deployments/{}",
    "StatefulSet": "apis/apps/v1/namespaces/{}/statefulsets/{}",
    "Secret": "api/v1/namespaces/{}/secrets/{}",
}
_TRIES = 3


class AnnotationHook:
    """Writes the key into an annotation: of the pods' template, which rolls them out, or of the Secret itself.

    Written twice, the same key changes nothing, so nothing is rolled out twice.
    """

    takes_password = False

    def __init__(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        time_limit: timedelta,
        clock: Clock,
        environ: Mapping[str, str],
        account: Path = ACCOUNT,
    ) -> None:
        """Takes the object; without a namespace, that of the pod. `account` is the folder of its service account."""
        self._kind, self._namespace, self._name = kind, namespace, name
        self._seconds, self._clock, self._account = time_limit.total_seconds(), clock, account
        self._host, self._port = (environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))

    def run(self, facts: Mapping[str, object], password: Secret | None) -> Answer[None]:  # noqa: ARG002 - as of each kind
        """Patches the object. Token and authorities are read each time: the kubelet replaces them."""
        try:
            token, trust, namespace = self._login()
        except (OSError, ValueError):
            what = f"no service account of Kubernetes is in {self._account}"
            return Refused(Refusal.OTHER, f"{what}: mount its token (in the chart: kubernetesHooks)")
        path = _PLACES[self._kind].format(namespace, self._name)
        receiver = ReceiverClient(f"https://{bracketed(self._host)}:{self._port}/{path}", trust, None, self._clock)
        headers = {
            "Authorization": f"Bearer {token.reveal()}",
            "Content-Type": "application/strategic-merge-patch+json",
            # The answer to a patch is the object, with the values of a Secret; this asks for its metadata alone.
            "Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        }
        body = json.dumps(self._patch(str(facts["key"]))).encode()
        try:
            receiver.send("PATCH", body, headers, within=self._seconds, one_try=self._seconds, tries=_TRIES)
        except NotNow as error:
            return Unknown(f"the API of Kubernetes: {error}")
        except OSError as error:
            what = f"{self._kind} {namespace}/{self._name}"
            return Refused(
                Refusal.OTHER, f"the API of Kubernetes: {error}; does {what} exist, and may this pod patch it?"
            )
        finally:
            receiver.close()
        return Done(None)

    def _login(self) -> tuple[Secret, ssl.SSLContext, str]:
        if not self._host or not self._port:
            raise ValueError
        token = Secret((self._account / "token").read_text().strip())
        trust = ssl.create_default_context(cafile=self._account / "ca.crt")
        return token, trust, self._namespace or (self._account / "namespace").read_text().strip()

    def _patch(self, key: str) -> dict[str, object]:
        annotated: dict[str, object] = {"metadata": {"annotations": {ANNOTATION: key}}}
        return annotated if self._kind == "Secret" else {"spec": {"template": annotated}}
