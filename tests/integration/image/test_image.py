"""The image: its Dockerfile is linted; `-m ci`: release/build makes it and all of a release, podman runs it."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bills_of_materials import read_bill
from daemon_environment import DaemonEnvironment, daemon_environment
from openbao_server import Bao
from polling import eventually
from rendered_chart import ROOT

from locks import locked
from rotator import __version__

DOCKERFILE = ROOT / "Dockerfile"
HADOLINT = str(Path(sys.executable).with_name("hadolint"))
IMAGE = f"localhost/rotator:{__version__}"
_BASE = re.search(r"^ARG PYTHON=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
LOCKED = ["--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
# What a container inside a container needs: no cgroup manager of systemd, and limits that may be set there.
CONTAINERS_CONF = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
"""


def run(*command, timeout=60, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)


def test_hadolint_finds_nothing():
    done = run(HADOLINT, "--failure-threshold=style", str(DOCKERFILE))
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_can_find_something(tmp_path):
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian\nRUN apt-get install curl\n")
    assert "DL3008" in run(HADOLINT, str(bad)).stdout


def test_the_last_stage_starts_from_nothing_and_runs_nothing_while_it_is_built():
    last = DOCKERFILE.read_text().rpartition("\nFROM ")[2]
    assert last.startswith("scratch\n")
    assert "\nRUN " not in last
    assert "\nUSER 65532:65532\n" in last
    assert 'ENTRYPOINT ["/app/bin/rotator"]' in last


def test_the_version_label_is_the_projects():
    assert f"\nARG VERSION={__version__}\n" in DOCKERFILE.read_text()


