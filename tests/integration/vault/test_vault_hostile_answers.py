"""Whatever answers at Vault's address: a StoreError at most, and little memory."""

import copy
import json
import logging
import os
import re
import subprocess
import sys
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from long_runs import examples
from openbao_server import SkippingClock, VaultAccess
from polling import eventually
from provider_fixtures import http_response, raw_server, read_request

from rotator.core.bell import Bell
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import Credential, TargetState
from rotator.core.secret import Secret
from rotator.ports import StoreError, StoreUnavailable
from rotator.vault.auth import AppRole

OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json"
SECRET_ID = "the-secret-id-that-nobody-repeats"
PASSWORD = "the-password-that-nobody-repeats"
MOST_MEMORY = 64 * 1024 * 1024


class SleeplessClock(SkippingClock):
    """No time passes while nothing is done."""

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds


class HostileVault:
    """What answers every request with the same bytes, or with those that are next."""

    def __init__(self) -> None:
        self.address, self.answer = "", b""
        self.next: list[bytes] = []

    @property
    def access(self) -> VaultAccess:
        return VaultAccess(AppRole("role", Secret(SECRET_ID)), self.address, clock=SleeplessClock())

    def behave(self, connection: Any, _: Any) -> None:
        if read_request(connection):
            connection.sendall(self.next.pop(0) if self.next else self.answer)


@contextmanager
def hostile_vault() -> Iterator[HostileVault]:
    vault = HostileVault()
    with raw_server(vault.behave) as (url, _):
        vault.address = url.replace("localhost", "127.0.0.1")
        yield vault


def compressed() -> bytes:
    """600 MB of spaces."""
    compressor = zlib.compressobj(9, wbits=31)  # gzip
    pieces = [compressor.compress(b" " * 6_000_000) for _ in range(100)]
    return b"".join(pieces) + compressor.flush()


