"""The answers that a first configuration is made of: from options, or asked for at a terminal."""

from collections.abc import Callable, Mapping
from typing import Any

import typer

from rotator.cli.exits import Interrupted
from rotator.settings.first_configuration import FirstConfiguration
from rotator.settings.problems import Loc

Reader = Callable[[str], Any]
"""Makes a value of an answer. Raises ValueError, whose message says what would be right."""


class Answers:
    """Puts one answer after the other into a configuration. At a terminal a wrong one is asked for again."""

    def __init__(self, into: FirstConfiguration, given: Mapping[str, str], *, asks: bool) -> None:
        """Prepares the answers.

        Args:
            given: by the name of the option, such as `--vault` or `--set account.auth_id`.
            asks: ask for the rest; otherwise take the default, or note that the option is missing.
        """
        self._into, self._given, self._asks = into, given, asks
        self.problems: list[str] = []
        self._used: set[str] = set()

    @property
    def left(self) -> list[str]:
        """The options that no question was about."""
        return [option for option in self._given if option not in self._used]

    def take(
        self, loc: Loc, option: str, about: str, default: str = "", *, read: Reader = str, needed: bool = True
    ) -> Any:
        """Puts an answer at its place and returns it; None if there is none."""
        self._used.add(option)
        if option in self._given or not self._asks:
            answer = self._given.get(option, default)
            if answer:
                return self._put(loc, answer, read, lambda problem: self.problems.append(f"{option}: {problem}"))
            if needed:
                self.problems.append(f"{option} is missing: {about}")
            return None
        while True:
            answer = _prompt(about, default, needed=needed)
            if not answer:
                return None
            wrong: list[str] = []
            value = self._put(loc, answer, read, wrong.append)
            if not wrong:
                return value
            typer.echo(f"  that {wrong[0]}", err=True)

    def choose(self, option: str, about: str, choices: Mapping[str, str], default: str) -> str:
        """Returns one of several words; at a terminal it lists them."""
        if self._asks and option not in self._given:
            for word, meaning in choices.items():
                typer.echo(f"  {word:<18} {meaning}".rstrip(), err=True)

        def read(answer: str) -> str:
            if answer not in choices:
                raise ValueError(f"is not one of {', '.join(choices)}")
            return answer

        return str(self.take((), option, about, default, read=read) or default)

    def _put(self, loc: Loc, answer: str, read: Reader, wrong: Callable[[str], None]) -> Any:
        try:
            value = read(answer)
        except ValueError as error:
            wrong(str(error))
            return None
        problem = self._into.put(loc, value) if loc else ""
        if problem:
            wrong(problem)
        return value


def _prompt(about: str, default: str, *, needed: bool) -> str:
    try:
        return str(
            typer.prompt(
                about, default=default if default or not needed else None, show_default=bool(default), err=True
            )
        ).strip()
    except typer.Abort:
        typer.echo(err=True)
        raise Interrupted from None
