"""The examples for what reads the consumer document: a real agent renders them, and they follow each rotation."""

from collections.abc import Iterator
from configparser import ConfigParser
from xml.etree import ElementTree as ET

import pytest
import yaml
from daemon_environment import DaemonEnvironment, daemon_environment
from polling import eventually
from vault_agent import EXAMPLES, RenderedFiles, running_agent

HOST = "sip.example.com"
TARGET = {
    "name": "office-phone",
    "strategy": "replace",
    "credential": {"username": "officephone", "new": True},
    "path": "sip/office-phone",
}


@pytest.fixture
def environment(bao, tmp_path) -> Iterator[DaemonEnvironment]:
    with daemon_environment(bao, tmp_path) as made:
        made.configure([TARGET], policies={"fast": {"every": "90d", "overlap": "1d", "quarantine": "1d"}})
        yield made


def published(environment: DaemonEnvironment) -> tuple[str, str]:
    document = environment.consumer_document("sip/office-phone")
    return document.username, document.password.reveal()


def asterisk(files: RenderedFiles) -> tuple[str, str]:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.read_string(files.text("asterisk"))
    assert parser["office-phone"]["client_uri"] == f"sip:{parser['office-phone']['username']}@{HOST}"
    return parser["office-phone"]["username"], parser["office-phone"]["password"]


def freeswitch(files: RenderedFiles) -> tuple[str, str]:
    (gateway,) = ET.fromstring(files.text("freeswitch")).iter("gateway")
    values = {each.attrib["name"]: each.attrib["value"] for each in gateway}
    assert values["proxy"] == HOST
    return values["username"], values["password"]


def kamailio(files: RenderedFiles) -> tuple[str, str]:
    header, row = files.text("kamailio").splitlines()
    names = [each.partition("(")[0] for each in header.split()]
    values = dict(zip(names, row.replace(r"\:", "\0").split(":"), strict=True))
    assert values["auth_proxy"] == f"sip\0{HOST};transport=tls"
    return values["auth_username"], values["auth_password"]


def test_the_files_of_a_pbx_follow_each_rotation(environment: DaemonEnvironment) -> None:
    document = yaml.safe_load(environment.config.read_text())
    document["providers"]["vobiz"]["host"] = HOST
    environment.config.write_text(yaml.safe_dump(document))
    environment.run_rotator("rotate", "office-phone")
    with running_agent(environment.bao, environment.folder) as files:
        for _ in range(2):
            username, password = published(environment)
            eventually(lambda: files.have(username), "every file has what is published")  # noqa: B023
            assert asterisk(files) == freeswitch(files) == kamailio(files) == (username, password)
            assert {files.path(name).stat().st_mode & 0o777 for name in ("asterisk", "freeswitch")} == {0o640}
            environment.run_rotator("rotate", "office-phone")
        eventually(lambda: len(files.told()) >= 6, "each PBX was told of each change")
    assert password not in (environment.folder / "agent.log").read_text()


def test_a_document_that_was_withdrawn_leaves_the_file_of_before(environment: DaemonEnvironment) -> None:
    environment.run_rotator("rotate", "office-phone")
    username, _ = published(environment)
    with running_agent(environment.bao, environment.folder) as files:
        eventually(lambda: files.have(username), "every file has what is published")
        environment.bao.call("POST", "secret/data/sip/office-phone", {"data": {"moved_to": "sip/elsewhere"}})
        log = environment.folder / "agent.log"
        eventually(lambda: "map has no entry for key" in log.read_text(), "the agent says what is missing")
        assert files.have(username)


@pytest.mark.parametrize("name", ["external-secrets.yaml", "vault-secrets-operator.yaml"])
def test_the_manifests_copy_what_devices_need_and_are_faster_than_an_overlap(name: str) -> None:
    manifests = list(yaml.safe_load_all((EXAMPLES / name).read_text()))
    (last,) = [each["spec"] for each in manifests if each["kind"] in ("ExternalSecret", "VaultStaticSecret")]
    assert last.get("refreshInterval") == "1m" or last.get("refreshAfter") == "60s"
    copied = [each["secretKey"] for each in last.get("data", [])]
    assert (copied or last["destination"]["transformation"]["includes"]) == ["username", "password", "host"]
    kinds = {each["kind"]: each["metadata"]["name"] for each in manifests}
    assert last.get("secretStoreRef", {}).get("name") == kinds.get("SecretStore")
    assert last.get("vaultAuthRef") == kinds.get("VaultAuth")
