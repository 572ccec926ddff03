"""Devices against a real registrar: what survives, what is cut off, and that the measurement can fail."""

from collections.abc import Callable

import pytest
from polling import eventually
from simulator_support import GOOD, HandMovedClock, WallClock

from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.ports import StoreDenied, StoreUnavailable
from rotator_simulator.account import Propagation, SimulatedAccount
from rotator_simulator.devices.device import DeviceTiming, PublishedCredential
from rotator_simulator.devices.fleet import Fleet
from rotator_simulator.devices.sip_phone import SipPhone
from rotator_simulator.faults import FaultKind, SimulatedFault
from rotator_simulator.registrar import RegistrarOptions
from rotator_simulator.server import SimulatorServer

NEW = "Other!Password22"
DOMAIN = "MA_DEMO.sip.vobiz.ai"
TIMING = DeviceTiming(interval=1, refresh=4, retry=0.25, patience=2, overlap=10, timeout=1)


class DeviceReader:
    """The consumer document, as a device sees it."""

    def __init__(self, username: str, password: str) -> None:
        self.given: PublishedCredential | None = PublishedCredential(username, Secret(password), DOMAIN)
        self.reads = 0

    def publish(self, username: str, password: str) -> None:
        self.given = PublishedCredential(username, Secret(password), DOMAIN)

    def __call__(self) -> PublishedCredential:
        self.reads += 1
        if self.given is None:
            raise StoreUnavailable("sealed")
        return self.given


@pytest.fixture
def credential_id(account: SimulatedAccount) -> str:
    return account.create("credential", "phone1", Secret(GOOD)).id


@pytest.fixture
def device_reader(credential_id: str) -> DeviceReader:
    return DeviceReader("phone1", GOOD)


@pytest.fixture
def make_phone(
    simulator: SimulatorServer, clock: HandMovedClock, device_reader: DeviceReader
) -> Callable[..., SipPhone]:
    def made(timing: DeviceTiming = TIMING, registrar: HostPort | None = None) -> SipPhone:
        return SipPhone("desk", device_reader, registrar or simulator.sip_address, clock, timing)

    return made


def run(device: SipPhone, clock: HandMovedClock, seconds: float) -> None:
    """Lets a device live for so long by the hand-moved clock."""
    end = clock.seconds + seconds
    while clock.seconds < end:
        due = device.step()
        clock.seconds = min(max(due, clock.seconds + 0.01), end)


def test_a_device_registers_again_and_again(
    make_phone, clock: HandMovedClock, account: SimulatedAccount, device_reader: DeviceReader
) -> None:
    device = make_phone()
    run(device, clock, 10)
    report = device.report()
    assert (report.tried, report.accepted, report.refused, report.longest_gap) == (10, 10, 0, 0.0)
    assert device_reader.reads == 3
    assert [binding.contact for binding in account.bindings("phone1")] == ["sip:desk@device.invalid"]


def test_an_overlap_rotation_by_replace_cuts_nobody_off(
    make_phone, clock, account, device_reader, credential_id
) -> None:
    device = make_phone()
    run(device, clock, 3)
    account.create("credential", "phone1v2", Secret(NEW))
    device_reader.publish("phone1v2", NEW)
    run(device, clock, 10)
    account.update("credential", credential_id, enabled=False)
    run(device, clock, 5)
    account.delete("credential", credential_id)
    run(device, clock, 5)
    report = device.report()
    assert (report.refused, report.cut_off, report.longest_gap) == (0, (), 0.0)
    assert report.accepted == report.tried > 20


def test_a_device_that_reads_rarely_heals_by_itself_after_the_overlap(
    make_phone, clock, account, device_reader, credential_id
) -> None:
    device = make_phone(DeviceTiming(interval=1, refresh=1000, retry=0.25, patience=2, overlap=10, timeout=1))
    run(device, clock, 3)
    account.create("credential", "phone1v2", Secret(NEW))
    device_reader.publish("phone1v2", NEW)
    run(device, clock, 11)
    account.update("credential", credential_id, enabled=False)
    run(device, clock, 5)
    report = device.report()
    assert (report.refused, report.cut_off) == (1, ())


def test_disabling_within_the_overlap_cuts_off(make_phone, clock, account, device_reader, credential_id) -> None:
    device = make_phone(DeviceTiming(interval=1, refresh=1000, retry=0.25, patience=2, overlap=10, timeout=1))
    run(device, clock, 3)
    account.create("credential", "phone1v2", Secret(NEW))
    device_reader.publish("phone1v2", NEW)
    account.update("credential", credential_id, enabled=False)
    run(device, clock, 5)
    report = device.report()
    # It healed at once by reading again, and still the overlap that it was promised was broken.
    assert report.refused == 1
    assert len(report.cut_off) == 1
    assert "within the overlap of 10 s" in report.cut_off[0]


def test_publishing_before_applying_cuts_off(make_phone, clock, device_reader) -> None:
    device = make_phone()
    run(device, clock, 3)
    device_reader.publish("phone1v2", NEW)
    run(device, clock, 5)
    assert device.report().cut_off


def test_in_place_without_overlap_is_refused_and_heals(
    make_phone, clock, account, device_reader, credential_id
) -> None:
    device = make_phone(DeviceTiming(interval=1, refresh=1000, retry=0.25, patience=2, overlap=None, timeout=1))
    run(device, clock, 3)
    account.update("credential", credential_id, password=Secret(NEW))
    run(device, clock, 1)
    assert device.report().refused > 0
    assert device.report().cut_off == ()
    device_reader.publish("phone1", NEW)
    run(device, clock, 3)
    report = device.report()
    assert report.cut_off == ()
    assert 0.5 < report.longest_gap < 2


