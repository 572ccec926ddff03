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
        self._version = 0
        self._found: dict[str, tuple[Credential, ...]] = {}
        self.read()

    def read(self) -> None:
        """Reads both documents; what was known before is forgotten, the claim included."""
        versioned = self._store.read_state(self.target.name)
        self.state, self._version = versioned.state, versioned.version
        self._claim_ends = 0.0
        self._found = {}
        self.read_consumer()
        self._seen(self.target, self.state)

    def read_consumer(self) -> None:
        """Reads what devices are handed out."""
        self.consumer: ConsumerDocument = self._store.read_consumer(self.target.path)

    def write(self, state: TargetState) -> None:
        """Writes the state document over the version that was read. A claim that is kept is renewed by that.

        Raises:
            Conflict: somebody else wrote first; nothing is changed here.
            StoreError: it may or may not have been written.
        """
        before = self._clock.monotonic()
        if state.claim is not None:
            state = replace(state, claim=self.new_claim())
        self._version = self._store.write_state(state, self._version)
        self.state = state
        self._claim_ends = before + self._claim_length.total_seconds() if state.claim is not None else 0.0
        self._seen(self.target, state)

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

    def new_claim(self) -> Claim:
        """A claim of this process, from now on."""
        return Claim(self._holder, self._clock.now() + self._claim_length)

    @property
    def holds_claim(self) -> bool:
        """True where the last thing this look wrote holds the claim."""
        return self._claim_ends > 0.0

    def facts(self, capabilities: Mapping[str, Capabilities], gates: Gates, longest_effect: timedelta) -> Facts:
        """All that the next decision rests on."""
        now: datetime = self._clock.now()
        left = self._claim_ends - self._clock.monotonic()
        return Facts(
            target=self.target,
            capabilities=capabilities,
            state=self.state,
            consumer=self.consumer,
            holder=self._holder,
            claimed=left >= longest_effect.total_seconds(),
            now=now,
            found=dict(self._found),
            closed=gates.closed(capabilities, now),
            retirements_left=gates.retirements_left(),
        )
