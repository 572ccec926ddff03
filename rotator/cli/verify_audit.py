"""`rotator verify-audit`: verifies the hash chain over all files and prints each problem with its place."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Output
from rotator.cli.printing import counted, print_json, print_lines
from rotator.observe.chain import VerifyResult, verify


class _AuditFiles:
    """The lines of all files in order, and the file and line number of each."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._ends: list[tuple[int, Path]] = []  # for each file, the number of lines up to its end

    def __iter__(self) -> Iterator[bytes]:
        count = 0
        for path in self._files:
            with path.open("rb") as file:
                for line in file:
                    count += 1
                    yield line
            self._ends.append((count, path))

    def place(self, number: int) -> tuple[Path, int]:
        """Returns the file of line `number`, counted over all files, and the line's number in that file."""
        before = 0
        for end, path in self._ends:
            if number <= end:
                return path, number - before
            before = end
        return self._ends[-1][1], number - before


def show_verification(files: Sequence[Path], after: str, anchor: str, output: Output) -> Exit:
    """Prints the result and returns the exit code. Raises CommandError if a file cannot be read."""
    lines = _AuditFiles(files)
    try:
        result = verify(lines, after=after, anchor=anchor)
    except OSError as error:
        raise CommandError(f"{error.filename or 'a file'} cannot be read: {error.strerror}", Exit.USAGE) from None
    if output is Output.JSON:
        print_json(_document(result, lines))
    else:
        _print(result, lines)
    return Exit.DONE if result.ok else Exit.FAILED


def _print(result: VerifyResult, lines: _AuditFiles) -> None:
    for problem in result.problems:
        path, number = lines.place(problem.line)
        print_lines(f"{path}:{number}: {problem.what}")
    for chain in result.chains:
        print_lines(f"chain {chain.chain} ends with record {chain.seq}, hash {chain.hash}")
    verdict = "unchanged" if result.ok else f"and {counted(len(result.problems), 'problem')}"
    print_lines(f"{counted(result.records, 'record')} {verdict}")


def _document(result: VerifyResult, lines: _AuditFiles) -> dict[str, Any]:
    problems = []
    for problem in result.problems:
        path, number = lines.place(problem.line)
        problems.append({"file": str(path), "line": number, "what": problem.what})
    chains = [{"chain": end.chain, "sequence": end.seq, "hash": end.hash} for end in result.chains]
    return {"ok": result.ok, "records": result.records, "chains": chains, "problems": problems}
