"""The registry of providers: adding one takes its folder and one line here."""

from importlib import import_module
from typing import Annotated, Any, Union

from pydantic import Discriminator, GetCoreSchemaHandler, Tag
from pydantic_core import CoreSchema

from rotator.providers.base import CredentialKind
from rotator.providers.options import AccountOptions

KINDS: dict[str, type[CredentialKind]] = {}
"""Every kind of credential by its `type` in the configuration."""


def register(package: str) -> None:
    """Adds the kinds of credential that a provider's package names in its `KINDS`."""
    for kind in import_module(package).KINDS:
        KINDS[kind.options_model.type_name()] = kind


register("rotator.providers.vobiz")
register("rotator.providers.telnyx")
register("rotator.providers.apinizer")


class _RegisteredKind:
    """The annotation for the options of any registered kind; `type` selects one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook."""
        members = tuple(Annotated[kind.options_model, Tag(f"type={name}")] for name, kind in KINDS.items())
        return handler.generate_schema(Annotated[Union[members], Discriminator(_tag)])  # noqa: UP007 - made of a tuple


def _tag(data: Any) -> str | None:
    name = data.get("type") if isinstance(data, dict) else getattr(data, "type", None)
    return f"type={name}" if isinstance(name, str) else None


AnyAccountOptions = Annotated[AccountOptions, _RegisteredKind()]
"""The options of an account of any kind; `type` selects the kind."""
