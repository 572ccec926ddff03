"""Reads a configuration file: YAML, its shape, the secrets it refers to, and what must hold between its parts.

Everything that is wrong is reported at once, with file, line and key. No message repeats a value that could be a
secret.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from rotator.settings.checks import found
from rotator.settings.document import Document, SyntaxProblem, parse
from rotator.settings.explain import findings
from rotator.settings.models import Configuration
from rotator.settings.problems import ConfigError, Problem, key_text
from rotator.settings.settings import Settings
from rotator.settings.values import LoadContext
from rotator.settings.world import Finding, ProviderFacts, World

_LARGEST = 1024 * 1024  # bytes: some ten thousand targets


def load(path: Path, environ: Mapping[str, str], facts: ProviderFacts) -> Settings:
    """Reads and checks the configuration at `path`.

    Args:
        environ: where `{env: NAME}` is looked up.
        facts: what each type of provider account can do.

    Raises:
        ConfigError: it cannot be used; the error names every problem.
    """
    document = _document(path)
    configuration = _configuration(path, document, LoadContext(environ, path.absolute().parent))
    results = found(World(configuration, facts))
    fatal = [finding for finding in results if finding.fatal]
    if fatal:
        raise ConfigError(_problems(path, document, fatal))
    return Settings(path, configuration, _problems(path, document, results))


def _document(path: Path) -> Document:
    try:
        document = parse(_text(path))
    except SyntaxProblem as problem:
        line, column = problem.place or (None, None)
        raise _error(path, problem.what, problem.remedy, line, column, key_text(problem.loc)) from None
    if document.data is None:
        raise _error(path, "the file is empty", "begin with config/minimal.yaml")
    if not isinstance(document.data, dict):
        raise _error(
            path, "the file is not a mapping", "it has the keys vault, providers and targets at its left edge", 1
        )
    return document


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise _error(path, "is not a file", "give the path of a YAML file")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise _error(path, f"cannot be read: {reason}", "check the path and who may read it") from None
    if len(content) > _LARGEST:
        raise _error(path, "is larger than 1 MiB", "is this the configuration?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise _error(path, "is not text in UTF-8", "save it as UTF-8", line)  # out here: the error holds the content


def _error(
    path: Path, what: str, remedy: str, line: int | None = None, column: int | None = None, key: str = ""
) -> ConfigError:
    return ConfigError([Problem(str(path), line, column, key, what, remedy)])


def _configuration(path: Path, document: Document, context: LoadContext) -> Configuration:
    try:
        return Configuration.model_validate(document.data, context=context)
    except ValidationError as error:
        problems = _problems(path, document, findings(error, document))
    raise ConfigError(problems)  # out here: pydantic's error holds the whole file


def _problems(path: Path, document: Document, results: Iterable[Finding]) -> tuple[Problem, ...]:
    """The findings with their places, in the order of the file."""
    problems = []
    for finding in results:
        line, column = document.place(finding.loc) or (None, None)
        problems.append(Problem(str(path), line, column, key_text(finding.loc), finding.what, finding.remedy))
    return tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0)))