def test_in_place_that_is_never_published_cuts_off(make_phone, clock, account, device_reader, credential_id) -> None:
    device = make_phone(DeviceTiming(interval=1, refresh=4, retry=0.25, patience=2, overlap=None, timeout=1))
    run(device, clock, 3)
    account.update("credential", credential_id, password=Secret(NEW))
    run(device, clock, 4)
    assert "still so" in device.report().cut_off[0]
    device_reader.publish("phone1", NEW)
    run(device, clock, 3)
    report = device.report()
    assert len(report.cut_off) == 1
    assert "still" not in report.cut_off[0]
    assert report.longest_gap > 3


def test_a_slow_registrar_with_a_proof_first_cuts_nobody_off(
    make_phone, simulator, clock, account, device_reader, credential_id
) -> None:
    device = make_phone()
    run(device, clock, 3)
    simulator.registrar.options = RegistrarOptions(propagation=Propagation(new=3))
    account.create("credential", "phone1v2", Secret(NEW))
    run(device, clock, 4)  # the proof waits for the propagation before it is published
    device_reader.publish("phone1v2", NEW)
    run(device, clock, 5)
    assert device.report().cut_off == ()
    account.create("credential", "phone1v3", Secret(NEW))
    device_reader.publish("phone1v3", NEW)  # and this one does not wait
    run(device, clock, 5)
    assert device.report().cut_off != ()


def test_a_device_keeps_what_it_has_while_vault_is_away(make_phone, clock, device_reader) -> None:
    device = make_phone()
    run(device, clock, 3)
    device_reader.given = None
    run(device, clock, 20)
    report = device.report()
    assert report.failed_reads > 0
    assert (report.refused, report.longest_gap) == (0, 0.0)


def test_a_device_without_a_document_waits_and_looks_again(make_phone, clock, device_reader) -> None:
    given, device_reader.given = device_reader.given, None
    device = make_phone()
    run(device, clock, 2)
    assert device.report().tried == 0
    assert device.report().longest_gap == pytest.approx(2)
    device_reader.given = given
    run(device, clock, 1)
    assert device.report().accepted > 0


def test_a_silent_registrar_is_a_gap_and_no_refusal(make_phone, simulator, clock) -> None:
    device = make_phone(DeviceTiming(interval=1, refresh=4, retry=0.25, patience=2, overlap=10, timeout=0.05))
    run(device, clock, 3)
    simulator.faults.plan("silence", verb="register", times=3)
    run(device, clock, 5)
    report = device.report()
    assert (report.unanswered, report.refused, report.cut_off) == (3, 0, ())
    assert report.longest_gap > 0


def test_a_registrar_that_asks_nobody_for_a_password_counts_as_no_registration(make_phone, simulator, clock) -> None:
    device = make_phone()
    simulator.faults.plan(SimulatedFault(FaultKind.STATUS, status=200), verb="register", times=None)
    run(device, clock, 3)
    assert device.report().accepted == 0


def test_a_fleet_measures_every_device(simulator: SimulatorServer, account: SimulatedAccount) -> None:
    wall = WallClock()
    timing = DeviceTiming(interval=0.05, refresh=0.1, retry=0.02, patience=0.3, timeout=1)
    documents = {}
    for number in range(20):
        account.create("credential", f"phone{number}", Secret(GOOD))
        documents[f"desk{number}"] = DeviceReader(f"phone{number}", GOOD)
    devices = [SipPhone(name, read, simulator.sip_address, wall, timing) for name, read in documents.items()]
    fleet = Fleet(devices, wall, threads=2)
    fleet.start()
    try:
        eventually(lambda: not fleet.report().never_accepted, "each is let in")
        account.update("credential", account.by_username("phone7").id, enabled=False)
        eventually(lambda: bool(fleet.report().cut_off), "one is cut off")
    finally:
        fleet.stop()
    report = fleet.report()
    assert report.devices == 20
    assert report.tried >= report.accepted + report.refused
    assert {line.partition(":")[0] for line in report.cut_off} == {"desk7"}
    assert fleet.reports()["desk3"].refused == 0
    assert sum(simulator.registrar.accepted().values()) >= report.accepted > 0
    assert set(simulator.registrar.refused()) == {"phone7"}


def test_a_device_that_breaks_is_reported_and_not_forgotten(
    simulator: SimulatorServer, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> PublishedCredential:
        raise RuntimeError("a reader that breaks its promise")

    wall = WallClock()
    fleet = Fleet([SipPhone("desk", broken, simulator.sip_address, wall)], wall, threads=1)
    fleet.start()
    try:
        eventually(lambda: fleet.report().cut_off == ("desk: stopped by RuntimeError",), "the stop is reported")
    finally:
        fleet.stop()
    assert "device desk stopped" in caplog.text


def test_any_store_error_is_a_look_that_failed(make_phone, clock, device_reader, simulator) -> None:
    def denied() -> PublishedCredential:
        raise StoreDenied("no right to read")

    device = SipPhone("desk", denied, simulator.sip_address, clock, TIMING)
    run(device, clock, 1)
    assert device.report().failed_reads > 1
