#!/usr/bin/env python3
"""The licences of what is shipped; `python release/licences.py` writes docs/licences.md. A test compares.

The licences of Python packages are those that the installed packages declare, so run it in an environment that has
requirements-dev.lock.
"""

from collections.abc import Iterable
from importlib.metadata import metadata

from locks import ROOT, locked

_SPDX = {  # what packages write that is no SPDX expression
    "ISC License": "ISC",
    "ZPL 2.1": "ZPL-2.1",
    "License :: OSI Approved :: MIT License": "MIT",
}
_BY_ITS_TEXT = {"cronsim": "BSD-3-Clause"}  # where the package declares only a family
# The system's libraries that Python and the packages are linked to, by Debian's name.
DEBIAN = {
    "libbz2-1.0": "bzip2-1.0.6",
    "libc6": "LGPL-2.1-or-later",
    "libffi8": "MIT",
    "libgcc-s1": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "liblzma5": "LicenseRef-public-domain",
    "libssl3": "Apache-2.0",
    "libuuid1": "BSD-3-Clause",
    "zlib1g": "Zlib",
}
CPYTHON = "PSF-2.0"
PAGE = ROOT / "docs" / "licences.md"


class UnknownLicence(Exception):
    """A package declares no licence that is known."""


def licence_of(name: str) -> str:
    """Returns the SPDX expression of an installed package.

    Raises UnknownLicence.
    """
    said = metadata(name)
    if "License-Expression" in said:
        return said["License-Expression"]
    if name in _BY_ITS_TEXT:
        return _BY_ITS_TEXT[name]
    texts = said.get_all("License", [])
    if texts and " " not in texts[0]:
        return str(texts[0])
    for words in (*texts, *said.get_all("Classifier", [])):
        if words in _SPDX:
            return _SPDX[words]
    raise UnknownLicence(f"{name}: read its licence, and add it to release/licences.py")


def _table(head: str, rows: Iterable[tuple[str, ...]]) -> str:
    lines = [" | ".join(row) for row in rows]
    return "\n".join([f"| {head} |", "|" + "---|" * (head.count("|") + 1), *(f"| {line} |" for line in lines)])


def page() -> str:
    """Returns the text of docs/licences.md."""
    image = [(one.name, one.version, licence_of(one.name)) for one in locked("requirements.lock")]
    embedded = [(one.name, one.version, licence_of(one.name)) for one in locked("requirements-embedded.lock")]
    return f"""\
# Licences of what is shipped

`rotator` itself: Apache-2.0, see [LICENSE](../LICENSE). `release/licences.py` writes this page, and a test compares it
with the locks and with the image. The image has the text of each licence: in the `dist-info` of a Python package, in
`/usr/share/doc` for a library of Debian, and as `LICENSE.txt` in Python's library.

## Python packages, in the image and in every other installation

{_table("package | version | licence", image)}

## Python, in the image only

{_table("part | licence", [("CPython, with the parts that its `LICENSE.txt` lists", CPYTHON)])}

## Libraries of Debian, in the image only

Their versions are those of the base image; the bill of materials of an image has them.

{_table("package | licence", DEBIAN.items())}

## With the embedded OpenBao

Not in the image. The package holds the program `bao`, which is OpenBao under MPL-2.0; the licence below is the
package's own.

{_table("package | version | licence", embedded)}

## Inside of packages

- `pyyaml` contains libyaml (MIT), `ijson` contains yajl (ISC), `typer` contains click (BSD-3-Clause).
- `pydantic-core` is linked with Rust libraries under MIT, Apache-2.0 or both, which its bill of materials lists
  (`dist-info/sboms`).
- `certifi` is Mozilla's list of certificate authorities.
"""


if __name__ == "__main__":
    PAGE.write_text(page())
