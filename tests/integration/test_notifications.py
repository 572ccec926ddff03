"""Notifications through Apprise itself, to a service on a real socket; and from a daemon."""

import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from command_runner import RunCommand, command_runner
from daemon_environment import daemon_environment
from polling import eventually
from receiver_servers import http_receiver

from rotator.core.secret import Secret
from rotator.daemon.notification_sender import AppriseSender
from rotator.observe.logs import configure
from rotator.observe.notices import Notification
from rotator.observe.redact import Redactor
from rotator.testing import FakeClock
from rotator_simulator.faults import fault_named

TOKEN = "Sentinel-Token-4711"
GOOD = """\
vault: {embedded: {data_dir: vault-data}}
providers:
  prod: {type: vobiz, auth_id: MA_1, auth_token: {env: VOBIZ_TOKEN}}
targets:
  - {name: phone, provider: prod, strategy: replace, credential: {username: phone01}, path: sip/phone}
notifications:
  on-call: {url: {env: PAGER_URL}}
  chat: {url: {env: CHAT_URL}}
"""


def url_of(receiver) -> str:
    """As Apprise writes a webhook; a token is in its path, as in many services' URLs."""
    return f"json://rotator:{TOKEN}@127.0.0.1:{receiver.port}/{TOKEN}"


def test_a_message_arrives_as_it_was_written():
    with http_receiver() as receiver:
        send = AppriseSender(Secret(url_of(receiver)))
        assert send(Notification("a title", "phone: <b>\n  lobby\\n *x*", urgent=True)) == ""
        assert send(Notification("another", "text")) == ""
    first, second = map(json.loads, receiver.lines)
    assert (first["title"], first["message"], first["type"]) == ("a title", "phone: <b>\n  lobby\\n *x*", "failure")
    assert second["type"] == "warning"


@pytest.mark.parametrize(("status", "said"), [(401, "the service answered 401"), (503, "the service answered 503")])
def test_why_it_was_not_taken_is_said_without_the_token(status, said, capfd):
    log = io.StringIO()
    configure("debug", "json", Redactor(), FakeClock(), log)
    with http_receiver(answers=[status] * 9) as receiver:
        assert AppriseSender(Secret(url_of(receiver)))(Notification("title", "text")) == said
    assert AppriseSender(Secret(url_of(receiver)))(Notification("title", "text")) == "the service did not take it"
    shown = capfd.readouterr()
    assert TOKEN not in log.getvalue() + shown.out + shown.err


@contextmanager
def odd_service(answer: bytes, *, ends: bool = True) -> Iterator[int]:
    """Answers everybody with these bytes, and unless it ends with more of them for ever; yields its port."""
    stopped = threading.Event()

    def serve(taken: socket.socket) -> None:
        with taken, suppress(OSError):
            taken.recv(65_536)
            taken.sendall(answer)
            while not ends and not stopped.wait(0.05):
                taken.sendall(b"x")

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1]
        stopped.set()
        listening.shutdown(socket.SHUT_RDWR)


def test_a_service_that_never_answers_holds_up_neither_the_others_nor_the_end_of_the_process():
    before = set(threading.enumerate())
    with odd_service(b"HTTP/1.1 200 OK\r\nX: ", ends=False) as port, http_receiver() as receiver:
        hangs = AppriseSender(Secret(f"json://127.0.0.1:{port}/"), within=0.2)
        works = AppriseSender(Secret(url_of(receiver)))
        assert hangs(Notification("title", "text")) == "the service did not answer within 0.2 s"
        started = set(threading.enumerate()) - before
        for _ in range(50):  # more than any pool of threads has
            assert (
                hangs(Notification("title", "text")) == "the service still has the message before, and does not answer"
            )
        assert works(Notification("title", "text")) == ""
        ours = [each for each in started if each.name == "notification"]
        assert len(ours) == 1
        assert [each for each in set(threading.enumerate()) - before if not each.daemon] == []
    ours[0].join(10)
    assert not ours[0].is_alive()


def test_no_redirect_is_followed():
    with http_receiver(answers=[302]) as receiver:
        assert AppriseSender(Secret(url_of(receiver)))(Notification("title", "text")) == "the service answered 302"
    assert len(receiver.requests) == 1


def test_an_answer_with_odd_headers_brings_no_token_into_the_log(capfd):
    log = io.StringIO()
    configure("debug", "json", Redactor(), FakeClock(), log)
    with odd_service(b"HTTP/1.1 200 OK\r\nA: b\r\nno header\r\nContent-Length: 0\r\n\r\n") as port:
        AppriseSender(Secret(f"json://127.0.0.1:{port}/{TOKEN}"))(Notification("title", "text"))
    shown = capfd.readouterr()
    assert TOKEN not in log.getvalue() + shown.out + shown.err


