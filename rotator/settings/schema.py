"""The JSON Schema of the configuration, for editors: `python -m rotator.settings.schema > config/schema.json`."""

import json
import sys
from datetime import timedelta
from enum import Enum
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from rotator.fields.times import duration_text
from rotator.settings.models import Settings


class _Generator(GenerateJsonSchema):
    """Writes defaults as YAML does, and leaves out titles that only repeat the keys."""

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
