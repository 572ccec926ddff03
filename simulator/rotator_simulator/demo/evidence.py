"""What the demo's figures are made of: the documents in Vault, the providers' side, every text that came out."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import requests

from rotator.core.model import Credential, Strategy, TargetState
from rotator.core.secret import Secret
from rotator.ports import StoreError
from rotator.vault.auth import AppRole
from rotator_simulator.account import Account, Propagation, Record
from rotator_simulator.demo.environment import Site
from rotator_simulator.demo.report import Left, Rotations
from rotator_simulator.demo.targets import Role, Row

EVER = Propagation(old=math.inf)
"""What the SIP side accepted once counts as accepted for ever: `Account.judge` then names every password there was."""
_PATIENCE = 5.0  # seconds for one page


class Documents:
    """Both documents of every target, as they are at the end."""

    def __init__(self, site: Site, login: AppRole) -> None:
        """Reads them. A document that cannot be read is as good as missing: it names nothing. Raises nothing."""
        client, store = site.store(login)
        self.states: dict[str, TargetState] = {}
        self.published: dict[str, tuple[str, Secret]] = {}
        for role in (role for row in site.rows for role in row.roles):
            try:
                self.states[role.name] = store.read_state(role.name).state
                consumer = store.read_consumer(role.path)
            except StoreError:
                continue
            if consumer.username is not None and consumer.password is not None:
                self.published[role.name] = (consumer.username, consumer.password)
        client.close()

    def rotations(self, rows: Iterable[Row]) -> Mapping[str, Rotations]:
        """What the state documents count, by strategy."""
        found: dict[str, Rotations] = {}
        for role in (role for row in rows for role in row.roles):
            counts = self._state(role).counts
            mine = Rotations(counts.succeeded, counts.undone, counts.failed)
            found[role.strategy.value] = found.get(role.strategy.value, Rotations()) + mine
        return found

    def never_rotated(self, rows: Iterable[Row]) -> tuple[str, ...]:
        """The targets without a single rotation."""
        return tuple(role.name for row in rows for role in row.roles if not self._state(role).counts.succeeded)

    def left(self, site: Site) -> Left:
        """Compares what the providers hold with what Vault names."""
        records = [record for account in site.accounts.values() for record in account.records()]
        named = list(self._named())
        orphans = tuple(record.username for record in records if not _is_named(record, named))
        accounts = {role.name: site.accounts[row.login] for row in site.rows for role in row.roles}
        useless = tuple(name for name, account in accounts.items() if not self._is_usable(name, account))
        return Left(len(records), len(records) - len(orphans), orphans, len(accounts), useless)

    def passwords(self) -> Iterator[Secret]:
        """Every password that is in them."""
        yield from (password for _, password in self.published.values())
        yield from (credential.password for credential in self._named() if credential.password is not None)

    def _is_usable(self, target: str, account: Account) -> bool:
        """Whether Vault holds what the provider accepts: as published, or staged where `in-place` was interrupted."""
        held = self.published.get(target)
        if held is not None and account.accepts(*held):
            return True
        state = self.states.get(target)
        attempt = state.attempt if state else None
        if attempt is None or attempt.strategy is not Strategy.IN_PLACE or attempt.staged.password is None:
            return False
        return account.accepts(attempt.staged.username, attempt.staged.password)

    def _state(self, role: Role) -> TargetState:
        return self.states.get(role.name, TargetState(role.name))

    def _named(self) -> Iterator[Credential]:
        for state in self.states.values():
            open_ones = (state.attempt.staged, state.attempt.predecessor) if state.attempt else ()
            some = (state.published, state.standby, *open_ones, *(entry.credential for entry in state.ledger))
            yield from (credential for credential in some if credential is not None)


def _is_named(record: Record, named: Iterable[Credential]) -> bool:
    return any(credential.id == record.id or credential.username == record.username for credential in named)


def passwords_of(account: Account) -> Iterator[Secret]:
    """Every password that a credential of this account had, those that are gone included."""
    usernames = {happening.username for happening in account.history()}
    for username in usernames:
        yield from account.judge(username, EVER).passwords
    yield from (record.password for record in account.records())


def distinct(secrets: Iterable[Secret]) -> list[Secret]:
    """Each value once."""
    return list({secret.reveal(): secret for secret in secrets}.values())


def page(url: str) -> str:
    """The text of a page on this machine; empty where there is none."""
    with requests.Session() as session:
        session.trust_env = False  # no proxy
        try:
            return session.get(url, timeout=_PATIENCE).text
        except requests.RequestException:
            return ""


def command_lines() -> set[str]:
    """The command lines of all processes that can be seen; empty on a system without /proc."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has just ended
            continue
    return found
