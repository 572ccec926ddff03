"""A first configuration, put together answer by answer: what has to be asked, what is wrong with one, the text."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from rotator.core.model import Capabilities, Strategy
from rotator.fields.references import InVault, Resolved
from rotator.fields.section import Section
from rotator.fields.text import LoadContext
from rotator.providers.registry import KINDS
from rotator.providers.strategies import unsupported
from rotator.settings.document import YamlDocument, parse
from rotator.settings.explain import findings
from rotator.settings.models import Settings
from rotator.settings.problems import Loc
from rotator.settings.schema import field_texts
from rotator.settings.vault import VaultAuth

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*")
_HEAD = (
    "# Written by `rotator init`. config/full.yaml and config/schema.json of rotator have every key.\n"
    "# `rotator check-config -c FILE` names each mistake with its line.\n"
)
_ABOUT = {
    "vault": "# Where the passwords are: devices read them there.",
    "providers": "# The keys are references: env, file or vault. A key itself is never written here.",
    "limits": "# No password is accepted for longer: overlap and window are counted.",
    "policies": "# When passwords are replaced. Without a policy: whenever the limit asks for it.",
    "include": "# Files of targets: YAML, CSV and JSON lines. `rotator import` adds to them.",
    "targets": "# What is rotated. Devices read the document at `path`.",
}
REFERENCE_FORMS = "env:NAME, file:PATH or vault:PATH#KEY"


@dataclass(frozen=True, slots=True)
class KeyQuestion:
    """A key that has to have a value."""

    key: str
    about: str  # one sentence
    default: str  # empty if there is none
    is_secret: bool  # the answer is a reference, as `reference` reads it


def account_types() -> Mapping[str, str]:
    """Returns the types of provider accounts, each with what it is."""
    return {name: _sentence(kind.options_model.__doc__ or "") for name, kind in KINDS.items()}


def login_methods() -> Mapping[str, str]:
    """Returns the ways to log in to Vault, each with what it is."""
    return {method: _sentence(section.__doc__ or "") for method, section in _logins().items()}


def account_questions(kind: str) -> list[KeyQuestion]:
    """Returns what an account of this type has to have."""
    return _questions(KINDS[kind].options_model)


def login_questions(method: str) -> list[KeyQuestion]:
    """Returns what a login has to have."""
    return _questions(_logins()[method])


def reference(text: str) -> dict[str, Any]:
    """Reads `env:NAME`, `file:PATH`, `vault:PATH#KEY` as a reference to a secret.

    Raises:
        ValueError: it has another form. The message does not repeat it: it may be the secret.
    """
    kind, _, rest = text.partition(":")
    path, separator, key = rest.rpartition("#")
    if kind == "vault" and separator and path and key:
        return {"vault": {"path": path, "key": key}}
    if kind in ("env", "file") and rest:
        return {kind: rest}
    raise ValueError(f"a key is never written into a configuration; refer to it as {REFERENCE_FORMS}")


class FirstConfiguration:
    """The answers so far, in the form of the file."""

    def __init__(self, folder: Path) -> None:
        self.data: dict[str, Any] = {"targets": [dict.fromkeys(("name", "provider", "strategy"))]}
        self._context = LoadContext({}, folder, secrets_may_lack=True)

    def put(self, loc: Loc, value: Any) -> str:
        """Puts a value at its place; returns what is wrong with it, empty if nothing is."""
        here: Any = self.data
        for step in loc[:-1]:
            here = here[step] if isinstance(step, int) else here.setdefault(step, {})
        here[loc[-1]] = value
        return self._complaint(loc)

    def _complaint(self, loc: Loc) -> str:
        try:
            Settings.model_validate(self.data, context=self._context)
        except ValidationError as error:
            found = list(findings(error, YamlDocument(self.data, ""), Settings))
        else:
            return ""
        about = next((each for each in found if each.loc == loc), None)
        return "" if about is None else f"{about.what}; {about.remedy}" if about.remedy else about.what

    def capabilities(self, account: str) -> Capabilities:
        """Returns what the account's kind of credential can do. The account's keys have been answered."""
        section = self.data["providers"][account]
        options = KINDS[section["type"]].options_model.model_validate(section, context=self._context)
        return options.capabilities

    def strategies(self, account: str) -> list[str]:
        """Returns the strategies that are possible there."""
        can = self.capabilities(account)
        return [strategy.value for strategy in Strategy if unsupported(strategy, can) is None]

    def keys_in_vault(self) -> list[str]:
        """Returns the paths of the accounts' keys in Vault, below the mount."""
        values = (value for account in self.data["providers"].values() for value in account.values())
        return [value["vault"]["path"] for value in values if isinstance(value, dict) and "vault" in value]

    def text(self) -> str:
        """Returns the file."""
        sections = [
            "".join(f"{line}\n" for line in (_ABOUT[key], *_lines({key: self.data[key]}, "")))
            for key in _ABOUT
            if key in self.data
        ]
        return "\n".join((_HEAD, *sections))


def _logins() -> Mapping[str, type[Section]]:
    sections = [get_args(member)[0] for member in get_args(get_args(VaultAuth)[0])]
    return {get_args(section.model_fields["method"].annotation)[0]: section for section in sections}


def _questions(section: type[Section]) -> list[KeyQuestion]:
    fields = {key: field for key, field in section.model_fields.items() if key not in ("type", "method")}
    asked = [key for key, field in fields.items() if field.is_required()]
    secrets = [key for key, field in fields.items() if _refers(field.annotation)]
    if not set(asked) & set(secrets):  # an AppRole needs one of two
        asked += secrets[:1]
    texts = field_texts(section)
    return [
        _question(key, field, _sentence(texts[key]), is_secret=key in secrets)
        for key, field in fields.items()
        if key in asked
    ]


def _question(key: str, field: FieldInfo, about: str, *, is_secret: bool) -> KeyQuestion:
    example = str((field.examples or [""])[0])
    if is_secret:  # its example is `{env: NAME}`
        return KeyQuestion(key, about, example.strip("{}").replace(": ", ":"), is_secret=True)
    if field.annotation is Path:
        return KeyQuestion(key, about, example, is_secret=False)
    return KeyQuestion(key, f"{about}, such as {example}" if example else about, "", is_secret=False)


def _refers(annotation: Any) -> bool:
    return annotation in (Resolved, InVault) or any(_refers(part) for part in get_args(annotation))


def _sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".")


def _lines(data: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in data.items():
        if value is None:
            continue
        name = f"{indent}{_scalar(key)}:"
        if isinstance(value, dict) and not value.keys() & {"env", "file", "vault", "username", "usernames"}:
            yield name
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield name
            for item in value:
                first, *rest = _lines(item, indent + "    ")
                yield f"{indent}  - {first.strip()}"
                yield from rest
        else:
            yield f"{name} {_flow(value)}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value) if isinstance(value, str) else json.dumps(value)


def _scalar(text: str) -> str:
    """Returns text as YAML: in quotes if it would be something else without."""
    plain = _PLAIN.fullmatch(text) is not None and parse(text).data == text
    return text if plain else json.dumps(text)
