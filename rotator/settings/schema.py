"""The JSON Schema of the configuration, for editors: `python -m rotator.settings.schema > config/schema.json`."""

import ast
import inspect
import json
import sys
from datetime import timedelta
from enum import Enum
from itertools import pairwise
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from rotator.fields.times import duration_text
from rotator.settings.models import Settings


class _Generator(GenerateJsonSchema):
    """Writes defaults as YAML does, leaves out titles that only repeat the keys, and adds the text below each field.

    Pydantic would look for these texts whenever the settings are imported: a sixth of what a command needs to start.
    """

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """Pydantic's hook."""
        return _described(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: Any) -> JsonSchemaValue:
        """Pydantic's hook."""
        return _described(super().dataclass_schema(schema), schema["cls"])

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # its signature
        """Pydantic's hook."""
        return False

    def encode_default(self, dft: Any) -> Any:
        """Pydantic's hook."""
        if isinstance(dft, timedelta):
            return duration_text(dft)
        if isinstance(dft, Enum):
            return dft.value
        if isinstance(dft, tuple):
            return list(dft)
        return dft if dft is None or isinstance(dft, str | int) else str(dft)


def _described(generated: JsonSchemaValue, section: type) -> JsonSchemaValue:
    for name, described in field_texts(section).items():
        if name in generated["properties"]:
            generated["properties"][name].setdefault("description", described)
    return generated


def field_texts(section: type) -> dict[str, str]:
    """Returns the text below each field of a section, its own and those of its bases, read from the source."""
    texts: dict[str, str] = {}
    for parent in reversed(section.__mro__):
        texts |= _texts(parent)
    return texts


def _texts(section: type) -> dict[str, str]:
    """Returns the text below each field that the class itself declares."""
    if section.__module__.partition(".")[0] in ("builtins", "pydantic"):
        return {}
    (declaration,) = ast.parse(inspect.getsource(section)).body
    assert isinstance(declaration, ast.ClassDef)  # noqa: S101 - the source of a class
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(declaration.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }


def schema() -> dict[str, Any]:
    """Returns the schema as data."""
    generated = Settings.model_json_schema(schema_generator=_Generator)
    generated["$defs"]["TargetSettings"]["required"] = ["name"]  # `defaults` may have the others
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **generated}


def text() -> str:
    """Returns the schema as the text of config/schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
