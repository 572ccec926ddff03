"""Holds what crosses the sandbox's socket against an OpenAPI contract: each request that was sent, each answer to it.

    contract = Contract.load("telnyx")  # tests/contracts/telnyx.yaml
    with SimulatorServer([api], clock, observe=contract.watch) as sandbox: ...
    contract.verify()  # raises ContractBroken; also where nothing was seen

Which exchanges a contract is for is told by the path of its first server. An answer that a planned fault took the place
of is not the provider's, so that only its request is judged.
"""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from rotator_simulator.http_server import RecordedExchange

FOLDER = Path(__file__).parent.parent / "contracts"
_HOST = "https://contract.test"


class ContractBroken(AssertionError):
    """What was sent, or answered, is not what the contract allows. Says where, and never quotes a value."""


class Contract:
    """One contract file, and what was held against it."""

    def __init__(self, text: str, *, lenient: bool = False) -> None:
        """Reads a document. Raises an exception of openapi-spec-validator where it is no valid OpenAPI.

        Args:
            text: the document in YAML.
            lenient: a request that is answered with 4xx may be against the contract: for tests that provoke such.
        """
        document = yaml.safe_load(text)
        self.base = document["servers"][0]["url"].removeprefix(_HOST).rstrip("/")
        assert self.base.startswith("/"), f"a contract's server is {_HOST}/ and the path that all others begin with"
        self._api = _parsed(text)
        self._operations = [
            (re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(self.base + path))), operations)
            for path, operations in document["paths"].items()
        ]
        self._parameters = document.get("components", {}).get("parameters", {})
        self._lenient = lenient
        self.problems: list[str] = []
        self.seen: Counter[str] = Counter()
        """How often each `METHOD status` was judged."""

    @classmethod
    def load(cls, name: str, *, lenient: bool = False) -> "Contract":
        """Reads `tests/contracts/<name>.yaml`."""
        return cls((FOLDER / f"{name}.yaml").read_text(), lenient=lenient)

    def concerns(self, exchange: RecordedExchange) -> bool:
        """True where the contract is meant for this exchange."""
        return exchange.path.startswith(f"{self.base}/")

    def check(self, exchange: RecordedExchange) -> None:
        """Judges one exchange. Raises ContractBroken."""
        where = f"{exchange.method} {exchange.path} ({exchange.status})"
        request = _request(exchange)
        if not (self._lenient and 400 <= exchange.status < 500):
            self._check_request(exchange, request, where)
        if exchange.replaced:
            return
        try:
            self._api.validate_response(request, _response(exchange))
        except OpenAPIError as error:
            raise ContractBroken(f"{where}: the answer: {_description(error)}") from None
        self.seen[f"{exchange.method} {exchange.status}"] += 1

    def _check_request(self, exchange: RecordedExchange, request: MockRequest, where: str) -> None:
        try:
            self._api.validate_request(request)
        except OpenAPIError as error:
            raise ContractBroken(f"{where}: the request: {_description(error)}") from None
        unknown = {name for name, _ in parse_qsl(exchange.query)} - self._queries(exchange)
        if unknown:
            raise ContractBroken(f"{where}: the request: the query has {', '.join(sorted(unknown))}")

    def _queries(self, exchange: RecordedExchange) -> set[str]:
        """The names that the query may have: openapi-core looks only for those that it knows."""
        for path, operations in self._operations:
            if path.fullmatch(exchange.path) and exchange.method.lower() in operations:
                listed = [*operations.get("parameters", []), *operations[exchange.method.lower()].get("parameters", [])]
                resolved = [
                    self._parameters[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in listed
                ]
                return {one["name"] for one in resolved if one["in"] == "query"}
        return set()

    def watch(self, exchange: RecordedExchange) -> None:
        """Judges an exchange that the contract is meant for, and keeps what is wrong for `verify`: the hook."""
        if not self.concerns(exchange):
            return
        try:
            self.check(exchange)
        except ContractBroken as error:
            self.problems.append(str(error))
        except Exception as error:  # noqa: BLE001 - a fault of the check itself must not pass for an answer that broke off
            self.problems.append(f"{exchange.method} {exchange.path}: could not be judged: {type(error).__name__}")

    def verify(self) -> None:
        """Raises ContractBroken where something was wrong, or nothing was judged at all."""
        if self.problems:
            raise ContractBroken("\n".join(dict.fromkeys(self.problems)))
        if not self.seen:
            raise ContractBroken("nothing was judged")


@cache
def _parsed(text: str) -> OpenAPI:
    # Checking the document itself takes longer than most tests.
    return OpenAPI.from_dict(yaml.safe_load(text))


def _request(exchange: RecordedExchange) -> MockRequest:
    headers = dict(exchange.headers)
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return MockRequest(
        _HOST,
        exchange.method,
        exchange.path,
        args=dict(parse_qsl(exchange.query, keep_blank_values=True)),
        headers=headers,
        data=exchange.body or None,
        content_type=content_type,
    )


def _response(exchange: RecordedExchange) -> MockResponse:
    headers = dict(exchange.answer_headers)
    return MockResponse(exchange.answer, exchange.status, headers, headers.get("Content-Type", ""))


def _description(error: BaseException) -> str:
    """The error and where in the document it lies. A message of jsonschema quotes the value, which may be a secret."""
    parts = [type(error).__name__]
    inner: BaseException | None = error
    while inner is not None:
        parts += [
            f"{'/'.join(map(str, found.absolute_path)) or 'the whole'} against {found.validator}"
            for found in getattr(inner, "schema_errors", ())
        ]
        inner = inner.__cause__
    return ", ".join(dict.fromkeys(parts))
