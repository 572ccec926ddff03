"""Files that only their owner can read."""

import os
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read, atomically."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
