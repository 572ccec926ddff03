"""The real daemon and the real commands, each in its own process."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rotator.core.secret import Secret
from rotator.vault.process import ServerProcess

_COMMAND = (sys.executable, "-P", "-m", "rotator")  # -P: no file in the current directory replaces a module
_PATIENCE = 10.0  # seconds for a command to end after SIGTERM


class DaemonProcess:
    """`rotator run`. It ends with `stop`, or with this process, however that ends (on Linux)."""

    def __init__(self, config: Path, log: Path, secrets: Mapping[str, Secret]) -> None:
        """Starts the daemon. Its output goes to `log`; the secrets are only in its environment."""
        with (log.parent / "daemon.lock").open("ab") as lock:
            command = [*_COMMAND, "run", "--config", str(config)]
            self._process = ServerProcess(command, log, lock, _environment(secrets))

    def running(self) -> bool:
        """Returns True while it runs."""
        return self._process.running()

    def rotate_now(self) -> None:
        """Sends SIGUSR1."""
        os.kill(self._process.pid, signal.SIGUSR1)

    def stop(self) -> None:
        """Sends SIGTERM and waits for the end."""
        self._process.stop()


class CommandRunner:
    """Runs commands of `rotator`, and keeps their output in a file."""

    def __init__(self, config: Path, output: Path, secrets: Mapping[str, Secret]) -> None:
        """Appends the output of every command to `output`."""
        self._config, self._output, self._environment = config, output, _environment(secrets)
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts `rotator WORDS --config ...`."""
        with self._output.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [*_COMMAND, *words, "--config", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends its processes
            )
        self._started.append(process)
        return process

    def stop(self) -> None:
        """Ends the commands that still run."""
        for process in self._started:
            if process.poll() is None:
                process.terminate()
        for process in self._started:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(secrets: Mapping[str, Secret]) -> dict[str, str]:
    return {**os.environ, **{name: secret.reveal() for name, secret in secrets.items()}}
