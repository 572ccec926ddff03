"""Logs: their form, their levels, and that no known value gets through any path."""

import io
import json
import logging
import re
import sys
import threading
import urllib.parse
import warnings
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
import structlog

from rotator.core.model import Attempt, Credential, Ending, LedgerEntry, Phase, Purpose, Strategy, TargetState
from rotator.core.secret import Secret
from rotator.observe import logs
from rotator.observe.redact import LONGEST_TEXT, MASK, Redactor, names_secret
from rotator.testing import FakeClock

SENTINEL = 'Sentinel-9"x\\K7/é q'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """Logging is global: every test leaves it as it was."""
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    levels = {name: logging.getLogger(name).level for name in (*logs.LOUD, *logs.URLS)}
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


class Logged:
    """Logging into memory, with a sentinel that is known."""

    def __init__(self, level: str = "debug", form: str = "json", stream: io.StringIO | None = None) -> None:
        self.stream = stream if stream is not None else io.StringIO()
        self.redactor = Redactor()
        self.redactor.add(Secret(SENTINEL))
        logs.configure(level, form, self.redactor, FakeClock(), self.stream)
        self.log = structlog.stdlib.get_logger("rotator.test")

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text.splitlines()]


def traces(text: str) -> list[str]:
    """The forms of the sentinel that are in a text."""
    forms = (
        SENTINEL,
        json.dumps(SENTINEL)[1:-1],
        repr(SENTINEL)[1:-1],
        urllib.parse.quote(SENTINEL, safe=""),
        b64encode(SENTINEL.encode()).decode(),
        "Sentinel-9",
    )
    return [form for form in forms if form in text]


def fail_inside() -> None:
    raise ValueError(f"body was {SENTINEL}")


def raise_with_value() -> None:
    local = SENTINEL
    try:
        fail_inside()
    except ValueError as cause:
        raise RuntimeError(f"wrapped {local!r}") from cause


def log_exception(log: structlog.stdlib.BoundLogger) -> None:
    try:
        raise_with_value()
    except RuntimeError:
        log.exception("it broke")


def log_stdlib_exception(log: structlog.stdlib.BoundLogger) -> None:
    try:
        raise_with_value()
    except RuntimeError:
        logging.getLogger("some.library").exception("failed with %s", SENTINEL)


class BadRepr:
    def __repr__(self) -> str:
        raise ValueError(SENTINEL)


class Telling:
    def __repr__(self) -> str:
        return f"<Telling {SENTINEL}>"


def warn(log: structlog.stdlib.BoundLogger) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(SENTINEL, UserWarning, stacklevel=1)


