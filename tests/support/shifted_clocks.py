"""Processes whose wall clock is wrong by as much as a test says, also while they run. See `shifted_clock.c`."""

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

SOURCE = Path(__file__).with_name("shifted_clock.c")


def build_shim(folder: Path) -> Path:
    """Compiles the library that is preloaded."""
    compiler = shutil.which("gcc")
    assert compiler, "gcc is not installed: apt-get install gcc libc6-dev"
    library = folder / "shifted_clock.so"
    words = [
        compiler,
        "-Wall",
        "-Wextra",
        "-Werror",
        "-O2",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(SOURCE),
        "-ldl",
    ]
    subprocess.run(words, check=True, timeout=60)
    return library


class ShiftedClock:
    """The wall clock of the processes that are started with `variables`."""

    def __init__(self, library: Path, file: Path, off: timedelta = timedelta()) -> None:
        self._file = file
        file.write_bytes(bytes(8))
        self.set(off)
        self.variables = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(file)}

    def set(self, off: timedelta) -> None:
        """Sets how far it is ahead of the machine's."""
        with self._file.open("r+b") as file:  # in place: the processes have it mapped
            file.write(int(off.total_seconds()).to_bytes(8, "little", signed=True))
