"""What an import adds to a configuration: new targets, what is configured already, what is in conflict with it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rotator.core.model import Strategy
from rotator.core.secret import Secret
from rotator.core.selection import USERNAME
from rotator.fields.text import LoadContext
from rotator.settings.document import YamlDocument
from rotator.settings.explain import findings
from rotator.settings.import_source import ImportSource
from rotator.settings.load import problems_in
from rotator.settings.merge import completed
from rotator.settings.models import Settings
from rotator.settings.problems import ConfigProblem, Finding
from rotator.settings.target_models import DefaultsSettings, TargetSettings

_ROW: TypeAdapter[tuple[TargetSettings, ...]] = TypeAdapter(tuple[TargetSettings, ...])


class RowVerdict(StrEnum):
    """What becomes of a row."""

    NEW = "new"
    CONFIGURED = "configured"
    CONFLICT = "conflict"


@dataclass(slots=True)
class ImportRow:
    """One row, and what becomes of it."""

    line: int | None  # of the source; None: of a listing
    target: TargetSettings
    row: Mapping[str, Any]  # as a file of the configuration has it
    is_named: bool = True  # its name was given, and not made of the username
    password: Secret | None = field(default=None, repr=False)
    has_document: bool = False  # the consumer document is there, and names it
    verdict: RowVerdict = RowVerdict.NEW
    why: str = ""  # there is a conflict
    remedy: str = ""
    configured_as: str = ""  # another name, under which it is configured already

    @property
    def name(self) -> str:
        """The name of its target in the configuration."""
        return self.configured_as or self.target.name

    @property
    def place(self) -> str:
        """Where it comes from, in words."""
        return f"line {self.line}" if self.line is not None else f"{', '.join(self.target.credential.names)}"

    def conflicts(self, why: str, remedy: str) -> None:
        """Notes a conflict, if it is the first."""
        if self.verdict is not RowVerdict.CONFLICT:
            self.verdict, self.why, self.remedy = RowVerdict.CONFLICT, why, remedy


@dataclass(frozen=True, slots=True)
class RowDefaults:
    """What rows need not say themselves."""

    targets: DefaultsSettings
    name: str  # with `{username}` in it

    @classmethod
    def of(cls, account: str, said: Mapping[str, Any], name: str, outer: DefaultsSettings) -> "RowDefaults":
        """Returns the defaults for rows of an account: what is said here comes before what the configuration says.

        Raises:
            ValueError: an option is wrong; the text says which, and what would be right.
        """
        try:
            own = DefaultsSettings.model_validate({"provider": account, **said})
        except ValidationError as error:
            found = next(findings(error, YamlDocument(dict(said), ""), DefaultsSettings))
        else:
            return cls(own.over(outer), name)
        raise ValueError(f"--{found.loc[0]} {found.what}; {found.remedy}")

    def complete(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a row with everything that it leaves to the defaults, in the order that a file has it."""
        credential = row.get("credential")
        username = credential.get("username") if isinstance(credential, dict) else None
        name = {"name": self.name.replace(USERNAME, username)} if isinstance(username, str) else {}
        whole: dict[str, Any] = completed({**name, **row}, self.targets)
        order = ("name", "provider", "strategy", "credential", "path", "policy", "labels")
        plain = {key: value.value if isinstance(value, Strategy) else value for key, value in whole.items()}
        return {key: plain[key] for key in (*order, *plain) if key in plain}


def read_rows(
    source: ImportSource, defaults: RowDefaults, context: LoadContext
) -> tuple[list[ImportRow], list[ConfigProblem]]:
    """Returns the rows of a source that are targets, and what is wrong with the others."""
    wholes = [defaults.complete(row) for row in source.rows]
    rows: list[ImportRow] = []
    found: list[Finding] = []
    targets = dict(_valid(wholes, context, found, source))
    for position, target in targets.items():
        line = None if source.is_listing else source.lines[position]
        password = source.passwords.get(position)
        rows.append(ImportRow(line, target, wholes[position], "name" in source.rows[position], password))
    return rows, [*source.problems, *problems_in(source.file, found)]


def _valid(
    wholes: list[dict[str, Any]], context: LoadContext, found: list[Finding], source: ImportSource
) -> Iterator[tuple[int, TargetSettings]]:
    positions = range(len(wholes))
    try:
        yield from zip(positions, _ROW.validate_python(wholes, context=context), strict=True)
    except ValidationError as error:
        found += findings(error, source.file.document, Settings, ("targets",))
        wrong = {int(details["loc"][0]) for details in error.errors(include_url=False, include_input=False)}
    else:
        return
    right = [position for position in positions if position not in wrong]
    some = _ROW.validate_python([wholes[position] for position in right], context=context)
    yield from zip(right, some, strict=True)


def compare_rows(rows: Iterable[ImportRow], settings: Settings) -> None:
    """Gives each row its verdict against the configuration and the rows before it."""
    known = _TakenNames(settings)
    for row in rows:
        known.judge(row)


class _TakenNames:
    """The names, paths and credentials that are taken."""

    def __init__(self, settings: Settings) -> None:
        self._namespaces = {name: account.namespace for name, account in settings.providers.items()}
        self._configured = {target.name: target for target in settings.targets}
        self._names: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._credentials: dict[object, str] = {}
        self._rows: dict[str, str] = {}  # of targets that are configured already
        for target in settings.targets:
            self._add(target, f"the target {target.name}")

    def judge(self, row: ImportRow) -> None:
        """Compares a row with what is taken, and adds what it takes."""
        target = row.target
        there = self._configured.get(target.name)
        owner = next((self._credentials[key] for key in self._keys(target) if key in self._credentials), None)
        if there is not None and _same(there, target):
            row.verdict = RowVerdict.CONFIGURED
            if there.path != target.path:
                row.conflicts(f"it is configured with the path {there.path}", "change one of the two")
        elif owner is not None and owner in self._configured and not row.is_named:
            row.verdict, row.configured_as = RowVerdict.CONFIGURED, owner
        elif owner is not None:
            row.conflicts(f"{self._names[owner]} has this username", "keep one of the two")
        elif target.name in self._names:
            row.conflicts(f"{self._names[target.name]} has this name", "give it another name")
        elif target.path in self._paths:
            row.conflicts(f"{self._paths[target.path]} has this path", "give it another path")
        else:
            self._add(target, row.place)
        if row.verdict is RowVerdict.CONFIGURED:
            first = self._rows.setdefault(row.name, row.place)
            if first != row.place:
                row.conflicts(f"{first} is of the same target", "keep one of the two")

    def _add(self, target: TargetSettings, where: str) -> None:
        self._names.setdefault(target.name, where)
        self._paths.setdefault(target.path, where)
        for key in self._keys(target):
            self._credentials.setdefault(key, target.name)

    def _keys(self, target: TargetSettings) -> Iterator[object]:
        namespace = self._namespaces.get(target.provider)
        if namespace is not None:
            yield from ((namespace, username.casefold()) for username in target.credential.names)


def _same(one: TargetSettings, other: TargetSettings) -> bool:
    names = [{name.casefold() for name in each.credential.names} for each in (one, other)]
    return one.provider == other.provider and names[0] == names[1]
