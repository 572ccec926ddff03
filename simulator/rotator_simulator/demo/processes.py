"""The real daemon and the real commands, as processes of their own, as an operator would run them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rotator.core.secret import Secret
from rotator.vault.process import ServerProcess

_COMMAND = (sys.executable, "-P", "-m", "rotator")  # -P: a file of the current folder must not stand in for a module
_PATIENCE = 10.0  # seconds for a command to end when it is asked to


class DaemonProcess:
    """`rotator run` on a configuration. It ends with `stop`, and with this process however that ends (Linux)."""

    def __init__(self, config: Path, log: Path, environment: Mapping[str, Secret]) -> None:
        """Starts it. What it prints goes to `log`; the secrets reach it in its environment and nowhere else."""
        held = (log.parent / "daemon.lock").open("ab")
        try:
            command = [*_COMMAND, "run", "--config", str(config)]
            self._process = ServerProcess(command, log, held, _environment(environment))
        finally:
            held.close()

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.running()

    def rotate_now(self) -> None:
        """Sends SIGUSR1."""
        os.kill(self._process.pid, signal.SIGUSR1)

    def stop(self) -> None:
        """Sends SIGTERM and waits for its end."""
        self._process.stop()


class Operator:
    """Runs commands of `rotator`, and keeps what they printed."""

    def __init__(self, config: Path, output: Path, environment: Mapping[str, Secret]) -> None:
        """`output` is a file that everything the commands print is added to."""
        self._config, self._output, self._environment = config, output, _environment(environment)
        self._running: list[subprocess.Popen[bytes]] = []

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts `rotator WORDS --config ...`."""
        with self._output.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  # our own command
                [*_COMMAND, *words, "--config", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the demo, which ends what it began
            )
        self._running.append(process)
        return process

    def stop(self) -> None:
        """Ends what still runs."""
        for process in self._running:
            if process.poll() is None:
                process.terminate()
        for process in self._running:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(secrets: Mapping[str, Secret]) -> dict[str, str]:
    return {**os.environ, **{name: secret.reveal() for name, secret in secrets.items()}}
