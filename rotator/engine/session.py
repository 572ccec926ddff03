"""One look at one target: what was read, what was written, and how long the claim still protects an effect."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.facts import Facts, key
from rotator.core.model import Capabilities, Claim, ConsumerDocument, Credential, Target, TargetState
from rotator.engine.gates import Gates
from rotator.ports import Clock, Store

Seen = Callable[[Target, TargetState], None]


class Session:
    """Reads both documents once, then knows them by what it wrote itself; a conflict makes it read again."""

    def __init__(self, target: Target, store: Store, clock: Clock, holder: str, claim: timedelta, seen: Seen) -> None:
        self.target = target
        self._store, self._clock, self._holder, self._claim_length, self._seen = store, clock, holder, claim, seen
        self._claim_ends = 0.0  # monotonic: a clock jump must not stretch a claim
        self.version = 0
        self._found: dict[str, tuple[Credential, ...]] = {}
        self.read()

    def read(self) -> None:
        """Reads both documents; what was known before is forgotten, the claim included."""
        versioned = self._store.read_state(self.target.name)
        self.state, self.version = versioned.state, versioned.version
        self._claim_ends = 0.0
        self._found = {}
        self.read_consumer()
        self._seen(self.target, self.state)

    def read_consumer(self) -> None:
        """Reads what devices are handed out."""
        self.consumer: ConsumerDocument = self._store.read_consumer(self.target.path)

    def write(self, state: TargetState) -> None:
        """Writes the state document over the version that was read. Our claim, where it is kept, is renewed by that.

        A claim that is not ours, be it left behind, stays as it is: only `take` replaces it, which notes that the
        outcome of its holder's last call is unknown.

        Raises:
            Conflict: somebody else wrote first; nothing is changed here.
            StoreError: it may or may not have been written.
        """
        if self.holds_claim:
            self.take(state)
        else:
            self._write(replace(state, claim=self.state.claim), claim_ends=0.0)

    def take(self, state: TargetState) -> None:
        """Writes the state document with our claim, or with none where `state` has none. Raises like `write`."""
        if state.claim is None:
            self._write(state, claim_ends=0.0)
        else:
            ends = self._clock.monotonic() + self._claim_length.total_seconds()
            self._write(replace(state, claim=self.new_claim()), claim_ends=ends)

    def _write(self, state: TargetState, claim_ends: float) -> None:
        self.version = self._store.write_state(state, self.version)
        self.state, self._claim_ends = state, claim_ends
        self._seen(self.target, state)

    def check_publishable(self) -> None:
        """Raises StoreDenied if the token may not write the consumer document."""
        self._store.check_publishable(self.target.path)

    def publish(self, credential: Credential) -> None:
        """Writes the consumer document over what was read. Raises like `write`."""
        now = self._clock.now()
        version = self._store.write_consumer(self.target.path, credential, now, self.consumer)
        self.consumer = ConsumerDocument(
            version=version,
            exists=True,
            username=credential.username,
            password=credential.password,
            credential_id=credential.id,
            attempt=credential.attempt,
        )

    def found(self, wanted: Credential, matches: tuple[Credential, ...]) -> None:
        """Remembers a look-up for the rest of this look."""
        self._found[key(wanted)] = matches

    def forget_found(self) -> None:
        """What was looked up is no longer so."""
        self._found = {}

    def new_claim(self) -> Claim:
        """A claim of this process, from now on."""
        return Claim(self._holder, self._clock.now() + self._claim_length)

    @property
    def holds_claim(self) -> bool:
        """True where the last thing this look wrote holds the claim."""
        return self._claim_ends > 0.0

    def _claim_left(self, now: datetime) -> timedelta:
        """How long our claim lasts by both clocks: a machine that was suspended may have stopped the monotonic one."""
        if not self.holds_claim or self.state.claim is None:
            return timedelta()
        return min(timedelta(seconds=self._claim_ends - self._clock.monotonic()), self.state.claim.until - now)

    def facts(
        self, capabilities: Mapping[str, Capabilities], gates: Gates, longest_effect: timedelta, taken: timedelta
    ) -> Facts:
        """All that the next decision rests on. `taken`: for how much longer another process's claim is respected."""
        now: datetime = self._clock.now()
        gates.noticed(self.target.name, self.state.attempt)
        return Facts(
            target=self.target,
            capabilities=capabilities,
            state=self.state,
            consumer=self.consumer,
            claimed=self._claim_left(now) >= longest_effect,
            taken=taken,
            now=now,
            found=dict(self._found),
            closed=gates.closed(capabilities, now),
            retirements_left=gates.retirements_left(),
            doubted=gates.doubted(),
        )