@dataclass(frozen=True)
class Podman:
    """Podman with what it needs here."""

    program: str
    environ: dict[str, str]

    def __call__(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return run(self.program, *arguments, timeout=timeout, env=self.environ)


@dataclass(frozen=True)
class Release:
    """What release/build made of a commit with everything that is in this checkout."""

    checkout: Path
    podman: Podman
    base: str

    def build(self) -> Path:
        """Builds, with whatever differs from one machine to the next, and returns dist/."""
        environ = {**self.podman.environ, "PODMAN_BUILD_OPTIONS": "--network=host --isolation=chroot --pull=never"}
        words = [str(self.checkout / "release/build"), "--base", self.base, "--builder", "urn:test"]
        built = run(*words, timeout=900, env=environ)
        assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
        return self.checkout / "dist"


def committed_copy(folder: Path) -> Path:
    """A repository of one commit: what git knows or would take of this checkout."""
    listed = run("git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "--all"], [*who, "commit", "-q", "-m", "everything"]):
        done = run("git", "-C", str(folder), *words, env={**os.environ, "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"})
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """A release that was built once."""
    settings = tmp_path_factory.mktemp("engine") / "containers.conf"
    settings.write_text(CONTAINERS_CONF)
    program = shutil.which("podman")
    assert program, "podman is not installed: apt-get install podman runc netavark"
    found = Podman(program, {**os.environ, "CONTAINERS_CONF": str(settings)})
    base = _BASE[1] if _BASE else ""
    digest = found("image", "inspect", "--format", "{{.Digest}}", base).stdout.strip()
    assert digest, f"{base} is not here: podman pull {base}, or image/lookalike"
    made = Release(committed_copy(tmp_path_factory.mktemp("checkout")), found, f"{base.rpartition(':')[0]}@{digest}")
    made.build()
    yield made
    found("rmi", "--force", IMAGE)


@pytest.fixture(scope="module")
def podman(release: Release) -> Podman:
    """An engine that has the image."""
    return release.podman


@pytest.mark.ci
@pytest.mark.timeout(1100)
def test_the_bill_of_the_image_names_all_that_is_in_it(release):
    bill = read_bill(release.checkout / f"dist/rotator-{__version__}-image.cdx.json")
    parts = {part["name"]: part for part in bill["components"]}
    pinned = {one.name for one in locked("requirements.lock")}
    assert pinned < parts.keys()
    assert parts["CPython"]["version"].startswith("3.13.")
    assert parts["libssl3"]["purl"].startswith("pkg:deb/debian/libssl3@3.")
    assert {part["name"] for part in parts["pydantic-core"]["components"]} > {"regex"}  # what is linked into it
    # A library of Debian that has no licence here is not in docs/licences.md either.
    assert [name for name, part in parts.items() if not part.get("licenses")] == []


@pytest.mark.ci
@pytest.mark.timeout(1100)
def test_a_second_build_is_the_same_to_the_bit(release):
    sums = release.checkout / "dist/SHA256SUMS"
    first = sums.read_text()
    for file in release.checkout.rglob("*"):
        if ".git" not in file.parts and ".venv" not in file.parts and file.is_file():
            os.utime(file)
    before = os.umask(0o077)
    try:
        release.build()
    finally:
        os.umask(before)
    assert sums.read_text() == first
    assert len(first.splitlines()) == 9  # wheels and sdists of both, image, chart, two bills, provenance


@pytest.mark.ci
@pytest.mark.timeout(1100)
def test_the_provenance_names_commit_base_and_locks(release):
    said = json.loads((release.checkout / f"dist/rotator-{__version__}.provenance.json").read_text())
    assert said["predicateType"] == "https://slsa.dev/provenance/v1"
    subjects = {one["name"]: one["digest"]["sha256"] for one in said["subject"]}
    image = release.checkout / f"dist/rotator-{__version__}-image.tar"
    assert subjects[image.name] == hashlib.sha256(image.read_bytes()).hexdigest()
    assert len(subjects) == 8
    materials = said["predicate"]["buildDefinition"]["resolvedDependencies"]
    commit = run("git", "-C", str(release.checkout), "rev-parse", "HEAD").stdout.strip()
    assert materials[0]["digest"] == {"gitCommit": commit}
    assert materials[1]["digest"]["sha256"] == release.base.rpartition(":")[2]
    lock = next(one for one in materials if one.get("name") == "requirements.lock")
    assert lock["digest"]["sha256"] == hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()


@pytest.mark.ci
@pytest.mark.timeout(1100)
def test_the_image_says_what_it_was_built_from(release):
    labels = json.loads(release.podman("image", "inspect", "--format", "{{json .Labels}}", IMAGE).stdout)
    assert "@".join(labels[f"org.opencontainers.image.base.{part}"] for part in ("name", "digest")) == release.base
    commit = run("git", "-C", str(release.checkout), "rev-parse", "HEAD").stdout.strip()
    assert labels["org.opencontainers.image.revision"] == commit


@pytest.mark.ci
@pytest.mark.timeout(1100)
def test_it_holds_what_runs_and_nothing_else(podman, tmp_path):
    made = podman("create", IMAGE).stdout.strip()
    archive = tmp_path / "image.tar"
    assert podman("export", "--output", str(archive), made).returncode == 0
    podman("rm", made)
    with tarfile.open(archive) as content:
        members = content.getmembers()
    files = {member.name for member in members if not member.isdir()}
    programs = {Path(member.name).name for member in members if member.isreg() and member.mode & 0o111}
    unwanted = {
        "sh",
        "bash",
        "dash",
        "busybox",
        "apt",
        "apt-get",
        "dpkg",
        "pip",
        "pip3",
        "perl",
        "curl",
        "gcc",
        "ldconfig",
    }
    assert not {Path(name).name for name in files} & unwanted
    assert not [name for name in files if "/site-packages/pip/" in name or "/ensurepip/" in name or "/tests/" in name]
    assert not [name for name in files if "rotator_simulator" in name or "/site-packages/flask/" in name]
    assert {"python3.13", "rotator"} <= programs
    in_path = {name for name in files if name.startswith("app/bin/")}
    assert in_path == {f"app/bin/{name}" for name in ("python", "python3", "python3.13", "rotator")}
    assert not [member.name for member in members if member.mode & 0o6000]  # setuid, setgid
    assert any(name.startswith("var/lib/dpkg/status.d/libc6") for name in files)  # for scanners


@pytest.mark.ci
@pytest.mark.timeout(1100)
@pytest.mark.parametrize("user", ["65532:65532", "12345:0"])
def test_it_runs_read_only_as_an_arbitrary_user_without_any_capability(podman, user):
    assert podman("run", "--rm", "--user", user, *LOCKED, IMAGE, "--version").stdout == f"rotator {__version__}\n"
    shell = podman("run", "--rm", "--user", user, *LOCKED, "--entrypoint", "/bin/sh", IMAGE, "-c", "true")
    assert shell.returncode == 127


@pytest.fixture
def environment(bao: Bao, tmp_path: Path) -> Iterator[DaemonEnvironment]:
    with daemon_environment(bao, tmp_path) as made:
        yield made


@pytest.mark.ci
@pytest.mark.timeout(1100)
def test_the_daemon_rotates_in_it_obeys_exec_and_signals_without_a_shell_and_stops(podman, environment, tmp_path):
    environment.configure(
        [
            {
                "name": "boxed",
                "strategy": "replace",
                "credential": {"username": "boxed", "new": True},
                "path": "sip/boxed",
            }
        ],
        audit={"file": None},
    )
    environ = podman.environ | {key: environment.variables[key] for key in ("SECRET_ID", "VOBIZ_TOKEN")}
    arguments = [
        *LOCKED,
        "--env=SECRET_ID",
        "--env=VOBIZ_TOKEN",
        f"--volume={environment.config}:/etc/rotator/config.yaml:ro",
    ]
    log = tmp_path / "container.log"
    with log.open("wb") as output:  # not a pipe: it would be full before the end, and hold the container up
        process = subprocess.Popen(
            [podman.program, "run", "--rm", "--name=rotator-boxed", "--user=4711:4711", *arguments, IMAGE],
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: environment.rotations("boxed") >= 1, "rotated in the container")
        # The signal comes first: it does not repeat what was asked for a moment before.
        by_signal = f"import os, signal; os.kill(1, {int(signal.SIGUSR1)})"
        assert podman("exec", "rotator-boxed", "python", "-c", by_signal).returncode == 0
        eventually(lambda: environment.rotations("boxed") >= 2, "rotated on the signal")
        asked = podman("exec", "rotator-boxed", "/app/bin/rotator", "rotate", "boxed", "--reason", "by exec")
        assert asked.returncode == 0, asked.stderr
        assert environment.rotations("boxed") == 3
        asked = podman("exec", "rotator-boxed", "rotator", "rotate", "boxed", "--no-wait", "--reason", "for the log")
        assert asked.returncode == 0, asked.stderr
        eventually(lambda: environment.rotations("boxed") >= 4, "the daemon carried out the request")
        assert environment.published_works("sip/boxed")
        podman("stop", "--time=40", "rotator-boxed", timeout=60)
        assert process.wait(30) == 0
    finally:
        podman("rm", "--force", "rotator-boxed")
        process.kill()
        process.wait()
    staged = [json.loads(line)["facts"] for line in log.read_text().splitlines() if '"verb":"stage"' in line]
    asked_by = [(facts["requested_by"], facts["reason"]) for facts in staged]
    known = [(by.partition(":")[0], why) for by, why in asked_by[1:]]
    assert known == [("SIGUSR1", "signal SIGUSR1"), ("vault", "by exec"), ("vault", "for the log")]
