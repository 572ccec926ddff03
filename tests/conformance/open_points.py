"""What the vendors' pages leave open or contradict: each row in the reading that is bad for us, played with devices."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from played_reading import PlayedReading, ReadingPlayer
from simulated_accounts import (
    SETUPS,
    Setup,
    SimulatedHarness,
    registrar,
    telnyx_without_registrar,
    vobiz_without_registrar,
)

from rotator.core.model import Strategy
from rotator.core.secret import Secret
from rotator_simulator.account import Propagation

REPLACE, ALTERNATING, IN_PLACE = Strategy.REPLACE, Strategy.ALTERNATING, Strategy.IN_PLACE
_MINUTE = 60
_LATE = 120.0  # seconds; `propagation` is 30


@dataclass(frozen=True, eq=False)
class OpenPoint:
    """One assumption, where it is from, and what is otherwise in the bad reading."""

    assumption: str
    evidence: str
    otherwise: str
    setups: tuple[Setup, ...]
    prepare: Callable[[SimulatedHarness], None] = lambda _: None
    registrar: dict[str, Any] = field(default_factory=dict)  # options of the registrar
    end: str = ""  # what is not seen in the devices or in an alert


def _of(kind: str, *strategies: Strategy, make: Any = None, **readings: Any) -> tuple[Setup, ...]:
    known = [one for one in SETUPS if one.kind == kind and one.strategy in (strategies or tuple(Strategy))]
    return tuple(replace(one, make=make or one.make, readings=tuple(readings.items())) for one in known)


def _with_and_without(kind: str, *strategies: Strategy, **readings: Any) -> tuple[Setup, ...]:
    without = vobiz_without_registrar if kind.startswith("vobiz") else telnyx_without_registrar
    return (*_of(kind, *strategies, **readings), *_of(kind, *strategies, make=without, **readings))


def _takes_longer_passwords(harness: SimulatedHarness) -> None:
    """The configuration says so, and the account does not."""
    for account in harness.accounts.values():
        account.options = account.options.model_copy(update={"longest_password": 24})
    rules = replace(harness.target.policy.password, length=24)
    harness.target = replace(harness.target, policy=replace(harness.target.policy, password=rules))


def _has_an_own_password(harness: SimulatedHarness) -> None:
    """In an environment that is not the one where passwords are proved."""
    for name, account in harness.accounts.items():
        for username in harness.target.usernames[:1]:
            account.api.set_own_password(name, username, "staging", Secret("staging-password"))


def _has_metadata(harness: SimulatedHarness) -> None:
    for name, account in harness.accounts.items():
        for username in harness.target.usernames[:1]:
            account.api.add_hidden(name, username, metadata=[{"key": "customer", "value": "17"}])


def _is_a_sub_account(harness: SimulatedHarness) -> None:
    """The configuration has the key of another account, which may not administer this one."""
    for account in harness.accounts.values():
        keys = {"auth_id": "MA_PARENT", "account_id": account.account.name}
        account.options = account.options.model_copy(update=keys)


_REGISTERED = ("vobiz", "vobiz-endpoint", "telnyx", "telnyx-connection")

POINTS = (
    OpenPoint(
        "a trunk credential's password has at most 20 characters",
        "the console's form; an example of *Update Credential* has 25",
        "`longest_password: 24`, and the account refuses it",
        _of("vobiz"),
        _takes_longer_passwords,
    ),
    OpenPoint(
        "`enabled: false` disables",
        "text of *Update Credential*; not in its schema",
        "it is ignored",
        _with_and_without("vobiz", REPLACE, ALTERNATING, enabled_honoured=False),
    ),
    OpenPoint(
        "an answer that shows `enabled: false` is true",
        "nobody says otherwise",
        "it is ignored, and the answer repeats what was sent",
        _with_and_without("vobiz", REPLACE, ALTERNATING, enabled_honoured=False, enabled_echoed=True),
    ),
    *(
        OpenPoint(
            "an update is answered with the credential",
            "*Update Credential*",
            f"answered with {answer}",
            _with_and_without("vobiz", put_answer=form),
        )
        for form, answer in (
            ("without enabled", "the credential, without `enabled`"),
            ("message", "a message"),
            ("empty", "200 and nothing"),
            ("no content", "204"),
        )
    ),
    OpenPoint(
        "any enabled credential of the account is let in",
        "text of *Create Credential* and others; the SDK gives a trunk one `credential_uuid`",
        "only the one that a trunk names",
        _with_and_without("vobiz", REPLACE, ALTERNATING, attached_only=True),
    ),
    OpenPoint(
        "the listing is at `trunks/credentials`",
        "the SDK; no page of the five",
        "404 there",
        _of("vobiz", listing_path="credentials"),
    ),
    OpenPoint(
        "a DELETE needs no Content-Type",
        "the cURL of *Delete Credential*; the page lists the header",
        "400 without it",
        _of("vobiz", REPLACE, delete_needs_type=True),
    ),
    OpenPoint(
        "a main account's key administers its sub-accounts (`account_id`)",
        "no page says so",
        "404",
        (*_of("vobiz"), *_of("vobiz-endpoint")),
        _is_a_sub_account,
    ),
    OpenPoint(
        "a connection shows its password",
        "the pages; SDK 4.189.0 says `********` for newer accounts, but to a create or change",
        "masked as the SDK says",
        _with_and_without("telnyx-connection", passwords_masked="connections"),
    ),
    OpenPoint(
        "a change of a connection's password shows it",
        "SDK 4.189.0",
        "masked there as well",
        _with_and_without("telnyx-connection", passwords_masked="connections", changes_masked=True),
    ),
    OpenPoint(
        "a telephony credential shows its password",
        "*Retrieve a credential*; SDK 4.189.0 marks no mask",
        "only when it is created",
        _with_and_without("telnyx", passwords_masked="everywhere"),
    ),
    OpenPoint(
        "a create shows the password that Telnyx made",
        "*Create a credential*",
        "it is masked",
        _of("telnyx", passwords_masked="everywhere", changes_masked=True),
    ),
    OpenPoint(
        "`expired` is always there",
        "no field is required (*Delete a credential*)",
        "it is missing",
        _of("telnyx", expired_as="missing"),
    ),
    OpenPoint(
        "`resource_id` is `connection:ID`",
        "an example of *Delete a credential*",
        "it is the id alone",
        _of("telnyx", resource_as="bare"),
    ),
    *(
        OpenPoint(f"an end {when} is accepted", "not stated", f"it is {effect}", _of("telnyx", **{reading: effect}))
        for when, reading in (("in the past", "past_end"), ("of null, which removes one,", "null_lifts_end"))
        for effect in ("refused", "ignored")
    ),
    OpenPoint(
        "a REGISTER without a Contact is answered",
        "RFC 3261, 10.2; no provider says so",
        "400",
        tuple(one for kind in _REGISTERED for one in _of(kind)),
        registrar={"contact_required": True},
    ),
    OpenPoint(
        "a change is in force within 30 seconds (`propagation`)",
        "nobody says how long",
        "after two minutes; the old password is accepted until then",
        tuple(one for kind in _REGISTERED for one in _of(kind)),
        registrar={"propagation": Propagation(old=_LATE, new=_LATE)},
    ),
    OpenPoint(
        "a full update keeps what the listing does not show",
        '"All fields are required" (*Update Credential*), metadata is optional',
        "it drops metadata",
        _of("apinizer", ALTERNATING, update_keeps_hidden=False),
        _has_metadata,
        end="the metadata is lost with the first disable or enable, which the audit says may happen",
    ),
    OpenPoint(
        "a changed password reaches every environment",
        "not stated for one with a password of its own",
        "it keeps its own",
        _of("apinizer", ALTERNATING, IN_PLACE, password_reaches_all=False),
        _has_an_own_password,
        end="that environment's password is not rotated, which the audit says may happen",
    ),
    OpenPoint(
        "a deployment is in force within 30 seconds (`propagation`)",
        "nobody says how long",
        "after two minutes",
        _of("apinizer", gateway_delay=_LATE),
    ),
)


def play(point: OpenPoint, setup: Setup) -> PlayedReading:
    """Plays one row by one strategy."""
    with _registrar_with(**point.registrar):
        return ReadingPlayer(setup, point.prepare).play()


@contextmanager
def _registrar_with(**options: Any) -> Iterator[None]:
    served = registrar()
    before = served.options
    served.options = replace(before, **options)
    try:
        yield
    finally:
        served.options = before
