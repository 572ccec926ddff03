"""What every contestant works with: an OpenBao in memory that counts its requests, and a lean Vobiz."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from free_ports import free_port
from lean_vobiz import ACCOUNT

from rotator.cli.exits import Exit
from rotator.vault.policy import rotator_policy
from rotator.vault.process import find_server

HERE = Path(__file__).parent
TOKEN = "bench-token"
ROOT_TOKEN = "bench-root"
_RESULTS = (Exit.FAILED, Exit.VAULT)  # of `rotate`: some targets were not rotated
_LIMIT = 60.0  # seconds until a process has to be ready
_TELEMETRY = 'telemetry {\n  prometheus_retention_time = "1h"\n  disable_hostname = true\n}\n'
_POLICY = """
path "secret/data/*" { capabilities = ["create", "read", "update"] }
path "+/rotate-role/*" { capabilities = ["update"] }
"""
_COUNT = re.compile(r"^vault_route_(create|read|update)_secret__count (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One process that ended well: how long it took, and what it asked for."""

    seconds: float
    cpu: float  # seconds, of the process and its children
    rotating: float  # seconds between the first and the last write at the provider
    requests: Mapping[str, int]  # at the provider by method, LIST apart, and LOGIN; at Vault READ and WRITE
    failed: int = 0  # rotations, of `rotate --output json`
    daemons: float = 0.0  # seconds of `cpu` that were those of daemons beside it

    def calls(self, rotations: int) -> dict[str, float]:
        """Returns the requests of one rotation."""
        return {kind: round(number / rotations, 2) for kind, number in sorted(self.requests.items())}


