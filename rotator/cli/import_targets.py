"""Implements `rotator import`: shows what it would add, writes a file of targets, and takes up what is in use."""

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.cli.choosing import check_names
from rotator.cli.confirmation import confirm
from rotator.cli.context import open_context
from rotator.cli.exits import CommandError, Exit
from rotator.cli.import_adoption import AdoptedRow, AdoptionResult, adopt_rows
from rotator.cli.import_checks import check_rows, listed_source
from rotator.cli.import_results import import_document, print_adopted, print_plan
from rotator.cli.options import Output, Why
from rotator.cli.printing import print_json, print_lines, say
from rotator.cli.progress import screen, show_progress
from rotator.cli.writing import put_in_place
from rotator.core.model import Target
from rotator.fields.text import LoadContext
from rotator.observe.time_words import counted
from rotator.settings import ConfigError, Draft, load
from rotator.settings.files import decoded, included_folder, read_text
from rotator.settings.import_plan import ImportRow, RowDefaults, RowVerdict, compare_rows, read_rows
from rotator.settings.import_source import ImportSource, read_source
from rotator.settings.list_writing import FORMS, appended, without_targets
from rotator.settings.load import check_new_targets
from rotator.settings.problems import Finding

_LISTING, _STDIN = "listing", "-"
_LARGEST = 64 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The arguments of `rotator import`."""

    account: str
    source: str  # a file, `-` or `listing`
    why: Why
    defaults: Mapping[str, Any]  # what rows need not say: strategy, path, policy, labels
    name: str = "{username}"
    patterns: tuple[str, str] = ("*", "*")  # of usernames and descriptions, for a listing
    to: Path | None = None
    skip_conflicts: bool = False
    adopt: bool = False
    rotate: bool = False
    dry_run: bool = False
    confirmed: bool = False


def import_targets(config: Path, options: ImportOptions, output: Output) -> Exit:
    """Shows, asks, writes, adopts, prints, and returns the exit code.

    Raises:
        ConfigError: the configuration is invalid, or a file cannot be read.
        StoreError: Vault is unusable.
        CommandError: the source has mistakes, nothing can be imported, or nobody has agreed to it.
    """
    if options.source == _STDIN and not (options.confirmed or options.dry_run):
        raise CommandError("standard input leaves no way to ask: add --yes, or --dry-run", Exit.USAGE)
    work = _Import(config, options)
    rows = work.rows()
    if output is Output.TABLE:
        print_plan(rows, options.account)
    done = _carried_out(work, options, rows)
    if output is Output.JSON:
        print_json(import_document(rows, done.adopted, work.to, written=done.written))
        return done.code
    if done.written:
        print_lines(f"written: {work.to}; a daemon that runs takes it up with a reload (SIGHUP)")
    if done.adopted:
        print_adopted(done.adopted)
    return done.code


@dataclass(frozen=True, slots=True)
class _CarriedOut:
    """What was done."""

    code: Exit = Exit.DONE
    written: bool = False
    adopted: Sequence[AdoptedRow] = ()


def _carried_out(work: "_Import", options: ImportOptions, rows: Sequence[ImportRow]) -> _CarriedOut:
    """Asks, writes and adopts, as far as the rows and the options allow."""
    new = [row for row in rows if row.verdict is RowVerdict.NEW]
    usable = [row for row in rows if row.verdict is not RowVerdict.CONFLICT]
    in_use = [row for row in usable if not row.target.credential.new] if options.adopt else []
    conflicts = len(rows) - len(usable)
    if conflicts and not options.skip_conflicts:
        say(f"nothing was written: {counted(conflicts, 'row')} in conflict; correct them, or add --skip-conflicts")
        return _CarriedOut(Exit.FAILED)
    for hint in _hints(new, options):
        say(hint)
    if options.dry_run or not (new or in_use):
        say("nothing was written" + ": --dry-run" * options.dry_run)
        return _CarriedOut()
    if not options.confirmed:
        confirm(options.account, work.question(len(new)))
    written = work.write(new)
    adopted = work.adopt(in_use) if in_use else ()
    return _CarriedOut(_code(adopted), written, adopted)


def _hints(new: Sequence[ImportRow], options: ImportOptions) -> Iterator[str]:
    documents = sum(row.has_document for row in new)
    if documents and not options.adopt:
        yield f"of {documents} the document is in Vault already: nothing happens to them until --adopt takes them up"
    if any(row.password is not None for row in new) and not options.adopt:
        yield "the passwords are used only with --adopt"


def _code(adopted: Sequence[AdoptedRow]) -> Exit:
    results = {each.result for each in adopted}
    if AdoptionResult.FAILED in results:
        return Exit.FAILED
    return Exit.STOPPED if AdoptionResult.LEFT in results else Exit.DONE


class _Import:
    """One import: the file that it adds to, and what that contained before."""

    def __init__(self, config: Path, options: ImportOptions) -> None:
        self._config, self._options = config, options
        self.to = _destination(config, options)
        self._before = self._there()
        there = self._before or without_targets(self.to.suffix)
        self._base = Draft({self.to.resolve(): there}, targets_may_lack=True)
        self._settings = load(config, os.environ, self._base)
        check_names([options.account], self._settings.providers, "account")
        try:
            outer = self._settings.defaults
            self._defaults = RowDefaults.of(options.account, options.defaults, options.name, outer)
        except ValueError as error:
            raise CommandError(str(error), Exit.USAGE) from None

    def _there(self) -> str:
        return read_text(self.to) if self.to.exists() else ""

    def rows(self) -> list[ImportRow]:
        """Returns every row with its verdict. Raises ConfigError, StoreError, CommandError."""
        source = None if self._options.source == _LISTING else _source(self._options.source)
        checked = None if source is None else self._checked(source)  # a mistake is found before anything is asked
        with (
            screen() as display,
            show_progress(display, 1) as progress,
            open_context(self._config, read_only=True, draft=self._base) as context,
        ):
            if source is None or checked is None:
                wanted = (self._options.patterns, self._defaults.name)
                source = listed_source(context, self._options.account, *wanted, progress)
                checked = self._checked(source)
            context.composition.redactor.add(*source.passwords.values())
            rows, targets = checked
            new = [row for row in rows if row.verdict is RowVerdict.NEW]
            listing = source.is_listing
            check_rows(context, self._options.account, new, targets, progress, is_listing=listing)
        return rows

    def _checked(self, source: ImportSource) -> tuple[list[ImportRow], Mapping[str, Target]]:
        """Returns the rows, compared with the configuration, and the targets of those that are new."""
        context = LoadContext(os.environ, self._config.absolute().parent)
        rows, problems = read_rows(source, self._defaults, context)
        if problems:
            lines = (f"  {problem}" for problem in problems)
            raise CommandError("\n".join(("nothing was written: the source has mistakes:", *lines)), Exit.USAGE)
        compare_rows(rows, self._settings)
        for row in rows:
            if row.target.provider != self._options.account:
                row.conflicts(f"it is for the account {row.target.provider}", "import each account by itself")
        new = {row.target.name: row for row in rows if row.verdict is RowVerdict.NEW}
        wrong = self._wrong(list(new.values()))
        for name, finding in wrong.items():
            new[name].conflicts(finding.what, finding.remedy)
        policies = self._settings.core_policies
        right = (row.target for name, row in new.items() if name not in wrong)
        return rows, {target.name: target.core(policies[target.policy]) for target in right}

    def _wrong(self, new: Sequence[ImportRow]) -> Mapping[str, Finding]:
        """Loads the configuration as it will be, and returns what is wrong with new targets, by their names."""
        if not new:
            return {}
        names = frozenset(row.target.name for row in new)
        draft = Draft({self.to.resolve(): self._text(new)})
        try:
            settings, wrong = check_new_targets(self._config, os.environ, draft, names)
        except ConfigError as error:
            if any(Path(problem.file).resolve() == self.to.resolve() for problem in error.problems):
                remedy = "name a file of its own with --to"
                raise CommandError(f"targets cannot be added to {self.to}; {remedy}:\n{error}") from None
            raise
        if not names <= {target.name for target in settings.targets}:
            raise CommandError(f"{self._config} does not include {self.to}: add it to include:", Exit.USAGE)
        return wrong

    def _text(self, new: Sequence[ImportRow]) -> str:
        return appended(self.to.suffix, self._before, [row.row for row in new])

    def question(self, new: int) -> str:
        """Returns what is asked before anything is done."""
        parts = [f"add {counted(new, 'target')} to {self.to}"] * bool(new)
        parts += ["take up what is in use"] * self._options.adopt + ["have it rotated"] * self._options.rotate
        question = ", ".join(parts)
        return f"{question[0].upper()}{question[1:]}?"

    def write(self, new: Sequence[ImportRow]) -> bool:
        """Writes the file, and returns True; False if there is nothing to write. Raises CommandError, ConfigError."""
        if not new:
            return False
        if self._wrong(new):
            raise CommandError(f"{self.to}: the configuration has changed in the meantime: try again")
        if self._there() != self._before:
            raise CommandError(f"{self.to} has changed in the meantime: try again")
        put_in_place({self.to: self._text(new)}, replace=self.to.exists())
        return True

    def adopt(self, rows: Sequence[ImportRow]) -> list[AdoptedRow]:
        """Takes up what the rows name. Raises ConfigError, StoreError."""
        with (
            screen() as display,
            show_progress(display, len(rows)) as progress,
            open_context(self._config) as context,
        ):
            context.composition.redactor.add(*(row.password for row in rows if row.password is not None))
            return adopt_rows(context, rows, self._options.why, progress, rotate=self._options.rotate)


def _destination(config: Path, options: ImportOptions) -> Path:
    """Returns the file that targets are added to."""
    to = options.to
    if to is None:
        folder = included_folder(config)
        if folder is None:
            what = f"{config} includes no folder for files of targets"
            raise CommandError(f"{what}: add 'include: [targets.d]' to it, or name a file with --to", Exit.USAGE)
        to = folder / f"{options.account}.csv"
    if to.suffix not in FORMS:
        raise CommandError(f"{to} has an unknown ending; known endings: {', '.join(FORMS)}", Exit.USAGE)
    return to


def _source(name: str) -> ImportSource:
    """Reads a file, or standard input. Raises ConfigError."""
    if name == _STDIN:
        path = Path("standard input")
        return read_source(path, decoded(sys.stdin.buffer.read(_LARGEST + 1), path))
    path = Path(name)
    source = read_source(path, read_text(path))
    if source.passwords and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        source.wrong(1, "password", "others can read this file, and it has passwords", f"run chmod 600 {path}")
    return source
