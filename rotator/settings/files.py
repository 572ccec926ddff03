"""The files of a configuration: the first one, and those that it includes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rotator.settings.document import Document, parse
from rotator.settings.lists import parse_csv, parse_jsonl
from rotator.settings.problems import ConfigError, ConfigProblem, Loc, key_text
from rotator.settings.yaml_events import SyntaxProblem

_LARGEST = 64 * 1024 * 1024  # bytes of one file: some four hundred thousand targets
_PARSERS: Mapping[str, Callable[[str], Document]] = {
    ".yaml": parse,
    ".yml": parse,
    ".csv": parse_csv,
    ".jsonl": parse_jsonl,
    ".ndjson": parse_jsonl,
}
_ENDINGS = ", ".join(_PARSERS)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is about to be written, so that a configuration can be checked before anything of it is on the disk."""

    texts: Mapping[Path, str] = field(default_factory=dict)  # by the real path of each file
    secrets_may_lack: bool = False  # a variable or a file of a secret that is not there yet is no mistake
    targets_may_lack: bool = False  # nor is a configuration without a target

    def text(self, path: Path) -> str | None:
        """Returns what the file will contain; None: what it contains."""
        return self.texts.get(_real(path)) if self.texts else None  # what is no path at all is found out by reading it

    def in_folder(self, folder: Path) -> set[Path]:
        """Returns the files that the folder will contain."""
        return {folder / path.name for path in self.texts if path.parent == _real(folder)} if self.texts else set()


ON_DISK = Draft()
"""Nothing is about to be written."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a configuration."""

    path: Path
    document: Document
    is_list: bool = False  # CSV or JSON lines: a problem's place is its line

    def key(self, loc: Loc) -> str:
        """Returns the name of a key in messages: in a list without the position, since the line says it."""
        return key_text(loc[2:] if self.is_list else loc)

    def name_of(self, loc: Loc) -> str:
        """Returns how a message names a place of this file."""
        return f"line {self.document.places([loc])[loc][0]}" if self.is_list else key_text(loc)

    def problem(self, loc: Loc, what: str, remedy: str) -> ConfigProblem:
        """Returns a problem of the file at a place."""
        line, column = self.document.positions([loc]).get(loc, (None, None))
        return ConfigProblem(str(self.path), line, column, self.key(loc), what, remedy)


def first_file(path: Path, draft: Draft) -> SourceFile:
    """Reads the configuration itself. Raises ConfigError."""
    file = _read(path, parse, draft)
    if file.document.data is None:
        raise _error(path, "the file is empty", "let rotator init write a first one")
    if not isinstance(file.document.data, dict):
        what = "the file is not a mapping"
        raise _error(path, what, "begin it with the keys vault:, providers: and targets:", 1)
    return file


def included_folder(path: Path) -> Path | None:
    """Returns the first folder that the configuration includes, there or not. Raises ConfigError."""
    names = first_file(path, Draft()).document.data.get("include")
    folders = [path.parent / name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return next((folder for folder in folders if folder.is_dir() or folder.suffix not in _PARSERS), None)


class Inclusion:
    """Reads the files that others include, each once."""

    def __init__(self, first: Path, draft: Draft) -> None:
        self._read, self._draft = {_real(first)}, draft

    def files(self, of: SourceFile, position: int, name: str) -> Iterator[SourceFile]:
        """Yields the file, or the files of the folder, that `of` includes by its entry at `position`.

        Raises:
            ConfigError: there is no such file, it was read already, or it is not of a known form.
        """
        path = of.path.parent / name
        loc = ("include", position)
        if path.is_dir() or self._draft.in_folder(path):
            yield from self._folder(of, loc, path)
        elif path.exists() or self._draft.text(path) is not None:
            yield self._file(of, loc, path)
        else:
            raise ConfigError([of.problem(loc, "there is no such file or folder", _remedy(of))])

    def _folder(self, of: SourceFile, loc: Loc, folder: Path) -> Iterator[SourceFile]:
        try:
            there = set(folder.iterdir()) if folder.is_dir() else set()
        except OSError as error:
            what = f"the folder cannot be read: {error.strerror}"
            raise ConfigError([of.problem(loc, what, "check its permissions")]) from None
        entries = sorted(entry for entry in there | self._draft.in_folder(folder) if not entry.name.startswith("."))
        if not entries:
            # A volume that is not filled yet must not pass for a fleet without targets.
            raise ConfigError([of.problem(loc, f"the folder {folder} is empty", "put files of targets into it")])
        for entry in entries:
            if entry.is_dir():
                yield from self._folder(of, loc, entry)
            else:
                yield self._file(of, loc, entry)

    def _file(self, of: SourceFile, loc: Loc, path: Path) -> SourceFile:
        parser = _PARSERS.get(path.suffix.lower())
        if parser is None:
            what = f"{path} has an unknown ending"
            raise ConfigError([of.problem(loc, what, f"known endings: {_ENDINGS}; move other files elsewhere")])
        real = _real(path)
        if real in self._read:
            what = f"{path} is included already, or includes itself"
            raise ConfigError([of.problem(loc, what, "include each file once")])
        self._read.add(real)
        file = _read(path, parser, self._draft)
        data = file.document.data
        if data is None:
            raise _error(path, "the file is empty", "begin it with 'targets:', or do not include it")
        if not isinstance(data, dict):
            raise _error(path, "the file is not a mapping", "begin it with 'targets:'", 1)
        return file


def _real(path: Path) -> Path:
    return path.resolve()


def _remedy(of: SourceFile) -> str:
    return f"a relative path starts at {of.path.absolute().parent}"


def _read(path: Path, parser: Callable[[str], Document], draft: Draft) -> SourceFile:
    text = draft.text(path)
    try:
        return SourceFile(path, parser(read_text(path) if text is None else text), is_list=parser is not parse)
    except SyntaxProblem as problem:
        line, column = problem.position or (None, None)
        raise _error(path, problem.what, problem.remedy, line, column, key_text(problem.loc)) from None


def read_text(path: Path) -> str:
    """Reads a file of targets or of the configuration. Raises ConfigError."""
    try:
        if path.exists() and not path.is_file():
            raise _error(path, "is not a file", "give the path of a YAML file")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise _error(path, f"cannot be read: {reason}", "check the path and its permissions") from None
    return decoded(content, path)


def decoded(content: bytes, path: Path) -> str:
    """Returns the text of a file, with or without a mark of its byte order. Raises ConfigError."""
    if len(content) > _LARGEST:
        raise _error(path, "is larger than 64 MiB", "check that this is the right file, or divide it with include:")
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
