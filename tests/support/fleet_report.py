"""A fleet that lives through months in minutes, with a real audit: what a report about a period is held against.

What was accepted is also written down from what happens at the simulated providers, without the audit.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from engine_harness import DAY
from fleet_accounts import ACCOUNTS, CredentialChange, Trouble, account_type, registrar_in_process
from fleet_events import FleetEvent, apply_event, draw_events
from fleet_world import FleetWorld
from simulated_accounts import RequestFault

from rotator.core.age_limit import AgeLimit, fitting_interval
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.model import Policy, Purpose, Request, Target
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Every, Window
from rotator.observe.audit import AuditLog
from rotator.observe.redact import Redactor
from rotator.testing import FakeRandomness, MemoryAudit
from rotator.testing.records import Fact
from rotator.vault.audit_store import VaultAuditStore

LIMIT = AgeLimit(90 * DAY, 7 * DAY)
NIGHT = Window("0 2 * * *", timedelta(hours=4), "Europe/Berlin")
BEGIN, END = datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 5, tzinfo=UTC)
OUTAGE, OUT = datetime(2026, 8, 10, tzinfo=UTC), "vobiz-a"
EMERGENCY = datetime(2026, 8, 14, 16, 20, tzinfo=UTC)
_FEW = 300  # records that wait for Vault
# What happens to any fleet. People who change the documents or the accounts by hand are the matter of other tests.
_HAPPENS_TO_TARGETS = {"rotation_asked", "compromised"}
_HAPPENS_TO_ACCOUNTS = {"account_fails", "account_fails_now_and_then", "call_is_active"}  # a larger fleet has more
_HAPPENS_TO_ALL = {"process_crashes", "process_restarts", "vault_fails", "vault_loses_an_answer"}
_USUAL = 100  # targets of a fleet to which these happen as often as they usually do, however large it is


def _policy(window: Window | None) -> Policy:
    interval = fitting_interval(window, DAY, LIMIT.max_age - LIMIT.warn_before)
    assert interval is not None
    rules = PasswordRules()
    name = "quarterly" if window is None else "at-night"
    return Policy(name, Every(interval), window, DAY, 7 * DAY, rules, verify=60 * DAY, age_limit=LIMIT)


@dataclass
class Accepted:
    """One password at a provider, as its simulator saw it: no record of rotator's is asked."""

    username: str
    made: datetime
    until: datetime | None = None

    def oldest_in(self, begin: datetime, end: datetime) -> timedelta:
        """Returns the greatest age at which it was accepted in a period."""
        until = min(self.until or end, end)
        return until - self.made if self.made <= end and until >= begin else timedelta()


@dataclass
class TrueLives:
    """What each account accepted, and since when."""

    lives: list[Accepted] = field(default_factory=list)
    _made: dict[tuple[str, str, str], datetime] = field(default_factory=dict)  # by account, identity, password
    _open: dict[tuple[str, str], Accepted] = field(default_factory=dict)

    def see(self, change: CredentialChange, now: datetime) -> None:
        """Takes a change at a provider."""
        key = change.account, change.identity
        before, after = change.before, change.after
        same = before is not None and after is not None and before.password == after.password
        if key in self._open and not (same and after is not None and after.enabled):
            ended = self._open.pop(key)
            ended.until = min(ended.until or now, now)
        if after is not None and after.enabled and key not in self._open:
            made = self._made.setdefault((*key, after.password.reveal()), now)
            life = self._open[key] = Accepted(after.username, made)
            self.lives.append(life)
        if key in self._open:
            life = self._open[key]
            if life.until is None or life.until > now:  # what has ended by itself is not ended again
                life.until = change.ends

    def oldest(self, username: str, begin: datetime, end: datetime) -> timedelta:
        """Returns the greatest age of the passwords of a username in a period."""
        return max(
            (life.oldest_in(begin, end) for life in self.lives if life.username == username), default=timedelta()
        )

    def oldest_of_all_but(self, usernames: Collection[str], begin: datetime, end: datetime) -> timedelta:
        """Returns the greatest age of any password of another username."""
        left_out = {username.casefold() for username in usernames}  # some accounts keep no capitals
        return max(life.oldest_in(begin, end) for life in self.lives if life.username.casefold() not in left_out)


@dataclass
class ChainedAudit(MemoryAudit):
    """What the world reads of its audit, and the same records in a real one."""

    log: AuditLog | None = None

    def record(self, verb: AuditVerb, target: str, outcome: AuditOutcome, **facts: Fact) -> None:
        """Adds one record to both."""
        MemoryAudit.record(self, verb, target, outcome, **facts)
        assert self.log is not None
        self.log.record(verb, target, outcome, **facts)


