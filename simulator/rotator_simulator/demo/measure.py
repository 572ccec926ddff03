"""The sources of the measurements: documents in Vault, the providers' credentials, the secrets to search for."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import requests

from rotator.core.model import Credential, Strategy, TargetState
from rotator.core.secret import Secret
from rotator.ports import StoreError
from rotator_simulator.account import Propagation, SimulatedAccount
from rotator_simulator.demo.report import CredentialCheck
from rotator_simulator.environment import SimulatedEnvironment

_PAGE_TIMEOUT = 5.0  # seconds


class VaultDocuments:
    """Both documents of every target at the end."""

    def __init__(self, environment: SimulatedEnvironment) -> None:
        """Reads the documents. An unreadable one counts as missing."""
        self._environment = environment
        self._states = {target.name: TargetState(target.name) for target in environment.targets}
        self._published: dict[str, tuple[str, Secret]] = {}
        client, store = environment.store(environment.vault.rotator_login())
        for target in environment.targets:
            try:
                self._states[target.name] = store.read_state(target.name).state
                consumer = store.read_consumer(target.path)
            except StoreError:
                continue
            if consumer.username is not None and consumer.password is not None:
                self._published[target.name] = (consumer.username, consumer.password)
        client.close()

    def rotations(self) -> Mapping[str, int]:
        """Counts the rotations by strategy."""
        by_strategy: Counter[str] = Counter()
        for target in self._environment.targets:
            by_strategy[target.strategy.value] += self._states[target.name].counts.succeeded
        return by_strategy

    def undone(self) -> int:
        """Counts the undos."""
        return sum(state.counts.undone for state in self._states.values())

    def retried(self) -> int:
        """Counts the steps that failed at first."""
        return sum(state.counts.failed for state in self._states.values())

    def never_rotated(self) -> tuple[str, ...]:
        """Returns the targets without a single rotation."""
        return tuple(name for name, state in self._states.items() if not state.counts.succeeded)

    def compare(self) -> CredentialCheck:
        """Compares the credentials at the providers with the documents."""
        existing = [one for account in self._environment.accounts.values() for one in account.credentials()]
        known = {key for one in self._credentials() for key in (one.id, one.username)}
        orphans = tuple(one.username for one in existing if not known & {one.id, one.username})
        unusable = tuple(name for name in self._states if not self._is_usable(name))
        return CredentialCheck(len(existing), len(existing) - len(orphans), orphans, len(self._states), unusable)

    def passwords(self) -> Iterator[Secret]:
        """Returns every password in the documents."""
        yield from (password for _, password in self._published.values())
        yield from (credential.password for credential in self._credentials() if credential.password is not None)

    def _is_usable(self, target: str) -> bool:
        """Returns True if the provider accepts what is published, or staged if `in-place` was interrupted."""
        account = self._environment.account_of(target)
        published, attempt = self._published.get(target), self._states[target].attempt
        if published is not None and account.accepts(*published):
            return True
        if attempt is None or attempt.strategy is not Strategy.IN_PLACE or attempt.staged.password is None:
            return False
        return account.accepts(attempt.staged.username, attempt.staged.password)

    def _credentials(self) -> Iterator[Credential]:
        for state in self._states.values():
            of_attempt = (state.attempt.staged, state.attempt.predecessor) if state.attempt else ()
            all_of_them = (state.published, state.standby, *of_attempt, *(entry.credential for entry in state.ledger))
            yield from (credential for credential in all_of_them if credential is not None)


def all_accepted_passwords(account: SimulatedAccount, username: str) -> tuple[Secret, ...]:
    """Returns every password that was ever accepted for a username."""
    return account.login_state(username, Propagation(old=math.inf)).passwords


def passwords_of(account: SimulatedAccount) -> Iterator[Secret]:
    """Returns every password that a credential of this account ever had, deleted ones included."""
    for username in {entry.username for entry in account.history()}:
        yield from all_accepted_passwords(account, username)
    yield from (credential.password for credential in account.credentials())


def all_secrets(environment: SimulatedEnvironment, documents: VaultDocuments) -> list[Secret]:
    """Returns every password, key and token of the demo, each once."""
    accounts, vault = environment.accounts.values(), environment.vault
    secrets = [
        *(password for account in accounts for password in passwords_of(account)),
        *documents.passwords(),
        *(account.token for account in accounts),
        vault.rotator_login().current_secret_id(),
        environment.device_login.current_secret_id(),
        vault.root_token,
    ]
    return list({secret.reveal(): secret for secret in secrets}.values())


def page(url: str) -> str:
    """Returns the text of a page on this machine; empty if there is none."""
    with requests.Session() as session:
        session.trust_env = False  # no proxy
        try:
            return session.get(url, timeout=_PAGE_TIMEOUT).text
        except requests.RequestException:
            return ""


def command_lines() -> set[str]:
    """Returns the command lines of all visible processes; empty on a system without /proc."""
    lines = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has just ended
            continue
    return lines
