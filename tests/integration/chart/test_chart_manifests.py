"""The chart, rendered by real Helm in several sets of values, against the Kubernetes API schemas and our own rules."""

import re
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

import helm_python
import kubernetes_validate
import pytest
from rendered_chart import CHART, VALUE_SETS, Manifest, config, kinds, notes, of_kind, pod_of, pods_of, rendered
from ruamel.yaml import YAML

from rotator.cli.options import DEFAULT_CONFIG
from rotator.daemon.kubernetes_api import ACCOUNT
from rotator.settings import ConfigProblem, Settings, check

KUBERNETES = ("1.32", "1.27")  # the newest that is promised, and the chart's own lower bound
OPERATOR = "monitoring.coreos.com/v1"
every_set = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS.keys())


def container_of(manifests) -> Manifest:
    (container,) = pod_of(manifests)["spec"]["containers"]
    return container


def test_helm_lints_it_strictly():
    report = helm_python.lint(CHART, strict=True)
    assert report["errors"] == []
    assert [each["error"] for each in report["messages"]] == ["icon is recommended"]


@every_set
@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_are_what_the_kubernetes_api_takes(values, version):
    for manifest in rendered(values):
        if manifest["apiVersion"] != OPERATOR:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_refuse_a_misspelt_key():
    """So that the test above can fail."""
    manifest = of_kind(rendered({}), "Deployment")
    manifest["spec"]["template"]["spec"]["terminationGracePeriod"] = 60
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, "1.32", strict=True)


def test_what_there_is_by_default_and_with_everything_switched_on():
    always = {"Deployment", "ServiceAccount", "ConfigMap", "Service", "NetworkPolicy"}
    assert kinds(rendered({})) == always
    assert kinds(rendered(VALUE_SETS["everything"])) == always | {
        "PodMonitor",
        "PrometheusRule",
        "PodDisruptionBudget",
        "Role",
        "RoleBinding",
        "CronJob",
    }
    assert kinds(rendered(VALUE_SETS["bare"])) == always - {"NetworkPolicy"} | {"ServiceMonitor"}


@every_set
def test_every_manifest_bears_the_recommended_labels_and_the_namespace(values):
    for manifest in rendered(values):
        metadata = manifest["metadata"]
        assert metadata["namespace"] == "telephony"
        assert metadata["name"].startswith("demo-rotator") or manifest["kind"] == "ServiceAccount"
        assert metadata["labels"]["app.kubernetes.io/name"] == "rotator"
        assert metadata["labels"]["app.kubernetes.io/instance"] == "demo"


@every_set
def test_selectors_hold_what_never_changes_and_find_the_pods(values):
    manifests = rendered(values)
    selector = {"app.kubernetes.io/name": "rotator", "app.kubernetes.io/instance": "demo"}
    assert of_kind(manifests, "Deployment")["spec"]["selector"]["matchLabels"] == selector
    assert of_kind(manifests, "Service")["spec"]["selector"] == selector
    assert selector.items() <= pod_of(manifests)["metadata"]["labels"].items()
    for kind in kinds(manifests) & {"PodDisruptionBudget", "PodMonitor", "ServiceMonitor"}:
        assert of_kind(manifests, kind)["spec"]["selector"]["matchLabels"] == selector


