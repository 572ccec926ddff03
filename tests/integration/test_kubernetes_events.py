"""Notifications as Kubernetes Events, against an HTTPS server that refuses what the API server refuses."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import rotator_in_pod
from command_runner import LOBBY, RunCommand, command_runner, create_credentials
from daemon_environment import daemon_environment
from events_api import LOST, EventsApi, events_api
from polling import eventually

from rotator.daemon import kubernetes_api
from rotator.daemon.clock import SystemRandomness
from rotator.daemon.kubernetes_api import KubernetesApi
from rotator.daemon.kubernetes_events import KubernetesEvents
from rotator.observe.notices import TOPICS, URGENT, Condition, Notice, Notification
from rotator.testing import FakeClock
from rotator_simulator.faults import fault_named

PHONE, FOYER = Condition("keeps_failing", "phone"), Condition("keeps_failing", "foyer")
BLOCKED = Condition("blocked", "hall")
HOUR = timedelta(hours=1)
NOT_TAKEN = "a notification was not taken; it is sent again"


@pytest.fixture
def api(tmp_path) -> Iterator[EventsApi]:
    with events_api(tmp_path / "account") as one:
        yield one


def sender(api: EventsApi, clock: FakeClock | None = None) -> KubernetesEvents:
    clock = clock or FakeClock()
    return KubernetesEvents(KubernetesApi(api.environ, clock, api.folder), clock, SystemRandomness())


def told(*began: Condition, lasting=(), ended=(), detail: Callable[[Condition], str] = lambda _: "401") -> Notification:
    return Notice(began, tuple(ended), tuple(lasting)).message(detail)


def test_what_needs_attention_is_an_event_on_the_own_pod(api):
    assert sender(api)(told(PHONE, FOYER)) == ""
    (event,) = api.events.values()
    assert (event["reason"], event["type"]) == ("KeepsFailing", "Warning")
    assert event["note"] == "rotating fails again and again (2): foyer: 401; phone: 401"
    assert event["regarding"] == {
        "apiVersion": "v1", "kind": "Pod", "namespace": "telephony", "name": "rotator-0", "uid": "8f1c-4d",
    }  # fmt: skip
    assert (event["reportingController"], event["reportingInstance"]) == ("rotator", "rotator-0")
    assert event["eventTime"] == "2026-01-05T12:00:00.000000Z"
    assert api.requests == ["POST /apis/events.k8s.io/v1/namespaces/telephony/events"]


def test_what_has_ended_is_an_event_too_and_no_warning(api):
    assert sender(api)(told(ended=[PHONE])) == ""
    (event,) = api.events.values()
    assert (event["reason"], event["type"]) == ("KeepsFailingEnded", "Normal")


def test_every_topic_makes_an_event_that_the_api_takes(api):
    everything = [Condition(topic, "phone") for topic in TOPICS]
    assert sender(api)(told(*everything, ended=everything)) == "", api.problems
    assert len(api.events) == 2 * len(TOPICS)
    assert len({event["reason"] for event in api.events.values()}) == 2 * len(TOPICS)
    assert set(URGENT) <= set(TOPICS)


def test_thousands_of_targets_are_one_event_whose_note_the_api_takes(api):
    many = [Condition("keeps_failing", f"phone-{number:05}") for number in range(5000)]
    assert sender(api)(told(*many, detail=lambda _: "ä" * 300)) == "", api.problems
    (event,) = api.events.values()
    assert event["note"].startswith("rotating fails again and again (5000): phone-00000: ä")
    assert event["note"].endswith("…")
    assert 1000 < len(event["note"].encode()) <= 1024


def test_half_a_character_of_a_provider_is_written_all_the_same(api):
    assert sender(api)(told(PHONE, detail=lambda _: "\ud800 is odd")) == "", api.problems
    assert "is odd" in next(iter(api.events.values()))["note"]


def test_what_is_told_again_counts_up_the_series_of_its_event(api):
    clock = FakeClock()
    send = sender(api, clock)
    assert send(told(PHONE)) == ""
    clock.advance(HOUR)
    assert send(told(lasting=[PHONE])) == ""
    clock.advance(HOUR)
    assert send(told(lasting=[PHONE])) == ""
    (event,) = api.events.values()
    assert event["series"] == {"count": 3, "lastObservedTime": "2026-01-05T14:00:00.000000Z"}
    assert event["eventTime"] == "2026-01-05T12:00:00.000000Z"
    assert [request.split()[0] for request in api.requests] == ["POST", "PATCH", "PATCH"]


def test_other_words_are_another_event_since_a_note_cannot_be_changed(api):
    send = sender(api)
    assert send(told(PHONE)) == send(told(lasting=[PHONE, FOYER])) == ""
    assert [event["note"] for event in api.events.values()] == [
        "rotating fails again and again (1): phone: 401",
        "rotating fails again and again (2): foyer: 401; phone: 401",
    ]
    assert api.problems == []


def test_news_and_a_reminder_of_one_topic_are_one_event(api):
    """They were two with one reason, and each took the other's place: the next reminder counted up neither."""
    send = sender(api)
    assert send(told(PHONE, lasting=[FOYER], ended=[BLOCKED])) == send(told(lasting=[PHONE, FOYER])) == ""
    failing, ended = api.events.values()
    assert failing["note"] == "rotating fails again and again (2): foyer: 401; phone: 401"
    assert failing["series"]["count"] == 2
    assert ended["reason"] == "BlockedEnded"
    assert [request.split()[0] for request in api.requests] == ["POST", "POST", "PATCH"]


