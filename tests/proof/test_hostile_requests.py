"""Whatever is sent to the daemon's HTTP endpoint: an answer or a closed connection, no traceback and no secret.

The daemon is a process of its own, whose Vault never answers: the endpoint is up before Vault is.
"""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from free_ports import free_port
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from polling import eventually

SENTINEL = "sentinel-endpoint-4b1d"
_PATIENCE = 20.0  # seconds for one answer, on a machine that has other things to do
_MOST_GROWTH = 64 * 1024 * 1024

METHODS = (b"GET", b"HEAD", b"POST", b"PRI", b"get", b"\xff")
SPACES = (b" ", b"  ", b"\t", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0")
PATHS = (
    b"/metrics",
    b"/healthz",
    b"/readyz",
    b"/status",
    b"/",
    b"/targets",
    b"/targets/%00%ff%f0",
    b"/accounts",
    b"*",
    b"http://x/status",
    b"//status",
    b"/%2e%2e/status",
)
PARAMETERS = (b"?limit=1", b"?limit=-1", b"?limit=9999999999999999999", b"?target=%00", b"?q=" + b"%f0" * 900)
PROTOCOLS = (b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/9.9\r\n", b" HTTP/1.1", b"\x16\x03\x01\x02\x00\x01")
HEADERS = (
    *(b"Host: x", b"Host:", b": x", b" folded", b"Expect: 100-continue", b"Connection: Upgrade", b"X: " + b"y" * 9000),
    *(b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999", b"Content-Length: 1, 2"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, x", b"0\r\n", b"ffffffffffffffff", b"5\r\nab"),
    *(b"Authorization: Basic \xff", b"Authorization: Basic eA==", b"Authorization: Bearer x"),
    *(b"Authorization: \xff", b"Z" * 20_000, b"A: b\r\n" * 300),
)
LINES = tuple(header + b"\r\n" for header in HEADERS)
PIECES = st.sampled_from((*METHODS, *SPACES, *PATHS, *PARAMETERS, *PROTOCOLS, *LINES))
SENT = st.lists(PIECES | st.binary(max_size=12), min_size=1, max_size=12).map(b"".join)
# One that is well formed but for its query, so that the pages behind the parser are reached as well.
KEYS = ["limit", "after", "state", "account", "name", "label", "due_before", "offset", "due", "sort", "page", "x"]
VALUES = st.one_of(
    st.text(max_size=10),
    st.sampled_from(
        ["-1", "0", "1", "1e9", "9" * 400, "9" * 5000, "*a" * 3000, "*", "[", "a=b", "\0", "../x", "x" * 3000]
    ),
)
QUERIES = st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=4).map(
    lambda pairs: "&".join(f"{key}={urllib.request.quote(value, errors='replace')}" for key, value in pairs)
)
PAGES = st.tuples(
    st.sampled_from(["/status", "/metrics", "/healthz", "/", "/targets", "/targets/<", "/accounts"]), QUERIES
).map(lambda page: f"GET {page[0]}?{page[1]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())


@dataclass(frozen=True)
class AttackedDaemon:
    """A daemon under attack."""

    pages: int
    probes: int
    process: psutil.Process
    log: Path

    def answer(self, sent: bytes, port: int) -> bytes:
        """Everything that comes back until the connection is closed; this side has nothing more to say."""
        received = b""
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as connection:
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65_536):
                    received += part
            except TimeoutError:
                raise
            except OSError:
                pass  # closed before everything was read
        return received

    def is_well(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.probes}/healthz", timeout=_PATIENCE) as page:
                return page.status == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackedDaemon]:
    folder = tmp_path_factory.mktemp("hostile")
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        pages, probes = free_port(), free_port()
        target = {"name": "phone", "provider": "vobiz", "strategy": "replace", "credential": {"username": "phone1"}}
        document = {
            "vault": {
                "address": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "auth": {"method": "token", "token": {"env": "SENTINEL"}},
            },
            "providers": {"vobiz": {"type": "vobiz", "auth_id": "MA_X", "auth_token": {"env": "SENTINEL"}}},
            "targets": [{**target, "path": "sip/phone"}],
            "daemon": {"http": {"listen": f"127.0.0.1:{pages}", "probes": f"127.0.0.1:{probes}"}},
            "log": {"format": "json"},
        }
        (folder / "config.yaml").write_text(json.dumps(document))
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "rotator", "run", "--config", str(folder / "config.yaml")],
            env={**os.environ, "SENTINEL": SENTINEL},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        made = AttackedDaemon(pages, probes, psutil.Process(process.pid), folder / "log")
        try:
            eventually(made.is_well, lambda: made.log.read_text()[-2000:])
            yield made
        finally:
            process.kill()
            process.wait()


def test_no_request_silences_the_endpoint_or_brings_a_secret_or_a_traceback(daemon, count_run, long_run):
    before = daemon.process.memory_info().rss

    @settings(max_examples=2500 if long_run else 150, phases=(Phase.explicit, Phase.generate))
    @example(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50, daemon.pages)
    @example(b"GET /status?" + b"a=b&" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", daemon.pages)
    @example(b"GET /status?limit=" + b"9" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", daemon.pages)
    @given(SENT | PAGES, st.sampled_from([daemon.pages, daemon.pages, daemon.probes]))
    def explore(sent, port):
        count_run("-", "-", "requests to the endpoint")
        received = daemon.answer(sent, port)
        assert re.match(rb"HTTP/1\.[01] [1-5]\d\d |$", received), received[:200]
        assert not re.match(rb"HTTP/1\.[01] 500 ", received), received[:500]
        assert b"Traceback" not in received
        assert SENTINEL.encode() not in received

    explore()
    assert daemon.is_well()
    assert daemon.process.memory_info().rss - before < _MOST_GROWTH
    log = daemon.log.read_text()
    assert SENTINEL not in log
    assert "Traceback" not in log
    assert [line for line in log.splitlines() if '"level":"error"' in line.replace(" ", "")] == []
