"""The two distributions: rotator's wheel, sdist and image hold nothing of the simulator, and the two versions agree."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from rotator import __version__

ROOT = Path(__file__).parents[2]


def project(folder: Path) -> dict:
    """The section `project` of a distribution's pyproject.toml."""
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def build(folder: Path, target: Path, **environ: str) -> tuple[Path, Path]:
    """Builds a wheel and an sdist; needs no index."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target), "-t", "wheel", "-t", "sdist"]
    subprocess.run(command, cwd=folder, env=os.environ | environ, check=True, capture_output=True, timeout=60)
    return next(target.glob("*.whl")), next(target.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def rotator(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(ROOT, tmp_path_factory.mktemp("rotator"))


def metadata(wheel: Path) -> tuple[list[str], str]:
    """The requirements, and the entry points' file."""
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        headers = Parser().parsestr(archive.read(names["METADATA"]).decode())
        return headers.get_all("Requires-Dist", []), archive.read(names["entry_points.txt"]).decode()


def test_the_wheel_has_nothing_of_the_simulator(rotator: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(rotator[0]) as archive:
        folders = {name.split("/")[0] for name in archive.namelist()}
    assert folders == {"rotator", f"rotator-{__version__}.dist-info"}
    requirements, entry_points = metadata(rotator[0])
    assert not [one for one in requirements if re.match("flask|werkzeug|rotator-simulator", one, re.IGNORECASE)]
    assert "rotator.commands" not in entry_points


def test_the_sdist_has_nothing_of_the_simulator_and_builds_the_same_wheel(
    rotator: tuple[Path, Path], tmp_path: Path
) -> None:
    wheel, sdist = rotator
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    subprocess.run(["tar", "-xf", sdist, "-C", tmp_path], check=True)
    assert not [name for name in names if "/simulator/" in name or "rotator_simulator" in name]
    again, _ = build(tmp_path / f"rotator-{__version__}", tmp_path / "again")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())


@pytest.mark.unmeasured  # the copy's files would be counted as files that nothing runs
def test_the_archives_are_the_same_to_the_bit_wherever_they_are_built(
    rotator: tuple[Path, Path], tmp_path: Path
) -> None:
    """In another folder and time zone, with other times and modes of the files, and other hashes of strings."""
    copy = tmp_path / "elsewhere"
    ignored = shutil.ignore_patterns(".git", ".venv", "dist", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored, copy_function=shutil.copyfile)
    for file in copy.rglob("*.py"):
        file.chmod(0o600)
    again = build(copy, tmp_path / "again", TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C")
    assert [file.read_bytes() for file in again] == [file.read_bytes() for file in rotator]


def test_the_image_copies_and_installs_nothing_of_the_simulator() -> None:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    copied = {source for line in lines for source in line.split()}
    assert "rotator" in copied
    assert "simulator" not in copied
    assert "." not in copied
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == {source.split("/")[0] for source in copied}
    assert not re.search(r"^(flask|werkzeug)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)


def test_the_simulator_takes_this_version_of_rotator_and_no_other(tmp_path: Path) -> None:
    wheel, _ = build(ROOT / "simulator", tmp_path)
    requirements, entry_points = metadata(wheel)
    assert project(ROOT)["version"] == project(ROOT / "simulator")["version"] == __version__
    assert f"rotator[embedded]=={__version__}" in requirements
    assert "demo = rotator_simulator.commands:demo\n" in entry_points
    assert "sandbox = rotator_simulator.commands:sandbox\n" in entry_points
    with zipfile.ZipFile(wheel) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {
            "rotator_simulator",
            f"rotator_simulator-{__version__}.dist-info",
        }
