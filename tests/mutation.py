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
# Mutants are numbered within their function. The sample takes one of each longer function, and of modules without one
# the second of each function, so that no module is left out.
_SHORT = (
    "rotator.core.action_properties",
    "rotator.core.audit_words",
    "rotator.core.circuit",
    "rotator.core.clock_jump",
    "rotator.core.consumer_document",
    "rotator.core.discrepancies",
    "rotator.core.evidence",
    "rotator.core.model",
    "rotator.core.nesting",
    "rotator.core.transitions",
    "rotator.engine.conflicts",
    "rotator.engine.first_passwords",
    "rotator.engine.memory",
    "rotator.engine.pauses",
)
_SAMPLE = ("*__mutmut_13", *(f"{module}.*__mutmut_2" for module in _SHORT))
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


def module_of(mutant: str) -> str:
    """The module that a mutant is of, by its name, such as rotator.core.pace.x_slot__mutmut_4."""
    return mutant.partition(".x")[0]


def main() -> None:
    """Runs the mutants, prints those that no test noticed, and fails if they are too many."""
    sample = () if "--all" in sys.argv[1:] else _SAMPLE
    shutil.rmtree(_ROOT / "mutants", ignore_errors=True)  # verdicts of older tests
    mutmut("run", "--max-children", str(os.cpu_count() or 1), *sample, capture=bool(sample))
    lines = [line.strip().partition(": ") for line in mutmut("results", "--all", "true").splitlines()]
    verdicts = {name: verdict for name, _, verdict in lines if verdict != _NOT_RUN}
    if left_out := {module_of(name) for name, _, _ in lines} - set(map(module_of, verdicts)):
        sys.exit(f"no mutant of these is in the sample, see _SHORT: {', '.join(sorted(left_out))}")
    alive = [name for name, verdict in verdicts.items() if verdict not in _KILLED]
    for name in alive:
        print(mutmut("show", name))
    killed = 1 - len(alive) / len(verdicts)
    print(f"{len(verdicts)} mutants, {len(alive)} alive: {killed:.1%} killed, {_MARK:.0%} wanted")
    sys.exit(killed < _MARK)


if __name__ == "__main__":
    main()