@every_set
def test_pods_meet_the_pod_security_standard_restricted(values):
    """Kubernetes, Pod Security Standards: every control of "restricted", and a read-only root besides."""
    for template in pods_of(rendered(values)):
        spec = template["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "initContainers"} & spec.keys()
        kinds_of_volumes = {next(iter(volume.keys() - {"name"})) for volume in spec["volumes"]}
        assert kinds_of_volumes <= {"configMap", "secret", "projected"}
        (program,) = spec["containers"]
        pod, container = spec["securityContext"], program["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] > 0
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["allowPrivilegeEscalation"] is False
        assert container["privileged"] is False
        assert container["readOnlyRootFilesystem"] is True
        assert container["capabilities"] == {"drop": ["ALL"]}
        assert all("hostPort" not in port for port in program.get("ports", []))


@every_set
def test_resources_are_set_and_environment_comes_from_secrets_only(values):
    for template in pods_of(rendered(values)):
        (container,) = template["spec"]["containers"]
        assert set(container["resources"]) == {"requests", "limits"}
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        for variable in container.get("env", []):
            assert set(variable) == {"name", "valueFrom"}
            assert set(variable["valueFrom"]) == {"secretKeyRef"}


@every_set
def test_no_api_token_is_mounted_by_itself(values):
    manifests = rendered(values)
    assert [pod["spec"]["automountServiceAccountToken"] for pod in pods_of(manifests)] == [False] * len(
        pods_of(manifests)
    )
    if "ServiceAccount" in kinds(manifests):
        assert of_kind(manifests, "ServiceAccount")["automountServiceAccountToken"] is False


def tokens(values) -> tuple[str, str, int] | None:
    manifests = rendered(values)
    volumes = {volume["name"]: volume for volume in pod_of(manifests)["spec"]["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container_of(manifests)["volumeMounts"]}
    assert volumes.keys() == mounts.keys()
    if "vault-token" not in volumes:
        return None
    (source,) = volumes["vault-token"]["projected"]["sources"]
    token = source["serviceAccountToken"]
    return str(PurePosixPath(mounts["vault-token"]) / token["path"]), token["audience"], token["expirationSeconds"]


HOOKS = {"kubernetesHooks": {"enabled": True, "deployments": ["kamailio"], "secrets": ["sip-trunk"]}}
EVENTS = {
    "kubernetesEvents": {"enabled": True},
    "config": config() + "notifications: {chat: {url: {env: CHAT_URL}}, cluster: {to: kubernetes-events}}\n",
}


def api_volume(manifests) -> list[Manifest]:
    """What is mounted for the Kubernetes API, by source."""
    mounts = {each["name"]: each["mountPath"] for each in container_of(manifests)["volumeMounts"]}
    assert mounts["kubernetes-api"] == str(ACCOUNT)
    (volume,) = (each for each in pod_of(manifests)["spec"]["volumes"] if each["name"] == "kubernetes-api")
    return volume["projected"]["sources"]


def test_a_hook_may_patch_what_is_named_and_nothing_else():
    manifests = rendered({**HOOKS, "serviceAccount": {"name": "own"}})
    assert of_kind(manifests, "Role")["rules"] == [
        {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["kamailio"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["sip-trunk"], "verbs": ["patch"]},
    ]
    binding = of_kind(manifests, "RoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "own", "namespace": "telephony"}]
    assert binding["roleRef"]["name"] == of_kind(manifests, "Role")["metadata"]["name"]
    token, authorities, pod = api_volume(manifests)
    assert "audience" not in token["serviceAccountToken"]
    assert token["serviceAccountToken"]["path"] == "token"
    assert [item["path"] for item in authorities["configMap"]["items"]] == ["ca.crt"]
    assert [item["path"] for item in pod["downwardAPI"]["items"]] == ["namespace"]


def test_events_may_be_written_and_nothing_else_and_the_pod_knows_itself():
    manifests = rendered(EVENTS)
    rules = [{"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]}]
    assert of_kind(manifests, "Role")["rules"] == rules
    assert of_kind(rendered({**HOOKS, **EVENTS}), "Role")["rules"][2:] == rules
    known = {item["path"]: item["fieldRef"]["fieldPath"] for item in api_volume(manifests)[2]["downwardAPI"]["items"]}
    assert known == {"namespace": "metadata.namespace", "pod": "metadata.name", "uid": "metadata.uid"}


def test_events_need_both_a_route_and_the_right():
    with pytest.raises(
        helm_python.HelmError, match=r"notifications.cluster writes Events.*kubernetesEvents.enabled: true"
    ):
        rendered({"config": EVENTS["config"]})
    with pytest.raises(helm_python.HelmError, match="kubernetesEvents: no route writes Events"):
        rendered({"kubernetesEvents": {"enabled": True}})


def test_hooks_without_an_object_are_refused():
    with pytest.raises(helm_python.HelmError, match="kubernetesHooks: name what the hooks of config annotate"):
        rendered({"kubernetesHooks": {"enabled": True}})


def test_the_vault_token_is_projected_where_the_configuration_reads_it(tmp_path):
    assert tokens({}) == ("/var/run/secrets/kubernetes.io/serviceaccount/token", "vault", 3600)
    elsewhere = VALUE_SETS["kubernetes-auth-elsewhere"]
    assert tokens(elsewhere) == ("/run/secrets/vault/jwt", "https://vault.example.com", 600)
    assert tokens(VALUE_SETS["approle-from-secrets"]) is None
    for values in ({}, elsewhere):
        assert str(loaded(values, tmp_path)[0].vault.auth.jwt_file) == tokens(values)[0]


def loaded(values, folder, environ=None) -> tuple[Settings, tuple[ConfigProblem, ...]]:
    """The configuration that the pods get, as rotator reads it, and its warnings."""
    file = folder / DEFAULT_CONFIG.name
    file.write_text(
        of_kind([m for m in rendered(values) if m["metadata"]["name"] == "demo-rotator"], "ConfigMap")["data"][
            "config.yaml"
        ]
    )
    return check(file, environ or {"VOBIZ_AUTH_TOKEN": "sentinel"})


def test_the_default_configuration_is_accepted_without_a_warning(tmp_path):
    settings, warnings = loaded({}, tmp_path)
    assert warnings == ()
    assert settings.daemon.http.listen.host == settings.daemon.http.probes.host == "0.0.0.0"


def test_the_defaults_name_the_secret_that_the_default_configuration_needs(tmp_path):
    names = {variable["name"] for variable in container_of(rendered({}))["env"]}
    assert loaded({}, tmp_path, dict.fromkeys(names, "sentinel"))[1] == ()


def test_the_example_for_kubernetes_can_be_given_as_it_stands(tmp_path):
    example = (CHART.parents[1] / "config" / "kubernetes.yaml").read_text()
    manifests = rendered({"config": example})
    assert of_kind(manifests, "ConfigMap")["data"]["config.yaml"] == example
    assert tokens({"config": example}) is not None


@pytest.mark.parametrize(
    "text",
    [
        "\n  vault: {}\n  daemon: {http: {listen: '0.0.0.0:9464', probes: '0.0.0.0:9465'}}\n",
        "# ä 'q' \"d\" \\ {{ x }} $y\n" + config(),
    ],
)
def test_any_text_arrives_in_the_pod_as_it_was_written(text):
    assert of_kind(rendered({"config": text}), "ConfigMap")["data"]["config.yaml"] == text


def test_a_changed_configuration_restarts_the_pods():
    def checksum(values) -> str:
        return pod_of(rendered(values))["metadata"]["annotations"]["checksum/config"]

    assert checksum({}) == checksum({"replicas": 2})
    assert checksum({"config": config()}) != checksum({"config": config() + "# changed\n"})


@every_set
def test_the_daemon_reads_the_mounted_configuration_and_commands_find_it_too(values):
    container = container_of(rendered(values))
    assert container["args"] == ["run", "--config", str(DEFAULT_CONFIG)]
    assert "command" not in container  # the image's entry point
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["config"]["mountPath"] == str(DEFAULT_CONFIG.parent)
    assert all(mount["readOnly"] for mount in mounts.values())


@every_set
def test_probes_ask_for_progress_and_never_restart_for_vault(values):
    container = container_of(rendered(values))
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    for probe in ("livenessProbe", "startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "probes"
        assert container[probe]["httpGet"].get("scheme", "HTTP") == "HTTP"
        assert container[probe]["timeoutSeconds"] >= 5
        assert container[probe]["failureThreshold"] >= 3


def test_the_port_is_that_of_the_configuration():
    values = {"config": config().replace("9464", "8080").replace("9465", "8081")}
    ports = {port["name"]: port["containerPort"] for port in container_of(rendered(values))["ports"]}
    assert ports == {"http": 8080, "probes": 8081}


@every_set
def test_nothing_but_the_pages_is_reached_through_the_service_or_let_in(values):
    manifests = rendered(values)
    assert [port["targetPort"] for port in of_kind(manifests, "Service")["spec"]["ports"]] == ["http"]
    if "NetworkPolicy" in kinds(manifests):
        rules = of_kind(manifests, "NetworkPolicy")["spec"]["ingress"]
        assert {port["port"] for rule in rules for port in rule["ports"]} <= {"http"}


@every_set
def test_the_grace_period_outlasts_the_longest_stop(values, tmp_path):
    grace = timedelta(seconds=pod_of(rendered(values))["spec"]["terminationGracePeriodSeconds"])
    if "{file: /run/secrets" not in str(values):  # which are not on this machine
        assert grace > loaded(values, tmp_path)[0].daemon.stop_within


@pytest.mark.parametrize(
    ("stop_within", "grace", "fits"),
    [
        ("45s", 55, True),
        ("45s", 54, False),
        ("1m30s", 100, True),
        ("1m30s", 99, False),
        ("1h", 3610, True),
        ("1h", 60, False),
    ],
)
def test_a_grace_period_that_is_too_short_is_refused(stop_within, grace, fits):
    text = config().replace("daemon: {", f"daemon: {{stop_within: {stop_within}, ")
    values = {"config": text, "terminationGracePeriodSeconds": grace}
    if fits:
        assert pod_of(rendered(values))["spec"]["terminationGracePeriodSeconds"] == grace
        return
    with pytest.raises(
        helm_python.HelmError, match=rf"terminationGracePeriodSeconds: {grace} is too short.*write \d+ or more"
    ):
        rendered(values)


def test_one_replica_has_no_disruption_budget_and_several_have():
    assert "PodDisruptionBudget" not in kinds(rendered({"replicas": 1}))
    manifests = rendered({"replicas": 3})
    assert of_kind(manifests, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert of_kind(manifests, "Deployment")["spec"]["replicas"] == 3
    assert pod_of(manifests)["spec"]["topologySpreadConstraints"]


def egress(values) -> dict[tuple[str, int], list[Any]]:
    """Ports and peers of each rule, as (protocol, port) to peers."""
    rules = of_kind(rendered(values), "NetworkPolicy")["spec"]["egress"]
    return {(port["protocol"], port["port"]): rule["to"] for rule in rules for port in rule["ports"]}


def test_the_network_policy_lets_out_to_names_vault_providers_and_registrars_and_nowhere_else():
    rules = egress({})
    assert set(rules) == {("UDP", 53), ("TCP", 53), ("TCP", 8200), ("TCP", 443), ("TCP", 5061)}
    assert rules["TCP", 8200] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "vault"}}}]
    assert "10.0.0.0/8" in rules["TCP", 443][0]["ipBlock"]["except"]
    assert of_kind(rendered({}), "NetworkPolicy")["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_rules_of_the_network_policy_can_be_added_and_removed():
    rules = egress(VALUE_SETS["everything"])
    assert ("TCP", 5061) not in rules
    assert rules["TCP", 3128] == [{"podSelector": {}}]
    assert rules["TCP", 6514] == [{"ipBlock": {"cidr": "10.0.0.8/32"}}]
    assert of_kind(rendered(VALUE_SETS["everything"]), "NetworkPolicy")["spec"]["ingress"] == []
    none = dict.fromkeys(("dns", "vault", "providers", "sip"))
    assert egress({"networkPolicy": {"egress": none}}) == {}


def test_the_image_goes_by_its_digest_where_there_is_one():
    assert container_of(rendered({}))["image"] == "registry.example.com/rotator:0.1.0"
    assert container_of(rendered({"image": {"tag": "1.2"}}))["image"] == "registry.example.com/rotator:1.2"
    digest = VALUE_SETS["everything"]["image"]["digest"]
    assert container_of(rendered(VALUE_SETS["everything"]))["image"] == f"registry.example.com/rotator@{digest}"


@pytest.mark.parametrize(
    ("kind", "switch", "endpoints"),
    [
        ("ServiceMonitor", "serviceMonitor", "endpoints"),
        ("PodMonitor", "podMonitor", "podMetricsEndpoints"),
    ],
)
def test_monitors_scrape_the_named_port_and_set_the_job_that_the_alerts_go_by(kind, switch, endpoints):
    manifests = rendered({switch: {"enabled": True, "labels": {"release": "p"}}})
    monitor = of_kind(manifests, kind)
    assert monitor["apiVersion"] == OPERATOR
    assert set(monitor["spec"]) == {"jobLabel", "selector", endpoints}
    assert monitor["spec"][endpoints] == [{"port": "http", "path": "/metrics", "interval": "30s"}]
    assert monitor["metadata"]["labels"]["release"] == "p"
    labelled = of_kind(manifests, "Service")["metadata"] if kind == "ServiceMonitor" else pod_of(manifests)["metadata"]
    assert labelled["labels"][monitor["spec"]["jobLabel"]] == "demo"


@pytest.mark.parametrize(
    ("kind", "endpoints"), [("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")]
)
def test_monitors_read_a_protected_endpoint_by_its_certificate_and_token(kind, endpoints):
    switch = kind[0].lower() + kind[1:]
    manifests = rendered({**VALUE_SETS["protected"], "serviceMonitor": {}, switch: {"enabled": True}})
    (endpoint,) = of_kind(manifests, kind)["spec"][endpoints]
    assert endpoint == {
        "port": "http",
        "path": "/metrics",
        "interval": "30s",
        "scheme": "https",
        "tlsConfig": VALUE_SETS["protected"]["scrape"]["tlsConfig"],
        "authorization": {"credentials": {"name": "rotator-http", "key": "token"}},
    }


def test_long_release_names_still_make_names_that_kubernetes_takes():
    for manifest in rendered({"replicas": 2, "grafanaDashboard": {"enabled": True}}, name="r" * 53):
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", manifest["metadata"]["name"])


def test_a_release_that_is_called_rotator_does_not_say_it_twice():
    assert of_kind(rendered({}, name="rotator"), "Deployment")["metadata"]["name"] == "rotator"


def test_the_notes_warn_of_the_example_and_name_the_next_commands():
    said = notes({})
    assert "WARNING: this is still the example configuration" in said
    assert "WARNING: the image goes by a tag, which can be moved" in said
    assert "rotator-providers, key vobiz-auth-token" in said
    assert 'exec deployment/demo-rotator -- rotator rotate TARGET --no-wait --reason "why"' in said
    assert "audience=vault" in said
    own = {"config": config("{method: token_file, file: /run/vault/token}"), "env": []}
    quiet = notes({**own, "image": {"digest": f"sha256:{'0' * 64}"}})
    assert "WARNING" not in quiet
    assert "audience" not in quiet


def test_the_versions_agree():
    parser = YAML(typ="safe", pure=True)
    chart = parser.load((CHART / "Chart.yaml").read_text())
    project = (CHART.parents[1] / "pyproject.toml").read_text()
    assert f'\nversion = "{chart["appVersion"]}"\n' in project