def test_news_and_a_reminder_of_many_targets_are_one_event_with_the_whole_number(api):
    send = sender(api)
    many = [Condition("keeps_failing", f"phone-{number:02}") for number in range(30)]
    assert send(told(*many[::2], lasting=many[1::2])) == send(told(lasting=many)) == ""
    (event,) = api.events.values()
    assert event["note"].startswith("rotating fails again and again (30): phone-00: 401; phone-01: 401")
    assert event["note"].endswith("phone-09: 401; and 20 more")
    assert event["series"]["count"] == 2


def test_an_event_that_kubernetes_forgot_is_written_anew(api):
    send = sender(api)
    assert send(told(PHONE)) == ""
    api.events.clear()  # after an hour
    assert send(told(lasting=[PHONE])) == ""
    (event,) = api.events.values()
    assert "series" not in event


def test_an_answer_that_was_lost_leaves_one_event(api):
    """The same name is sent again, and 409 says that it is there."""
    api.answers[:] = [LOST]
    assert sender(api)(told(PHONE)) == ""
    assert len(api.events) == 1
    assert len(api.requests) == 2


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([429] * 9, "the API of Kubernetes: it answers 429"),
        ([503] * 9, "the API of Kubernetes: it answers 503"),
        ([422] * 9, "the API of Kubernetes: it refuses with 422; may this pod create and patch Events?"),
        ([302] * 9, "the API of Kubernetes: it refuses with 302: no redirect is followed"),
    ],
)
def test_why_it_was_not_taken_is_said_after_a_few_tries(api, answers, said):
    api.answers[:] = answers
    assert sender(api)(told(PHONE)).startswith(said)
    assert len(api.requests) <= 3
    assert not api.events


def test_a_pod_without_the_right_says_which_value_gives_it(api):
    api.forbids = True
    assert sender(api)(told(PHONE)) == (
        "the API of Kubernetes: it refuses with 403; "
        "may this pod create and patch Events? (in the chart: kubernetesEvents)"
    )
    assert len(api.requests) == 1


def test_a_busy_api_gets_what_it_did_not_take_before(api):
    api.answers[:] = [429]
    assert sender(api)(told(PHONE)) == ""
    assert len(api.events) == 1


def test_what_was_written_before_a_failure_is_not_written_twice(api):
    send = sender(api)
    api.answers[:] = [201, 429, 429, 429]
    assert send(told(BLOCKED, PHONE)) != ""
    assert send(told(BLOCKED, PHONE)) == ""
    assert [request.split()[0] for request in api.requests].count("PATCH") == 0
    assert [event["reason"] for event in api.events.values()] == ["KeepsFailing"]  # the server forgot the first
    assert send(told(lasting=[BLOCKED, PHONE])) == ""
    assert len(api.events) == 2


