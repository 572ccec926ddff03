"""The audit at receivers of syslog and HTTP: over real sockets, and nothing that they do holds anything up."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
import trustme
from free_ports import free_port
from polling import eventually
from receiver_servers import HttpReceiver, SyslogReceiver, http_receiver

from rotator.core.audit_chain import Line
from rotator.core.audit_check import AuditCheck, CheckedAudit
from rotator.core.secret import Secret
from rotator.daemon.audit_receivers import receivers
from rotator.daemon.clock import SystemClock
from rotator.fields.references import Resolved
from rotator.observe.audit import AuditLog, Sink
from rotator.observe.audit_outlet import OutletStatus
from rotator.observe.redact import Redactor
from rotator.settings.audit import AuditHttpSettings, AuditSettings, SyslogSettings
from rotator.testing import FakeClock, FakeRandomness, MemoryAuditStore

TOKEN = "Sentinel-Token-4711"


@pytest.fixture
def store() -> MemoryAuditStore:
    return MemoryAuditStore()


@pytest.fixture(autouse=True)
def opened() -> Iterator[list[Sink]]:
    _OPENED.clear()
    yield _OPENED
    for sink in _OPENED:
        sink.close()


_OPENED: list[Sink] = []


class Remote:
    """An audit log with one receiver elsewhere."""

    def __init__(self, sink: Sink, store: MemoryAuditStore) -> None:
        _OPENED.append(sink)
        self.log = AuditLog([], SystemClock(Event()), FakeRandomness(7), Redactor(), remote=[sink])
        self.log.attach(store, {})
        (self.outlet,) = self.log.remote

    def record(self, count: int = 1) -> None:
        for _ in range(count):
            self.log.record("publish", "phone", "done", reason="because: ü")

    def send(self) -> bool:
        return self.log.send(self.outlet)


def of_syslog(port: int, **how: object) -> Sink:
    settings = {"address": f"127.0.0.1:{port}", "transport": "tcp", **how}
    (sink,) = receivers(AuditSettings(syslog=SyslogSettings.model_validate(settings)), SystemClock(Event()))
    return sink


def of_http(url: str, token: Secret | None = None, clock: FakeClock | None = None, **how: object) -> Sink:
    reference = Resolved(token) if token is not None else None
    settings = AuditHttpSettings.model_validate({"url": url, "token": reference, **how})
    (sink,) = receivers(AuditSettings(http=settings), clock or SystemClock(Event()))
    return sink


def checked(lines: Sequence[str], store: MemoryAuditStore) -> CheckedAudit:
    """The judgment of what a receiver has, against the end of each chain in Vault."""
    vault = AuditCheck(store.key())
    check = AuditCheck(store.key(), vault=vault)
    for where, has in ((vault, store.lines), (check, lines)):
        for number, line in enumerate(has):
            where.line(f"{number}", line.encode())
    return check.result()


# --- syslog


@pytest.fixture
def syslog() -> Iterator[SyslogReceiver]:
    receiver = SyslogReceiver()
    yield receiver
    receiver.stop()
    assert not receiver.problems


def test_syslog_gets_each_record_as_a_message_of_rfc_5424_with_its_length_before_it(syslog, store) -> None:
    remote = Remote(of_syslog(syslog.port, facility="local5"), store)
    remote.record(1200)
    assert remote.send()
    remote.log.flush()
    eventually(lambda: len(syslog.messages) == 1201, "the messages")
    assert syslog.texts() == store.lines
    first, last = syslog.messages[0], syslog.messages[-1]
    assert (first.message_id, last.message_id, last.app) == ("start", "publish", "rotator")
    assert {message.priority for message in syslog.messages} == {21 * 8 + 5}
    assert checked(syslog.texts(), store).ok


def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    ca, file = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(file)
    return ca, file


def test_syslog_over_tls_verifies_the_receiver_and_shows_its_own_certificate(tmp_path, store) -> None:
    ca, file = authority(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(server)
    ca.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    own = ca.issue_cert("rotator.example.com")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    for certificate in own.cert_chain_pems:
        certificate.write_to_path(tmp_path / "cert.pem", append=True)
    receiver = SyslogReceiver(tls=server)
    try:
        sink = of_syslog(
            receiver.port, transport="tls", ca_file=file, certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem"
        )
        remote = Remote(sink, store)
        remote.record()
        assert remote.send(), remote.outlet.problem
        eventually(lambda: len(receiver.messages) == 2, "the messages")
        stranger = Remote(of_syslog(receiver.port, transport="tls"), store)
        stranger.record()
        assert not stranger.send()
        assert "CERTIFICATE_VERIFY_FAILED" in stranger.outlet.problem
        assert len(receiver.messages) == 2
    finally:
        receiver.stop()


def test_a_syslog_receiver_that_comes_back_gets_the_rest_and_once_more_what_may_have_been_lost(store) -> None:
    first = SyslogReceiver()
    remote = Remote(of_syslog(first.port), store)
    remote.record(2)
    assert remote.send()
    eventually(lambda: len(first.messages) == 3, "the messages")
    first.stop()
    remote.record(2)
    assert not remote.send()
    assert remote.outlet.status().waiting == 2
    second = SyslogReceiver(first.port)
    try:
        assert remote.send(), remote.outlet.problem
        remote.log.flush()
        eventually(lambda: len(second.messages) == 5, "the messages")
        result = checked([*first.texts(), *second.texts()], store)
        assert (result.problems, result.records) == ((), 5)
        assert remote.outlet.status() == OutletStatus("syslog", remote.outlet.name, 0, 0, "")
    finally:
        second.stop()


def test_what_a_syslog_receiver_has_lost_itself_is_missed(syslog, store) -> None:
    remote = Remote(of_syslog(syslog.port), store)
    remote.record(4)
    assert remote.send()
    remote.log.flush()
    eventually(lambda: len(syslog.messages) == 5, "the messages")
    for lost in range(5):
        texts = syslog.texts()
        del texts[lost]
        assert [problem.what for problem in checked(texts, store).problems] == [f"record {lost} is missing"]


def test_a_syslog_receiver_that_reads_nothing_ends_the_try(monkeypatch) -> None:
    monkeypatch.setattr("rotator.observe.audit_syslog._WITHIN", 0.3)
    receiver = SyslogReceiver(mute=True)
    try:
        sink = of_syslog(receiver.port)
        _OPENED.append(sink)
        text = json.dumps({"time": "2026-01-05T12:00:00+00:00", "verb": "publish", "facts": "x" * 1_000_000})
        with pytest.raises(TimeoutError):  # thirty megabytes: more than the kernel keeps for anybody
            sink.write([Line("c", number, text) for number in range(30)])
    finally:
        receiver.stop()


RSYSLOG = """\
global(
  workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriver="gtls"
  defaultNetstreamDriverCAFile="{folder}/ca.pem"
  defaultNetstreamDriverCertFile="{folder}/server.pem" defaultNetstreamDriverKeyFile="{folder}/server-key.pem"
)
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name"
  permittedPeer=["rotator.example.com"])
