#!/usr/bin/env python3
"""Gathers what the image holds into one folder: the application, Python without its tools, and the libraries of both.

Run in the build stage of the Dockerfile. There is no shell, no package manager and no pip in what it leaves; each
library's Debian package is recorded in /var/lib/dpkg/status.d, where scanners look for it, and its licence is kept.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

APP = Path("/app")
USELESS = (
    *("ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "test", "tkinter", "turtledemo", "config-*"),
    *("_tkinter.*", "_curses*", "readline.*", "_dbm.*", "_gdbm.*", "_test*", "_ctypes_test*", "xx*", "__pycache__"),
    *("sqlite3", "_sqlite3.*", "dbm", "venv", "_pyrepl", "_xxtestfuzz.*", "curses", "turtle.py"),
)
USELESS_TO_THE_APP = ("tests", ".agents", "*.pyi", ".gitignore", "__pycache__")
PROGRAMS = ("python", "python3", "python3.*", "rotator")
ACCOUNTS = {"passwd": "rotator:x:65532:65532::/:/nonexistent\n", "group": "rotator:x:65532:\n"}


def run(*command: str) -> str:
    """The output of a command; its failure is an error unless it found nothing."""
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout  # noqa: S603 - our own words


def python_into(root: Path) -> None:
    """Copies the interpreter and its standard library."""
    prefix = Path(sys.base_prefix)
    library = Path(sysconfig.get_path("stdlib"))
    for program in ("python", "python3", f"python{sys.version_info[0]}.{sys.version_info[1]}"):
        copied(prefix / "bin" / program, root)
    for shared in prefix.glob("lib/libpython3*.so*"):
        copied(shared, root)
    ignored = shutil.ignore_patterns(*USELESS)
    shutil.copytree(library, root / library.relative_to("/"), symlinks=True, ignore=ignored)
    (root / library.relative_to("/") / "site-packages").mkdir()


def copied(file: Path, root: Path) -> None:
    """Copies one file, or a link as a link, to the same place below `root`."""
    place = root / file.relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, place, follow_symlinks=False)


def libraries(root: Path) -> set[Path]:
    """The shared libraries of the system that anything below `root` is linked to, by the path it is found under."""
    programs = [file for file in root.rglob("*") if file.is_file() and is_elf(file)]
    output = run("ldd", *map(str, programs))
    missing = sorted(set(re.findall(r"(\S+) => not found", output)))
    if missing:
        sys.exit(f"libraries that are not in the build stage: {', '.join(missing)}")
    found = re.findall(r"=> (/\S+)|^\s+(/\S+ld-linux\S+)", output, re.MULTILINE)
    paths = {Path(first or second) for first, second in found}
    return {path for path in paths if not (root / path.relative_to("/")).exists() and not path.is_relative_to(root)}


def is_elf(file: Path) -> bool:
    """True for programs and shared libraries."""
    with file.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"


def recorded(found: Iterable[Path], root: Path) -> None:
    """Writes down which Debian packages the libraries are from."""
    folder = root / "var/lib/dpkg/status.d"
    folder.mkdir(parents=True)
    names = set()
    for path in found:
        # Where /lib is a link to /usr/lib, dpkg knows a file by one of the two names.
        owners = run("dpkg", "-S", str(path)) or run("dpkg", "-S", str(path.resolve()))
        names |= {owners.split(":")[0]} if owners else set()
    for name in sorted(names):
        (folder / name).write_text(run("dpkg", "-s", name))
        copied(Path("/usr/share/doc") / name / "copyright", root)
    for common in Path("/usr/share/common-licenses").iterdir():  # what the copyright files refer to
        copied(common, root)


def application_into(root: Path) -> None:
    """Copies the application, without the programs of its libraries."""
    place = root / APP.relative_to("/")
    shutil.copytree(APP, place, symlinks=True, ignore=shutil.ignore_patterns(*USELESS_TO_THE_APP))
    for program in (place / "bin").iterdir():
        if not any(program.match(pattern) for pattern in PROGRAMS):
            program.unlink()


def main(root: Path) -> None:
    """Fills `root`."""
    python_into(root)
    application_into(root)
    found = libraries(root)
    for path in found:
        place = root / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
    recorded(found, root)
    (root / "etc").mkdir(exist_ok=True)
    for name, text in ACCOUNTS.items():
        (root / "etc" / name).write_text(text)
    (root / "etc/os-release").write_bytes(Path("/etc/os-release").read_bytes())
    (root / "etc/ld.so.conf").write_text("/usr/local/lib\n")  # where libpython is
    subprocess.run(["ldconfig", "-r", str(root)], check=True)  # noqa: S603, S607 - our own words


if __name__ == "__main__":
    main(Path(sys.argv[1]))
