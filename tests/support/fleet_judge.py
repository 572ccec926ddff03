"""Judges a simulated fleet: each effect at once, and what is wrong at rest. Nothing here asks the engine.

What is judged rests on what the providers hold, what stands in Vault, and true time.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine_harness import DAY
from fleet_accounts import CredentialChange, FleetAccount
from fleet_duties import Neglected, neglected_by_look, neglected_while_refused
from fleet_freezes import holds_changes, neglected_pauses
from fleet_targets import HandedOut, JudgedTarget, KeyAtProvider, half_interval, located
from invariants import OwedOverlap, denotes, is_in_ledger, may_be_set, names_credential, shown_refused
from simulated_accounts import StoredCredential

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.left_over import is_empty
from rotator.core.model import Credential, Ending, Purpose, Strategy, Target, TargetState
from rotator.core.secret import Secret
from rotator.engine import Look
from rotator_simulator.account import CredentialEvent

if TYPE_CHECKING:
    from fleet_world import FleetWorld

ROUNDING = timedelta(seconds=3)  # of moments that a provider is told, and of Vault's time
SETTLED = timedelta(minutes=10)  # a proof is not older than this when it counts
_FAR = 300 * DAY


def _held_by_refusal(state: TargetState) -> list[tuple[str, Secret | None]]:
    """What was replaced, and devices may live on, since the provider is known to refuse what was published after it."""
    last, attempt = state.verification, state.attempt
    if last is None or last.accepted or attempt is None or attempt.handed_out is not None:
        return []
    kept = [one for one in state.ledger if one.ending is not Ending.FORGET and not one.cut_off and not one.compromised]
    return [(one.credential.username, one.credential.password) for one in kept]


def _is_in_place(world: "FleetWorld", watched: JudgedTarget) -> bool:
    target = world.targets.get(watched.name)
    return target is not None and target.strategy is Strategy.IN_PLACE


class PromiseBroken(AssertionError):
    """A promise that was broken in the simulated fleet."""

    def __init__(self, rule: str, target: str, text: str) -> None:
        super().__init__(f"{rule}: {target}: {text}")
        self.rule, self.target = rule, target


class FleetJudge:
    """Judges the fleet of one world."""

    def __init__(self, world: "FleetWorld") -> None:
        self.world = world
        self.fleet: list[JudgedTarget] = []
        self.targets: dict[str, JudgedTarget] = {}  # by every name that one has had
        self.owners: dict[KeyAtProvider, JudgedTarget] = {}
        self.by_path: dict[str, JudgedTarget] = {}
        self.effects = 0
        self.audited = 0  # records of the audit that were judged
        self.pauses_changed_at: datetime | None = None
        self.broken: list[PromiseBroken] = []  # raised after the event: an adapter must not catch it

    def begin(self, target: Target, usernames: tuple[str, ...]) -> None:
        """A target is configured, and its credentials are there."""
        watched = JudgedTarget(
            [target.name], {target.account}, [target.path], half_interval(target.policy), allowance=1
        )
        self.fleet.append(watched)
        self.targets[target.name] = self.by_path[target.path] = watched
        for identity, stored in self.world.accounts[target.account].stored.items():
            if stored.username in usernames:
                self.own(watched, (target.account, identity), by_people=True)

    def own(self, watched: JudgedTarget, key: KeyAtProvider, *, by_people: bool = False) -> None:
        """A credential belongs to a target from now on; what people made may be there without a document."""
        self.owners[key] = watched
        watched.keys[key] = None
        (watched.made_by_people.add if by_people else watched.made_by_people.discard)(key)

    def rename(self, watched: JudgedTarget, new: str) -> None:
        """The configuration gives a target another name."""
        watched.names.append(new)
        self.targets[new] = watched

    def move(self, watched: JudgedTarget, path: str) -> None:
        """The configuration gives a target another path."""
        watched.paths = [*(one for one in watched.paths if one != path), path]
        self.by_path[path] = watched

    def state(self, watched: JudgedTarget) -> TargetState:
        """The state document, each credential in it at the account that it was really made at."""
        state = watched.state_in(self.world.store.states)
        if not self.world.had_another_key:
            return state
        if watched.located is None or watched.located[0] is not state:
            watched.located = state, located(state, self.world.identities)
        return watched.located[1]

    def _documents(self, watched: JudgedTarget) -> list[ConsumerDocument]:
        known = (self.world.store.consumers.get(path) for path in watched.paths)
        return [document for document in known if document is not None]

    def accepts(self, watched: JudgedTarget, username: str | None, password: Secret | None) -> bool:
        return any(self.world.accounts[name].accepts(username, password) for name in watched.accounts)

    def _break(self, rule: str, name: str, text: str) -> None:
        self.broken.append(PromiseBroken(rule, name, text))

    def _break_all(self, watched: JudgedTarget, neglected: Iterable[Neglected]) -> None:
        for rule, text in neglected:
            self._break(rule, watched.name, text)

    # -- what happens at a provider

    def after_change(self, change: CredentialChange) -> None:
        """Judges one change at a provider: who may make it?"""
        key = change.account, change.identity
        if self.world.acting is None:
            if key in self.owners and change.before is not None:
                self.owners[key].changed_by_people[change.before.username] = self.world.clock.now()
            return
        self.effects += 1
        name = self.world.acting[1].name
        watched = self.targets[name]
        if change.event is CredentialEvent.CREATED:
            watched.accounts.add(change.account)
            self.own(watched, key)
        elif self.owners.get(key) is not watched or change.before is None:
            self._break("stranger", name, f"{change.event.value}: {change.account}/{change.identity} is not its own")
        else:
            self._judge_effect(watched, key, change, change.before)

    def _judge_effect(
        self, watched: JudgedTarget, key: KeyAtProvider, change: CredentialChange, before: StoredCredential
    ) -> None:
        state, now = (self.state(watched),), self.world.clock.now()
        ended = change.event in (CredentialEvent.DELETED, CredentialEvent.DISABLED)
        # An end in many years is how the adapter lifts one where the provider does not let it be removed.
        told = change.event is CredentialEvent.LIMITED and change.ends is not None and change.ends < now + _FAR
        set_anew = change.after is not None and change.after.password != before.password
        what = f"{change.event.value} {before.username}"
        if (ended or told) and not is_in_ledger(state, key, before):
            self._break("unnamed", watched.name, f"{what}: no ledger names it")
        if set_anew and not may_be_set(state, key, before):
            self._break("unnamed", watched.name, f"{what}: no document names it")
        if (ended or told) and self._is_handed_out(watched, self.world.accounts[key[0]], before):
            self._break("handed out", watched.name, f"{what}: the consumer document hands it out")
        at = change.ends if told and change.ends is not None else now
        if ended or told or set_anew:
            self._judge_overlap(watched, before, at, what)
        if ended and before.enabled and self._is_held(watched):
            self._break("paused", watched.name, f"{what} within a pause")
        if ended and before.enabled:
            self._judge_last(watched, before, what)

    def _is_handed_out(self, watched: JudgedTarget, home: FleetAccount, stored: StoredCredential) -> bool:
        pairs = ((home.folded(one.username or ""), one.password) for one in self._documents(watched))
        return (stored.username, stored.password) in pairs

    def _judge_overlap(self, watched: JudgedTarget, before: StoredCredential, at: datetime, what: str) -> None:
        owed, attempt = watched.owed.get(before.username), self.state(watched).attempt
        if owed is None or owed.password != before.password or (attempt is not None and attempt.compromised):
            return
        if attempt is not None and attempt.strategy is Strategy.IN_PLACE and self.state(watched).published is None:
            return  # somebody has taken a retired target back, which in place there is one way to do
        if at < owed.until - ROUNDING:
            self._break("overlap", watched.name, f"{what} at {at:%d %H:%M}, owed until {owed.until:%d %H:%M}")

    def _is_held(self, watched: JudgedTarget) -> bool:
        """True if a pause holds retirements, and nothing compromised has to end."""
        state, acting = self.state(watched), self.world.acting
        emergency = state.attempt is not None and state.attempt.compromised
        emergency = emergency or any(entry.compromised for entry in state.ledger)
        return acting is not None and not emergency and holds_changes(self.world, acting[1])

    def _judge_last(self, watched: JudgedTarget, before: StoredCredential, what: str) -> None:
        """The last accepted credential must not be ended, unless nobody could know for how short a time."""
        state = self.state(watched)
        if state.retired_at is not None:
            return  # somebody wants all of it to end
        named: list[Credential | None] = [state.published, *(entry.credential for entry in state.ledger)]
        if state.attempt is not None:
            named.append(state.attempt.staged)
        pairs = [(one.username, one.password) for one in named if one is not None]
        pairs += [(one.username or "", one.password) for one in self._documents(watched) if one.exists]
        if any(self.accepts(watched, *pair) for pair in pairs):
            return
        was = any(pair == (before.username, before.password) for pair in pairs)
        fresh = watched.refused_since is not None and self.world.clock.now() - watched.refused_since < SETTLED
        if was and not fresh:
            self._break("last", watched.name, f"{what}: nothing that any document names is accepted now")

    # -- what is published

    def after_publish(self, path: str) -> None:
        """Judges what rotator wrote into a consumer document; people's writes are not judged."""
        watched, acting = self.by_path[path], self.world.acting
        state, before = self.state(watched), watched.documents.get(path)
        self.see_documents(watched)
        handed, attempt = watched.documents.get(path), state.attempt
        by_hand = watched.by_hand.pop(path, None)
        if acting is None or handed is None:
            return
        if by_hand is not None and by_hand == before and acting[0] is not None and path == watched.paths[-1]:
            self._judge_overwriting(watched, by_hand, state)
        emergency = attempt is not None and attempt.compromised
        if emergency:
            watched.owed.clear()
        else:
            replaced = [] if before is None else [(before.username, before.password)]
            leaked = [one[:2] for one in watched.compromised]  # a path that is left follows when the emergency is over
            for username, password in (*replaced, *_held_by_refusal(state)):
                if username is None or password is None or (username, password) in leaked:
                    continue
                if username != handed.username and self.accepts(watched, username, password):
                    until = handed.since + self._overlap(watched)
                    watched.owed[username] = OwedOverlap(username, password, until)
        for one in watched.documents.values():
            watched.owed.pop(one.username or "", None)
        new = path == watched.paths[-1] and (before is None or handed.attempt != before.attempt)
        if new and attempt is not None and attempt.purpose is Purpose.ROTATE and attempt.id == handed.attempt:
            self._count_rotation(watched, scheduled=attempt.requested_by == "schedule")

    def _judge_overwriting(self, watched: JudgedTarget, by_hand: HandedOut, state: TargetState) -> None:
        """What people wrote into the document stays there until somebody asks for a take-over."""
        attempt, published = state.attempt, state.published
        if attempt is None or attempt.take_over or published is None:
            return
        ours = [(one.username, one.password) for one in (published, attempt.staged)]
        if (by_hand.username, by_hand.password) not in ours:
            self._break("overwritten", watched.name, f"somebody's document, which hands out {by_hand.username}")

    def _overlap(self, watched: JudgedTarget) -> timedelta:
        """The shortest one that a process may have read in its configuration."""
        configured = (process.targets.get(name) for process in self.world.processes for name in watched.names)
        return min((target.policy.overlap for target in configured if target is not None), default=DAY)

    def _count_rotation(self, watched: JudgedTarget, *, scheduled: bool) -> None:
        now, last = self.world.clock.now(), watched.last_rotation
        watched.rotations += 1
        watched.last_rotation = now
        due = last is None or now - last >= watched.interval - ROUNDING
        if scheduled and due:
            return
        watched.allowance -= 1
        if watched.allowance < 0:
            after = "" if last is None else f", {now - last} after the last one"
            why = "scheduled" if scheduled else "asked for"
            self._break("rotations", watched.name, f"one more than was asked for or due ({why}{after})")

    def see_documents(self, watched: JudgedTarget) -> None:
        """Notes what the consumer documents hand out now."""
        watched.see(self.world.store.consumers, self.world.clock.now())

    # -- after each event

    def after_look(self, target: Target, look: Look | None) -> None:
        """Judges a target when a look, or a crash in one, is over."""
        watched = self.targets[target.name]
        if look is not None and (target.name == watched.name or not watched.look):
            watched.look = look  # of what is left under a former name, there may be another one
        if look is not None and not target.removed:
            self._break_all(watched, neglected_by_look(self.world, watched, look, self.state(watched)))
        self._break_all(watched, neglected_pauses(self.world, target, look))
        self.settle(watched, by_us=True)
        self._judge_evidence(watched)
        self._no_orphan(watched)
        self.raise_broken()

    def _judge_evidence(self, watched: JudgedTarget) -> None:
        """What is said to be refused, after a log-in with it at its account, is refused there."""
        state = self.state(watched)
        before, watched.ended = watched.ended, state.ended
        for one in shown_refused(before, state):
            username, password = one.credential.username, one.credential.password
            published = state.published is not None and state.published.password == password
            there = [home for home in self.world.accounts.values() if home.identity == one.credential.identity]
            if not published and any(home.accepts(username, password) for home in there):
                self._break("evidence", watched.name, f"{username} is said to be refused, and is accepted")

    def raise_broken(self) -> None:
        """Raises the first promise that was broken since."""
        if self.broken:
            raise self.broken[0]

    def settle(self, watched: JudgedTarget, *, by_us: bool) -> None:
        """Notes since when devices are refused, and whose doing that is."""
        now, state = self.world.clock.now(), self.state(watched)
        attempt = state.attempt
        if attempt is None or watched.open_attempt is None or watched.open_attempt[0] != attempt.id:
            watched.open_attempt = (attempt.id, now) if attempt is not None else None
        refused = [one for one in watched.in_use if not self.accepts(watched, one.username, one.password)]
        ended = (watched.retired or watched.given_up) and is_empty(state)
        restored, watched.restored = watched.restored, bool(refused) and ended
        if not refused or ended:  # what somebody restores then is his own
            watched.refused_since = None
            return
        self._break_all(watched, neglected_while_refused(self.world, watched, refused, state))
        if watched.refused_since is None:
            by_us = by_us and not restored and not self._could_not_be_known(watched, refused[0])
            watched.refused_since, watched.refused_by_us = now, by_us
            in_place = attempt is not None and attempt.strategy is Strategy.IN_PLACE
            # In place, one document follows the other, whichever path the process has read that published.
            in_place = in_place or (len(refused) < len(watched.in_use) and _is_in_place(self.world, watched))
            if by_us and not in_place and refused[0].username is not None and not self._ended_by_itself(watched):
                self._break("published", watched.name, f"{refused[0].username} is handed out and refused")

    def _could_not_be_known(self, watched: JudgedTarget, handed: HandedOut) -> bool:
        """True if people changed it at the provider after it was proved, or a registrar had not heard of it yet."""
        changed = watched.changed_by_people.get(handed.username or "")
        return changed is not None and self.world.clock.now() - changed < SETTLED

    def _ended_by_itself(self, watched: JudgedTarget) -> bool:
        """True if an end that was told in advance has come for what somebody's document hands out."""
        return any(identity in self.world.accounts[account].ends for account, identity in watched.keys)

    def _no_orphan(self, watched: JudgedTarget) -> None:
        if watched.lost_context:
            return
        stored_states = self.world.store.states
        former = [stored_states[name].state for name in watched.names[:-1] if name in stored_states]
        states = (self.state(watched), *former)  # under its new name it may have begun anew at another path
        for key in watched.keys:
            stored = self.world.accounts[key[0]].stored.get(key[1])
            known = key in watched.made_by_people or key in watched.forgotten
            if stored is None or known or names_credential(states, key, stored):
                continue
            standing = watched.is_standing(stored.username)
            if standing and (not stored.enabled or key[0] in self.world.given_up):
                continue  # nobody deletes one of a pair: its target may come back to the account
            self._break("orphan", watched.name, f"no document names {stored.username} at {key[0]}")

    def published_key(self, watched: JudgedTarget) -> KeyAtProvider | None:
        """Where what is handed out stands at a provider."""
        handed = watched.handed
        for account, identity in watched.keys:
            home = self.world.accounts[account]
            stored = home.stored.get(identity)
            if stored is not None and handed is not None and stored.username == home.folded(handed.username or ""):
                return account, identity
        return None

    def published_account(self, watched: JudgedTarget) -> str | None:
        """The account of what the state document says is published."""
        published = self.state(watched).published
        return published.account if published is not None else None

    def names(self, credential: Credential | None, key: KeyAtProvider) -> bool:
        """True if a document's credential is the one at the provider."""
        stored = self.world.accounts[key[0]].stored.get(key[1])
        return stored is not None and denotes(credential, key, stored)
