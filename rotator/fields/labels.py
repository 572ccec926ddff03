"""Labels: words that group targets, such as `site: berlin`."""

import re
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from rotator.fields.text import invalid

LabelPairs = tuple[tuple[str, str], ...]
"""Labels as the core keeps them: sorted pairs of key and value."""

_KEY = r"^[a-z][a-z0-9_-]{0,31}$"
_VALUE = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
_REMEDY = "write a key in lower case and a value of letters, digits, '-', '_' and '.', such as {site: berlin}"
_MOST = 16


def label(text: str) -> tuple[str, str]:
    """Reads `site=berlin`.

    Raises:
        ValueError: the text has another form.
    """
    key, separator, value = text.partition("=")
    if not (separator and re.fullmatch(_KEY, key) and re.fullmatch(_VALUE, value)):
        raise ValueError("write it as KEY=VALUE, such as site=berlin")
    return key, value


class _LabelsField:
    """The annotation of labels."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook."""
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Pydantic's hook."""
        return {
            "type": "object",
            "propertyNames": {"pattern": _KEY},
            "additionalProperties": {"type": "string", "pattern": _VALUE},
            "maxProperties": _MOST,
            "examples": [{"site": "berlin"}],
        }

    def _validate(self, value: Any) -> LabelPairs:
        if isinstance(value, tuple):  # the default, or what was read before
            return value
        if not isinstance(value, dict):
            raise invalid("must be a mapping", _REMEDY)
        if len(value) > _MOST:
            raise invalid(f"has more than {_MOST} labels", "keep those that you choose targets by")
        for key, word in value.items():
            if not re.fullmatch(_KEY, key):
                raise invalid("has a key that is not allowed", _REMEDY)
            if not isinstance(word, str):
                raise invalid("has a value that is not text", "put the value in quotes")
            if not re.fullmatch(_VALUE, word):
                raise invalid("has a value that is not allowed", _REMEDY)
        return tuple(sorted(value.items()))


Labels = Annotated[LabelPairs, _LabelsField()]
"""Labels, written as a mapping."""
