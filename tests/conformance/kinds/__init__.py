"""One module for each provider, with a row for each of its kinds of credential.

Every gap of a row is listed with its reason; the suite derives the same list from the kind's `Capabilities` and tries
each one out, so that none can be forgotten, and none be claimed that works.
"""

from importlib import import_module
from pathlib import Path

from example.row import ROWS as EXAMPLE
from row import Row

from rotator.providers.registry import KINDS

PROVIDERS: dict[str, tuple[Row, ...]] = {
    module.stem: import_module(f"kinds.{module.stem}").ROWS
    for module in sorted(Path(__file__).parent.glob("[a-z]*.py"))
}
"""The rows of each provider, by the name of its folder."""
BY_KIND: dict[str, Row] = {row.kind: row for rows in PROVIDERS.values() for row in rows}
ROWS: tuple[Row, ...] = tuple(sorted(BY_KIND.values(), key=lambda row: [*KINDS].index(row.kind)))
"""Every kind, in the order of the registry."""
ALL: dict[str, Row] = {row.kind: row for row in (*ROWS, *EXAMPLE)}
"""Every kind, and the made-up one of the example."""
