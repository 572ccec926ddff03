"""Where a check happens: one simulated account on real sockets, and providers for it as the daemon makes them."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from flask import Blueprint, Response
from kind_description import KindDescription

from rotator.core.answers import Answer, Done
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.fields.text import LoadContext
from rotator.observe.redact import Redactor
from rotator.ports import Provider
from rotator.providers.http.calls import PATIENCE
from rotator.providers.http.client import CallTimeouts, Http
from rotator.providers.registry import KINDS
from rotator.testing import FakeClock, FakeRandomness, NullMeter
from rotator_simulator.account import SimulatedAccount, SimulatedCredential
from rotator_simulator.http_server import ExchangeObserver
from rotator_simulator.server import SimulatorServer

KEY = Secret("the-right-key-K3y9x7")
WRONG_KEY = Secret("a-wrong-key-W4z8q1")
FIRST, SECOND, THIRD = (Secret(f"{word}$Passw0rd") for word in ("First", "Second", "Third"))
PATIENT = CallTimeouts(total=30)
QUICK = CallTimeouts(connect=1, read=0.15, write=1, pool=1, total=30)
"""Where nothing is answered, which only a real wait can tell."""
AnswerChange = Callable[[str, Response], None]
"""Changes an honest answer to a request of this verb on its way."""


class ChangeableApi:
    """A simulated API whose answers can be changed on their way, and that remembers which verbs were asked."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self.change_answer: AnswerChange | None = None
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def call(self) -> tuple[str, str]:
        account, verb = self._api.call()
        self.asked.append(verb)
        return account, verb

    def blueprint(self) -> Blueprint:
        routes: Blueprint = self._api.blueprint()

        def change(answer: Response) -> Response:
            if self.change_answer is not None:
                self.change_answer(self._api.call()[1], answer)
            return answer

        routes.after_request(change)
        return routes


class AccountUnderTest:
    """One account of one kind. Its clock is the test's, so that no wait takes time unless a socket waits."""

    def __init__(
        self, description: KindDescription, *, clock: Any = None, watch: ExchangeObserver | None = None, **readings: Any
    ) -> None:
        self.description = description
        self.clock = clock or FakeClock()
        self.simulated = SimulatedAccount(description.account, KEY, self.clock)
        self.api: Any = ChangeableApi(description.simulate(self.simulated, self.clock))
        if readings:
            self.api.read_as(**readings)
        self._before = {record.id for record in self.simulated.credentials()}
        self.sandbox = SimulatorServer([self.api], self.clock, observe=watch)  # type: ignore[list-item]  # has its attributes
        self._https: list[Http] = []
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self.sandbox.start()
        self._open_own()
        return self

    def __exit__(self, *_: object) -> None:
        for http in (*self._https, self._own):
            http.close()
        self.sandbox.stop()

    def _open_own(self) -> None:
        self.provider = self.open_provider()
        self._own = self._https.pop()

    def open_provider(
        self,
        *,
        key: Secret = KEY,
        timeouts: CallTimeouts = PATIENT,
        read_only: bool = False,
        proves: bool = False,
        url: str | None = None,
    ) -> Provider:
        """A provider of this kind, as the daemon makes it. `proves`: with a registrar or a gateway."""
        kind = KINDS[self.description.kind]
        written = {"type": self.description.kind, "base_url": f"{url or self.sandbox.http_url}{self.description.base}"}
        written |= self.description.options
        if proves and self.description.proof_options is not None:
            written |= self.description.proof_options(self)
        context = LoadContext({"API_KEY": key.reveal()}, Path())
        options = kind.options_model.model_validate(written, context=context)
        connection = replace(options.http("prod", read_only=read_only), timeouts=timeouts, rate_limit=None)
        self._https.append(Http(connection, self.clock, NullMeter()))
        return kind(options, self._https[-1], FakeRandomness())

    # -- what is there

    def add(self, username: str | None = None, password: Secret = FIRST) -> Credential:
        """A credential that was there before, whose password is known."""
        username = username or f"phone{next(self._numbers)}"
        self.description.add(self, username, password)
        record = self.simulated.credentials(self.description.record_kind)[-1]
        return Credential("prod", username, self.description.identity(record), password)

    def staged(self) -> Credential:
        """As the engine stages it: a provider that generates gets neither username nor password."""
        attempt = f"attempt{next(self._numbers):03}a"
        if self.provider.capabilities.generates_password:
            return Credential("prod", "", attempt=attempt)
        return Credential("prod", f"fresh{next(self._numbers)}", password=SECOND, attempt=attempt)

    def predecessor(self) -> Credential:
        """What a created credential replaces, and takes over from."""
        here = [one for one in self.records() if one.username == "predecessor"]
        return (
            Credential("prod", "predecessor", self.description.identity(here[0]))
            if here
            else self.add("predecessor", THIRD)
        )

    def record_of(self, credential: Credential) -> SimulatedCredential | None:
        """The record with the credential's id."""
        return next((one for one in self.records() if self.description.identity(one) == credential.id), None)

    def records(self) -> tuple[SimulatedCredential, ...]:
        """Every credential of the kind that this test put there."""
        found = self.simulated.credentials(self.description.record_kind)
        return tuple(one for one in found if one.id not in self._before and not one.username.startswith("stranger"))

    def accepts(self, credential: Credential) -> bool:
        """True where who uses username and password is let in."""
        password = credential.password if credential.username else None
        return password is not None and self.description.accepts(self, credential.username, password)

    def snapshot(self) -> dict[str, tuple[Any, ...]]:
        """What the provider holds, comparable."""
        return {one.id: (one.username, one.password.reveal(), one.enabled, one.ends) for one in self.records()}

    def wipe(self) -> None:
        """Nothing that a test put there is left, nothing goes wrong any more, and no wait goes on."""
        self._own.close()  # one test wipes thousands of times, and a thread serves each connection
        self._open_own()
        self.sandbox.faults.clear()
        self.api.change_answer = None
        for record in self.simulated.credentials(self.description.record_kind):
            if record.id not in self._before:
                self.simulated.delete(self.description.record_kind, record.id, disconnect=True)

    # -- asking

    def secrets(self) -> list[Secret]:
        """Every key, and every password that the provider holds or was given here."""
        return [KEY, WRONG_KEY, FIRST, SECOND, THIRD, *(record.password for record in self.simulated.credentials())]

    def without_secrets(self, answer: Answer[Any]) -> Answer[Any]:
        """The answer, whose message holds no secret in any form and no part of a body."""
        redactor = Redactor()
        redactor.add(*self.secrets())
        text = getattr(answer, "message", "") + repr(answer)
        assert redactor.clean(text) == text, "a secret is in an answer"
        assert "portal" not in text, "a part of a body is in an answer"
        return answer

    def ask_in_time(self, provider: Provider, ask: Callable[[], Answer[Any]]) -> Answer[Any]:
        """Asks, and sees that it ended in time, with its patience; by a real clock a busy machine adds to it."""
        began = self.clock.monotonic()
        answer = self.without_secrets(ask())
        took = self.clock.monotonic() - began
        slack = 0.0 if isinstance(self.clock, FakeClock) else 5.0
        assert took <= provider.longest_call.total_seconds() + PATIENCE + slack, f"it took {took:.2f} s"
        return answer

    def sent_methods(self) -> list[str]:
        """The methods of all requests so far."""
        return [one.method for one in self.sandbox.exchanges()]


def done_value(answer: Answer[Any]) -> Any:
    """What a `Done` carries."""
    assert isinstance(answer, Done), answer
    return answer.value
