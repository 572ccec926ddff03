"""A hook that is a command where rotator runs."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from rotator.core.answers import Answer, Done, Refusal, Refused, Unknown
from rotator.core.secret import Secret

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}  # nothing of ours, which may have secrets
_groups: set[int] = set()  # of processes that commands may have left


class CommandHook:
    """Runs a program without a shell; the facts are JSON on its standard input, and what it prints goes nowhere."""

    def __init__(self, command: tuple[str, ...], time_limit: timedelta, *, takes_password: bool) -> None:
        self._command, self._seconds, self.takes_password = command, time_limit.total_seconds(), takes_password

    def run(self, facts: Mapping[str, object], password: Secret | None) -> Answer[None]:
        """Runs it, and kills it with all that it started when its time has passed. Status 0 is a yes."""
        told = dict(facts) if password is None else {**facts, "password": password.reveal()}
        try:
            process = subprocess.Popen(  # noqa: S603 - what the configuration names, and nothing else
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            return Refused(Refusal.OTHER, f"{self._command[0]} cannot be started: {error.strerror}")
        try:
            with process:
                try:
                    process.communicate(json.dumps(told).encode() + b"\n", timeout=self._seconds)
                except subprocess.TimeoutExpired:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
                    return Unknown(f"{self._command[0]} did not end within {self._seconds:g} s, and was killed")
        finally:
            _bury(process.pid)
        if process.returncode == 0:
            return Done(None)
        how = f"ended by signal {-process.returncode}" if process.returncode < 0 else f"status {process.returncode}"
        return Refused(Refusal.OTHER, f"{self._command[0]}: {how}")


def _bury(group: int) -> None:
    """Takes note of the ends of what commands have left: in a container it becomes a child of the first process.

    Nobody else does so there, and what nobody takes note of counts against the limit of processes and threads.
    """
    _groups.add(group)
    for each in tuple(_groups):
        try:
            while os.waitpid(-each, os.WNOHANG)[0]:
                pass
        except ChildProcessError:  # nothing is left of it, or it is not ours
            _groups.discard(each)
