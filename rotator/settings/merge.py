"""Merges the files of a configuration, each of which is validated by itself, and knows where each part comes from."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from rotator.core.selection import NAME, USERNAME
from rotator.fields.text import LoadContext
from rotator.settings.explain import findings
from rotator.settings.files import Draft, Inclusion, SourceFile
from rotator.settings.models import Settings
from rotator.settings.policy_models import PolicySettings
from rotator.settings.problems import ConfigError, ConfigProblem, Finding, Loc
from rotator.settings.target_models import DefaultsSettings, ListSettings, SelectionSettings, TargetSettings

_ROWS: TypeAdapter[tuple[TargetSettings, ...]] = TypeAdapter(tuple[TargetSettings, ...])
_Model = TypeVar("_Model", bound=BaseModel)


class Merger:
    """Reads the first file and all that it includes."""

    def __init__(self, first: SourceFile, context: LoadContext, draft: Draft) -> None:
        self.findings: list[tuple[SourceFile, Finding]] = []
        self.unread: list[ConfigProblem] = []  # files that could not be read
        self._first, self._context = first, context
        self._inclusion, self._targets_may_lack = Inclusion(first.path, draft), draft.targets_may_lack
        self._targets: list[TargetSettings] = []
        self._starts: list[int] = []  # of each file's targets in the whole list
        self._files: list[SourceFile] = []  # of each start
        self._selections: list[SelectionSettings] = []
        self._selection_places: list[tuple[SourceFile, int]] = []
        self._policies: dict[str, PolicySettings] = {}
        self._policy_files: dict[str, SourceFile] = {}

    def settings(self) -> Settings | None:
        """Returns the merged configuration; None if there are findings or unread files."""
        settings = self._add(self._first, Settings, DefaultsSettings())
        if not (self._targets or self._selections or self._targets_may_lack):
            self._nothing_to_rotate()
        if self.findings or self.unread or settings is None:
            return None
        merged = {
            "targets": tuple(self._targets),
            "policies": self._policies,
            "selections": tuple(self._selections),
        }
        return settings.model_copy(update=merged)

    def origin(self, loc: Loc) -> tuple[SourceFile, Loc]:
        """Returns the file that a part of the merged configuration comes from, and its place there."""
        match loc:
            case ("targets", int(position), *rest):
                index = bisect_right(self._starts, position) - 1
                return self._files[index], ("targets", position - self._starts[index], *rest)
            case ("selections", int(position), *rest):
                file, place = self._selection_places[position]
                return file, ("selections", place, *rest)
            case ("policies", str(name), *_):
                return self._policy_files.get(name, self._first), loc
        return self._first, loc

    def _add(self, file: SourceFile, model: type[_Model], outer: DefaultsSettings) -> _Model | None:
        data: Mapping[str, Any] = file.document.data
        # Targets are validated apart: defaults come first, and there may be a hundred thousand of them.
        rest = {key: value for key, value in data.items() if key != "targets"}
        section = self._validated(file, model, rest)
        inner = DefaultsSettings()
        try:
            inner = DefaultsSettings.model_validate(data.get("defaults") or {})
        except ValidationError:
            pass  # reported already
        else:
            self._add_targets(file, data.get("targets"), inner.over(outer))
        if isinstance(section, ListSettings):
            self._add_policies(file, section.policies)
            self._selections += section.selections
            self._selection_places += [(file, place) for place in range(len(section.selections))]
        for included in self._included(file):
            self._add(included, ListSettings, inner.over(outer))
        return section

    def _included(self, file: SourceFile) -> Iterator[SourceFile]:
        """Yields the files that `file` includes, whatever else is wrong in it: all problems are named at once."""
        names = file.document.data.get("include")
        for position, name in enumerate(names if isinstance(names, list) else ()):
            if not isinstance(name, str):
                continue  # reported already
            try:
                yield from self._inclusion.files(file, position, name)
            except ConfigError as error:
                self.unread += error.problems

    def _add_targets(self, file: SourceFile, rows: Any, defaults: DefaultsSettings) -> None:
        if rows is None:
            return
        complete = [completed(row, defaults) for row in rows] if isinstance(rows, list) else rows
        try:
            targets = _ROWS.validate_python(complete, context=self._context)
        except ValidationError as error:
            found = list(findings(error, file.document, Settings, ("targets",)))
        else:
            self._starts.append(len(self._targets))
            self._files.append(file)
            self._targets += targets
            rows.clear()  # they take more memory than all the rest
            return
        self.findings += [(file, finding) for finding in found]  # not in the handler: the error holds the whole file

    def _add_policies(self, file: SourceFile, policies: Mapping[str, PolicySettings]) -> None:
        for name, policy in policies.items():
            first = self._policy_files.setdefault(name, file)
            if first is not file:
                what = f"{first.path} has a policy with the same name"
                self.findings.append((file, Finding(("policies", name), what, "keep one of the two")))
            self._policies.setdefault(name, policy)

    def _validated(self, file: SourceFile, model: type[_Model], data: Mapping[str, Any]) -> _Model | None:
        try:
            return model.model_validate(data, context=self._context)
        except ValidationError as error:
            found = list(findings(error, file.document, model))
        self.findings += [(file, finding) for finding in found]  # not in the handler: the error holds the whole file
        return None

    def _nothing_to_rotate(self) -> None:
        data = self._first.document.data
        blamed = {finding.loc[0] for _, finding in self.findings if finding.loc}
        if self.unread or blamed & {"targets", "include", "selections"}:
            return
        if "targets" in data and data["targets"] is not None:
            finding = Finding(("targets",), "is empty", "give at least one")
        elif data.get("include"):
            finding = Finding(("include",), "the included files contain no target", "give at least one")
        else:
            finding = Finding(("targets",), "is missing", "add 'targets:'")
        self.findings.append((self._first, finding))


def completed(row: Any, defaults: DefaultsSettings) -> Any:
    """Returns a target with what it leaves to the defaults."""
    if not isinstance(row, dict):
        return row
    complete = {key: value for key, value in row.items() if value is not None}
    for key in ("provider", "strategy", "policy"):
        value = getattr(defaults, key)
        if value is not None:
            complete.setdefault(key, value)
    if defaults.path is not None and "path" not in complete:
        path = defaults.path
        for placeholder, value in ((NAME, complete.get("name")), (USERNAME, _username(complete))):
            path = path.replace(placeholder, value) if isinstance(value, str) else path
        if "{" not in path:
            complete["path"] = path
    labels = complete.get("labels", {})
    if defaults.labels and isinstance(labels, dict):
        complete["labels"] = {**dict(defaults.labels), **labels}
    return complete


def _username(row: Mapping[str, Any]) -> Any:
    credential = row.get("credential")
    return credential.get("username") if isinstance(credential, dict) else None
