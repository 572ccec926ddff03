"""Templates of names and paths, such as `sip/{name}`."""

import re
from typing import Annotated

from rotator.fields.text import TextField, invalid

_FORM = r"^([A-Za-z0-9._/-]|\{[a-z]+\}){1,200}$"


def _template(*placeholders: str, once: bool = False) -> TextField:
    known = ", ".join(f"{{{each}}}" for each in placeholders)
    remedy = f"write letters, digits, '-', '_', '.', '/' and {known}"

    def read(text: str) -> str:
        if not re.fullmatch(_FORM, text):
            raise invalid("is not a template", remedy)
        used = re.findall(r"\{([a-z]+)\}", text)
        if not used:
            raise invalid("is the same for every target", f"use {known} in it")
        if not set(used) <= set(placeholders):
            raise invalid("has a placeholder that is not known here", f"known placeholders: {known}")
        if once and len(used) > 1:
            raise invalid("has its placeholder more than once", f"use {known} once")
        return text

    return TextField(read, {"pattern": _FORM}, remedy)


PathTemplate = Annotated[str, _template("name", "username")]
"""A Vault path with `{name}` or `{username}` in it."""

NameTemplate = Annotated[str, _template("username", once=True)]
"""A target's name with `{username}` in it."""
