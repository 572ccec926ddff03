"""Loads a configuration: reads its files, validates them, reads its secrets, and runs the checks across sections.

All problems are reported at once, with file, line and key. No message repeats a value that could be a secret.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rotator.fields.text import LoadContext
from rotator.settings.checks import all_findings
from rotator.settings.files import ON_DISK, Draft, SourceFile, first_file
from rotator.settings.merge import Merger
from rotator.settings.models import Settings
from rotator.settings.problems import ConfigError, ConfigProblem, Finding, Loc

_MOST_ALIKE = 10  # of one kind in one file are reported each with its place; the rest is counted


def load(path: Path, environ: Mapping[str, str], draft: Draft = ON_DISK) -> Settings:
    """Reads and checks the configuration at `path`. Raises as `check` does."""
    return _checked(path, environ, draft)[0]


def check(path: Path, environ: Mapping[str, str], draft: Draft = ON_DISK) -> tuple[Settings, tuple[ConfigProblem, ...]]:
    """Reads and checks the configuration at `path`, and returns it with its warnings.

    Args:
        path: the file. It may include others.
        environ: the environment that `{env: NAME}` refers to.
        draft: what stands in for files that are not written yet.

    Raises:
        ConfigError: the configuration is invalid; the error names every problem.
    """
    settings, warnings = _checked(path, environ, draft)
    return settings, _problems(warnings)


@dataclass(frozen=True, slots=True)
class _Located:
    """A finding, the file that it is about, and its place there."""

    file: SourceFile
    loc: Loc
    finding: Finding
    other: tuple[SourceFile, Loc] | None = None

    @property
    def kind(self) -> tuple[str, str]:
        """What it has in common with others of its kind."""
        return self.finding.what, self.finding.remedy

    @property
    def what(self) -> str:
        """What is wrong, with the name of the other place that it is about."""
        if self.other is None:
            return self.finding.what
        file, loc = self.other
        name = file.name_of(loc)
        return f"{name if file is self.file else f'{name} of {file.path}'} {self.finding.what}"


def _checked(path: Path, environ: Mapping[str, str], draft: Draft) -> tuple[Settings, list[_Located]]:
    """Returns the settings and the warnings, whose lines are not looked up yet."""
    merger, settings = _merged(path, environ, draft)
    located = [_located(merger, finding) for finding in all_findings(settings)]
    fatal = [each for each in located if each.finding.fatal]
    if fatal:
        raise ConfigError(_problems(fatal))
    return settings, located


def _merged(path: Path, environ: Mapping[str, str], draft: Draft) -> tuple[Merger, Settings]:
    context = LoadContext(environ, path.absolute().parent, secrets_may_lack=draft.secrets_may_lack)
    merger = Merger(first_file(path, draft), context, draft)
    settings = merger.settings()
    if settings is None:
        located = [_Located(file, finding.loc, finding) for file, finding in merger.findings]
        raise ConfigError([*merger.unread, *_problems(located)])
    return merger, settings


def _located(merger: Merger, finding: Finding) -> _Located:
    other = merger.origin(finding.other) if finding.other else None
    return _Located(*merger.origin(finding.loc), finding, other)


def check_new_targets(
    path: Path, environ: Mapping[str, str], draft: Draft, names: Container[str]
) -> tuple[Settings, Mapping[str, Finding]]:
    """Checks the configuration with targets that a draft adds; returns it, and what is wrong with any of these.

    Raises:
        ConfigError: something else is wrong with it.
    """
    merger, settings = _merged(path, environ, draft)
    wrong: dict[str, Finding] = {}
    others = []
    for finding in all_findings(settings):
        if not finding.fatal:
            continue
        match finding.loc:
            case ("targets", int(position), *_) if settings.targets[position].name in names:
                wrong.setdefault(settings.targets[position].name, finding)
            case _:
                others.append(_located(merger, finding))
    if others:
        raise ConfigError(_problems(others))
    return settings, wrong


def problems_in(file: SourceFile, found: Iterable[Finding]) -> tuple[ConfigProblem, ...]:
    """Returns the findings about one file with their lines."""
    return _problems([_Located(file, finding.loc, finding) for finding in found])


def _problems(located: Iterable[_Located]) -> tuple[ConfigProblem, ...]:
    """Returns the findings with their lines, in the order of the files."""
    by_file: dict[Path, list[_Located]] = {}
    for each in located:
        by_file.setdefault(each.file.path, []).append(each)
    return tuple(problem for some in by_file.values() for problem in _problems_of(some[0].file, some))


def _problems_of(file: SourceFile, located: Sequence[_Located]) -> list[ConfigProblem]:
    alike: dict[tuple[str, str], list[_Located]] = {}
    for each in located:
        alike.setdefault(each.kind, []).append(each)
    shown = [each for some in alike.values() for each in some[:_MOST_ALIKE]]
    places = file.document.positions([each.loc for each in shown])
    rest = {id(some[_MOST_ALIKE - 1]): len(some) - _MOST_ALIKE for some in alike.values() if len(some) > _MOST_ALIKE}
    problems = []
    for each in shown:
        line, column = places.get(each.loc, (None, None))
        remedy = each.finding.remedy
        if id(each) in rest:
            remedy = f"{remedy} (and {rest[id(each)]:,} more like this)".lstrip()
        problems.append(ConfigProblem(str(file.path), line, column, file.key(each.loc), each.what, remedy))
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
