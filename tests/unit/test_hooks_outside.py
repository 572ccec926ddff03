"""What hooks do outside, with real sockets and processes: what they are told, what a failure says, what stays out."""

import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from polling import eventually
from receiver_servers import HttpReceiver, http_receiver

from rotator.core.answers import Answer, Done, Refused, Unknown
from rotator.core.secret import Secret
from rotator.daemon.hooks.command import CommandHook
from rotator.daemon.hooks.http import HttpHook
from rotator.daemon.hooks.kubernetes import AnnotationHook
from rotator.daemon.kubernetes_api import KubernetesApi
from rotator.providers.http.transport import trusted
from rotator.settings.hooks import signing_key
from rotator.testing import FakeClock

KEY = "whsec_" + "c2lnbmF0dXJlcyBvZiBob29rcyBpbiB0ZXN0cw=="
PASSWORD = Secret("hunter2-Tr0ub4dor")
FACTS: dict[str, object] = {"key": "a1.after_rotation", "username": "phone01"}
LIMIT = timedelta(seconds=20)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as one:
        yield one


def told(url: str, ca_file: Path | None = None) -> Answer[None]:
    """What a request says."""
    clock = FakeClock()
    clock.advance(timedelta(seconds=time.time() - clock.now().timestamp()))
    with closing(HttpHook(url, signing_key(Secret(KEY)), trusted(ca_file), None, LIMIT, clock)) as hook:
        return hook.run(FACTS, PASSWORD)


