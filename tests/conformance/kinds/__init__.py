"""One module for each provider, with a description of each of its kinds of credential.

Every gap of a kind is listed with its reason; the suite derives the same list from the kind's `Capabilities` and tries
each one out, so that none can be forgotten, and none be claimed that works.
"""

from importlib import import_module
from pathlib import Path

from example.intercom_description import DESCRIPTIONS as EXAMPLE
from kind_description import KindDescription

from rotator.providers.registry import KINDS

PROVIDERS: dict[str, tuple[KindDescription, ...]] = {
    module.stem: import_module(f"kinds.{module.stem}").DESCRIPTIONS
    for module in sorted(Path(__file__).parent.glob("[a-z]*.py"))
}
"""The descriptions of each provider's kinds, by the name of its folder."""
BY_KIND: dict[str, KindDescription] = {
    description.kind: description for descriptions in PROVIDERS.values() for description in descriptions
}
DESCRIPTIONS: tuple[KindDescription, ...] = tuple(
    sorted(BY_KIND.values(), key=lambda description: [*KINDS].index(description.kind))
)
"""Every kind, in the order of the registry."""
ALL: dict[str, KindDescription] = {description.kind: description for description in (*DESCRIPTIONS, *EXAMPLE)}
"""Every kind, and the made-up one of the example."""
