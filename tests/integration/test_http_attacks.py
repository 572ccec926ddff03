"""Peers that hold on to the HTTP endpoint, on real sockets: nothing that they do silences it."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest
from polling import eventually
from running_endpoint import PROBES, RunningEndpoint, is_closed
from structlog.testing import capture_logs

from rotator.daemon.http import PeerLimits

SOON = 1.0  # seconds in which a probe is answered, whatever goes on; usually it takes a hundredth of one
SHORT = PeerLimits(request=1.5, answer=1.5, parting=0.5)
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def running(*, metrics: Callable[[], bytes] | None = None, limits: PeerLimits = SHORT) -> Iterator[RunningEndpoint]:
    endpoint = RunningEndpoint(metrics=metrics, limits=limits)
    try:
        yield endpoint
    finally:
        endpoint.server.stop(timeout=0.1)


@contextmanager
def connections(endpoint: RunningEndpoint, number: int, path: str, **options: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(endpoint.connect(path, **options))) for _ in range(number)]


def served() -> int:
    """How many connections the endpoint has open."""
    return sum(thread.name.endswith("-connection") for thread in threading.enumerate())


def probes_answer_until(done: Callable[[], bool], endpoint: RunningEndpoint) -> None:
    """Probes again and again, and judges each time that it takes."""
    times: list[float] = []

    def probed() -> bool:
        times.extend(endpoint.seconds_of(path) for path in PROBES)
        return done()

    eventually(probed, "the slow ones are closed")
    assert max(times) < SOON


def test_four_clients_that_pipeline_pages_and_never_read_do_not_delay_a_probe() -> None:
    with running(metrics=lambda: b"x" * 500_000) as endpoint, connections(endpoint, 4, "/metrics") as silent:
        for client in silent:
            client.sendall(GET % b"/metrics" * 100)
        eventually(lambda: served() == 4, "all of them are served")
        probes_answer_until(lambda: served() == 0, endpoint)
        assert endpoint.ask("/metrics")[0] == 200


@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
def test_seventy_connections_that_drip_delay_neither_probes_nor_pages(path: str) -> None:
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.1):
            for client in dripping:
                with suppress(OSError):
                    client.sendall(b"G")

    with running() as endpoint, connections(endpoint, 70, path) as dripping:
        dripper = threading.Thread(target=drip)
        dripper.start()
        try:
            probes_answer_until(lambda: all(map(is_closed, dripping)), endpoint)
            assert endpoint.ask("/status")[0] == 200
        finally:
            stop.set()
            dripper.join()


def test_pages_are_served_while_others_hold_as_many_connections_as_there_may_be() -> None:
    patient = PeerLimits(request=60.0)
    with running(limits=patient) as endpoint, connections(endpoint, 70, "/metrics") as silent:
        eventually(lambda: sum(map(is_closed, silent)) == 70 - patient.per_peer, "the oldest had to end")
        for path in ("/metrics", "/status", *PROBES):
            assert endpoint.seconds_of(path) < SOON


def test_a_crowd_of_one_address_ends_no_connection_of_another() -> None:
    with running(limits=PeerLimits(request=60.0, connections=8, per_peer=4)) as endpoint, ExitStack() as stack:
        address = (endpoint.host, endpoint.server.port)
        other = stack.enter_context(socket.create_connection(address, source_address=("127.0.0.2", 0)))
        other.settimeout(10)
        crowd = stack.enter_context(connections(endpoint, 20, "/metrics"))
        eventually(lambda: sum(map(is_closed, crowd)) == 16, "the crowd is thinned out")
        other.sendall(GET % b"/status")
        assert other.recv(100).startswith(b"HTTP/1.1 200 ")


def test_crowds_of_two_addresses_end_no_connection_of_a_third() -> None:
    with running(limits=PeerLimits(request=60.0, connections=8, per_peer=4)) as endpoint, ExitStack() as stack:
        address = (endpoint.host, endpoint.server.port)
        other = stack.enter_context(socket.create_connection(address, source_address=("127.0.0.2", 0)))
        other.settimeout(10)
        eventually(lambda: served() == 1, "it is the oldest")
        crowd = [
            stack.enter_context(socket.create_connection(address, source_address=(f"127.0.0.{3 + number % 2}", 0)))
            for number in range(40)
        ]
        eventually(lambda: sum(map(is_closed, crowd)) == 33, "both crowds are thinned out")
        other.sendall(GET % b"/status")
        assert other.recv(100).startswith(b"HTTP/1.1 200 ")


def test_crowds_of_many_addresses_are_bounded_together_and_the_log_says_so_once() -> None:
    limits = PeerLimits(request=60.0, connections=6, per_peer=4)
    with capture_logs() as logged, running(limits=limits) as endpoint, ExitStack() as stack:
        address = (endpoint.host, endpoint.server.port)
        sources = [(f"127.0.0.{2 + number}", 0) for number in range(20)]
        crowd = [stack.enter_context(socket.create_connection(address, source_address=each)) for each in sources]
        eventually(lambda: sum(map(is_closed, crowd)) == 14, "as many as there may be are left")
        eventually(lambda: served() == 6, "and their threads have ended")
        assert endpoint.server.ended() == {
            ("pages", "crowded"): 14,
            ("pages", "slow"): 0,
            ("probes", "crowded"): 0,
            ("probes", "slow"): 0,
        }
    crowded = [line for line in logged if line["event"] == "too many connections: the oldest ended"]
    assert [(line["server"], line["count"], line["peer"]) for line in crowded] == [("pages", 1, "127.0.0.2")]


def test_one_request_is_answered_for_each_connection() -> None:
    with running() as endpoint:
        answered = endpoint.raw(GET % b"/status" * 3)
        assert answered.count(b"HTTP/1.1 ") == 1
        assert json.loads(answered.partition(b"\r\n\r\n")[2]) == {"targets": []}


def test_whoever_reads_too_slowly_is_closed_at_the_deadline() -> None:
    """Each byte that is read would begin a timeout of the socket anew."""
    with (
        running(metrics=lambda: b"x" * 8_000_000) as endpoint,
        connections(endpoint, 1, "/", receive_buffer=4096) as (slow,),
    ):
        slow.sendall(GET % b"/metrics")
        received: list[bytes] = []

        def read_slowly() -> None:
            while part := slow.recv(20_000):
                received.append(part)
                time.sleep(0.02)  # the peer is slow; the endpoint is waited for by reading

        # Reset, not only closed: otherwise the kernel would keep what is unread, in the memory of the pod.
        with pytest.raises(ConnectionResetError):
            read_slowly()
        assert 0 < sum(map(len, received)) < 8_000_000
        eventually(lambda: served() == 0, "the connection is gone")
        assert endpoint.server.ended()["pages", "slow"] == 1


def test_answers_that_nobody_reads_do_not_fill_the_memory() -> None:
    """Else 64 clients that ask for 8 MB each would use up twice what a pod may have."""
    limits, made = PeerLimits(answer=600.0, held=20_000_000), []

    def page() -> bytes:
        made.append(1)
        return b"x" * 8_000_000

    with (
        running(metrics=page, limits=limits) as endpoint,
        connections(endpoint, 6, "/metrics", receive_buffer=4096) as silent,
    ):
        for client in silent:
            client.sendall(GET % b"/metrics")
        eventually(lambda: len(made) == 6, "each has an answer")
        eventually(lambda: served() == 2, "two of them wait, which is all there is room for")
        assert len(endpoint.ask("/metrics")[2]) == 8_000_000


def test_pages_that_hang_leave_probes_alone_and_hold_no_more_threads_than_there_may_be() -> None:
    release, rendering = threading.Event(), []

    def hanging() -> bytes:
        rendering.append(1)
        release.wait(30)
        return b""

    with running(metrics=hanging) as endpoint, connections(endpoint, 40, "/metrics") as clients:
        for client in clients:
            with suppress(ConnectionError):  # the oldest have ended already
                client.sendall(GET % b"/metrics")
        eventually(lambda: len(rendering) == SHORT.rendering, "one is being made")
        probes_answer_until(lambda: served() == SHORT.rendering, endpoint)
        assert len(rendering) == SHORT.rendering
        release.set()
        eventually(lambda: served() == 0, "that has ended, too")


def test_a_queue_for_a_page_that_hangs_is_no_longer_than_the_connections_that_there_may_be() -> None:
    release, patient = threading.Event(), PeerLimits(answer=600.0)

    def hanging() -> bytes:
        release.wait(30)
        return b""

    with (
        running(metrics=hanging, limits=patient) as endpoint,
        connections(endpoint, 70, "/metrics") as clients,
    ):
        for client in clients:
            with suppress(ConnectionError):  # the oldest have ended already
                client.sendall(GET % b"/metrics")
        most = patient.per_peer + patient.rendering  # what is being made ends when it is made
        eventually(lambda: sum(map(is_closed, clients)) == 70 - patient.per_peer, "the oldest had to end")
        eventually(lambda: served() <= most, "and have left the queue")
        release.set()


def test_a_page_of_five_megabytes_needs_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The root of the pod is read-only, and no folder of it can be written to."""
    monkeypatch.setattr("tempfile.tempdir", "/proc/no-such-folder")
    page = b"rotator_something 1\n" * 250_000
    with capture_logs() as logged, running(metrics=lambda: page) as endpoint:
        assert endpoint.ask("/metrics")[2] == page
    assert logged == []


def test_whoever_connects_and_leaves_is_no_event() -> None:
    with capture_logs() as logged, running() as endpoint:
        with connections(endpoint, 20, "/metrics") as clients:
            for client in clients[:10]:
                client.sendall(b"GET /sta")
        eventually(lambda: served() == 0, "they are forgotten")
        assert endpoint.ask("/status")[0] == 200
    assert logged == []
