"""Mutation run over core and engine: mutmut changes one token at a time, and for each change a test has to fail.

.venv/bin/python tests/mutation.py          a sample, the same for the same code; .ci/run does this
.venv/bin/python tests/mutation.py --all    every mutant
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_SAMPLE = "*__mutmut_*3"  # mutants are numbered within their function: the 3rd of each, the 13th and so on
_MARK = 0.95
_KILLED = ("killed", "timeout")
_NOT_RUN = "not checked"


def mutmut(*arguments: str, capture: bool = True) -> str:
    """Runs mutmut and returns what it printed; ends the program if it fails."""
    command = [Path(sys.executable).with_name("mutmut"), *arguments]
    done = subprocess.run(command, cwd=_ROOT, text=True, stdout=subprocess.PIPE if capture else None, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout or ''}\nmutmut failed")
    return done.stdout or ""


def main() -> None:
    """Runs the mutants, prints those that no test noticed, and fails if they are too many."""
    sample = () if "--all" in sys.argv[1:] else (_SAMPLE,)
    shutil.rmtree(_ROOT / "mutants", ignore_errors=True)  # verdicts of older tests
    mutmut("run", "--max-children", str(os.cpu_count() or 1), *sample, capture=bool(sample))
    lines = [line.strip().partition(": ") for line in mutmut("results", "--all", "true").splitlines()]
    verdicts = {name: verdict for name, _, verdict in lines if verdict != _NOT_RUN}
    alive = [name for name, verdict in verdicts.items() if verdict not in _KILLED]
    for name in alive:
        print(mutmut("show", name))
    killed = 1 - len(alive) / len(verdicts)
    print(f"{len(verdicts)} mutants, {len(alive)} alive: {killed:.1%} killed, {_MARK:.0%} wanted")
    sys.exit(killed < _MARK)


if __name__ == "__main__":
    main()
