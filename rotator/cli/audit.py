"""What `rotator verify-audit` does: verifies the chain over all files, and says what is wrong and where."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rotator.cli.exits import Exit, Refused
from rotator.cli.options import Output
from rotator.cli.printing import counted, print_json, print_lines
from rotator.observe.chain import VerifyResult, verify


class _Lines:
    """The lines of all files in their order, and where each one stands."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._ends: list[tuple[int, Path]] = []  # how many lines there are up to the end of each file

    def __iter__(self) -> Iterator[bytes]:
        count = 0
        for path in self._files:
            with path.open("rb") as file:
                for line in file:
                    count += 1
                    yield line
            self._ends.append((count, path))

    def place(self, number: int) -> tuple[Path, int]:
        """The file of the line `number`, counted over all files, and the line's number in it."""
        before = 0
        for end, path in self._ends:
            if number <= end:
                return path, number - before
            before = end
        return self._ends[-1][1], number - before


def show_verification(files: Sequence[Path], after: str, anchor: str, output: Output) -> Exit:
    """Prints what was found, and returns the exit code. Raises Refused where a file cannot be read."""
    lines = _Lines(files)
    try:
        result = verify(lines, after=after, anchor=anchor)
    except OSError as error:
        raise Refused(f"{error.filename or 'a file'} cannot be read: {error.strerror}", Exit.USAGE) from None
    if output is Output.JSON:
        print_json(_document(result, lines))
    else:
        _print(result, lines)
    return Exit.DONE if result.ok else Exit.FAILED


def _print(result: VerifyResult, lines: _Lines) -> None:
    for problem in result.problems:
        path, number = lines.place(problem.line)
        print_lines(f"{path}:{number}: {problem.what}")
    for chain in result.chains:
        print_lines(f"chain {chain.chain} ends with record {chain.seq}, hash {chain.hash}")
    verdict = "as they were written" if result.ok else f"and {counted(len(result.problems), 'problem')}"
    print_lines(f"{counted(result.records, 'record')} {verdict}")


def _document(result: VerifyResult, lines: _Lines) -> dict[str, Any]:
    problems = []
    for problem in result.problems:
        path, number = lines.place(problem.line)
        problems.append({"file": str(path), "line": number, "what": problem.what})
    chains = [{"chain": end.chain, "sequence": end.seq, "hash": end.hash} for end in result.chains]
    return {"ok": result.ok, "records": result.records, "chains": chains, "problems": problems}
