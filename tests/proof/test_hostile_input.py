"""Whatever is typed, configured or answered: an exit code that is documented, no traceback, no secret.

The keys of the configuration and the names in it are no secrets, and a message names them. A value may be a secret that
was pasted into the wrong place: none is repeated.
"""

import base64
import copy
import json
import re
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import typer
from faulted_lifecycles import REST
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from invariants import InvariantChecker
from simulated_accounts import SETUPS, TOKEN, SimulatedHarness

from rotator.cli import main
from rotator.cli.app import build
from rotator.settings.document import parse

SENTINEL = "sentinel-Tr0ub4dor-3x"
CONFIG = Path(__file__).parents[2] / "config"
FULL: Any = parse((CONFIG / "full.yaml").read_text()).data
REFERENCES = (
    "VOBIZ_AUTH_TOKEN",
    "ROTATOR_SECRET_ID",
    "VAULT_TOKEN",
    "APINIZER_TOKEN",
    "TELNYX_API_KEY",
    "PROXY_PASSWORD",
    "AUDIT_TOKEN",
    "PROMETHEUS_TOKEN",
    "ROTATOR_HTTP_TOKEN",
)
ODD = st.one_of(
    st.sampled_from([SENTINEL, "", "0s", "a/b", "x" * 300, "\u202e", "\0", "* * * * *", [], {}, None, True, -1, 1e300]),
    st.text(max_size=12),
    st.dictionaries(st.sampled_from(["env", "vault", "x"]), st.sampled_from([SENTINEL, "", "y"]), max_size=2),
)
NAMES = ("name", "path", "username")
REMOVED = "(removed)"
ADDED = st.sampled_from(
    [
        *(
            b'"',
            b"'",
            b"\n",
            b"\r",
            b"\t",
            b"\0",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\xed\xa0\x80",
            b"\x1b[2J",
            b": ",
            b"- ",
            b"#",
            b"|",
        ),
        *(
            b"&a [*a]",
            b"*a",
            b"!!python/name:os.system",
            b"<<: ",
            b"? ",
            b"---\n",
            b"%YAML 9\n",
            b"{" * 2000,
            b"[" * 2000,
        ),
        *(b"9" * 5000, b"0x" + b"f" * 5000, b"1e999", b".inf", b"-", b"=", b",", b"{", b"}", SENTINEL.encode()),
    ]
)
TEXT_DAMAGE = st.lists(st.tuples(st.integers(0, 99_999), st.integers(0, 40), ADDED | st.binary(max_size=3)), max_size=4)
DAMAGE = st.lists(st.tuples(st.integers(0, 9999), st.just(REMOVED) | ODD), max_size=3)
APPLICATION: Any = typer.main.get_command(build())
# Every command but those that go on until they are stopped, and every option of each.
COMMANDS = {
    name: [*(option for one in command.params for option in one.opts if option.startswith("-")), "--help"]
    for name, command in APPLICATION.commands.items()
    if name not in ("run", "demo", "sandbox")
}
TYPED = st.one_of(
    st.sampled_from(["phone", "phone*", "site=berlin", "0", "-1", "1e999", "99999999999999999999d", "json", "--", "-"]),
    st.sampled_from(
        [
            "[",
            "**",
            "=",
            "a=b=c",
            "../../etc/passwd",
            "/dev/null",
            "/dev/zero",
            "/proc/self/environ",
            ".",
            "\u202e",
            "\x1b[2J",
            "%s%n",
            "{}",
            "x" * 5000,
        ]
    ),
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)
UNSHRUNK = (Phase.explicit, Phase.generate)  # an example takes so long that shrinking it would outlast the timeout


def run_command(capfd, monkeypatch, *words: str) -> tuple[int, str]:
    """The exit code of a command, and everything that it printed."""
    monkeypatch.setattr(sys, "argv", ["rotator", *words])
    capfd.readouterr()
    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    out, err = capfd.readouterr()
    return int(code or 0), out + err


def every_place(data: Any) -> list[tuple[Any, Any]]:
    """Every container with every key or index of it."""
    found = []
    for key, inner in data.items() if isinstance(data, dict) else enumerate(data):
        found.append((data, key))
        found += every_place(inner) if isinstance(inner, dict | list) else []
    return found


@pytest.fixture
def secrets_in_environment(monkeypatch) -> None:
    for name in REFERENCES:
        monkeypatch.setenv(name, SENTINEL)
    monkeypatch.setenv("ROTATOR_PAGER_URL", f"json://{SENTINEL}@127.0.0.1/{SENTINEL}")
    monkeypatch.setenv("HOOK_KEY", base64.b64encode(SENTINEL.encode() * 2).decode())


