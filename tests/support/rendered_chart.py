"""The chart as real Helm renders it: manifests by kind, and the sets of values that every test goes through."""

from pathlib import Path
from typing import Any

import helm_python
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "rotator"
Manifest = dict[str, Any]

CONFIG = """\
vault:
  address: https://vault.example.com:8200
  auth: AUTH
providers:
  prod: {type: vobiz, auth_id: MA_1, auth_token: TOKEN}
targets:
  - {name: phone, provider: prod, strategy: replace, credential: {username: phone01}, path: sip/phone}
daemon: {http: {listen: "0.0.0.0:9464", probes: "0.0.0.0:9465"}}
"""


PROTECTED = (
    "{listen: '0.0.0.0:9464', probes: '0.0.0.0:9465', token: {file: /run/secrets/http/token}, "
    "tls: {certificate: /run/secrets/tls/tls.crt, key: /run/secrets/tls/tls.key}}"
)


def config(auth: str = "{method: kubernetes, role: rotator}", token: str = "{env: VOBIZ_AUTH_TOKEN}") -> str:
    """A configuration that logs in with `auth` and takes the provider's token from `token`."""
    return CONFIG.replace("AUTH", auth).replace("TOKEN", token)


VALUE_SETS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "three-replicas": {"replicas": 3},
    "kubernetes-auth-elsewhere": {
        "config": config("{method: kubernetes, role: rotator, mount: k8s/prod, jwt_file: /run/secrets/vault/jwt}"),
        "vaultToken": {"audience": "https://vault.example.com", "expirationSeconds": 600},
        "serviceAccount": {"create": False, "name": "telephony"},
    },
    "approle-from-secrets": {
        "config": config(
            "{method: approle, role_id: r-1, secret_id: {file: /run/secrets/vault/secret-id}}",
            "{file: /run/secrets/providers/vobiz}",
        ),
        "env": [],
        "secretFiles": [
            {"secretName": "rotator-approle", "mountPath": "/run/secrets/vault"},
            {"secretName": "rotator-providers", "mountPath": "/run/secrets/providers"},
        ],
    },
    "everything": {
        "replicas": 2,
        "image": {"digest": "sha256:" + "0" * 64, "pullPolicy": "Always"},
        "imagePullSecrets": ["pull"],
        "env": [
            {"name": "VOBIZ_AUTH_TOKEN", "secretName": "a", "key": "b"},
            {"name": "B", "secretName": "c", "key": "d"},
        ],
        "secretFiles": [{"secretName": "files", "mountPath": "/run/secrets/files"}],
        "configMapFiles": [{"configMapName": "ca", "mountPath": "/run/ca"}],
        "serviceAccount": {"name": "own", "annotations": {"example.com/team": "voice"}},
        "podLabels": {"team": "voice"},
        "podAnnotations": {"vault.hashicorp.com/agent-inject": "true"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "voice", "operator": "Exists", "effect": "NoSchedule"}],
        "terminationGracePeriodSeconds": 90,
        "service": {"port": 80},
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "runbook": "https://wiki.example.com/rotator.md",
        },
        "grafanaDashboard": {"enabled": True},
        "config": config() + "notifications: {cluster: {to: kubernetes-events}}\n",
        "calendars": {"freezes.ics": "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"},
        "kubernetesEvents": {"enabled": True},
        "cronJobs": {
            "report": {"enabled": True},
            "reconcile": {"enabled": True, "arguments": ["--only", "orphaned"]},
            "podAnnotations": {"example.com/job": "yes"},
        },
        "kubernetesHooks": {"enabled": True, "deployments": ["kamailio"], "secrets": ["sip-trunk"]},
        "networkPolicy": {
            "ingress": [],
            "egress": {
                "sip": None,
                "proxy": {"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 3128}]},
                "logs": {"to": [{"ipBlock": {"cidr": "10.0.0.8/32"}}], "ports": [{"protocol": "TCP", "port": 6514}]},
            },
        },
    },
    "protected": {
        "config": config().replace('{listen: "0.0.0.0:9464", probes: "0.0.0.0:9465"}', PROTECTED),
        "secretFiles": [
            {"secretName": "rotator-http", "mountPath": "/run/secrets/http"},
            {"secretName": "rotator-tls", "mountPath": "/run/secrets/tls"},
        ],
        "serviceMonitor": {"enabled": True},
        "scrape": {
            "tokenSecret": {"name": "rotator-http", "key": "token"},
            "tlsConfig": {
                "ca": {"secret": {"name": "rotator-tls", "key": "ca.crt"}},
                "serverName": "demo-rotator.telephony.svc",
            },
        },
    },
    "bare": {"networkPolicy": {"enabled": False}, "serviceMonitor": {"enabled": True}, "env": []},
}


def rendered(values: dict[str, Any], name: str = "demo", namespace: str = "telephony") -> list[Manifest]:
    """Every manifest, NOTES.txt left out. Raises helm_python.HelmError."""
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(values, name=name, namespace=namespace)
    parser = YAML(typ="safe", pure=True)
    found = [parser.load_all(text) for path, text in sorted(files.items()) if path.endswith(".yaml")]
    return [manifest for documents in found for manifest in documents if manifest]


def notes(values: dict[str, Any]) -> str:
    with helm_python.Chart.load(CHART) as chart:
        return str(chart.render(values, name="demo", namespace="telephony")["rotator/templates/NOTES.txt"])


def of_kind(manifests: list[Manifest], kind: str) -> Manifest:
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def kinds(manifests: list[Manifest]) -> set[str]:
    return {manifest["kind"] for manifest in manifests}


def pod_of(manifests: list[Manifest]) -> Manifest:
    return dict(of_kind(manifests, "Deployment")["spec"]["template"])


def pods_of(manifests: list[Manifest]) -> list[Manifest]:
    """The templates of the daemon's pods and of the jobs'."""
    jobs = [each["spec"]["jobTemplate"]["spec"]["template"] for each in manifests if each["kind"] == "CronJob"]
    return [pod_of(manifests), *jobs]