@pytest.mark.parametrize("form", ["json", "form"])
def test_half_a_character_of_a_provider_does_not_keep_a_message_from_being_taken(form):
    with http_receiver() as receiver:
        url = url_of(receiver).replace("json:", f"{form}:")
        assert AppriseSender(Secret(url))(Notification("title", "phone: \ud800 is odd")) == ""
    assert b"is odd" in receiver.bodies[0].replace(b"+", b" ")


def test_a_message_that_is_too_long_for_its_service_is_cut_and_not_refused_again_and_again():
    with http_receiver() as receiver:
        for more in ("", "?overflow=upstream"):
            assert AppriseSender(Secret(url_of(receiver) + more))(Notification("title", "begin" + "x" * 99_999)) == ""
    for line in receiver.lines:
        message = json.loads(line)["message"]
        assert message.startswith("begin")
        assert len(message) <= 32_768  # as much as Apprise knows a webhook to take


def test_a_url_that_apprise_does_not_understand_is_refused():
    with pytest.raises(ValueError, match="no URL that Apprise understands") as refused:
        AppriseSender(Secret(f"nonsense://{TOKEN}"))
    assert TOKEN not in str(refused.value)


def test_a_url_that_leaves_the_certificate_unverified_is_refused():
    with pytest.raises(ValueError, match="switches off") as refused:
        AppriseSender(Secret(f"jsons://pager.example.com/{TOKEN}?verify=no"))
    assert TOKEN not in str(refused.value)


PLAIN_URLS = {
    f"json://pager.example.com/{TOKEN}": "use jsons:// with TLS, or add the host to allow_plain_http",
    f"form://rotator:{TOKEN}@pager.example.com/": "use forms:// with TLS, or add the host to allow_plain_http",
    f"xml://pager.example.com/{TOKEN}": "use xmls:// with TLS, or add the host to allow_plain_http",
    f"mailto://rotator:{TOKEN}@example.com": "use mailtos:// with TLS, or add the host to allow_plain_http",
    f"mailtos://rotator:{TOKEN}@example.com?mode=insecure": "use mailtos:// with TLS, or add the host to",
    f"ntfy://{TOKEN}@ntfy.example.com/topic": "use ntfys:// with TLS, or add the host to allow_plain_http",
    f"mastodon://{TOKEN}@social.example.com": "use mastodons:// with TLS, or add the host to allow_plain_http",
    "rsyslog://logs.example.com": "use a service that has TLS, or add the host to allow_plain_http",
    f"kavenegar://{TOKEN.replace('-', '')}/15551234567": "use a service that has TLS",
}


@pytest.mark.parametrize(("url", "remedy"), PLAIN_URLS.items())
def test_a_url_without_tls_is_refused(url, remedy):
    with pytest.raises(ValueError, match="without TLS lets whoever is on the path read") as refused:
        AppriseSender(Secret(url))
    what, said = refused.value.args
    assert what.startswith(url.partition(":")[0])
    assert said.startswith(remedy)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("url", [url for url in PLAIN_URLS if not url.startswith("kavenegar")])
def test_a_host_that_is_named_may_be_reached_without_tls(url):
    hosts = ("pager.example.com", "example.com", "ntfy.example.com", "social.example.com", "logs.example.com")
    AppriseSender(Secret(url), hosts)


NOSTR = "nostr://nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5/?relay="


@pytest.mark.parametrize(
    "url",
    [
        f"{NOSTR}ws://relay.example.com",
        f"{NOSTR}wss://safe.example.com,WS%3A%2F%2Frelay.example.com:8080%2Fpath",
        "fcm://project/device?keyfile=http://relay.example.com/key.json",
        "fcm://project/device?keyfile=http%253A%252F%252Fuser%2540relay.example.com",
    ],
)
def test_an_address_without_tls_in_the_query_is_refused_unless_its_host_is_named(url):
    with pytest.raises(ValueError, match="without TLS lets whoever is on the path read") as refused:
        AppriseSender(Secret(url), ["example.com"])
    assert "add the host to allow_plain_http" in refused.value.args[1]
    assert "relay" not in str(refused.value)  # what is in a URL may be secret
    AppriseSender(Secret(url), ["relay.example.com"])


