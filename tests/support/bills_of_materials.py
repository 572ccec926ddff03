"""Reading a bill of materials as its reader would: strictly by CycloneDX's own schema."""

import json
from pathlib import Path
from typing import Any

from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator


def read_bill(file: Path) -> dict[str, Any]:
    """Returns the content of a bill that the schema accepts."""
    text = file.read_text()
    assert make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6).validate_str(text) is None
    bill: dict[str, Any] = json.loads(text)
    return bill
