"""Devices against a real registrar: what survives, what is cut off, and that the measurement can fail."""

from collections.abc import Callable

import pytest
from sandbox_support import GOOD, HandClock, WallClock, eventually

from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.ports import StoreDenied, StoreUnavailable
from rotator_simulator.account import Account, Propagation
from rotator_simulator.clients.sip_device import Device, Fleet, Given, Habits
from rotator_simulator.faults import Fault, Kind
from rotator_simulator.registrar import Manner
from rotator_simulator.server import Sandbox

NEW = "Other!Password22"
DOMAIN = "MA_DEMO.sip.vobiz.ai"
HABITS = Habits(interval=1, refresh=4, retry=0.25, patience=2, overlap=10, timeout=1)


class Published:
    """The consumer document, as a device sees it."""

    def __init__(self, username: str, password: str) -> None:
        self.given: Given | None = Given(username, Secret(password), DOMAIN)
        self.reads = 0

    def publish(self, username: str, password: str) -> None:
        self.given = Given(username, Secret(password), DOMAIN)

    def __call__(self) -> Given:
        self.reads += 1
        if self.given is None:
            raise StoreUnavailable("sealed")
        return self.given


@pytest.fixture
def old(account: Account) -> str:
    return account.create("credential", "phone1", Secret(GOOD)).id


@pytest.fixture
def published(old: str) -> Published:
    return Published("phone1", GOOD)


@pytest.fixture
def make(sandbox: Sandbox, clock: HandClock, published: Published) -> Callable[..., Device]:
    def made(habits: Habits = HABITS, registrar: HostPort | None = None) -> Device:
        return Device("desk", published, registrar or sandbox.sip_address, clock, habits)

    return made


def run(device: Device, clock: HandClock, seconds: float) -> None:
    """Lets a device live for so long by the hand-moved clock."""
    end = clock.seconds + seconds
    while clock.seconds < end:
        due = device.step()
        clock.seconds = min(max(due, clock.seconds + 0.01), end)


def test_a_device_registers_again_and_again(make, clock: HandClock, account: Account, published: Published) -> None:
    device = make()
    run(device, clock, 10)
    report = device.report()
    assert (report.tried, report.accepted, report.refused, report.longest_gap) == (10, 10, 0, 0.0)
    assert published.reads == 3
    assert [binding.contact for binding in account.bindings("phone1")] == ["sip:desk@device.invalid"]


def test_an_overlap_rotation_by_replace_cuts_nobody_off(make, clock, account, published, old) -> None:
    device = make()
    run(device, clock, 3)
    account.create("credential", "phone1v2", Secret(NEW))
    published.publish("phone1v2", NEW)
    run(device, clock, 10)
    account.update("credential", old, enabled=False)
    run(device, clock, 5)
    account.delete("credential", old)
    run(device, clock, 5)
    report = device.report()
    assert (report.refused, report.cut_off, report.longest_gap) == (0, (), 0.0)
    assert report.accepted == report.tried > 20


def test_a_device_that_reads_rarely_heals_by_itself_after_the_overlap(make, clock, account, published, old) -> None:
    device = make(Habits(interval=1, refresh=1000, retry=0.25, patience=2, overlap=10, timeout=1))
    run(device, clock, 3)
    account.create("credential", "phone1v2", Secret(NEW))
    published.publish("phone1v2", NEW)
    run(device, clock, 11)
    account.update("credential", old, enabled=False)
    run(device, clock, 5)
    report = device.report()
    assert (report.refused, report.cut_off) == (1, ())


def test_disabling_within_the_overlap_cuts_off(make, clock, account, published, old) -> None:
    device = make(Habits(interval=1, refresh=1000, retry=0.25, patience=2, overlap=10, timeout=1))
    run(device, clock, 3)
    account.create("credential", "phone1v2", Secret(NEW))
    published.publish("phone1v2", NEW)
    account.update("credential", old, enabled=False)
    run(device, clock, 5)
    report = device.report()
    # It healed at once by reading again, and still the overlap that it was promised was broken.
    assert report.refused == 1
    assert len(report.cut_off) == 1
    assert "within the overlap of 10 s" in report.cut_off[0]


def test_publishing_before_applying_cuts_off(make, clock, published) -> None:
    device = make()
    run(device, clock, 3)
    published.publish("phone1v2", NEW)
    run(device, clock, 5)
    assert device.report().cut_off


def test_in_place_without_overlap_is_refused_and_heals(make, clock, account, published, old) -> None:
    device = make(Habits(interval=1, refresh=1000, retry=0.25, patience=2, overlap=None, timeout=1))
    run(device, clock, 3)
    account.update("credential", old, password=Secret(NEW))
    run(device, clock, 1)
    assert device.report().refused > 0
    assert device.report().cut_off == ()
    published.publish("phone1", NEW)
    run(device, clock, 3)
    report = device.report()
    assert report.cut_off == ()
    assert 0.5 < report.longest_gap < 2


