"""Templates of names and paths, such as `sip/{name}`."""

import re
from typing import Annotated
from urllib.parse import urlsplit

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


def _asking(text: str) -> str:
    if "{username}" not in text and "{name}" not in text:
        raise invalid("is the same for every credential", "use {username} in it, or {name} of the target")
    return text


def _url_template(text: str) -> str:
    remedy = "write it as 'https://host/path?user={username}'"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise invalid("is not a URL", remedy) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or re.search(r"[^!-~]", text):
        raise invalid("is not a URL", remedy)
    if "@" in parts.netloc or "{" in parts.netloc or "#" in text:
        raise invalid("must not contain a user, a fragment, or a placeholder before its path", remedy)
    return _asking(text)


UrlTemplate = Annotated[
    str, TextField(_url_template, {"pattern": "^https?://"}, "write it as 'https://host/path?user={username}'")
]
"""A URL with `{username}` or `{name}` in its path or query."""

QueryTemplate = Annotated[
    str, TextField(_asking, {"minLength": 1, "maxLength": 4000}, "write an expression in PromQL, with {username} in it")
]
"""An expression with `{username}` or `{name}` in it."""

PathTemplate = Annotated[str, _template("name", "username")]
"""A Vault path with `{name}` or `{username}` in it."""

TargetPathTemplate = Annotated[str, _template("name")]
"""A Vault path with `{name}` in it."""

NameTemplate = Annotated[str, _template("username", once=True)]
"""A target's name with `{username}` in it."""