def test_a_host_may_be_an_ipv6_address():
    AppriseSender(Secret("json://[fd00::1]:8080/hook"), ["fd00::1"])
    with pytest.raises(ValueError, match="json without TLS"):
        AppriseSender(Secret("json://[fd00::2]/hook"), ["fd00::1"])


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:8080/hook",
        "json://localhost/hook",
        "json://[::1]/hook",
        f"{NOSTR}wss://relay.example.com",
        f"{NOSTR}ws://127.0.0.1:7000",
        "jsons://pager.example.com/hook",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops",
        "mailto://rotator:word@gmail.com",  # Apprise knows that it has TLS
        "mailto://rotator:word@example.com?mode=starttls",
        "ntfy://topic",  # its public service
        "pushme://token",  # has only one scheme, and TLS
        "syslog://",  # of this machine
    ],
)
def test_a_url_with_tls_or_of_this_machine_is_taken(url):
    AppriseSender(Secret(url))


@pytest.fixture
def run_command(monkeypatch, capfd) -> RunCommand:
    monkeypatch.setenv("COLUMNS", "120")
    return command_runner(monkeypatch, capfd)


@pytest.fixture
def config(tmp_path, monkeypatch) -> str:
    monkeypatch.setenv("VOBIZ_TOKEN", "secret-token")
    file = tmp_path / "config.yaml"
    file.write_text(GOOD)
    return str(file)


def test_the_command_tries_each_route(run_command, config, monkeypatch):
    with http_receiver() as works, http_receiver(answers=[404]) as fails:
        monkeypatch.setenv("PAGER_URL", url_of(works))
        monkeypatch.setenv("CHAT_URL", url_of(fails))
        both = run_command("test-notification", "-c", config, "-o", "json")
        one = run_command("test-notification", "on-call", "-c", config)
        wrong = run_command("test-notification", "on-cal", "-c", config)
    assert (both.code, one.code, wrong.code) == (1, 0, 2)
    assert both.json["routes"] == [
        {"route": "on-call", "taken": True, "problem": None},
        {"route": "chat", "taken": False, "problem": "the service answered 404"},
    ]
    assert "on-call" in one.out
    assert "taken" in one.out
    assert "there is no route 'on-cal': did you mean 'on-call'?" in wrong.err
    assert len(works.lines) == 2
    assert TOKEN not in both.out + both.err + one.out + wrong.err


def refusal(run_command, config) -> str:
    """What check-config says of a configuration that it refuses."""
    checked = run_command("check-config", "-c", config)
    assert checked.code == 2
    assert TOKEN not in checked.out + checked.err
    return checked.out


def test_the_check_of_the_configuration_knows_what_apprise_does_not_understand(run_command, config, monkeypatch):
    monkeypatch.setenv("PAGER_URL", f"nonsense://{TOKEN}")
    monkeypatch.setenv("CHAT_URL", "jsons://example.com")
    assert "notifications.on-call.url: is no URL that Apprise understands" in refusal(run_command, config)


def test_the_check_of_the_configuration_refuses_a_url_without_tls_unless_its_host_is_named(
    run_command, config, monkeypatch
):
    monkeypatch.setenv("PAGER_URL", f"json://pager.example.com/{TOKEN}")
    monkeypatch.setenv("CHAT_URL", "jsons://example.com")
    said = refusal(run_command, config)
    assert "notifications.on-call.url: json without TLS lets whoever is on the path read" in said
    file = Path(config)
    named = "{url: {env: PAGER_URL}, allow_plain_http: [pager.example.com]}"
    file.write_text(file.read_text().replace("{url: {env: PAGER_URL}}", named))
    assert run_command("check-config", "-c", config).code == 0


def test_a_daemon_tells_what_fails_and_that_it_has_ended(bao, tmp_path, monkeypatch):
    with http_receiver(answers=[503]) as receiver, daemon_environment(bao, tmp_path) as environment:
        phone = {"name": "phone", "strategy": "replace", "path": "sip/phone"}
        route = {"url": {"env": "PAGER_URL"}, "about": ["keeps_failing"], "collect": "0s"}
        environment.configure(
            [{**phone, "credential": {"username": "phone", "new": True}}], notifications={"on-call": route}
        )
        environment.sandbox.faults.plan(fault_named("error"), verb="create", times=None)
        daemon = environment.start(PAGER_URL=url_of(receiver))
        eventually(lambda: receiver.lines, "it was told, though the service did not take the first message", 90)
        told = json.loads(receiver.lines[0])
        environment.sandbox.faults.clear()
        eventually(lambda: len(receiver.lines) > 1, "its end was told", 90)
        assert daemon.stop() == 0
    assert told["title"] == "rotator: 1 target or account needs attention"
    assert told["message"].startswith("rotating fails again and again (keeps_failing):\n  phone: ")
    ended = json.loads(receiver.lines[1])
    assert ended["message"].startswith("Ended: rotating fails again and again (keeps_failing):\n  phone")
    assert TOKEN not in daemon.err.read_text()
    assert "a notification was not taken; it is sent again" in daemon.err.read_text()
