"""What one provider's simulation offers to the sandbox: a further provider is one further module with such a class."""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from flask import Blueprint, Response

from rotator_simulator.account import Account
from rotator_simulator.faults import ErrorBody
from rotator_simulator.readings import adjusted


class SimulatedApi(Protocol):
    """One provider's HTTP API over its simulated accounts."""

    name: str
    """The provider's name in lower case, such as `vobiz`: also the name of the blueprint."""

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every account it serves."""
        ...

    @property
    def readings(self) -> Any:
        """A frozen dataclass: how it reads what the provider's pages leave open or contradict, as in force now."""
        ...

    def read_as(self, **changes: Any) -> None:
        """Changes some readings from the next request on. Raises ValueError on a name or value that there is not."""
        ...

    def blueprint(self) -> Blueprint:
        """A fresh blueprint with the provider's routes."""
        ...

    def call(self) -> tuple[str, str]:
        """The account's name and the verb of the Flask request at hand, for the faults."""
        ...

    @property
    def error(self) -> ErrorBody:
        """Makes the provider's own error answer."""
        ...

    def realms(self) -> Mapping[str, Account]:
        """The SIP realms that are challenged with, and the account of each; empty where nothing is SIP here."""
        ...


R = TypeVar("R")


class Answering(Protocol[R]):
    """What makes a simulated provider's answers, under readings that may be replaced at any time."""

    readings: R

    def error(self, status: int, retry_after: int | None) -> Response:
        """The provider's own error answer."""
        ...


class Simulation(Generic[R]):
    """What every simulated API has: accounts, readings, and errors of its own."""

    def __init__(self, accounts: Iterable[Account], answers: Answering[R]) -> None:
        """Takes the accounts, whose names are unique, and what makes the answers."""
        self._accounts = {account.name: account for account in accounts}
        self._own_answers = answers

    @property
    def readings(self) -> R:
        """The readings in force."""
        return self._own_answers.readings

    @property
    def error(self) -> ErrorBody:
        """Makes the provider's own error answer."""
        return self._own_answers.error

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every account it serves."""
        return tuple(self._accounts.values())

    def read_as(self, **changes: Any) -> None:
        """Changes some readings from the next request on. Raises ValueError on a name or value that there is not."""
        self._own_answers.readings = adjusted(self.readings, changes)