PATHS = {
    "event": lambda log: log.info(f"set {SENTINEL} now"),  # noqa: G004 - the fault to be caught
    "value": lambda log: log.info("x", note=SENTINEL),
    "key": lambda log: log.info("x", **{SENTINEL: 1}),
    "nested": lambda log: log.info("x", deep={"a": [{"b": (SENTINEL, {SENTINEL})}]}),
    "very deep": lambda log: log.info("x", deep=[[[[[[[[[[[SENTINEL]]]]]]]]]]]),
    "bytes": lambda log: log.info("x", raw=b64encode(SENTINEL.encode())),
    "json": lambda log: log.info("x", body=json.dumps({"p": SENTINEL})),
    "json, not ASCII": lambda log: log.info("x", body=json.dumps({"p": SENTINEL}, ensure_ascii=False)),
    "url": lambda log: log.info("x", url="https://h/?p=" + urllib.parse.quote_plus(SENTINEL)),
    "path": lambda log: log.info("x", url="https://h/" + urllib.parse.quote(SENTINEL)),
    "object": lambda log: log.info("x", thing=Telling(), space=SimpleNamespace(password=SENTINEL)),
    "bad repr": lambda log: log.info("x", thing=BadRepr()),
    "Secret": lambda log: log.info("x %s", Secret(SENTINEL), value=Secret(SENTINEL)),
    "positional": lambda log: log.info("x %s", SENTINEL),
    "dataclass": lambda log: log.info("x", credential=Credential("a", "u", password=Secret(SENTINEL))),
    "context": lambda log: log.bind(seen=SENTINEL).info("x"),
    "stack": lambda log: log.info("x", stack_info=True, note=SENTINEL),
    "exception": log_exception,
    "exception of a library": log_stdlib_exception,
    "message of a library": lambda log: logging.getLogger("lib").warning("got %r", {"k": SENTINEL}),
    "broken call of a library": lambda log: logging.getLogger("lib").warning("got %d", SENTINEL),
    "warning": warn,
}


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("path", PATHS)
def test_a_known_value_comes_out_of_no_path(path: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logged = Logged(form=form)
    PATHS[path](logged.log)
    assert logged.text
    outside = capsys.readouterr()
    assert traces(logged.text + outside.out + outside.err) == []


def test_the_same_search_finds_the_value_where_nothing_is_known() -> None:
    """Otherwise the tests above could not fail."""
    logged = Logged()
    logs.configure("debug", "json", Redactor(), FakeClock(), logged.stream)
    logged.log.info(f"set {SENTINEL} now")  # noqa: G004 - the fault to be caught
    assert traces(logged.text)


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_thread_that_dies_and_an_uncaught_error_are_logged_redacted(form: str) -> None:
    logged = Logged(form=form)
    thread = threading.Thread(target=raise_with_value, name="worker-1")
    thread.start()
    thread.join()
    try:
        raise_with_value()
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert traces(logged.text) == []
    assert logged.text.count("RuntimeError: wrapped") == 2
    assert "worker-1" in logged.text


def test_tracebacks_show_no_local_variables() -> None:
    logged = Logged(form="console", stream=Terminal())
    secret_of_nobody = "unknown-local-value"

    def fail() -> None:
        held = secret_of_nobody.upper()
        raise KeyError(len(held))

    try:
        fail()
    except KeyError:
        logged.log.exception("it broke")
    assert "KeyError" in logged.text
    assert "UNKNOWN-LOCAL-VALUE" not in logged.text


def test_each_line_is_one_json_object_with_the_common_keys_first() -> None:
    logged = Logged()
    logged.log.info("two\nlines", when=float("nan"), thing=object, level_of=3)
    logging.getLogger("lib").warning("from %s", "a library")
    first, second = logged.lines()
    assert list(first)[:4] == ["timestamp", "level", "logger", "event"]
    assert (first["event"], first["when"], first["level_of"]) == ("two\nlines", "nan", 3)
    assert first["timestamp"] == "2026-01-05T12:00:00.000+00:00"
    assert (second["logger"], second["event"], second["level"]) == ("lib", "from a library", "warning")


def test_console_lines_show_control_characters_instead_of_obeying_them() -> None:
    logged = Logged(form="console")
    logged.log.warning("from outside: \x1b[2J\r\nforged line", note="\x9b31m")
    assert len(logged.text.splitlines()) == 1
    assert "\\x1b[2J\\x0d\\nforged" in logged.text
    assert "\x9b" not in logged.text


def test_auto_is_console_on_a_terminal_and_json_elsewhere() -> None:
    to_terminal = Logged(form="auto", stream=Terminal())
    to_terminal.log.info("hello")
    assert not to_terminal.text.startswith("{")
    to_file = Logged(form="auto")
    to_file.log.info("hello")
    assert to_file.lines()[0]["event"] == "hello"


def test_logs_go_to_standard_error_and_leave_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json", Redactor(), FakeClock())
    logging.getLogger("lib").warning("hello")
    captured = capsys.readouterr()
    assert (captured.out, json.loads(captured.err)["event"]) == ("", "hello")


def test_configuring_again_replaces_the_handler_and_the_level() -> None:
    logged = Logged(level="error")
    logged.log.info("not yet")
    logs.configure("info", "json", Redactor(), FakeClock(), logged.stream)
    logged.log.info("once")
    assert [line["event"] for line in logged.lines()] == ["once"]


@pytest.mark.parametrize(
    ("level", "form", "what"),
    [("loud", "json", "log level 'loud' is unknown: use one of debug"), ("info", "xml", "log format 'xml' is unknown")],
)
def test_an_unknown_level_or_format_is_refused_with_what_is_right(level: str, form: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        logs.configure(level, form, Redactor(), FakeClock(), io.StringIO())


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_libraries_that_log_urls_are_quiet_at_every_level(level: str) -> None:
    Logged(level=level)
    for name in ("httpx", "httpcore.connection", "urllib3.connectionpool", "requests"):
        assert logging.getLogger(name).getEffectiveLevel() == logging.WARNING
    loud = logging.DEBUG if level == "debug" else logging.WARNING
    for name in ("apscheduler.scheduler", "hvac", "werkzeug"):
        assert logging.getLogger(name).getEffectiveLevel() == loud


def test_a_run_is_one_line_whose_level_says_how_it_went() -> None:
    logged = Logged()
    clock = FakeClock()
    logs.log_run(
        "phone",
        "rotated",
        ["apply", "publish"],
        attempt="a1",
        credential="c1",
        seconds=1.23456,
        next_look=clock.now() + timedelta(days=1),
    )
    logs.log_run("phone", "failed", ["apply"], error="refused")
    logs.log_run("phone", "held", [])
    logs.log_run("phone", "vault", [], error="refused", repeated=True)
    done, failed, idle, repeated = logged.lines()
    assert {key: done[key] for key in ("event", "target", "outcome", "verbs", "attempt", "credential", "seconds")} == {
        "event": "run",
        "target": "phone",
        "outcome": "rotated",
        "verbs": ["apply", "publish"],
        "attempt": "a1",
        "credential": "c1",
        "seconds": 1.235,
    }
    assert done["next_look"] == "2026-01-06T12:00:00+00:00"
    assert [line["level"] for line in (done, failed, idle, repeated)] == ["info", "warning", "debug", "debug"]
    assert failed["error"] == "refused"


@pytest.mark.parametrize(
    "key",
    ["password", "new_password", "X-Vault-Token", "clientSecret", "Authorization", "api_key", "apiKey", "passwords"],
)
def test_values_under_names_of_secrets_are_hidden_though_unknown(key: str) -> None:
    logged = Logged()
    logged.log.info("x", headers={key: "never-registered", "list": [{key: ["never-registered"]}]})
    assert "never-registered" not in logged.text


@pytest.mark.parametrize("key", ["token_expiry", "secret_path", "credential", "author", "", "key", "monkey"])
def test_names_that_only_resemble_names_of_secrets_are_shown(key: str) -> None:
    assert not names_secret(key)


def test_what_follows_bearer_or_basic_is_hidden_though_unknown() -> None:
    cleaned = Redactor().clean("sent Authorization: Bearer abcdefgh.ijkl-mnop= and basic QWxhZGRpbjpvcGVu")
    assert cleaned == f"sent Authorization: Bearer {MASK} and basic {MASK}"


def test_values_that_contain_each_other_are_replaced_whole() -> None:
    redactor = Redactor()
    redactor.add(Secret("abcd"), Secret("abcdefgh"), Secret("efghabcd"), None, Secret(""))
    assert not re.search("abcd|efgh", redactor.clean("abcdefgh abcd efghabcd"))


def test_values_that_are_too_short_to_replace_do_not_garble_the_logs() -> None:
    redactor = Redactor()
    redactor.add(Secret("a"), Secret("the"))
    assert redactor.clean("a word of the line") == "a word of the line"


def test_the_oldest_value_is_forgotten_when_there_are_too_many_and_leaves_nothing_behind() -> None:
    redactor = Redactor(capacity=2)
    redactor.add(Secret("first-value"), Secret("second-value"), Secret("first-value"), Secret("third-value"))
    assert redactor.clean("first-value second-value third-value") == f"{MASK} second-value {MASK}"
    redactor.add(*(Secret(f"other-{number}") for number in range(100)))
    assert len(redactor._known) == 2
    assert {form for same in redactor._by_start.values() for form in same} == set().union(*redactor._known.values())


def test_a_long_text_is_cut_after_it_was_cleaned() -> None:
    redactor = Redactor()
    redactor.add(Secret("straddling-value"))
    cleaned = redactor.clean("x" * (LONGEST_TEXT - 5) + "straddling-value" + "y" * 100)
    assert "strad" not in cleaned
    assert cleaned.endswith("... (cut: 16111 characters)")
    assert len(redactor.clean("z" * 10_000_000)) < LONGEST_TEXT + 50


def test_every_password_of_a_state_document_is_learnt() -> None:
    def credential(name: str) -> Credential:
        return Credential("acc", name, password=Secret(f"password-of-{name}"))

    now = FakeClock().now()
    state = TargetState(
        "phone",
        published=credential("published"),
        standby=credential("standby"),
        attempt=Attempt(
            "a1",
            Purpose.ROTATE,
            Strategy.REPLACE,
            Phase.STAGED,
            credential("staged"),
            credential("predecessor"),
            now,
            "me",
            "why",
        ),
        ledger=(LedgerEntry(credential("replaced"), Ending.DELETE, now, now, timedelta(days=1)),),
    )
    redactor = Redactor()
    redactor.learn(state)
    for name in ("published", "standby", "staged", "predecessor", "replaced"):
        assert redactor.clean(f"password-of-{name}") == MASK


def test_a_stream_that_fails_neither_raises_nor_prints_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    logged = Logged()
    logged.stream.close()
    logged.log.info("x", note=SENTINEL)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_a_line_that_cannot_be_made_is_counted_as_lost_without_its_content() -> None:
    logged = Logged()
    logging.getLogger("lib").warning("got %d", SENTINEL)
    assert logged.lines() == [{"level": "error", "event": "a log line was lost", "cause": "TypeError"}]