input(type="imtcp" address="127.0.0.1" port="{port}")
if $syslogfacility == 13 and $programname == "rotator" then action(type="omfile" file="{folder}/audit.log")
"""


@contextmanager
def rsyslog(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    program = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "rsyslog is not installed: apt-get install rsyslog rsyslog-gnutls"
    (folder / "rsyslog.conf").write_text(RSYSLOG.format(folder=folder, port=port))
    command = [program, "-n", "-iNONE", "-f", str(folder / "rsyslog.conf")]
    with (folder / "rsyslog.err").open("ab") as err, subprocess.Popen(command, stdout=err, stderr=err) as process:
        try:
            eventually(lambda: is_open(port), (folder / "rsyslog.err").read_text)
            yield process
        finally:
            process.terminate()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.ci
def test_rsyslog_takes_the_records_over_tls_before_and_after_it_was_killed_and_its_file_verifies(
    tmp_path, store
) -> None:
    ca, file = authority(tmp_path)
    for name, host in (("server", "127.0.0.1"), ("client", "rotator.example.com")):
        made = ca.issue_cert(host, common_name=host)
        made.private_key_pem.write_to_path(tmp_path / f"{name}-key.pem")
        made.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    port, written = free_port(), tmp_path / "audit.log"

    def lines() -> list[str]:
        return written.read_text().splitlines() if written.exists() else []

    sink = of_syslog(
        port, transport="tls", ca_file=file, certificate=tmp_path / "client.pem", key=tmp_path / "client-key.pem"
    )
    remote = Remote(sink, store)
    with rsyslog(tmp_path, port) as process:
        remote.log.record("request_rotation", "phone", "done", reason="x" * 10_000)
        remote.record(1000)
        assert remote.send(), remote.outlet.problem
        eventually(lambda: len(lines()) == 1002, (tmp_path / "rsyslog.err").read_text)
        process.kill()
        process.wait()
    remote.record(5)
    assert not remote.send()
    with rsyslog(tmp_path, port):
        assert remote.send(), remote.outlet.problem
        eventually(lambda: len(lines()) >= 1007, (tmp_path / "rsyslog.err").read_text)
    remote.log.flush()
    vault = AuditCheck(store.key())
    check = AuditCheck(store.key(), vault=vault, mixed=True)
    for where, has in ((vault, store.lines), (check, lines())):
        for number, line in enumerate(has):
            where.line(f"{number}", line.encode())
    result = check.result()
    assert (result.problems, result.notes, result.records) == ((), (), 1007)
    assert lines()[0].partition("{")[0].endswith(f"rotator[{os.getpid()}] ")


# --- HTTP


@pytest.fixture
def http() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        yield receiver


def test_http_gets_the_records_as_lines_with_the_token(http, store) -> None:
    remote = Remote(of_http(http.url, Secret(TOKEN), scheme="Splunk"), store)
    remote.record(700)
    assert remote.send()
    remote.log.flush()
    assert http.lines == store.lines
    assert len(http.requests) == 2  # five hundred in each
    path, headers = http.requests[0]
    assert path == "POST /ingest"
    assert headers["Authorization"] == f"Splunk {TOKEN}"
    assert headers["Content-Type"] == "application/x-ndjson"
    assert checked(http.lines, store).ok


def test_what_was_not_answered_is_sent_again_within_one_write(http, store) -> None:
    clock = FakeClock()
    remote = Remote(of_http(http.url, clock=clock), store)
    http.answers[:] = [503, 429, 500]
    remote.record()
    assert remote.send()
    remote.log.flush()
    assert (http.lines, len(http.requests)) == (store.lines, 4)


@pytest.mark.parametrize(
    ("status", "tries", "problem"),
    [
        (503, 6, "it answers 503"),
        (401, 1, "it refuses with 401"),
        (302, 1, "it refuses with 302: no redirect is followed"),
    ],
)
def test_a_receiver_that_does_not_take_them_is_asked_a_few_times_and_they_are_kept(
    http, store, status, tries, problem
) -> None:
    remote = Remote(of_http(http.url, Secret(TOKEN), clock=FakeClock()), store)
    http.answers[:] = [status] * 10
    remote.record()
    assert not remote.send()
    assert len(http.requests) <= tries
    shown = remote.log.status
    assert (shown.waiting, shown.problem) == (2, f"http 127.0.0.1:{http.port}: {problem}")
    http.answers.clear()
    assert remote.send()
    remote.log.flush()
    assert http.lines == store.lines


def test_an_http_receiver_that_nobody_vouches_for_gets_nothing(store, tmp_path) -> None:
    ca, file = authority(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("other.example.com").configure_cert(server)
    receiver = SyslogReceiver(tls=server)  # whatever follows the handshake
    try:
        remote = Remote(
            of_http(f"https://127.0.0.1:{receiver.port}", Secret(TOKEN), clock=FakeClock(), ca_file=file), store
        )
        remote.record()
        assert not remote.send()
        whose = f"the TLS certificate of 127.0.0.1:{receiver.port}"
        assert remote.outlet.problem == f"{whose} is for another name: url needs a name that the certificate has"
        assert not receiver.messages
    finally:
        receiver.stop()


def test_nothing_that_is_shown_has_the_token_or_the_path_of_the_receiver(http, store, caplog, capfd) -> None:
    remote = Remote(of_http(f"{http.url}/{TOKEN}", Secret(TOKEN), clock=FakeClock()), store)
    http.answers[:] = [403]
    remote.record()
    assert not remote.send()
    out, err = capfd.readouterr()
    everything = [repr(remote.log.status), caplog.text, out, err, *store.lines]
    assert not any(TOKEN in text for text in everything)


# --- what holds for both


def test_a_receiver_that_does_not_answer_holds_no_record_up_and_is_given_up_at_the_end(store) -> None:
    never = threading.Event()
    with http_receiver(deaf=never) as deaf:
        remote = Remote(of_http(deaf.url), store)
        remote.record()
        stuck = threading.Thread(target=remote.send, daemon=True)
        stuck.start()
        done = threading.Event()

        def work() -> None:
            remote.record(50)
            assert remote.log.flush()
            remote.log.finish(0.2)
            done.set()

        threading.Thread(target=work, daemon=True).start()
        assert done.wait(8)  # far less than the ten seconds that the receiver has for one try
        assert stuck.is_alive()
        assert len(store.lines) == 52
        never.set()
        stuck.join(30)
    assert deaf.lines[:2] == store.lines[:2]


def test_what_memory_cannot_keep_for_a_receiver_is_counted_and_on_record_and_missed_there(
    http, store, monkeypatch
) -> None:
    monkeypatch.setattr("rotator.observe.audit_outlet._MOST_WAITING", 5)
    remote = Remote(of_http(http.url, clock=FakeClock()), store)
    http.answers[:] = [403]
    for _ in range(9):
        remote.record()
        remote.log.flush()
    assert not remote.send()
    status = remote.outlet.status()
    assert (status.kind, status.waiting, status.lost) == ("http", 5, 5)
    assert remote.send()
    assert remote.send()  # the record of the loss
    remote.log.flush()
    assert len(store.lines) == 11
    last = json.loads(http.lines[-1])
    assert (last["verb"], last["facts"]["first"], last["facts"]["last"]) == ("lines_lost", 0, 4)
    result = checked(http.lines, store)
    assert result.ok
    assert any("lost" in note.what for note in result.notes)
    assert not checked([*http.lines[:2], *http.lines[3:]], store).ok


def test_a_receiver_that_takes_them_too_slowly_is_behind(http, store) -> None:
    clock = FakeClock()
    sink = of_http(http.url, clock=clock)
    _OPENED.append(sink)
    log = AuditLog([], clock, FakeRandomness(1), Redactor(), remote=[sink])
    log.attach(store, {})
    log.record("publish", "phone", "done")
    assert log.status.waiting == 0
    log.flush()
    clock.sleep(61)
    (status,) = (each for each in log.status.outlets if each.kind == "http")
    assert (status.waiting, status.problem) == (2, "it is 61 seconds behind")
    log.send(log.remote[0])
    assert log.status.waiting == 0
