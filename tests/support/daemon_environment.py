"""A real OpenBao, the sandbox, a configuration, and the daemon as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import short_calls
from openbao_server import Bao
from polling import eventually
from sip_access import written_over_tls

from rotator.core.model import TargetState
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.vault.policy import rotator_policy
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.server import SimulatorServer

TOKEN = "sentinel-vobiz-token-9f2c"
ACCOUNT = "MA_TEST"
OTHER_ACCOUNT = "MA_OTHER"  # not configured unless a test does it
STATE_PREFIX = "rotator/state"


class DaemonEnvironment:
    """A Vault, a sandbox with one account, a configuration and daemons. Targets are written with `configure`."""

    def __init__(self, bao: Bao, sandbox: SimulatorServer, folder: Path, prefix: str = STATE_PREFIX) -> None:
        self.bao, self.sandbox, self.folder, self.prefix = bao, sandbox, folder, prefix
        self.account: SimulatedAccount = sandbox.accounts[ACCOUNT]
        self.config = folder / "config.yaml"
        self.audit_file = folder / "audit.jsonl"
        self.vault = bao.client(prefix=prefix)
        policy = bao.policy("stage" + prefix.replace("/", "-"), rotator_policy("secret", prefix, ["sip/*"]))
        self.login = bao.app_role(policy)
        self.variables = {
            **os.environ,
            "SECRET_ID": self.login.current_secret_id().reveal(),
            "VOBIZ_TOKEN": TOKEN,
        }
        self.daemons: list[Daemon] = []

    def configure(self, targets: list[dict[str, Any]], **changes: Any) -> Path:
        """Writes the configuration: one policy of seconds, and no schedule that comes by itself within the test."""
        document: dict[str, Any] = {
            "vault": {
                "address": self.bao.address,
                "state_prefix": self.prefix,
                "auth": {"method": "approle", "role_id": self.login.role_id, "secret_id": {"env": "SECRET_ID"}},
            },
            "providers": {
                "vobiz": {
                    "type": "vobiz",
                    "base_url": self.sandbox.http_url,
                    "auth_id": ACCOUNT,
                    "auth_token": {"env": "VOBIZ_TOKEN"},
                    **written_over_tls(self.sandbox),
                    "propagation": "1s",
                    "rate_limit": "200/s",
                }
            },
            "policies": {"fast": {"every": "1h", "overlap": "2s", "quarantine": "2s"}},
            "targets": [{"provider": "vobiz", "policy": "fast", **target} for target in targets],
            "daemon": {
                "http": {"listen": "127.0.0.1:0", "probes": "127.0.0.1:0"},
                "poll": "1s",
                "stop_within": "35s",
                "backoff": {"base": "1s", "cap": "2s"},
            },
            "audit": {"file": str(self.audit_file)},
            "log": {"level": "debug", "format": "json"},
        }
        for key, value in changes.items():
            document[key] = {**document.get(key, {}), **value}
        self.config.write_text(json.dumps(document, indent=1))  # JSON is YAML
        return self.config

    def start(self, program: str = short_calls.__file__, **variables: str) -> "Daemon":
        """A daemon, with more variables in its environment."""
        daemon = Daemon(self, variables, program)
        self.daemons.append(daemon)
        return daemon

    def run_rotator(self, *words: str) -> str:
        """Runs a command as a process of its own, beside the daemon, and returns everything that it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "rotator", *words, "--config", str(self.config)],
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def state(self, target: str) -> TargetState:
        return self.vault.store.read_state(target).state

    def consumer_document(self, path: str) -> Any:
        return self.vault.store.read_consumer(path)

    def published_works(self, path: str) -> bool:
        """True where the provider lets in who reads Vault now."""
        document = self.consumer_document(path)
        return bool(document.exists and self.account.accepts(document.username, document.password))

    def audit(self) -> list[dict[str, Any]]:
        lines = self.audit_file.read_text().splitlines() if self.audit_file.exists() else []
        return [json.loads(line) for line in lines]

    def vault_audit(self) -> list[dict[str, Any]]:
        """The records that Vault has, of all processes."""
        segments = [segment for day in self.vault.audit.read() for segment in day.segments]
        return [json.loads(line) for segment in segments if not isinstance(segment, str) for line in segment.lines]

    def rotations(self, target: str) -> int:
        return self.state(target).counts.succeeded


class Daemon:
    """`rotator run` as a process, by default with the bounds of `short_calls`. What it prints goes into files."""

    def __init__(self, environment: DaemonEnvironment, variables: dict[str, str], program: str) -> None:
        number = len(environment.daemons)
        self.out, self.err = environment.folder / f"out-{number}", environment.folder / f"err-{number}"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-P", program, "run", "--config", str(environment.config)],
                env=environment.variables | variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def events(self) -> list[dict[str, Any]]:
        """The log so far."""
        lines = self.err.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def logged(self, event: str) -> dict[str, Any] | None:
        return next((line for line in self.events() if line["event"] == event), None)

    def wait_for(self, event: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            assert self.process.poll() is None or self.logged(event), self.err.read_text()[-2000:]
            return self.logged(event)

        return eventually(look, f"log event {event!r}: {self.err.read_text()[-2000:]}")

    @property
    def url(self) -> str:
        """Of /metrics and /status."""
        return f"http://127.0.0.1:{self.wait_for('listening')['port']}"

    @property
    def probes_url(self) -> str:
        """Of /healthz and /readyz."""
        return f"http://127.0.0.1:{self.wait_for('listening')['probes']}"

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return str(answer.read().decode())

    def probe(self, path: str) -> int:
        """The status of the answer to a probe."""
        try:
            with urllib.request.urlopen(self.probes_url + path, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def metric(self, name: str) -> float | None:
        """The value of the sample that begins with `name`, labels included."""
        for line in self.get("/metrics").splitlines():
            if line.startswith((name + " ", name + "{")):
                return float(line.rsplit(" ", 1)[1])
        return None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal and returns the exit code (negative: killed)."""
        self.send(number)
        return self.process.wait(30)


def _empty(bao: Bao, prefix: str) -> None:
    """Removes what other tests left in Vault: a daemon carries out what targets of theirs left behind."""
    folders = [prefix, "sip"]
    for folder in folders:
        found = bao.call("LIST", f"secret/metadata/{folder}", also=404).get("data", {}).get("keys", [])
        folders += [f"{folder}/{name.rstrip('/')}" for name in found if name.endswith("/")]
        for name in found:
            bao.call("DELETE", f"secret/metadata/{folder}/{name}")


@contextmanager
def daemon_environment(bao: Bao, folder: Path, prefix: str = STATE_PREFIX) -> Iterator[DaemonEnvironment]:
    """An environment with one Vobiz account. Two at a time in one Vault need a prefix each, as two installations do."""
    _empty(bao, prefix)
    clock = SystemClock(Event())
    accounts = [SimulatedAccount(name, Secret(TOKEN), clock) for name in (ACCOUNT, OTHER_ACCOUNT)]
    with SimulatorServer([VobizApi(accounts, clock)], clock) as sandbox:
        environment = DaemonEnvironment(bao, sandbox, folder, prefix)
        try:
            yield environment
        finally:
            for daemon in environment.daemons:
                if daemon.process.poll() is None:
                    daemon.process.kill()
                    daemon.process.wait()
