#!/usr/bin/env python3
"""Writes helm/rotator/README.md from the chart's values and their comments: `python helm/readme.py`. A test compares.

Each comment above a key of values.yaml becomes the description of that value, so a value cannot be described twice, or
not at all.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

CHART = Path(__file__).parent / "rotator"
_WHOLE = {"config", "env", "resources", "networkPolicy.ingress"}  # shown as one value, though they have parts
_HEAD = """\
# Chart `rotator`

Runs [rotator](../../README.md) in Kubernetes: any number of replicas, no volume of its own, and no access to the
Kubernetes API unless `kubernetesHooks` or `kubernetesEvents` gives it.
[docs/operations.md](../../docs/operations.md) describes how to install, upgrade and operate it.

    helm install rotator helm/rotator --namespace telephony --create-namespace \\
      --set image.repository=registry.example.com/rotator --set-file config=config.yaml

Secrets are never values of this chart: the configuration refers to environment variables, files or Vault, and `env` and
`secretFiles` name existing Secrets. The pods meet the Pod Security Standard "restricted".

`helm/readme.py` writes this page from `values.yaml`, and a test compares it.

## Values

| value | default | meaning |
|---|---|---|
"""


class ReadmeError(Exception):
    """A value has no comment."""


def described(values: Any, lines: list[str], path: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yields every value with its default and the comment above it.

    Raises:
        ReadmeError: a value has no comment.
    """
    for key in values:
        name = f"{path}.{key}" if path else str(key)
        value, comment = values[key], _comment_above(lines, values.lc.key(key)[0])
        parts = isinstance(value, dict) and value and name not in _WHOLE and not _is_leaf(value)
        if comment:
            yield name, None if parts else value, comment
        elif not parts:
            raise ReadmeError(f"values.yaml: {name} has no comment above it")
        if parts:
            yield from described(value, lines, name)


def _is_leaf(value: Any) -> bool:
    """Returns whether a map is shown as one value: a rule of the network policy, or a map of labels."""
    return "to" in value or any("/" in key or "_" in key for key in value)


def _comment_above(lines: list[str], line: int) -> str:
    found: list[str] = []
    while line > 0 and (match := re.fullmatch(r"\s*# ?(.*)", lines[line - 1])):
        found.insert(0, match[1])
        line -= 1
    return " ".join(found)


def _default(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and "\n" in value:
        return "see values.yaml"
    text = json.dumps(value)
    return f"`{text}`" if len(text) <= 60 else "see values.yaml"


def readme() -> str:
    """Returns the text of the chart's README."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = YAML().load(text)
    rows = [
        f"| `{name}` | {_default(value)} | {comment.replace('|', chr(92) + '|')} |"
        for name, value, comment in described(values, text.splitlines())
    ]
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme(), encoding="utf-8")
