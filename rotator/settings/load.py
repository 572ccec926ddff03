"""Loads a configuration file: parses the YAML, validates it, reads its secrets, and runs the checks across sections.

All problems are reported at once, with file, line and key. No message repeats a value that could be a secret.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from rotator.fields.text import LoadContext
from rotator.settings.checks import all_findings
from rotator.settings.document import SyntaxProblem, YamlDocument, parse
from rotator.settings.explain import findings
from rotator.settings.models import Settings
from rotator.settings.problems import ConfigError, ConfigProblem, Finding, key_text

_LARGEST = 1024 * 1024  # bytes: some ten thousand targets


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Reads and checks the configuration at `path`. Raises as `check` does."""
    return check(path, environ)[0]


def check(path: Path, environ: Mapping[str, str]) -> tuple[Settings, tuple[ConfigProblem, ...]]:
    """Reads and checks the configuration at `path`, and returns it with its warnings.

    Args:
        path: the file.
        environ: the environment that `{env: NAME}` refers to.

    Raises:
        ConfigError: the configuration is invalid; the error names every problem.
    """
    document = _document(path)
    settings = _settings(path, document, LoadContext(environ, path.absolute().parent))
    results = all_findings(settings)
    fatal = [finding for finding in results if finding.fatal]
    if fatal:
        raise ConfigError(_problems(path, document, fatal))
    return settings, _problems(path, document, results)


def _document(path: Path) -> YamlDocument:
    try:
        document = parse(_text(path))
    except SyntaxProblem as problem:
        line, column = problem.position or (None, None)
        raise _error(path, problem.what, problem.remedy, line, column, key_text(problem.loc)) from None
    if document.data is None:
        raise _error(path, "the file is empty", "start from config/minimal.yaml")
    if not isinstance(document.data, dict):
        raise _error(path, "the file is not a mapping", "begin it with the keys vault:, providers: and targets:", 1)
    return document


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise _error(path, "is not a file", "give the path of a YAML file")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise _error(path, f"cannot be read: {reason}", "check the path and its permissions") from None
    if len(content) > _LARGEST:
        raise _error(path, "is larger than 1 MiB", "check that this is the configuration file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise _error(
        path, "is not text in UTF-8", "save it as UTF-8", line
    )  # not in the handler: the error holds the content


def _error(
    path: Path, what: str, remedy: str, line: int | None = None, column: int | None = None, key: str = ""
) -> ConfigError:
    return ConfigError([ConfigProblem(str(path), line, column, key, what, remedy)])


def _settings(path: Path, document: YamlDocument, context: LoadContext) -> Settings:
    try:
        return Settings.model_validate(document.data, context=context)
    except ValidationError as error:
        problems = _problems(path, document, findings(error, document))
    raise ConfigError(problems)  # not in the handler: pydantic's error holds the whole file


def _problems(path: Path, document: YamlDocument, results: Iterable[Finding]) -> tuple[ConfigProblem, ...]:
    """Returns the findings with their lines, in the order of the file."""
    problems = []
    for finding in results:
        line, column = document.position(finding.loc) or (None, None)
        problems.append(ConfigProblem(str(path), line, column, key_text(finding.loc), finding.what, finding.remedy))
    return tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0)))
