"""What the locks pin."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).parents[1]
_ENTRY = re.compile(
    r"^([a-z0-9._-]+)==([^ \n\\;]+)(?: ; ([^\n\\]+))?((?: ?\\\n +--hash=sha256:[0-9a-f]{64})+)", re.MULTILINE
)
LOCKS = (
    "requirements.lock",
    "requirements-embedded.lock",
    "simulator/requirements.lock",
    "image/requirements-build.lock",
)
"""What the documentation installs; requirements-dev.lock has all of it, for developers."""
_IMAGE = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "python_version": "3.13"}


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of a lock, with the SHA-256 of each archive that pip may take for it."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def locked(*files: str) -> Iterator[Locked]:
    """Yields what the locks install into the image, or beside it on Linux; `files` are relative to the root."""
    for file in files:
        for name, version, marker, hashes in _ENTRY.findall((ROOT / file).read_text()):
            if not marker or Marker(marker).evaluate(_IMAGE):
                yield Locked(name, version, tuple(re.findall(r"[0-9a-f]{64}", hashes)))