# Each is made by the test that sends it, and not by everybody who collects the tests: that takes seconds.
LARGE: dict[str, Callable[[], bytes]] = {
    "600 MB in 580 KB of gzip": lambda: http_response(f"{OK}\r\nContent-Encoding: gzip", compressed()),
    "400 KB of nested lists": lambda: http_response(OK, b"[" * 400_000),
    "nested lists that end": lambda: http_response(OK, b'{"data":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "nested objects that end": lambda: http_response(OK, b'{"a":' * 900 + b"{}" + b"}" * 900),
    "as an error": lambda: http_response(OK.replace("200 OK", "500 Oops"), b"[" * 400_000),
    "a million small objects": lambda: http_response(OK, b'{"data":[' + b'{"":0},' * 1_000_000 + b"0]}"),
    "seven megabytes of wide text": lambda: http_response(OK, b'{"a": "' + b"x" * 7_000_000 + '😀"}'.encode()),
    "seven megabytes as an error": lambda: http_response(
        OK.replace("200", "404"), b'{"a":"' + b"\xff" * 7_000_000 + b'"}'
    ),
    "a hundred megabytes": lambda: http_response(OK, b" " * 100_000_000),
    "small chunks": lambda: f"{OK}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + b"2\r\n[[\r\n" * 100_000,
    "a long number": lambda: http_response(OK, b'{"data": ' + b"9" * 100_000 + b"}"),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_an_answer_neither_grows_nor_raises_anything_unknown(make: Callable[[], bytes]) -> None:
    with hostile_vault() as vault:
        vault.answer = make()
        tracemalloc.start()
        try:
            with pytest.raises(StoreUnavailable):
                vault.access.client.login("auth/approle/login", {})
            assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
        finally:
            tracemalloc.stop()


def test_the_list_of_a_hundred_thousand_targets_is_read() -> None:
    names = [f"target-{number:054d}" for number in range(100_000)]
    with hostile_vault() as vault:
        vault.answer = http_response(OK, json.dumps({"auth": LOGIN, "data": {"keys": names}}).encode())
        assert vault.access.store.list_states() == tuple(names)


def test_nothing_is_asked_for_compressed() -> None:
    asked: list[bytes] = []

    def behave(connection: Any, _: Any) -> None:
        asked.append(read_request(connection))

    with raw_server(behave) as (url, _):
        access = VaultAccess(AppRole("role", Secret(SECRET_ID)), url)
        with pytest.raises(StoreUnavailable):
            access.client.login("auth/approle/login", {})
    assert [line for line in asked[0].lower().split(b"\r\n") if line.startswith(b"accept-encoding")] == [
        b"accept-encoding: identity"
    ]


TIME = "2026-01-02T03:04:05.678901234Z"
LOGIN = {"client_token": "hvs.token", "lease_duration": 3600, "renewable": True}
PATHS = ("sip/a", "sip/b")
# What Vault says to everything that is asked, in one.
RIGHT: dict[str, Any] = {
    "auth": LOGIN,
    "errors": [],
    "data": {
        "type": "kv",
        "options": {"version": "2"},
        "delete_version_after": "0s",
        "keys": ["a", "b"],
        "data": {"schema": 1, "target": "a", "username": "u", "password": PASSWORD, "rings": [], "dropped": 0},
        "metadata": {"version": 1, "created_time": TIME, "deletion_time": "", "destroyed": False},
        "version": 1,
        "created_time": TIME,
        "ttl": 60,
        "renewable": True,
        "expire_time": TIME,
        **{f"secret/data/{path}": ["create", "update"] for path in PATHS},
    },
}
ODD = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    st.sampled_from([10**30, -(10**30), 1e999, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01"]),
    st.sampled_from([[], {}, [[]], [None], {"a": {}}, [5], {"version": {}}, "check-and-set", PASSWORD, SECRET_ID]),
    st.sampled_from([2**63, -1, "hvs.\r\nX: 1", "\ud800", "tökén", "0", [PASSWORD], {PASSWORD: SECRET_ID}]),
)
STATUSES = st.sampled_from([200] * 6 + [204, 301, 400, 403, 404, 404, 429, 500, 503, 599])
HEADERS = st.sampled_from(
    [
        "",
        "Date: Sun, 01 Jan 0001 00:00:00 +1400\r\n",
        "Date: Fri, 31 Dec 9999 23:59:59 -9999\r\n",
        "Date: soon\r\n",
        "Date: Mon, 99 Foo 2026 25:61:61 GMT\r\n",
        "Content-Encoding: gzip\r\n",
        "Location: https://127.0.0.1:1/\r\n",
        "Retry-After: 99999999999\r\n",
        "X-\xff: \x00\r\n",
    ]
)


@st.composite
def nearly_right(draw: Any) -> bytes:
    """A right answer with up to two parts replaced: where wrong answers are believed."""
    answer = copy.deepcopy(RIGHT)
    for _ in range(draw(st.integers(0, 2))):
        place: Any = answer
        while True:
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if not isinstance(place[key], dict | list) or not place[key] or draw(st.booleans()):
                break
            place = place[key]
        place[key] = draw(ODD)
    return json.dumps(answer).encode()


BODIES = st.one_of(
    nearly_right(), nearly_right(), nearly_right(), ODD.map(json.dumps).map(str.encode), st.binary(max_size=30)
)
ANSWERS = st.lists(st.tuples(STATUSES, HEADERS, BODIES), min_size=1, max_size=4)
CREDENTIAL = Credential("a", "u", "i", Secret(PASSWORD))
VERBS: dict[str, Any] = {
    "check": lambda access: access.store.check(),
    "read a state": lambda access: access.store.read_state("a"),
    "write a state": lambda access: access.store.write_state(TargetState("a"), 0),
    "list": lambda access: access.store.list_states(),
    "read what is published": lambda access: access.store.read_consumer(PATHS[0]),
    "publish": lambda access: access.store.write_consumer(
        PATHS[0], CREDENTIAL, access.clock.now(), ConsumerDocument(0, exists=False)
    ),
    "bell": lambda access: access.store.write_bell(Bell(access.store.read_bell().number + 1)),
    "processes": lambda access: access.store.write_processes(access.store.read_processes()),
    "pace": lambda access: access.store.write_pace("a", replace(access.store.read_pace("a"), version=1)),
    "wave": lambda access: access.store.read_wave("a"),
    "rights": lambda access: access.store.check_publishable(PATHS[0]),
    "key": lambda access: access.store.read_key("a", "username"),
    "renew": lambda access: access.client.renew(Secret("t")),
    "look up": lambda access: access.client.look_up(Secret("t")),
    "unwrap": lambda access: access.client.unwrap(Secret("t")),
}


def test_no_answer_of_vault_raises_anything_but_a_store_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    outcomes: Counter[str] = Counter()
    with hostile_vault() as vault:

        @examples(150)
        @example("read a state", [(200, "", json.dumps(RIGHT).encode())])
        @given(st.sampled_from(sorted(VERBS)), ANSWERS)
        def explore(verb: str, answers: list[tuple[int, str, bytes]]) -> None:
            made = [
                http_response(f"HTTP/1.1 {status} X\r\n{headers}Content-Type: application/json", body)
                for status, headers, body in answers
            ]
            vault.next = made[:-1]
            vault.answer = made[-1]
            access = vault.access
            access.store.expect_publishing(PATHS)
            said = ""
            try:
                VERBS[verb](access)
            except StoreError as error:
                said = str(error)
            outcomes["error" if said else "result"] += 1
            assert PASSWORD not in said
            assert SECRET_ID not in said
            access.store.moment()
            access.client.token_expires_at()
            access.client.close()

        explore()
    assert min(outcomes["error"], outcomes["result"]) > 10
    assert PASSWORD not in caplog.text
    assert SECRET_ID not in caplog.text


CONFIGURATION = """vault: {address: "%s", auth: {method: token, token: {env: TOKEN}}}
providers: {prod: {type: vobiz, auth_id: MA_X, auth_token: {vault: {path: rotator/keys/prod, key: token}}}}
targets: [{name: a, provider: prod, strategy: replace, credential: {username: phone01}, path: sip/a}]
daemon: {http: {listen: "127.0.0.1:0", probes: "127.0.0.1:0"}}
log: {format: json}
"""


@pytest.mark.parametrize("answer", ["600 MB in 580 KB of gzip", "400 KB of nested lists"])
def test_the_daemon_waits_and_a_command_says_what_it_found(answer: str, tmp_path: Path) -> None:
    file, log = tmp_path / "config.yaml", tmp_path / "log"
    words = [sys.executable, "-P", "-m", "rotator"]
    with hostile_vault() as vault:
        vault.answer = LARGE[answer]()
        file.write_text(CONFIGURATION % vault.address)
        environment = {**os.environ, "TOKEN": "a-token", "ROTATOR_CONFIG": str(file)}
        with log.open("wb") as output:
            daemon = subprocess.Popen([*words, "run"], env=environment, stdout=output, stderr=output)
        try:
            command = subprocess.run(
                [*words, "status"], env=environment, capture_output=True, text=True, timeout=60, check=False
            )
            assert (command.returncode, command.stdout) == (3, "")
            assert "the answer is not from Vault: check the address" in command.stderr
            eventually(lambda: "waiting for Vault" in log.read_text(), "the daemon waits")
            peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{daemon.pid}/status").read_text())
            assert peak is not None
            assert int(peak[1]) < 300 * 1024
            daemon.terminate()
            assert daemon.wait(30) == 0
        finally:
            daemon.kill()
            daemon.wait()
    assert "Traceback" not in command.stderr + log.read_text()
