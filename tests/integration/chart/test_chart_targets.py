"""Many targets in the chart: a ConfigMap for each file, existing volumes, and a configuration that includes both."""

import kubernetes_validate
import pytest
from helm_python import HelmError
from rendered_chart import Manifest, config, of_kind, pod_of, rendered

from rotator.settings import load

ROWS = "name,username\n" + "".join(f"agent-{number:05d},agent{number:05d}\n" for number in range(20_000))
FILES = {"20-agents.csv": ROWS, "10-doors.jsonl": '{"name": "door", "credential": {"username": "door01"}}\n'}
VOLUMES = [
    {"mountPath": "/srv/targets", "source": {"persistentVolumeClaim": {"claimName": "targets", "readOnly": True}}},
    {"mountPath": "/srv/more", "source": {"csi": {"driver": "example.com/files", "readOnly": True}}},
]
VALUES = {"targetFiles": FILES, "targetVolumes": VOLUMES}


def mounts(manifests) -> dict[str, Manifest]:
    (container,) = pod_of(manifests)["spec"]["containers"]
    return {mount["name"]: mount for mount in container["volumeMounts"]}


def volumes(manifests) -> dict[str, Manifest]:
    return {volume["name"]: volume for volume in pod_of(manifests)["spec"]["volumes"]}


def files_of(manifests) -> dict[str, str]:
    """What the pod sees in the folder: the ConfigMaps of the projected volume, in their order."""
    maps = {each["metadata"]["name"]: each["data"] for each in manifests if each["kind"] == "ConfigMap"}
    sources = volumes(manifests)["targets"]["projected"]["sources"]
    return {name: text for source in sources for name, text in maps[source["configMap"]["name"]].items()}


@pytest.mark.parametrize("version", ["1.32", "1.27"])
def test_manifests_with_many_targets_are_what_the_kubernetes_api_takes(version):
    for manifest in rendered(VALUES):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_each_file_has_a_config_map_of_its_own_in_one_folder():
    manifests = rendered(VALUES)

    assert files_of(manifests) == FILES
    assert len([each for each in manifests if each["kind"] == "ConfigMap"]) == 1 + len(FILES)
    assert mounts(manifests)["targets"] == {"name": "targets", "mountPath": "/etc/rotator-targets", "readOnly": True}


def test_existing_volumes_are_mounted_read_only():
    manifests = rendered(VALUES)

    assert volumes(manifests)["targets-0"] == {"name": "targets-0", **VOLUMES[0]["source"]}
    assert volumes(manifests)["targets-1"] == {"name": "targets-1", **VOLUMES[1]["source"]}
    assert mounts(manifests)["targets-1"] == {"name": "targets-1", "mountPath": "/srv/more", "readOnly": True}


def test_a_changed_file_restarts_the_pods():
    before = pod_of(rendered(VALUES))["metadata"]["annotations"]
    after = pod_of(rendered({"targetFiles": {**FILES, "20-agents.csv": ROWS + "a,a1\n"}}))["metadata"]["annotations"]

    assert before != after
    assert "checksum/targets" not in pod_of(rendered({}))["metadata"]["annotations"]


def test_the_configuration_includes_what_the_pod_sees(tmp_path, monkeypatch):
    """Twenty thousand targets, which are no part of the configuration's own ConfigMap."""
    text = config()
    head = text[: text.index("targets:")] + text[text.index("daemon:") :]
    head += "defaults: {provider: prod, strategy: replace, path: 'sip/{name}'}\ninclude: [/etc/rotator-targets]\n"
    manifests = rendered({**VALUES, "config": head})
    folder = tmp_path / "rotator-targets"
    folder.mkdir()
    for name, content in files_of(manifests).items():
        (folder / name).write_text(content)
    own = next(
        each["data"]["config.yaml"]
        for each in manifests
        if each["kind"] == "ConfigMap" and "config.yaml" in each["data"]
    )
    (tmp_path / "config.yaml").write_text(own.replace("/etc/rotator-targets", str(folder)))

    settings = load(tmp_path / "config.yaml", {"VOBIZ_AUTH_TOKEN": "x"})

    assert [target.name for target in settings.core_targets()][:2] == ["door", "agent-00000"]
    assert len(settings.core_targets()) == 20_001
    assert len(of_kind(rendered({"config": head}), "ConfigMap")["data"]["config.yaml"]) < 2000


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"targetFiles": {"a.txt": "x"}}, "a.txt"),
        ({"targetFiles": {".a.csv": "x"}}, ".a.csv"),
        ({"targetFiles": {"a.csv": "x" * 1_000_001}}, "targetFiles.a.csv is larger than a ConfigMap can be"),
        ({"targetVolumes": [{"mountPath": "/srv"}]}, "source"),
        ({"targetVolumes": [{"mountPath": "srv", "source": {"emptyDir": {}}}]}, "mountPath"),
    ],
)
def test_what_cannot_work_is_refused(values, says):
    with pytest.raises(HelmError) as caught:
        rendered(values)

    assert says in str(caught.value)
