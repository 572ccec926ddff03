"""The page of provider accounts: circuit, pace, listing, and how their targets are. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rotator.core.account_key import AccountKey
from rotator.core.discrepancies import DiscrepancyKind
from rotator.core.evidence import AccountEvidence
from rotator.observe.markup import Child, h
from rotator.observe.target_words import STATES
from rotator.observe.time_words import counted, length_text, relative
from rotator.observe.web.shell import ACCOUNTS, About, commands, list_address, page, table

_CSS = {
    DiscrepancyKind.ORPHANED: "bad",
    DiscrepancyKind.DUPLICATE: "bad",
    DiscrepancyKind.MISSING: "warn",
    DiscrepancyKind.CHANGED: "warn",
}


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What is known of one account of the configuration."""

    name: str
    kind: str  # such as `vobiz`
    proof: str  # how a password is proved there
    states: Mapping[str, int]  # of its targets
    replaced: int  # credentials that wait to be retired
    oldest: datetime | None  # when the oldest published password was made
    circuit_open: bool
    circuit_until: datetime | None  # of the next call
    forbidden: tuple[str, ...]  # what its key may not do
    rate: str
    share: float  # of the rate, that is used at most
    held_for: float  # seconds, as the provider asked
    key: AccountKey  # its own
    listing: Mapping[str, object] = field(default_factory=dict)  # see `selections` of the status document
    evidence: AccountEvidence = field(default_factory=AccountEvidence)  # of checks, and of the last comparison


def accounts_page(about: About, accounts: Iterable[AccountFacts]) -> str:
    """Returns the page."""
    return page(about, "Accounts", ACCOUNTS, _body(about, list(accounts)))


def _body(about: About, accounts: list[AccountFacts]) -> Iterator[Child]:
    yield h("h1", counted(len(accounts), "provider account"))
    if not accounts:
        return
    heads = (("Account", None), ("Targets", None), ("Circuit", None), ("Pace", None), ("Its key", None),
             ("Listing", None), ("Compared", None), ("Checked", None), ("Oldest password", None),
             ("Commands", None))  # fmt: skip
    yield table("Provider accounts", heads, (_row(account, about.now) for account in accounts))
    yield h(
        "p",
        "Circuit: calls pause after several failures in a row, until one succeeds. Pace: the requests that go to the "
        "account at most, from all processes together; after answers 429 it is a share of the configured rate. "
        "Listing: read for selections only. Compared: its whole listing with the documents, by the daemons once in "
        "daemon.reconcile, and by rotator reconcile, which names what was found. Checked: by rotator check-provider.",
        css="quiet",
    )


def _row(account: AccountFacts, now: datetime) -> list[Child]:
    return [
        [h("strong", account.name), h("br"), h("span", account.kind, h("br"), account.proof, css="quiet")],
        list(_targets(account)),
        list(_circuit(account, now)),
        list(_pace(account)),
        list(_key(account.key, now)),
        list(_listing(account, now)),
        list(_compared(account.evidence, now)),
        list(_checked(account.evidence, now)),
        relative(account.oldest, now) if account.oldest is not None else "-",
        list(commands(_commands(account))),
    ]


def _targets(account: AccountFacts) -> Iterator[Child]:
    number = sum(account.states.values())
    yield h("a", counted(number, "target"), href=list_address(account=account.name))
    for state in STATES:
        if account.states.get(state):
            word = state.replace(" ", "_")
            yield h("br")
            yield h("a", f"{account.states[state]:,} {state}", href=list_address(account=account.name, state=word))
    if account.replaced:
        yield h("br")
        yield f"{account.replaced:,} replaced, to be retired"


def _circuit(account: AccountFacts, now: datetime) -> Iterator[Child]:
    if account.circuit_open:
        yield h("span", "open", css="bad")
        until = account.circuit_until
        yield (
            f": the next call {relative(until, now)}" if until is not None and until > now else ": the next call tries"
        )
    else:
        yield h("span", "closed", css="good")
    if account.forbidden:
        yield h("br")
        yield h("span", f"its key may not {', '.join(account.forbidden)}", css="bad")


def _pace(account: AccountFacts) -> Iterator[Child]:
    yield account.rate
    if account.share < 1:
        yield h("span", f", lowered to {account.share:.0%}", css="warn")
    if account.held_for > 0:
        yield h("br")
        yield h("span", f"asked to wait {length_text(timedelta(seconds=account.held_for))} more", css="warn")


def _key(key: AccountKey, now: datetime) -> Iterator[Child]:
    css = "bad" if key.is_over(now) else None
    yield h("span", f"made {relative(key.made_at, now)}" if key.made_at is not None else "age unknown", css=css)
    if key.expires_at is not None:
        yield h("br")
        word = "expires" if key.expires_at > now else "expired"
        yield h("span", f"{word} {relative(key.expires_at, now)}", css=css)
    if key.max_age is not None:
        yield h("br")
        yield f"at most {length_text(key.max_age)} old"


def _listing(account: AccountFacts, now: datetime) -> Iterator[Child]:
    if not account.listing:
        yield "-"
        return
    listing = account.listing
    yield f"read {relative(datetime.fromisoformat(str(listing['listed_at'])), now)}: {listing['selected']} selected"
    for key in ("gone", "unnamable", "undecided"):
        if listing[key]:
            yield h("br")
            yield h("span", f"{listing[key]} {key}", css="warn")


def _compared(evidence: AccountEvidence, now: datetime) -> Iterator[Child]:
    if evidence.reconciled_at is None:
        yield "not yet"
        return
    yield relative(evidence.reconciled_at, now)
    for found in evidence.reconciled:
        if found.number:
            yield h("br")
            yield h("span", f"{found.number:,} {found.kind.value.replace('_', ' ')}", css=_CSS.get(found.kind))


def _checked(evidence: AccountEvidence, now: datetime) -> Iterator[Child]:
    yield f"read-only {relative(evidence.checked_at, now)}" if evidence.checked_at is not None else "not yet"
    if evidence.written_at is not None:
        yield h("br")
        yield f"with writes {relative(evidence.written_at, now)}"
    if evidence.scratch:
        yield h("br")
        yield h("span", f"{counted(len(evidence.scratch), 'credential')} of a check", css="warn")


def _commands(account: AccountFacts) -> list[str]:
    found = any(each.number for each in account.evidence.reconciled)
    return [f"rotator check-provider {account.name}", *([f"rotator reconcile {account.name}"] if found else [])]