def test_no_server_and_no_pod_are_said_and_nothing_is_raised(api, tmp_path):
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "9"}
    clock = FakeClock()
    nobody = KubernetesEvents(KubernetesApi(environ, clock, api.folder), clock, SystemRandomness())
    assert nobody(told(PHONE)).startswith("the API of Kubernetes: ")
    outside = KubernetesEvents(KubernetesApi({}, clock, tmp_path / "nowhere"), clock, SystemRandomness())
    said = f"no service account of Kubernetes is in {tmp_path / 'nowhere'}: mount its token"
    assert outside(told(PHONE)) == f"{said} (in the chart: kubernetesEvents)"


def test_a_server_that_another_authority_vouches_for_gets_no_token(api, tmp_path):
    with events_api(tmp_path / "other") as other:
        clock = FakeClock()
        wrong = KubernetesEvents(KubernetesApi(other.environ, clock, api.folder), clock, SystemRandomness())
        assert "certificate" in wrong(told(PHONE))
        assert other.requests == []


@pytest.fixture
def run_command(monkeypatch, capfd) -> RunCommand:
    return command_runner(monkeypatch, capfd)


def test_the_test_command_writes_an_event_and_says_what_is_missing(api, run_command, tmp_path, monkeypatch):
    config = tmp_path / "config.yaml"
    config.write_text(
        "vault: {embedded: {data_dir: vault-data}}\n"
        "providers: {prod: {type: vobiz, auth_id: MA_1, auth_token: {env: VOBIZ_TOKEN}}}\n"
        "targets:\n"
        "  - {name: phone, provider: prod, strategy: replace, credential: {username: phone01}, path: sip/phone}\n"
        "notifications: {cluster: {to: kubernetes-events}}\n"
    )
    monkeypatch.setenv("VOBIZ_TOKEN", "secret-token")
    monkeypatch.setattr(kubernetes_api, "ACCOUNT", api.folder)
    outside = run_command("test-notification", "-c", str(config), "-o", "json")
    assert outside.code == 1
    assert "no service account of Kubernetes" in outside.json["routes"][0]["problem"]
    for name, value in api.environ.items():
        monkeypatch.setenv(name, value)
    assert run_command("test-notification", "-c", str(config)).code == 0
    (event,) = api.events.values()
    assert (event["reason"], event["type"]) == ("Test", "Normal")
    assert run_command("check-config", "-c", str(config)).code == 0


def test_a_daemon_writes_events_and_rotates_on_while_the_api_refuses_or_hangs(bao, tmp_path, api):
    with daemon_environment(bao, tmp_path) as environment:
        create_credentials(environment, "lobby")
        phone = {"name": "phone", "strategy": "replace", "path": "sip/phone"}
        route = {"to": "kubernetes-events", "about": ["keeps_failing"], "collect": "0s", "remind": "1h"}
        targets = [{**phone, "credential": {"username": "phone", "new": True}}, LOBBY]
        environment.configure(targets, notifications={"cluster": route}, daemon={"circuit": {"open_for": "5s"}})
        environment.sandbox.faults.plan(fault_named("error"), verb="create", times=None)
        api.deaf, api.forbids = threading.Event(), True
        daemon = environment.start(rotator_in_pod.__file__, POD_FILES=str(api.folder), **api.environ)
        eventually(lambda: api.waiting, lambda: daemon.err.read_text()[-3000:], 90)
        rotations = environment.rotations("lobby")
        environment.run_rotator("rotate", "lobby")
        assert environment.rotations("lobby") == rotations + 1
        api.deaf.set()
        eventually(lambda: daemon.logged(NOT_TAKEN), "the refusal is logged", 60)
        counted = 'rotator_notifications_total{{outcome="{}",route="cluster"}} 1.0'
        assert counted.format("not_taken") in daemon.get("/metrics")
        api.forbids = False
        eventually(lambda: counted.format("taken") in daemon.get("/metrics"), "an Event, once it may", 90)
        environment.sandbox.faults.clear()
        eventually(lambda: api.by_reason("KeepsFailingEnded"), "an Event that it has ended", 120)
        assert daemon.stop() == 0
    assert api.by_reason("KeepsFailing")[0]["note"].startswith("rotating fails again and again (1): phone: ")
    assert len([line for line in daemon.events() if line["event"] == NOT_TAKEN]) == 1
    assert api.problems == []
    assert "the-token-of-the-pod" not in daemon.err.read_text() + daemon.out.read_text()
