"""The base classes of every provider's simulated HTTP API and of its responses."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from flask import Blueprint, Response, jsonify, request

from rotator_simulator.account import SimulatedAccount
from rotator_simulator.readings import with_changes

R = TypeVar("R")
View = Callable[..., Response]
"""Answers a request: called with the account and the ids in the path."""


class Responses(ABC, Generic[R]):
    """Builds a provider's responses by readings that may change at any time."""

    def __init__(self, readings: R) -> None:
        """Starts with these readings."""
        self.readings = readings

    @abstractmethod
    def error(self, status: int, retry_after: int | None) -> Response:
        """Returns the provider's own error response."""

    def json(self, status: int, content: Any) -> Response:
        """Returns a JSON response."""
        response = jsonify(content)
        response.status_code = status
        return response

    def body(self) -> dict[str, Any] | None:
        """Returns the JSON object of the request; None if there is none."""
        content = request.get_json(silent=True)
        return content if isinstance(content, dict) else None


class SimulatedApi(ABC, Generic[R]):
    """One provider's HTTP API over its simulated accounts."""

    name: str
    """The provider's name in lower case, such as `vobiz`: also the name of the blueprint."""
    _responses: Responses[R]

    def __init__(self, accounts: Iterable[SimulatedAccount], responses: Responses[R]) -> None:
        """Serves these accounts, whose names are unique."""
        self._accounts = {account.name: account for account in accounts}
        self._responses = responses

    @abstractmethod
    def blueprint(self) -> Blueprint:
        """Returns a new blueprint with the provider's routes."""

    @abstractmethod
    def call(self) -> tuple[str, str]:
        """Returns the account's name and the verb of the current Flask request, for the faults."""

    def realms(self) -> Mapping[str, SimulatedAccount]:
        """Returns the account of each SIP realm; empty if the provider has no SIP users."""
        return {}

    @property
    def accounts(self) -> tuple[SimulatedAccount, ...]:
        """Every account it serves."""
        return tuple(self._accounts.values())

    @property
    def readings(self) -> R:
        """The readings of what the provider's pages leave open or contradict: a frozen dataclass."""
        return self._responses.readings

    def read_as(self, **changes: Any) -> None:
        """Changes some readings from the next request on. Raises ValueError for an unknown name or a wrong value."""
        self._responses.readings = with_changes(self.readings, changes)

    def error(self, status: int, retry_after: int | None) -> Response:
        """Returns the provider's own error response."""
        return self._responses.error(status, retry_after)

    def change_listing(self, account: str) -> None:
        """Changes the listing of the account of this name, if there is one."""
        if account in self._accounts:
            self._accounts[account].change_listing()


def verb() -> str:
    """Returns the verb of the current Flask request: the first word of its endpoint's name."""
    return (request.endpoint or "").rpartition(".")[2].partition("_")[0]


def not_found(**_: str) -> Response:
    """Answers a path that the provider does not have."""
    return Response(status=404)