class ReportedFleet:
    """A fleet whose every effect is in a real audit."""

    def __init__(self, targets: int, seed: int, store: VaultAuditStore) -> None:
        self.world = FleetWorld(seed, targets, 2, (_policy(None), _policy(NIGHT)), BEGIN)
        self.truth = TrueLives()
        clock = self.world.clock
        store._today = lambda: clock.now().date().isoformat()  # type: ignore[method-assign]  # not Vault's
        self.audit = AuditLog((), clock, FakeRandomness(seed), Redactor())
        self.audit.attach(store, {"process": "simulated", "role": "daemon"})
        self.world.audit = ChainedAudit(log=self.audit)
        for account in self.world.accounts.values():
            account.observe = self._observed
        for process in self.world.processes:
            self.world.reload(process, anew=True)
        self.events, self._flushed = 0, -1

    def _observed(self, change: CredentialChange) -> None:
        self.truth.see(change, self.world.clock.now())
        self.world._changed(change)

    def live(self, seed: int, *, outage: timedelta | None = None) -> None:
        """Lives until `END`: with what happens to any fleet, and the emergency of 14 August.

        Args:
            outage: how long an account does not answer, from the tenth of August.
        """
        years = (END - BEGIN) / (365 * DAY)
        drawn = _draw(seed, years, list(self.world.targets), len(self.world.accounts))
        if outage is not None:
            self.world.later(OUTAGE - BEGIN, lambda: self._break(outage))
        with registrar_in_process(self.world.lag):
            asked = False
            for event in [*drawn, None]:
                until = BEGIN + event.after if event is not None else END
                if not asked and until > EMERGENCY:
                    self._run_until(EMERGENCY)
                    self._ask()
                    asked = True
                self._run_until(until)
                if event is not None:
                    apply_event(self.world, event)
                    self.events += 1
        self._flush()

    def _break(self, outage: timedelta) -> None:
        account = self.world.accounts[OUT]
        account.begin(Trouble(RequestFault.UNREACHABLE, self.world.clock.now() + outage))

    def _run_until(self, moment: datetime) -> None:
        while self.world.clock.now() < moment:
            today = self.world.clock.now().date()
            self.world.run_until(min(moment, self.world.clock.now() + DAY / 24))
            if self.audit.status.position.seq - self._flushed > _FEW or self.world.clock.now().date() != today:
                self._flush()

    def _flush(self) -> None:
        self._flushed = self.audit.status.position.seq
        self.audit.flush()

    def _ask(self) -> None:
        name = next(iter(self.world.targets))
        asked = Request(
            Purpose.ROTATE,
            "vault:oidc-anna (entity 4f1c)",
            "handset stolen",
            self.world.clock.now(),
            compromised=True,
            stated="by anna, ticket CHG-4711",
        )
        self.world.request(name, asked)

    def usernames_of(self, name: str) -> set[str]:
        """Returns the usernames that a target has, and those that were made for it and are not handed out."""
        state = self.world.store.states[name].state
        made = [entry.credential for entry in state.ledger]
        if state.attempt is not None:
            made.append(state.attempt.staged)
        return {*self.world.targets[name].usernames, *(one.username for one in made)}

    def configuration(self) -> dict[str, Any]:
        """The fleet as a configuration file has it."""
        options: dict[str, dict[str, Any]] = {
            "vobiz": {"auth_token": {"env": "VOBIZ_TOKEN"}},
            "telnyx": {"api_key": {"env": "VOBIZ_TOKEN"}},
            "apinizer": {"access_token": {"env": "VOBIZ_TOKEN"}, "base_url": "https://console.example.com"},
        }
        own = {"vobiz": "auth_id", "telnyx": "", "apinizer": "project"}
        providers = {}
        for name in self.world.accounts:
            kind = account_type(name)
            family = kind.partition("-")[0]
            named = {own[family]: f"MA_{name}"} if own[family] else {}
            connection = {"connection_id": "1494404757140276705"} if kind == "telnyx" else {}
            providers[name] = {"type": kind} | options[family] | named | connection
        targets = [
            {
                "name": target.name,
                "provider": target.account,
                "strategy": target.strategy.value,
                "path": target.path,
                "policy": target.policy.name,
                "credential": _credential(target),
            }
            for target in self.world.targets.values()
        ]
        night = {"cron": NIGHT.cron, "duration": "4h", "timezone": NIGHT.timezone}
        policies: dict[str, Any] = {"quarterly": {}, "at-night": {"window": night}}
        return {"providers": providers, "policies": policies, "limits": {"max_age": "90d"}, "targets": targets}


def _draw(seed: int, years: float, targets: list[str], accounts: int) -> list[FleetEvent]:
    """Returns what happens, in order: how often, goes by how many there are of what it happens to."""
    few = min(len(targets), _USUAL)
    numbers = (
        (len(targets), _HAPPENS_TO_TARGETS),
        (few * accounts // len(ACCOUNTS), _HAPPENS_TO_ACCOUNTS),
        (few, _HAPPENS_TO_ALL),
    )
    drawn = [
        event
        for number, kinds in numbers
        for event in draw_events(seed, years, targets[:number])
        if event.kind in kinds
    ]
    return sorted(drawn, key=lambda event: (event.after, event.kind))


def _credential(target: Target) -> dict[str, Any]:
    if not target.usernames:
        return {}
    return {"usernames": list(target.usernames)} if len(target.usernames) > 1 else {"username": target.usernames[0]}