@pytest.fixture
def check_config(capfd, monkeypatch, tmp_path, secrets_in_environment) -> Callable[..., tuple[int, str]]:
    """`check-config` on a configuration: its exit code, and everything that it printed."""
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    file = tmp_path / "config.yaml"

    def check(data: Any, *options: str) -> tuple[int, str]:
        file.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        return run_command(capfd, monkeypatch, "check-config", "--config", str(file), *options)

    return check


def is_name(container: Any, key: Any) -> bool:
    """True for what says which credential or document is meant; `usernames` is the only list of text."""
    return key in NAMES or (isinstance(container, list) and isinstance(container[key], str))


def test_no_configuration_makes_a_traceback(check_config, count_run, long_run):
    """The full example with up to three values replaced or removed: it is right, or exit code 2 says what is wrong."""
    codes = set()

    @settings(max_examples=1000 if long_run else 60, phases=UNSHRUNK)
    @example([], ())
    @given(DAMAGE, st.sampled_from([(), ("--output", "json")]))
    def explore(damage, output):
        count_run("-", "-", "configuration damaged")
        data = copy.deepcopy(FULL)
        for number, value in damage:
            container, key = _pick(data, number)
            if value == REMOVED:
                del container[key]
            elif value != SENTINEL or not is_name(container, key):
                container[key] = value
        code, printed = check_config(data, *output)
        codes.add(code)
        assert code in (0, 2), printed
        assert "Traceback" not in printed
        assert SENTINEL not in printed
        assert printed.strip()

    explore()
    assert codes == {0, 2}


def test_no_text_of_a_configuration_makes_a_traceback(check_config, count_run, long_run, tmp_path):
    """The text of the full example, or of a list of targets beside it, with bytes removed and added."""
    codes = set()
    texts = {
        "config.yaml": (CONFIG / "full.yaml").read_text().encode(),
        "list.csv": b'name,provider,strategy,username,new,path,label.site\r\na,prod,replace,a01,,"sip/a",berlin\r\n',
        "list.jsonl": b'{"name": "a", "provider": "prod", "strategy": "replace", "path": "sip/a"}\n{"name": "b"}\n',
    }

    @settings(max_examples=1500 if long_run else 60, phases=UNSHRUNK)
    @example("config.yaml", [])
    @example("list.jsonl", [(166, 0, SENTINEL.encode())])
    @given(st.sampled_from(sorted(texts)), TEXT_DAMAGE)
    def explore(name, damage):
        count_run("-", "-", "configuration's text damaged")
        text = texts[name]
        for place, removed, added in damage:
            at = place % (len(text) + 1)
            text = text[:at] + added + text[at + removed :]
        if name == "config.yaml":
            code, printed = check_config(text)
        else:
            (tmp_path / name).write_bytes(text)
            code, printed = check_config({**FULL, "include": [name]})
        codes.add(code)
        assert code in (0, 2), printed
        assert "Traceback" not in printed
        assert SENTINEL not in re.sub(r"\S*: unknown key", "", printed)  # names are repeated, values never
        assert printed.strip()

    explore()
    assert codes == {0, 2}


def test_a_value_is_not_repeated_wherever_it_stands(check_config, count_run):
    for number in range(len(every_place(FULL))):
        data = copy.deepcopy(FULL)
        container, key = _pick(data, number)
        if not is_name(container, key):
            count_run("-", "-", "secret in place of a value")
            container[key] = SENTINEL
            _, printed = check_config(data)
            assert SENTINEL not in printed


def test_a_name_is_repeated_to_say_which_one_is_wrong(check_config):
    """Once taken for a leak: no configuration is to hold a secret as the name of a provider."""
    code, printed = check_config({**FULL, "providers": {SENTINEL: ""}})
    assert code == 2
    assert f"providers.{SENTINEL}: must be a mapping" in printed


def _pick(data: Any, number: int) -> tuple[Any, Any]:
    found = every_place(data)
    return found[number % len(found)] if found else (data, "vault")


class _NoRights(BaseHTTPRequestHandler):
    """Answers as a Vault does to a token that may do nothing."""

    def do_GET(self) -> None:
        body = b'{"errors":["permission denied"]}'
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_LIST = do_PATCH = do_GET  # noqa: N815 - the names that the base class looks for

    def log_message(self, *_: object) -> None:
        """Keeps the test's own output clean."""


