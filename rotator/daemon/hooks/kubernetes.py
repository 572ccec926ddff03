"""A hook that annotates an object of the cluster in which rotator runs: a rollout, or a sign for whoever watches."""

from collections.abc import Mapping
from datetime import timedelta

from rotator.core.answers import Answer, Done, Refusal, Refused, Unknown
from rotator.core.secret import Secret
from rotator.daemon.kubernetes_api import KubernetesApi, NoServiceAccount
from rotator.daemon.receiver import NotNow

ANNOTATION = "rotator/event"
_PLACES = {
    "Deployment": "apis/apps/v1/namespaces/{}/deployments/{}",
    "StatefulSet": "apis/apps/v1/namespaces/{}/statefulsets/{}",
    "Secret": "api/v1/namespaces/{}/secrets/{}",
}


class AnnotationHook:
    """Writes the key into an annotation: of the pods' template, which rolls them out, or of the Secret itself.

    Written twice, the same key changes nothing, so nothing is rolled out twice.
    """

    takes_password = False

    def __init__(self, kind: str, namespace: str | None, name: str, time_limit: timedelta, api: KubernetesApi) -> None:
        """Takes the object; without a namespace, that of the pod."""
        self._kind, self._namespace, self._name = kind, namespace, name
        self._seconds, self._api = time_limit.total_seconds(), api

    def run(self, facts: Mapping[str, object], password: Secret | None) -> Answer[None]:  # noqa: ARG002 - as of each kind
        """Patches the object."""
        namespace = self._namespace or ""
        try:
            namespace = namespace or self._api.own("namespace")
            path, patch = _PLACES[self._kind].format(namespace, self._name), self._patch(str(facts["key"]))
            self._api.send("PATCH", path, patch, "application/strategic-merge-patch+json", within=self._seconds)
        except NotNow as error:
            return Unknown(f"the API of Kubernetes: {error}")
        except NoServiceAccount as error:
            return Refused(Refusal.OTHER, f"{error} (in the chart: kubernetesHooks)")
        except OSError as error:
            what = f"{self._kind} {namespace}/{self._name}"
            return Refused(
                Refusal.OTHER, f"the API of Kubernetes: {error}; does {what} exist, and may this pod patch it?"
            )
        return Done(None)

    def _patch(self, key: str) -> dict[str, object]:
        annotated: dict[str, object] = {"metadata": {"annotations": {ANNOTATION: key}}}
        return annotated if self._kind == "Secret" else {"spec": {"template": annotated}}
