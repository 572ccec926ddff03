"""Selections over an account: every credential whose username matches becomes a target.

What a selection has found is remembered by the state documents: the name of a target contains the username, so the
names of the documents say which usernames were selected, even while the provider is down. Nothing is ever ended because
a listing does not show it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from rotator.core.model import Policy, Strategy, Target, TargetState
from rotator.core.naming import is_scratch, made_from, username_stem
from rotator.core.secret import Secret

USERNAME, NAME = "{username}", "{name}"


@dataclass(frozen=True, slots=True)
class ListedCredential:
    """A credential as an account's listing shows it."""

    id: str
    username: str
    enabled: bool = True
    description: str = ""
    attempt: str | None = None  # the attempt that created it, if the provider lists that
    password: Secret | None = None  # where the listing shows it


@dataclass(frozen=True, slots=True)
class Selection:
    """Which credentials of an account are targets, and what targets they are."""

    account: str
    username: str  # a pattern with `*` and `?`, without regard to case
    description: str  # likewise; empty: whatever it is
    name: str  # of each target: text with `{username}` in it
    path: str  # with `{name}` or `{username}` in it
    strategy: Strategy
    policy: Policy
    labels: tuple[tuple[str, str], ...] = ()

    def target(self, username: str) -> Target:
        """Returns the target for a username."""
        name = self.name.replace(USERNAME, username)
        path = self.path.replace(NAME, name).replace(USERNAME, username)
        return Target(name, self.account, self.strategy, (username,), path, self.policy, labels=self.labels)

    def username_of(self, name: str) -> str | None:
        """Returns the username in the name of a target of this selection; None if the name does not fit."""
        before, _, after = self.name.partition(USERNAME)
        if len(name) <= len(before) + len(after) or not (name.startswith(before) and name.endswith(after)):
            return None
        username = name[len(before) : len(name) - len(after)]
        return username if self.matches(username) else None

    def matches(self, username: str) -> bool:
        """True if the username is one that is selected."""
        return fnmatchcase(username.casefold(), self.username.casefold())

    def selects(self, listed: ListedCredential) -> bool:
        """True if the credential is one that is selected."""
        described = not self.description or fnmatchcase(listed.description.casefold(), self.description.casefold())
        rotators_own = listed.attempt is not None or is_scratch(listed.username)
        return listed.enabled and not rotators_own and described and self.matches(listed.username)


def remembered(selections: Iterable[Selection], documents: Iterable[str], configured: Collection[str]) -> list[Target]:
    """Returns the targets of selections that have a state document.

    Args:
        selections: in the order of the configuration: the first that fits has the target.
        documents: the names of all state documents.
        configured: the names of targets that are configured one by one.
    """
    ordered = tuple(selections)
    found = []
    for name in documents:
        if name in configured:
            continue
        fitting = ((each, each.username_of(name)) for each in ordered)
        target = next((each.target(username) for each, username in fitting if username is not None), None)
        if target is not None:
            found.append(target)
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """What an account's listing adds to what is remembered."""

    new: tuple[Target, ...] = ()
    gone: tuple[str, ...] = ()  # names of targets whose credential in use the listing does not show
    unnamable: tuple[str, ...] = ()  # usernames that cannot be part of a target's name
    ours: tuple[str, ...] = ()  # usernames that rotations made
    undecided: tuple[str, ...] = ()  # usernames that may be of rotator's making, although no state document says so


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the targets of an account when its listing is judged."""

    targets: Sequence[Target]  # all that are at work there: selected ones and those that are configured one by one
    state: Callable[[str], TargetState | None]  # by the target's name; None: this process has not seen it
    read: Callable[[str], TargetState | None]  # likewise, from Vault if need be; None: Vault does not tell
    may_be_named: Callable[[str], bool]  # the text can be the name of a target
    taken: frozenset[str] = frozenset()  # usernames in the state documents of targets that are not configured
    undecided: frozenset[str] = frozenset()  # usernames that the listing before left undecided
    by_username: Mapping[str, Target] = field(init=False)
    by_stem: Mapping[str, list[Target]] = field(init=False)

    def __post_init__(self) -> None:
        by_username: dict[str, Target] = {}
        by_stem: dict[str, list[Target]] = {}
        for target in self.targets:
            by_username |= {username.casefold(): target for username in target.usernames}
            if target.strategy is Strategy.REPLACE:
                by_stem.setdefault(username_stem(target.usernames, target.name), []).append(target)
        object.__setattr__(self, "by_username", by_username)
        object.__setattr__(self, "by_stem", by_stem)


def judge(selections: Iterable[Selection], listed: Iterable[ListedCredential], known: Known) -> Found:
    """Returns what a whole listing of one account adds to what is known.

    A credential that a rotation created is not a target of its own, although its username may match: its name has the
    form of those that are made for another target, and that target's state document names it. If it does not, somebody
    else may have chosen such a name, or rotator has deleted the credential since it was listed: the next listing
    decides.
    """
    ordered, entries = tuple(selections), tuple(listed)
    new: dict[str, Target] = {}
    unnamable, made, undecided = [], [], []
    for entry in entries:
        selection = next((each for each in ordered if each.selects(entry)), None)
        folded = entry.username.casefold()
        if selection is None or folded in known.by_username or folded in known.taken:
            continue
        target = selection.target(entry.username)
        if not known.may_be_named(target.name):
            unnamable.append(entry.username)
            continue
        ours = _is_ours(entry.username, known)
        if ours:
            made.append(entry.username)
        elif ours is None:
            undecided.append(folded)
        else:
            new.setdefault(target.name, target)
    names = {entry.username.casefold() for entry in entries}
    gone = tuple(target.name for target in known.targets if _is_gone(target, ordered, names, known))
    return Found(tuple(new.values()), gone, tuple(unnamable), tuple(made), tuple(undecided))


def _is_ours(username: str, known: Known) -> bool | None:
    """Returns whether a rotation made the credential with this username; None: nobody knows yet."""
    stem = made_from(username)
    states = [known.read(target.name) for target in known.by_stem.get(stem, ())] if stem is not None else []
    if any(state is not None and username.casefold() in set(usernames_of(state)) for state in states):
        return True
    return None if None in states or (states and username.casefold() not in known.undecided) else False


def _is_gone(target: Target, selections: Sequence[Selection], listed: Collection[str], known: Known) -> bool:
    """True if a selected target's credential in use is not listed. Without a state nothing can be said."""
    if not any(each.account == target.account and each.username_of(target.name) for each in selections):
        return False
    state = known.state(target.name)
    if state is None:
        return False
    used = state.published.username if state.published is not None else target.usernames[0]
    return used.casefold() not in listed


def usernames_of(state: TargetState) -> Iterator[str]:
    """Yields every username that a state document names, without regard to case."""
    attempt = state.attempt
    named = [state.published, state.standby, *(entry.credential for entry in state.ledger)]
    named += [attempt.staged, attempt.predecessor] if attempt is not None else []
    yield from (credential.username.casefold() for credential in named if credential is not None)