@pytest.fixture
def vault_without_rights() -> Iterator[str]:
    """The address of a Vault that refuses everything at once."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _NoRights) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("configured", [False, True], ids=["without a configuration", "with one"])
def test_nothing_that_is_typed_makes_a_traceback(
    capfd, monkeypatch, tmp_path, vault_without_rights, count_run, long_run, configured
):
    """Any options and words after any command. Where there is a configuration, it is right, and Vault refuses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKEN", SENTINEL)
    target = {"name": "phone", "provider": "vobiz", "strategy": "replace", "credential": {"username": "phone1"}}
    document = {
        "vault": {"address": vault_without_rights, "auth": {"method": "token", "token": {"env": "TOKEN"}}},
        "providers": {"vobiz": {"type": "vobiz", "auth_id": "MA_X", "auth_token": {"env": "TOKEN"}}},
        "targets": [{**target, "path": "sip/phone", "labels": {"site": "berlin"}}],
    }
    (tmp_path / "right.yaml").write_text(json.dumps(document))

    def words_of(command: str) -> st.SearchStrategy[tuple[str, list[str]]]:
        word = st.sampled_from(COMMANDS[command]) | TYPED
        return st.tuples(st.just(command), st.lists(word, max_size=5))

    @settings(max_examples=1500 if long_run else 60, phases=UNSHRUNK)
    @given(st.sampled_from(sorted(COMMANDS)).flatmap(words_of))
    def explore(typed):
        command, words = typed
        count_run("-", "-", "words typed, with a configuration" if configured else "words typed")
        own = ["-c", "right.yaml"] if configured and "-c" in COMMANDS[command] else []
        code, printed = run_command(capfd, monkeypatch, command, *own, *words)
        assert code in (0, 1, 2, 3), printed
        assert "Traceback" not in printed
        assert SENTINEL not in printed
        assert printed.strip()

    explore()


BODIES = st.one_of(
    st.binary(max_size=40),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just(TOKEN.reveal())),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["objects", "meta", "total", "data", "id", "username", "enabled", "success", "resultList", "error"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
# Never the contrary of what is true: against a provider that refuses what it does, or confirms what it does not do,
# nothing helps.
CARRIED_OUT = st.tuples(st.sampled_from([200, 201, 301, 500, 502]), BODIES, st.just(True))
NOT_CARRIED_OUT = st.tuples(st.sampled_from([301, 400, 404, 409, 422, 500]), BODIES, st.just(False))
UNREADABLE = st.tuples(st.sampled_from([200, 201]), st.binary(max_size=20).map(b"\xff".__add__), st.booleans())
ANSWERS = st.lists(st.one_of(CARRIED_OUT, NOT_CARRIED_OUT, UNREADABLE), min_size=1, max_size=6)


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_no_answer_of_a_provider_breaks_a_promise(setup, count_run, long_run, caplog):
    """Answers of any form, to requests that were carried out or not, in a rotation; then the provider is well again."""

    @settings(max_examples=300 if long_run else 15, phases=UNSHRUNK)
    # A gateway that asks nobody for a password any more, after a password whose change was not answered.
    @example(3, [(301, b"", False)] * 3)
    @given(st.integers(0, 4), ANSWERS)
    def explore(after, answers):
        count_run(setup.kind, setup.strategy.value, "answers of any form")
        harness = SimulatedHarness(setup)
        invariants, engine = InvariantChecker(harness), harness.engine()
        harness.cut_at(0, invariants)
        harness.until_rotated(engine)
        harness.settle(engine, REST)
        transport = harness.provider.transport
        real, rest = transport._inner.handle_request, [None] * after + answers

        open_to_all = []

        def noisy(request) -> httpx.Response:
            # That a gateway lets in whoever has the password, and not the others, is true or a lie: so where one is
            # planned to let somebody in, it asks nobody.
            at_gateway, asks = "/gateway/" in request.url.path, "authorization" not in request.headers
            if at_gateway and asks and open_to_all:
                planned = open_to_all.pop()
            else:
                planned = rest.pop(0) if rest else None
                if at_gateway and not asks and planned is not None and planned[0] < 500:
                    open_to_all.append(planned)
            answer = real(request) if planned is None or planned[2] else None
            if planned is None:
                return answer
            return httpx.Response(planned[0], stream=httpx.ByteStream(planned[1]))

        transport._inner.handle_request = noisy
        harness.request(engine)
        for _ in range(6):
            look = engine.look(harness.target)
            assert TOKEN.reveal() not in f"{look}"
            harness.clock.advance(harness.limits.backoff.cap)
        rest.clear()
        recovering = harness.engine()
        harness.settle(recovering, REST)
        harness.settle(recovering, REST)
        invariants.at_rest(answers)

    explore()
    said = f"{caplog.text}"
    assert TOKEN.reveal() not in said
