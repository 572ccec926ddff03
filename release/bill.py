#!/usr/bin/env python3
"""Writes a bill of materials (CycloneDX, JSON) of what is shipped.

    python release/bill.py locks FILE          what requirements.lock and requirements-embedded.lock install
    python release/bill.py image IMAGE FILE    what an image in podman's storage holds, as its own Python finds it

The same content gives the same file: the time in it is SOURCE_DATE_EPOCH if that is set, else the beginning of 1970.
"""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import LicenseAcknowledgement, LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from licences import CPYTHON, DEBIAN, licence_of
from locks import Locked, locked
from rotator import __version__

# Printed by the image's own Python: its version, its packages, what is linked into them, and the packages of Debian.
_INVENTORY = """
import json, pathlib, platform
from importlib.metadata import distributions
def parts(distribution):
    files = [file for file in distribution.files or () if ".dist-info/sboms/" in str(file)]
    return [part for file in files for part in json.loads(file.read_text()).get("components", [])]
packages = {one.name: {"version": one.version, "parts": parts(one)} for one in distributions()}
debian = [dict(line.split(": ", 1) for line in file.read_text().splitlines() if ": " in line and line[0] != " ")
          for file in sorted(pathlib.Path("/var/lib/dpkg/status.d").iterdir())]
release = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
print(json.dumps({"python": platform.python_version(), "packages": packages, "debian": debian,
                  "release": release["VERSION_ID"].strip('"')}))
"""


class BillError(Exception):
    """The image cannot be read, or it holds what no lock names; the message says which."""


def _licensed(expression: str) -> list[LicenseExpression]:
    return [LicenseExpression(expression, acknowledgement=LicenseAcknowledgement.DECLARED)]


def _python_package(one: Locked, scope: ComponentScope, parts: Iterable[dict[str, Any]] = ()) -> Component:
    """A package with the archives that pip may have taken, and what its own bill of materials lists."""
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=each) for each in one.hashes]
    page = XsUri(f"https://pypi.org/project/{one.name}/{one.version}/#files")
    archives = [ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=page, hashes=[each]) for each in hashes]
    inside = [
        Component(
            name=part["name"],
            version=part.get("version"),
            bom_ref=f"{one.purl}#{part['name']}@{part.get('version')}",
            purl=PackageURL.from_string(part["purl"].split("#")[0]) if "purl" in part else None,
        )
        for part in parts
    ]
    return Component(
        name=one.name,
        version=one.version,
        scope=scope,
        bom_ref=one.purl,
        purl=PackageURL.from_string(one.purl),
        licenses=_licensed(licence_of(one.name)),
        external_references=archives,
        components=inside,
    )


def _debian_package(said: dict[str, str], release: str) -> Component:
    name, version, architecture = said["Package"], said["Version"], said["Architecture"]
    qualifiers = {"arch": architecture, "distro": f"debian-{release}"}
    purl = PackageURL("deb", "debian", name, version, qualifiers)
    licences = _licensed(DEBIAN[name]) if name in DEBIAN else []
    return Component(name=name, version=version, bom_ref=purl.to_string(), purl=purl, licenses=licences)


def _interpreter(version: str) -> Component:
    return Component(
        name="CPython",
        version=version,
        type=ComponentType.PLATFORM,
        bom_ref=f"pkg:generic/python@{version}",
        purl=PackageURL("generic", None, "python", version),
        cpe=f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*",
        licenses=_licensed(CPYTHON),
    )


def _bill(kind: ComponentType, components: Iterable[Component]) -> str:
    """Returns the text of the bill of `rotator` with these components."""
    bill = Bom(components=components)
    root = Component(
        name="rotator",
        version=__version__,
        type=kind,
        bom_ref="rotator",
        purl=PackageURL("pypi", None, "rotator", __version__),
        licenses=_licensed("Apache-2.0"),
    )
    bill.metadata.component = root
    bill.metadata.timestamp = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    bill.register_dependency(root, bill.components)
    content = "\n".join(sorted(f"{one.bom_ref}" for one in bill.components))
    bill.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, content)
    return make_outputter(bill, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"


def of_locks() -> str:
    """Returns the bill of an installation from the locks: the embedded OpenBao is optional."""
    needed = [_python_package(one, ComponentScope.REQUIRED) for one in locked("requirements.lock")]
    embedded = [_python_package(one, ComponentScope.OPTIONAL) for one in locked("requirements-embedded.lock")]
    return _bill(ComponentType.APPLICATION, needed + embedded)


def inventory(image: str) -> dict[str, Any]:
    """Returns what the image's own Python finds in it.

    Raises BillError if it cannot be run.
    """
    options = ["--rm", "--network=host", "--read-only", "--cap-drop=ALL", "--entrypoint=/app/bin/python"]
    command = ["podman", "run", *options, image, "-c", _INVENTORY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BillError(f"{image} cannot be read: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def of_image(found: dict[str, Any]) -> str:
    """Returns the bill of an image, from its inventory.

    Raises BillError if it holds a package that requirements.lock does not pin, or another version of it.
    """
    pinned = {one.name: one for one in locked("requirements.lock")}
    packages = {name.lower().replace("_", "-"): said for name, said in found["packages"].items()}
    packages.pop("rotator")
    held = {name: said["version"] for name, said in packages.items()}
    if held != {name: one.version for name, one in pinned.items()}:
        odd = sorted(set(held.items()) ^ {(name, one.version) for name, one in pinned.items()})
        raise BillError(f"the image and requirements.lock differ: {odd}")
    return _bill(
        ComponentType.CONTAINER,
        [
            *(_python_package(pinned[name], ComponentScope.REQUIRED, said["parts"]) for name, said in packages.items()),
            _interpreter(found["python"]),
            *(_debian_package(said, found["release"]) for said in found["debian"]),
        ],
    )


def main(words: list[str]) -> None:
    """Writes the bill that the command line asks for."""
    match words:
        case ["locks", file]:
            Path(file).write_text(of_locks())
        case ["image", image, file]:
            Path(file).write_text(of_image(inventory(image)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BillError as error:
        sys.exit(f"release/bill.py: {error}")