class BenchWorld:
    """OpenBao, the lean Vobiz, and a folder for configurations."""

    def __init__(
        self, vault: str, vobiz: str, registrar: str, folder: Path, servers: "Sequence[subprocess.Popen[bytes]]"
    ) -> None:
        self.vault, self.vobiz, self.registrar, self.folder, self.servers = vault, vobiz, registrar, folder, servers
        self._call("PUT", "sys/policies/acl/rotator", {"policy": rotator_policy("secret", "rotator/state", ["sip/*"])})
        # No contestant has the root token, whose requests cost OpenBao half as much as those of any other.
        self._call("PUT", "sys/policies/acl/bench", {"policy": _POLICY})
        made = self._call("POST", "auth/token/create", {"policies": ["rotator"], "ttl": "12h"})
        self.environment = {
            **os.environ,
            "BENCH_VAULT": vault,
            "BENCH_VOBIZ": f"{vobiz}/api/v1/Account/{ACCOUNT}",
            "BENCH_REGISTRAR": registrar,
            "BENCH_TOKEN": self._call("POST", "auth/token/create", {"policies": ["bench"], "ttl": "12h"})["auth"][
                "client_token"
            ],
            "VAULT_TOKEN": made["auth"]["client_token"],
            "VOBIZ_TOKEN": TOKEN,
        }

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {"X-Vault-Token": ROOT_TOKEN, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        answer = urllib.request.urlopen(urllib.request.Request(f"{self.vault}/v1/{path}", data, headers, method=method))
        text = answer.read()
        return json.loads(text) if text else {}

    def vault_requests(self) -> Counter[str]:
        url = f"{self.vault}/v1/sys/metrics?format=prometheus"
        text = (
            urllib.request.urlopen(urllib.request.Request(url, headers={"X-Vault-Token": ROOT_TOKEN})).read().decode()
        )
        counts: Counter[str] = Counter()
        for kind, number in _COUNT.findall(text):
            counts["READ" if kind == "read" else "WRITE"] += int(number)
        return counts

    def configure(
        self, name: str, targets: Sequence[Mapping[str, Any]], *, log_in: bool = False, **daemon: Any
    ) -> Path:
        """Writes a configuration whose limits never matter, and in which nothing falls due by itself.

        `log_in`: a registrar proves the passwords.
        """
        proof = {"registrar": self.registrar, "sip_transport": "udp"} if log_in else {}
        document = {
            "vault": {"address": self.vault, "auth": {"method": "token", "token": {"env": "VAULT_TOKEN"}}},
            "providers": {
                "vobiz": {
                    "type": "vobiz",
                    "base_url": self.vobiz,
                    "auth_id": ACCOUNT,
                    "auth_token": {"env": "VOBIZ_TOKEN"},
                    "rate_limit": "100000/s",
                    **proof,
                }
            },
            "policies": {"yearly": {"every": "360d", "overlap": "30d", "quarantine": "30d"}},
            "include": [f"{name}.jsonl"],
            "defaults": {"provider": "vobiz", "policy": "yearly"},
            "daemon": {"http": {"listen": "127.0.0.1:0", "probes": "127.0.0.1:0"}, **daemon},
            "audit": {"file": str(self.folder / f"{name}-audit.jsonl")},
        }
        (self.folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(target)}\n" for target in targets))
        written = self.folder / f"{name}.json"
        written.write_text(json.dumps(document))
        return written

    def run(self, words: Sequence[str], latency: float) -> MeasuredRun:
        """Runs a process to its end, at this latency of the provider (seconds). Raises RuntimeError if it fails."""
        urllib.request.urlopen(f"{self.vobiz}/bench?latency={latency}").read()
        before, began = self.vault_requests(), time.monotonic()
        log = self.folder / "run.log"
        with log.open("wb") as output:
            child = subprocess.Popen(words, env=self.environment, stdout=output, stderr=output)
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        failed = _failed(log.read_text()) if child.returncode in _RESULTS else 0
        if child.returncode and not failed:
            raise RuntimeError(f"{words[:4]} ended with {child.returncode}: {log.read_text()[-2000:]}")
        counts = json.loads(urllib.request.urlopen(f"{self.vobiz}/bench").read())
        rotating = counts.pop("seconds")
        requests = {**counts, **(self.vault_requests() - before)}
        return MeasuredRun(seconds, used.ru_utime + used.ru_stime, rotating, requests, failed)

    def rotator(self, config: Path, *words: str) -> list[str]:
        """Returns the command line of `rotator`."""
        return [sys.executable, "-m", "rotator", *words, "--config", str(config)]


def _failed(output: str) -> int:
    """Returns how many targets `rotate` has not rotated, and prints the first reason."""
    messages = [line.strip() for line in output.splitlines() if '"message": "' in line]
    print(f"{len(messages)} not rotated: {messages[0] if messages else output[-300:]}", file=sys.stderr)
    return len(messages)


@contextmanager
def bench_world(folder: Path, credentials: int) -> Iterator[BenchWorld]:
    """Starts both servers; the account has so many credentials, named phone0, phone1 and so on."""
    (folder / "telemetry.hcl").write_text(_TELEMETRY)
    port = free_port()
    address = f"127.0.0.1:{port}"
    bao = [str(find_server()), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT_TOKEN}"]
    bao += [f"-dev-listen-address={address}", f"-config={folder}/telemetry.hcl"]
    vobiz = [sys.executable, str(HERE / "lean_vobiz.py"), TOKEN, str(credentials)]
    with (
        (folder / "bao.log").open("wb") as log,
        running(bao, stdout=log, stderr=log, env={"HOME": str(folder), "PATH": os.environ["PATH"]}) as vault,
        running(vobiz, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server,
    ):
        assert server.stdout is not None
        listens, registrar = server.stdout.readline().decode().split()
        _wait_for(f"http://{address}/v1/sys/health")
        yield BenchWorld(
            f"http://{address}", f"http://127.0.0.1:{listens}", f"127.0.0.1:{registrar}", folder, (vault, server)
        )


@contextmanager
def running(words: Sequence[str], **options: Any) -> "Iterator[subprocess.Popen[bytes]]":
    """Runs a server; it ends with the block."""
    child = subprocess.Popen(words, **options)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(_LIMIT)


def _wait_for(url: str) -> None:
    end = time.monotonic() + _LIMIT
    while True:
        try:
            urllib.request.urlopen(url).read()
        except urllib.error.URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return
