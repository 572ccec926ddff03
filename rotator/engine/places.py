"""The passwords that are set in place and not proved yet: how many there may be at each account, and who waits."""

from collections.abc import Callable, Collection
from threading import Condition

from rotator.core.attempts import is_spare, may_cut_off
from rotator.core.model import Phase, TargetState
from rotator.core.proving_window import ProvingWindow
from rotator.ports import Clock

Wake = Callable[[Collection[str]], None]
_PATIENCE = 60.0  # seconds; whoever waits longer comes back
_LOOKS_AGAIN = 0.5  # seconds: a stop, or a look that ended without a word


class Places:
    """The places in the windows of all in-place accounts. Shared by all looks of one process; thread-safe.

    An account is named by its key, which all configuration entries of one account share.
    """

    def __init__(self, clock: Clock, beginning: int) -> None:
        """`beginning`: how many passwords may be unproved at an account before the first proof."""
        self._clock, self._beginning = clock, beginning
        self._condition = Condition()  # guards what follows
        self._windows: dict[str, ProvingWindow] = {}
        self._taken: dict[str, str] = {}  # by target, the account: a look is about to set a password
        self._in_flight: dict[str, str] = {}  # likewise: set, and not proved yet
        self._in_doubt: dict[str, str] = {}  # likewise: tried in vain, within the propagation time
        self._unaccepted: dict[str, str] = {}  # likewise: its propagation time is over
        self._refused: dict[str, str] = {}  # likewise: and it was refused after that, or the old one was put back
        self._looking: set[str] = set()  # the targets that a thread of this process looks at
        self._waiting: dict[str, dict[str, None]] = {}  # by account, the targets whose looks ended without a place
        self._wake: Wake | None = None

    def follow(self, wake: Wake) -> None:
        """Calls `wake` with the targets that may find room now."""
        self._wake = wake

    def begin_look(self, target: str) -> None:
        """Notes that a thread looks at a target: what it has set is proved soon."""
        with self._condition:
            self._looking.add(target)

    def end_look(self, target: str, waits_at: str | None = None) -> None:
        """Notes the end of a look, and the account where it waits for a place."""
        with self._condition:
            self._looking.discard(target)
            self._taken.pop(target, None)
            if waits_at is not None:
                self._waiting.setdefault(waits_at, {})[target] = None
        self._tell()

    def note(self, target: str, state: TargetState, account: str, *, propagating: bool) -> None:
        """Notes the open attempt of a target at an account, if there is one.

        `propagating`: the provider may still answer from the state before.
        """
        attempt = state.attempt
        if state.retired_at is not None:
            with self._condition:
                self._refused.pop(target, None)  # it never sets a password again that could be proved
        known = (self._in_doubt, self._in_flight, self._unaccepted)
        if attempt is None and not any(target in places for places in known):
            return  # as nearly always
        with self._condition:
            was_in_doubt = self._in_doubt.pop(target, None) is not None
            was_in_flight = self._in_flight.pop(target, None) is not None
            was_unaccepted = self._unaccepted.pop(target, None) is not None
            if attempt is not None and (attempt.detaches or not is_spare(attempt)):
                if attempt.phase is Phase.PROVED:
                    self._taken.pop(target, None)
                    self._refused.pop(target, None)
                    if was_in_flight or was_in_doubt or was_unaccepted:
                        self._windows[account] = self._window(account).after_proof(self._now(), late=not was_in_flight)
                elif not may_cut_off(attempt):
                    pass
                elif not propagating:
                    self._unaccepted[target] = account
                else:
                    tried = state.not_before is not None
                    (self._in_doubt if tried else self._in_flight)[target] = account
        self._tell()

    def note_unaccepted(self, target: str, account: str) -> None:
        """Remembers a password that was not accepted in time, until the same target has one that is proved."""
        with self._condition:
            self._refused[target] = account
            self._windows[account] = self._window(account).after_refusal(self._now())

    def has_room(self, target: str, account: str) -> bool:
        """True if a target may have its password set: it has a place, or there is one."""
        if not (self._taken or self._in_flight or self._in_doubt):  # as nearly always
            return True
        with self._condition:
            return self._has_room(target, account)

    def take(self, target: str, account: str) -> bool:
        """Takes a place until the password is proved or the look ends; False if there is none."""
        with self._condition:
            if not self._has_room(target, account):
                return False
            self._taken[target] = account
            return True

    def wait(self, target: str, account: str, stopping: Callable[[], bool]) -> bool:
        """Takes a place; waits for one as long as other looks of this process are about to leave theirs.

        Returns False if there is none and waiting here does not help, or the process stops.
        """
        end = self._now() + _PATIENCE
        with self._condition:
            while not stopping() and self._now() < end:
                if self._has_room(target, account):
                    self._taken[target] = account
                    return True
                others = {name for name in self._unproved_at(account) if name != target}
                if self._in_doubt_at(account) >= self._window(account).in_doubt or not others & self._looking:
                    return False
                self._condition.wait(_LOOKS_AGAIN)
        return False

    def is_refused(self, target: str, account: str) -> bool:
        """True if an account did not accept as many passwords as a window begins with.

        A target whose own password was not accepted may try again: somebody has to be the first.
        """
        if not self._refused and not self._unaccepted:  # as nearly always
            return False
        with self._condition:
            return self._is_refused(target, account)

    def waiting_at(self, account: str) -> int:
        """Returns how many targets wait for a place at an account."""
        with self._condition:
            return len(self._waiting.get(account, ()))

    def _tell(self) -> None:
        """Lets those who wait look again, if there is room."""
        woken: list[str] = []
        with self._condition:
            self._condition.notify_all()
            for account, targets in self._waiting.items():
                ahead = 0
                while targets and self._may_set(next(iter(targets)), account, ahead):
                    woken.append(next(iter(targets)))
                    del targets[woken[-1]]
                    ahead += 1
        if woken and self._wake is not None:
            self._wake(woken)

    def _may_set(self, target: str, account: str, ahead: int) -> bool:
        return self._has_room(target, account, ahead) and not self._is_refused(target, account)

    def _is_refused(self, target: str, account: str) -> bool:
        refused = self._refused | self._unaccepted
        own = refused.get(target) == account
        return not own and sum(other == account for other in refused.values()) >= self._beginning

    def _has_room(self, target: str, account: str, ahead: int = 0) -> bool:
        unproved = self._unproved_at(account)
        if target in unproved or not (unproved or ahead):  # every window has room for one
            return True
        return self._window(account).has_room(len(unproved) + ahead, self._in_doubt_at(account), self._now())

    def _unproved_at(self, account: str) -> set[str]:
        known = (self._taken, self._in_flight, self._in_doubt)
        return {target for places in known for target, other in places.items() if other == account}

    def _in_doubt_at(self, account: str) -> int:
        return sum(other == account for other in self._in_doubt.values())

    def _window(self, account: str) -> ProvingWindow:
        return self._windows.get(account) or ProvingWindow.begun(self._beginning, self._now())

    def _now(self) -> float:
        return self._clock.monotonic()
