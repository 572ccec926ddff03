"""The chart's values: a closed schema, refusals that say what would be right, and a README made of the comments."""

import importlib.util
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import helm_python
import jsonschema
import pytest
from rendered_chart import CHART, VALUE_SETS, config, rendered
from ruamel.yaml import YAML

SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def refusal(values) -> str:
    with pytest.raises(helm_python.HelmError) as caught:
        rendered(values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"replica": 3}, "replica"),
        ({"replicas": 0}, "replicas"),
        ({"replicas": "3"}, "replicas"),
        ({"image": {"registry": "docker.io"}}, "registry"),
        ({"image": {"digest": "sha256:1234"}}, "digest"),
        ({"config": {"vault": {}}}, "config"),
        ({"config": ""}, "config"),
        ({"env": [{"name": "TOKEN", "value": "secret"}]}, "env"),
        ({"env": [{"name": "TOKEN", "secretName": "s", "key": "k", "value": "secret"}]}, "value"),
        ({"secretFiles": [{"secretName": "s", "mountPath": "relative"}]}, "mountPath"),
        ({"secretFiles": [{"secretName": "s", "mountPath": "/etc/rotator/tls"}]}, "mountPath"),
        ({"vaultToken": {"expirationSeconds": 60}}, "expirationSeconds"),
        ({"vaultToken": {"audience": ""}}, "audience"),
        ({"resources": {"limits": {"memory": "lots"}}}, "memory"),
        ({"podMonitor": {"interval": "fast"}}, "interval"),
        ({"scrape": {"token": "secret"}}, "token"),
        ({"scrape": {"tlsConfig": {"insecureSkipVerify": True}}}, "insecureSkipVerify"),
        ({"networkPolicy": {"egress": {"vault": {"to": []}}}}, "vault"),
        ({"networkPolicy": {"egress": {"x": {"to": [{"cidr": "0.0.0.0/0"}], "ports": []}}}}, "cidr"),
        ({"podDisruptionBudget": {"minAvailable": 1}}, "minAvailable"),
        ({"terminationGracePeriodSeconds": "60s"}, "terminationGracePeriodSeconds"),
    ],
)
def test_the_schema_refuses(values, says):
    assert says in refusal(values)


def test_no_object_of_the_schema_is_open():
    def objects(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(part, dict):
            if part.get("type") == "object" and "global" not in path:
                yield path, part
            for key, value in part.items():
                yield from objects(value, f"{path}/{key}")

    found = dict(objects(SCHEMA))
    assert len(found) > 15
    assert [path for path, part in found.items() if part.get("additionalProperties", True) is True] == []


def test_the_schema_is_valid_and_names_every_value_of_the_defaults_as_required():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    values = YAML(typ="safe", pure=True).load((CHART / "values.yaml").read_text())
    assert set(SCHEMA["required"]) == values.keys()
    jsonschema.validate(values, SCHEMA)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("vault: [", "config: is not a YAML mapping"),
        ("just words", "config: is not a YAML mapping"),
        (config() + "audit: {file: /var/log/audit.jsonl}\n", "audit.file needs a disk"),
        ("vault: {embedded: {data_dir: x}}\n", "vault.embedded needs a disk"),
        (config().replace("0.0.0.0:9464", "127.0.0.1:9464"), "write 0.0.0.0:9464"),
        (config().replace('listen: "0.0.0.0:9464", ', ""), "write 0.0.0.0:9464"),
        (
            config().replace(', probes: "0.0.0.0:9465"', ""),
            "probes is 127.0.0.1:9465, where the kubelet does not reach",
        ),
        (config().replace("0.0.0.0:9465", "0.0.0.0:9464"), "give the probes a port of their own"),
        (config().replace("0.0.0.0:9465", "0.0.0.0:0"), "write 0.0.0.0:9465"),
        (config().replace("0.0.0.0:9464", "[::1]:9464"), "write 0.0.0.0:9464"),
        (config().replace("0.0.0.0:9464", "0.0.0.0:0"), "nor on a port that is chosen at start"),
        (config().replace("0.0.0.0:9464", "0.0.0.0:80"), "may not listen below port 1024"),
        (config("{method: kubernetes, role: r, jwt_file: token}"), "jwt_file is an absolute path"),
        (config("{method: kubernetes, role: r, jwt_file: /etc/rotator/token}"), "not below /etc/rotator"),
    ],
)
def test_a_configuration_that_cannot_work_in_these_pods_is_refused(text, says):
    assert says in refusal({"config": text})


@pytest.mark.parametrize(
    ("text", "secret"),
    [(VALUE_SETS["protected"]["config"], ""), (config(), "rotator-http")],
    ids=["lacking", "needless"],
)
def test_a_monitor_sends_a_token_if_and_only_if_there_is_one(text, secret):
    values = {"config": text, "scrape": {"tokenSecret": {"name": secret}}}
    assert rendered(values)
    assert "scrape.tokenSecret: name the Secret" in refusal({**values, "podMonitor": {"enabled": True}})


def test_two_monitors_and_a_service_account_without_a_name_are_refused():
    assert "exclude each other" in refusal({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}})
    assert "serviceAccount.name: required" in refusal({"serviceAccount": {"create": False}})


_TWICE = {"secretName": "a", "mountPath": "/run/x"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"secretFiles": [_TWICE, {**_TWICE, "secretName": "b"}]}, "mountPath /run/x is named twice"),
        (
            {"secretFiles": [_TWICE], "configMapFiles": [{"configMapName": "c", "mountPath": "/run/x"}]},
            "mountPath /run/x is named twice",
        ),
        (
            {"env": [{"name": "A", "secretName": "s", "key": "k"}, {"name": "A", "secretName": "t", "key": "k"}]},
            "env: A is named twice",
        ),
        ({"podLabels": {"app.kubernetes.io/name": "x"}}, "podLabels: app.kubernetes.io/name is the chart's own"),
    ],
)
def test_what_the_cluster_would_refuse_or_take_for_something_else_is_refused_before(values, says):
    """Such manifests were rendered, and the API refused them in the middle of an installation, or one of two won."""
    assert says in refusal(values)


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chart_readme", CHART.parent / "readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_is_what_the_values_and_their_comments_make():
    """If this fails: python helm/readme.py."""
    assert (CHART / "README.md").read_text() == generator().readme()


def test_a_value_without_a_comment_is_noticed():
    text = "# One.\na: 1\nb: 2\n"
    module = generator()
    with pytest.raises(module.ReadmeError, match="b has no comment"):
        list(module.described(YAML().load(text), text.splitlines()))