def test_in_place_that_is_never_published_cuts_off(make, clock, account, published, old) -> None:
    device = make(Habits(interval=1, refresh=4, retry=0.25, patience=2, overlap=None, timeout=1))
    run(device, clock, 3)
    account.update("credential", old, password=Secret(NEW))
    run(device, clock, 4)
    assert "still so" in device.report().cut_off[0]
    published.publish("phone1", NEW)
    run(device, clock, 3)
    report = device.report()
    assert len(report.cut_off) == 1
    assert "still" not in report.cut_off[0]
    assert report.longest_gap > 3


def test_a_slow_registrar_with_a_proof_first_cuts_nobody_off(make, sandbox, clock, account, published, old) -> None:
    device = make()
    run(device, clock, 3)
    sandbox.registrar.manner = Manner(propagation=Propagation(new=3))
    account.create("credential", "phone1v2", Secret(NEW))
    run(device, clock, 4)  # the proof waits for the propagation before it is published
    published.publish("phone1v2", NEW)
    run(device, clock, 5)
    assert device.report().cut_off == ()
    account.create("credential", "phone1v3", Secret(NEW))
    published.publish("phone1v3", NEW)  # and this one does not wait
    run(device, clock, 5)
    assert device.report().cut_off != ()


def test_a_device_keeps_what_it_has_while_vault_is_away(make, clock, published) -> None:
    device = make()
    run(device, clock, 3)
    published.given = None
    run(device, clock, 20)
    report = device.report()
    assert report.unread > 0
    assert (report.refused, report.longest_gap) == (0, 0.0)


def test_a_device_without_a_document_waits_and_looks_again(make, clock, published) -> None:
    given, published.given = published.given, None
    device = make()
    run(device, clock, 2)
    assert device.report().tried == 0
    assert device.report().longest_gap == pytest.approx(2)
    published.given = given
    run(device, clock, 1)
    assert device.report().accepted > 0


def test_a_silent_registrar_is_a_gap_and_no_refusal(make, sandbox, clock) -> None:
    device = make(Habits(interval=1, refresh=4, retry=0.25, patience=2, overlap=10, timeout=0.05))
    run(device, clock, 3)
    sandbox.faults.plan("silence", verb="register", times=3)
    run(device, clock, 5)
    report = device.report()
    assert (report.unanswered, report.refused, report.cut_off) == (3, 0, ())
    assert report.longest_gap > 0


def test_a_registrar_that_asks_nobody_for_a_password_counts_as_no_registration(make, sandbox, clock) -> None:
    device = make()
    sandbox.faults.plan(Fault(Kind.STATUS, status=200), verb="register", times=None)
    run(device, clock, 3)
    assert device.report().accepted == 0


def test_a_fleet_measures_every_device(sandbox: Sandbox, account: Account) -> None:
    wall = WallClock()
    habits = Habits(interval=0.05, refresh=0.1, retry=0.02, patience=0.3, timeout=1)
    documents = {}
    for number in range(20):
        account.create("credential", f"phone{number}", Secret(GOOD))
        documents[f"desk{number}"] = Published(f"phone{number}", GOOD)
    devices = [Device(name, read, sandbox.sip_address, wall, habits) for name, read in documents.items()]
    fleet = Fleet(devices, wall, threads=2)
    fleet.start()
    try:
        eventually(lambda: not fleet.report().silent)
        account.update("credential", account.named("phone7").id, enabled=False)
        eventually(lambda: bool(fleet.report().cut_off))
    finally:
        fleet.stop()
    report = fleet.report()
    assert report.devices == 20
    assert report.tried >= report.accepted + report.refused
    assert {line.partition(":")[0] for line in report.cut_off} == {"desk7"}
    assert fleet.reports()["desk3"].refused == 0
    assert sum(sandbox.registrar.accepted().values()) >= report.accepted > 0
    assert set(sandbox.registrar.refused()) == {"phone7"}


def test_a_device_that_breaks_is_reported_and_not_forgotten(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Given:
        raise RuntimeError("a reader that breaks its promise")

    wall = WallClock()
    fleet = Fleet([Device("desk", broken, sandbox.sip_address, wall)], wall, threads=1)
    fleet.start()
    try:
        eventually(lambda: fleet.report().cut_off == ("desk: stopped by RuntimeError",))
    finally:
        fleet.stop()
    assert "device desk stopped" in caplog.text


def test_any_store_error_is_a_look_that_failed(make, clock, published, sandbox) -> None:
    def denied() -> Given:
        raise StoreDenied("no right to read")

    device = Device("desk", denied, sandbox.sip_address, clock, HABITS)
    run(device, clock, 1)
    assert device.report().unread > 1
