"""What grows with a fleet: the start, memory, an idle daemon, a decision, `/status`, requests to the provider."""

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from bench_world import ROOT_TOKEN, BenchWorld, bench_world, running
from daemons import LIMIT, answers, cpu_of, until
from engine_harness import IN_PLACE, EngineHarness
from free_ports import free_port
from hvac.adapters import JSONAdapter
from large_account import requests_of_a_rotation

from rotator.core.model import Credential
from rotator.daemon.clock import SystemClock
from rotator.vault.transport import Connection, VaultSession

_RUNS_UP_TO = 20_000  # targets; writing the documents of more takes longer than it tells
_LOOKS = 1000
_IDLE = 20.0  # seconds over which an idle daemon is watched


def measure_growth(folder: Path, sizes: Sequence[int], say: Callable[[str], None]) -> dict[str, Any]:
    """Returns a row for each size."""
    return {"growth": [_grown(folder, size, say) for size in sizes]}


def measure_requests(sizes: Sequence[int], say: Callable[[str], None]) -> dict[str, Any]:
    """Returns the requests of one rotation in accounts of these sizes; a first rotation, proved by a read-back."""
    rows = []
    for size in sizes:
        say(f"requests in an account of {size}")
        if size > _RUNS_UP_TO:
            continue
        row: dict[str, Any] = {"credentials": size}
        for life, name in (("in_place", "in-place"), ("replaced", "replace, whole life")):
            row[name] = round(requests_of_a_rotation(size, life, single_get=False), 2)
            row[f"{name}, with GET by id"] = round(requests_of_a_rotation(size, life, single_get=True), 2)
        rows.append(row)
    return {"requests": rows}


def _grown(folder: Path, size: int, say: Callable[[str], None]) -> dict[str, Any]:
    say(f"a fleet of {size}")
    row: dict[str, Any] = {"targets": size, "decision_ms": _decision(min(size, _RUNS_UP_TO))}
    where = folder / str(size)
    where.mkdir()
    with bench_world(where, size) as world:
        port, probes = free_port(), free_port()
        http = {"listen": f"127.0.0.1:{port}", "probes": f"127.0.0.1:{probes}"}
        config = world.configure("fleet", [_target(number) for number in range(size)], http=http)
        checked = world.run(world.rotator(config, "check-config"), 0.0)
        row |= {"check_s": round(checked.seconds, 2), "check_cpu_s": round(checked.cpu, 2)}
        if size <= _RUNS_UP_TO:
            world.run(world.rotator(config, "rotate", "t0", "--here", "--output", "json"), 0.0)
            _clone(world, size)
            say("the daemon")
            row |= _daemon(world, config, port, probes, size)
    return row


def _target(number: int) -> dict[str, Any]:
    one = {"name": f"t{number}", "strategy": "in-place", "credential": {"username": f"phone{number}"}}
    return {**one, "path": f"sip/t{number}"}


def _clone(world: BenchWorld, size: int) -> None:
    """Writes the documents of all targets as those of the first one, which was rotated."""
    session = VaultSession(Connection(world.vault), SystemClock(Event()))
    adapter = JSONAdapter(base_uri=world.vault, token=ROOT_TOKEN, session=session)
    paths = ("/v1/secret/data/rotator/state/t{}", "/v1/secret/data/sip/t{}")
    texts = [json.dumps(adapter.get(path.format(0))["data"]["data"]) for path in paths]

    def write(number: int) -> None:
        for path, text in zip(paths, texts, strict=True):
            own = text.replace('"t0"', f'"t{number}"').replace('sip/t0"', f'sip/t{number}"')
            own = own.replace('"phone0"', f'"phone{number}"').replace('"id-1"', f'"id-{number + 1}"')
            adapter.post(path.format(number), json={"data": json.loads(own)})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(1, size)))


def _daemon(world: BenchWorld, config: Path, port: int, probes: int, size: int) -> dict[str, Any]:
    log, url = world.folder / "daemon.log", f"http://127.0.0.1:{port}"
    before = world.vault_requests()["READ"]
    began = time.monotonic()
    with (
        log.open("wb") as output,
        running(world.rotator(config, "run"), env=world.environment, stdout=output, stderr=output) as daemon,
    ):
        until(lambda: answers(f"http://127.0.0.1:{probes}/readyz"), log)
        row: dict[str, Any] = {"ready_s": round(time.monotonic() - began, 2), "ready_cpu_s": round(cpu_of(daemon), 2)}
        # At first it looks at everything once: both documents of each target.
        until(lambda: world.vault_requests()["READ"] - before >= 2 * size, log)
        row["first_sweep_cpu_s"] = round(cpu_of(daemon) - row["ready_cpu_s"], 2)
        time.sleep(2.0)
        idle, requests, since = cpu_of(daemon), world.vault_requests(), time.monotonic()
        time.sleep(_IDLE if size >= 100 else 1.0)
        passed = time.monotonic() - since
        row["idle_cpu_percent"] = round(100 * (cpu_of(daemon) - idle) / passed, 2)
        row["idle_vault_requests_s"] = round((world.vault_requests() - requests).total() / passed, 1)
        row["memory_mb"] = _memory(daemon)
        row["status_ms"], row["status_cpu_ms"] = _timed(f"{url}/status", daemon)
        row["metrics_ms"], row["metrics_cpu_ms"] = _timed(f"{url}/metrics", daemon)
        stopping = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(LIMIT)
        row["sigterm_s"] = round(time.monotonic() - stopping, 2)
    return row


def _decision(size: int) -> float:
    """Returns the CPU time of one look from memory that finds nothing to do, in ms."""
    harness = EngineHarness(IN_PLACE)
    harness.provider.add("office")
    engine = harness.engine()
    harness.until_rotated(engine)
    rotated, document = harness.store.states["office"], harness.consumer
    targets = [replace(IN_PLACE, name=f"t{number}", path=f"sip/t{number}") for number in range(size)]
    for target in targets:
        published = replace(rotated.state.published or Credential("", ""), username=target.name)
        state = replace(rotated.state, target=target.name, path=target.path, published=published)
        harness.store.states[target.name] = replace(rotated, state=state)
        harness.store.consumers[target.path] = replace(document, username=target.name)
        engine.look(target)
    looks = targets[: min(_LOOKS, size)]
    began = time.thread_time()
    for target in looks:
        engine.look(target, fresh=False)
    return round(1000 * (time.thread_time() - began) / len(looks), 3)


def _timed(url: str, daemon: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """Returns the shortest time of five requests, and the daemon's CPU time for one, in ms."""
    times, cpu = [], cpu_of(daemon)
    for _ in range(5):
        began = time.monotonic()
        urllib.request.urlopen(url).read()
        times.append(time.monotonic() - began)
    return round(1000 * min(times), 1), round(1000 * (cpu_of(daemon) - cpu) / 5, 1)


def _memory(process: "subprocess.Popen[bytes]") -> float:
    text = Path(f"/proc/{process.pid}/status").read_text()
    return round(int(text.partition("VmRSS:")[2].split()[0]) / 1024, 1)
