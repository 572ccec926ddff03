#!/usr/bin/env python3
"""Prints where archives come from: an in-toto statement with SLSA provenance (v1), from git and the locks.

    python release/provenance.py --base IMAGE@sha256:... --source URI --builder URI FILE... >FILE

It says what the one who runs it says; a signature over it makes it a claim of that one (release/sign).
"""

import argparse
import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from locks import LOCKS, ROOT
from rotator import __version__

BUILD_TYPE = "urn:rotator:release/build:v1"
BY_DIGEST = re.compile(r"(?P<name>[^@\s]+)@sha256:(?P<digest>[0-9a-f]{64})")


def _sha256(file: Path) -> dict[str, str]:
    return {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def _git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def statement(files: list[Path], base: re.Match[str], source: str, builder: str) -> dict[str, Any]:
    """Returns the statement. The order of `files` does not change it."""
    commit = _git("rev-parse", "HEAD")
    dependencies = [
        {"uri": source, "digest": {"gitCommit": commit}},
        {"uri": f"docker://{base['name']}", "digest": {"sha256": base["digest"]}},
        *({"name": lock, "uri": f"{source}#{lock}", "digest": _sha256(ROOT / lock)} for lock in LOCKS),
    ]
    parameters = {"version": __version__, "base": base[0], "sourceDateEpoch": int(_git("log", "-1", "--format=%ct"))}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": file.name, "digest": _sha256(file)} for file in sorted(files)],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": parameters,
                "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": builder}},
        },
    }


def by_digest(text: str) -> re.Match[str]:
    """Returns the parts of an image's name with its digest.

    Raises ArgumentTypeError for a tag.
    """
    if found := BY_DIGEST.fullmatch(text):
        return found
    raise argparse.ArgumentTypeError(f"{text!r} can be moved: name the image as NAME@sha256:DIGEST")


def main() -> None:
    """Reads the command line, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=by_digest, required=True, help="the image that the Dockerfile builds on")
    parser.add_argument("--source", required=True, help="where the repository is")
    parser.add_argument("--builder", required=True, help="who built: a URI that names the machine or the pipeline")
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args()
    print(json.dumps(statement(given.files, given.base, given.source, given.builder), indent=2))


if __name__ == "__main__":
    main()
