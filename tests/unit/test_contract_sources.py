"""The contracts of the providers' pages: each request and each object says where it is from, and objects are closed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CONTRACTS = sorted((Path(__file__).parents[1] / "contracts").glob("*.yaml"))
VERBS = ("get", "post", "put", "patch", "delete")
BY_NAME = pytest.mark.parametrize("file", CONTRACTS, ids=lambda file: file.stem)


def parts(file: Path) -> dict[str, Any]:
    """Each request and each object of a contract, by its name."""
    contract = yaml.safe_load(file.read_text())
    requests = [one[verb] for one in contract["paths"].values() for verb in VERBS if verb in one]
    return {one["operationId"]: one for one in requests} | contract["components"]["schemas"]


def objects(part: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each schema of an object that lists its fields, wherever it is."""
    if isinstance(part, dict):
        kind = part.get("type")
        if "properties" in part and "object" in (kind if isinstance(kind, list) else [kind]):
            yield where, part
        for key, inner in part.items():
            yield from objects(inner, f"{where}.{key}")
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from objects(inner, f"{where}.{number}")


@BY_NAME
def test_every_request_and_every_object_says_where_it_is_from(file):
    named = {name: one.get("x-from") for name, one in parts(file).items()}
    assert len(named) > 10
    assert [
        name for name, source in named.items() if not source or not all(isinstance(one, str) for one in source)
    ] == []


@BY_NAME
def test_an_object_that_lists_its_fields_has_no_others(file):
    found = [pair for name, part in parts(file).items() for pair in objects(part, name)]
    is_open = [where for where, one in found if one.get("additionalProperties") is not False]
    assert [where for where in is_open if not is_envelope(where)] == []


def is_envelope(where: str) -> bool:
    """True for what wraps the objects of an answer, and for a part of `allOf`, which may not be closed alone."""
    return "allOf" in where or where.startswith("Flag") or where.endswith("content.application/json.schema")