def checked(headers: Any, body: bytes, key: str = KEY) -> bool:
    """What the receiver in the documentation says."""
    (example,) = re.findall(r"```python\n(import base64.*?)```", Path("docs/hooks.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    return names["is_from_rotator"]({name.lower(): value for name, value in headers.items()}, body, key)


def test_a_request_is_signed_and_the_receiver_of_the_documentation_knows_it(receiver):
    assert told(receiver.url) == Done(None)
    ((request, headers),), (body,) = receiver.requests, receiver.bodies
    assert request == "POST /ingest"
    assert json.loads(body) == FACTS
    assert headers["webhook-id"] == "a1.after_rotation"
    assert checked(headers, body)
    assert not checked(headers, body + b" ")
    assert not checked(headers, body, "c29tZWJvZHkgZWxzZSdzIGtleSBmb3IgaG9va3M=")
    assert not checked({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}, body)
    assert not checked({**headers, "webhook-id": "a2.after_rotation"}, body)


def test_no_password_gets_into_a_request(receiver):
    told(receiver.url)
    assert not HttpHook.takes_password
    assert PASSWORD.reveal().encode() not in receiver.bodies[0]


@pytest.mark.parametrize(
    ("answers", "said", "tries"),
    [
        ([503, 429], Done(None), 3),
        ([503] * 9, Unknown("it answers 503"), 3),
        ([403], "it refuses with 403", 1),
        ([302], "it refuses with 302: no redirect is followed", 1),
    ],
)
def test_what_may_be_taken_later_is_sent_again_a_few_times_and_nothing_is_followed(receiver, answers, said, tries):
    receiver.answers[:], receiver.says = list(answers), b"hunter2-Tr0ub4dor " * 100_000
    answer = told(receiver.url)
    assert (answer.message if isinstance(answer, Refused) else answer) == said
    assert len(receiver.requests) == tries


def test_a_server_that_nobody_vouches_for_is_told_nothing(tmp_path):
    ca, other = trustme.CA(), trustme.CA()
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with http_receiver(tls=server_of(ca)) as receiver:
        url = f"https://127.0.0.1:{receiver.port}/"
        answer = told(url, tmp_path / "other.pem")
        assert isinstance(answer, Unknown)
        assert answer.message.startswith(f"the TLS certificate of 127.0.0.1:{receiver.port} is not trusted: check url")
        assert not receiver.requests
        assert told(url, tmp_path / "ca.pem") == Done(None)


def server_of(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


def program(folder: Path, text: str) -> str:
    file = folder / "hook"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def test_a_command_gets_the_facts_on_standard_input_and_nothing_of_ours(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("VAULT_TOKEN", PASSWORD.reveal())
    command = (program(tmp_path, f'cat > {tmp_path}/told; env > {tmp_path}/env; pwd; echo "$@"'), "$HOME", "; true")
    assert CommandHook(command, LIMIT, takes_password=False).run(FACTS, None) == Done(None)
    assert json.loads((tmp_path / "told").read_text()) == FACTS
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names <= {"PATH", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}
    assert capfd.readouterr() == ("", "")


def test_a_password_is_on_standard_input_and_in_no_argument(tmp_path):
    command = (program(tmp_path, f"cat > {tmp_path}/told; cat /proc/$$/cmdline > {tmp_path}/arguments"),)
    CommandHook(command, LIMIT, takes_password=True).run(FACTS, PASSWORD)
    assert json.loads((tmp_path / "told").read_text()) == {**FACTS, "password": PASSWORD.reveal()}
    assert PASSWORD.reveal() not in (tmp_path / "arguments").read_text()


@pytest.mark.parametrize(
    ("text", "said"), [("exit 3", "hook: status 3"), ("kill -TERM $$; sleep 60", "hook: ended by signal 15")]
)
def test_a_command_that_fails_says_how_and_not_what_it_printed(tmp_path, text, said):
    answer = CommandHook((program(tmp_path, f"echo hunter2 >&2; {text}"),), LIMIT, takes_password=False).run(
        FACTS, None
    )
    assert isinstance(answer, Refused)
    assert answer.message == f"{tmp_path}/{said}"


def test_a_program_that_is_not_there_is_named():
    answer = CommandHook(("/no/such/program",), LIMIT, takes_password=False).run(FACTS, None)
    assert isinstance(answer, Refused)
    assert answer.message == "/no/such/program cannot be started: No such file or directory"


def test_a_command_that_does_not_end_is_killed_with_what_it_started(tmp_path):
    text = f"sleep 600 & echo $! > {tmp_path}/child; wait"
    hook = CommandHook((program(tmp_path, text),), timedelta(seconds=1), takes_password=False)
    answer = hook.run(FACTS, None)
    assert answer == Unknown(f"{tmp_path}/hook did not end within 1 s, and was killed")
    child = int((tmp_path / "child").read_text())
    eventually(lambda: not running(child), "the child is gone")


FIRST_PROCESS = """
import ctypes, os, pathlib, sys, time
from datetime import timedelta
from rotator.daemon.hooks.command import CommandHook

assert ctypes.CDLL(None).prctl(36, 1) == 0  # PR_SET_CHILD_SUBREAPER: orphans become its children
hangs, ends = (CommandHook((path,), timedelta(seconds=0.5), takes_password=False) for path in sys.argv[1:])
print(hangs.run({}, None))
limit = time.monotonic() + 60
while left := pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text():
    assert time.monotonic() < limit, f"zombies: {left}"
    ends.run({}, None)
"""


def test_the_first_process_of_a_container_keeps_no_zombies(tmp_path):
    (tmp_path / "hangs").mkdir()
    (tmp_path / "ends").mkdir()
    programs = program(tmp_path / "hangs", "sleep 600 & wait"), program(tmp_path / "ends", "exit 0")
    done = subprocess.run([sys.executable, "-c", FIRST_PROCESS, *programs], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "and was killed" in done.stdout


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_that_reads_nothing_is_none_the_worse(tmp_path):
    facts = {**FACTS, "reason": "x" * 200_000}
    assert CommandHook((program(tmp_path, "exit 0"),), LIMIT, takes_password=False).run(facts, None) == Done(None)


class Cluster:
    """The API of a cluster, and the folder of a pod's service account."""

    def __init__(self, folder: Path, receiver: HttpReceiver, ca: trustme.CA) -> None:
        self.receiver, self.folder = receiver, folder
        ca.cert_pem.write_to_path(folder / "ca.crt")
        (folder / "token").write_text("the-token-of-the-pod\n")
        (folder / "namespace").write_text("telephony")

    def run(self, kind: str, namespace: str | None = None) -> Any:
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.receiver.port)}
        hook = AnnotationHook(kind, namespace, "kamailio", LIMIT, KubernetesApi(environ, FakeClock(), self.folder))
        return hook.run(FACTS, None)


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    ca = trustme.CA()
    with http_receiver(tls=server_of(ca)) as receiver:
        yield Cluster(tmp_path, receiver, ca)


ANNOTATED = {"metadata": {"annotations": {"rotator/event": "a1.after_rotation"}}}


@pytest.mark.parametrize(
    ("kind", "namespace", "path", "patch"),
    [
        ("Deployment", None, "apis/apps/v1/namespaces/telephony/deployments", {"spec": {"template": ANNOTATED}}),
        ("StatefulSet", "pbx", "apis/apps/v1/namespaces/pbx/statefulsets", {"spec": {"template": ANNOTATED}}),
        ("Secret", None, "api/v1/namespaces/telephony/secrets", ANNOTATED),
    ],
)
def test_an_object_of_the_cluster_is_annotated_by_the_key(cluster, kind, namespace, path, patch):
    assert cluster.run(kind, namespace) == Done(None)
    ((request, headers),), (body,) = cluster.receiver.requests, cluster.receiver.bodies
    assert request == f"PATCH /{path}/kamailio"
    assert headers["Authorization"] == "Bearer the-token-of-the-pod"
    assert headers["Content-Type"] == "application/strategic-merge-patch+json"
    assert headers["Accept"] == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert json.loads(body) == patch


def test_a_patch_that_is_refused_says_what_to_look_at(cluster):
    cluster.receiver.answers[:] = [403]
    assert cluster.run("Deployment").message == (
        "the API of Kubernetes: it refuses with 403; "
        "does Deployment telephony/kamailio exist, and may this pod patch it?"
    )
    cluster.receiver.answers[:] = [503] * 9
    assert cluster.run("Deployment") == Unknown("the API of Kubernetes: it answers 503")


def test_the_token_of_now_is_sent_which_the_kubelet_replaces(cluster):
    cluster.run("Secret")
    (cluster.folder / "token").write_text("the-next-token")
    cluster.run("Secret")
    assert cluster.receiver.requests[1][1]["Authorization"] == "Bearer the-next-token"


@pytest.mark.parametrize("missing", ["token", "ca.crt", "namespace"])
def test_outside_of_a_pod_it_says_what_is_missing(cluster, missing):
    (cluster.folder / missing).unlink()
    answer = cluster.run("Deployment")
    assert answer.message == (
        f"no service account of Kubernetes is in {cluster.folder}: mount its token (in the chart: kubernetesHooks)"
    )
    assert not cluster.receiver.requests


@pytest.mark.parametrize("text", ["", "c2hvcnQ=", "hunter2-Tr0ub4dor-hunter2-Tr0ub4dor"])
def test_a_key_that_cannot_sign_is_refused_without_being_shown(text):
    with pytest.raises(ValueError, match="openssl rand -base64 32") as caught:
        signing_key(Secret(text))
    assert not text or text not in str(caught.value)
