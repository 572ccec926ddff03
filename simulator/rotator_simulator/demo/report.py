"""What the demo measured, what is wrong with it, and how it is told. Judging is pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from rotator.core.secret import Secret
from rotator.observe.redact import LONGEST_TEXT, Redactor
from rotator_simulator.clients.sip_device import FleetReport

_OVERLAP = 1024  # characters by which the pieces of a long line overlap: more than any form of a secret is long


@dataclass(frozen=True, slots=True)
class Rotations:
    """The counts of all state documents of one strategy."""

    succeeded: int = 0
    undone: int = 0
    setbacks: int = 0  # steps that failed and were done again later

    def __add__(self, other: "Rotations") -> "Rotations":
        return Rotations(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Left:
    """The credentials at the end."""

    at_provider: int
    named: int  # of them, in a document in Vault
    orphans: tuple[str, ...]  # usernames of the others
    targets: int
    unusable: tuple[str, ...]  # targets for which Vault holds no credential that the provider accepts


@dataclass(frozen=True, slots=True)
class Search:
    """The search for secrets."""

    secrets: int
    characters: int
    places: tuple[str, ...]
    leaks: tuple[str, ...]  # where one was found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the scenes."""

    shown: tuple[str, ...]  # what came of each one that reached its end, in words
    missing: tuple[str, ...]  # the scenes that did not
    problems: tuple[str, ...]  # what went wrong in them


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was measured."""

    seconds: float
    rotations: Mapping[str, Rotations]  # by strategy
    never_rotated: tuple[str, ...]  # targets
    overlapping: FleetReport  # devices that are promised an overlap
    others: FleetReport  # `in-place`, and the target of the emergency
    patience: float  # seconds of refusal after which those count as cut off
    left: Left
    search: Search
    scenes: Outcome
    daemon_ended: bool  # before it was asked to


def search(texts: Mapping[str, str], secrets: list[Secret]) -> Search:
    """Looks for every secret, in all forms in which one is commonly written, in every text."""
    redactor = Redactor(capacity=len(secrets) + 1)
    redactor.add(*secrets)
    leaks = tuple(place for place, text in texts.items() if any(redactor.clean(p) != p for p in _pieces(text)))
    return Search(len(secrets), sum(map(len, texts.values())), tuple(texts), leaks)


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces that are searched whole."""
    for line in dict.fromkeys(text.splitlines()):
        for start in range(0, max(len(line), 1), LONGEST_TEXT - _OVERLAP):
            yield line[start : start + LONGEST_TEXT]


def verdict(figures: Figures) -> tuple[str, ...]:
    """What is wrong, in words; empty where every promise was kept."""
    wrong = [f"cut off: {what}" for what in (*figures.overlapping.cut_off, *figures.others.cut_off)]
    wrong += [f"never registered: {name}" for name in (*figures.overlapping.silent, *figures.others.silent)]
    wrong += [f"left over at the provider, and named nowhere: {name}" for name in figures.left.orphans]
    wrong += [f"Vault holds nothing that the provider accepts: {name}" for name in figures.left.unusable]
    wrong += [f"a secret was found in {place}" for place in figures.search.leaks]
    wrong += [f"never rotated: {name}" for name in figures.never_rotated]
    wrong += figures.scenes.problems
    if figures.daemon_ended:
        wrong.append("the daemon ended by itself")
    return tuple(wrong)


def summary(figures: Figures) -> list[str]:
    """The figures as lines; the last one is the result."""
    rows = [
        ("rotations", _rotations(figures.rotations)),
        ("devices, overlap", _devices(figures.overlapping)),
        ("devices, no overlap", f"{_devices(figures.others)} ({figures.patience:g} s and more)"),
        ("", "in-place and an emergency have no overlap: a device is refused until it has read Vault again"),
        ("credentials", _credentials(figures.left)),
        ("secrets", _secrets(figures.search)),
        ("", f"in {', '.join(figures.search.places)}"),
        *(("shown", what) for what in figures.scenes.shown),
        *(("not shown", f"{what}: the time was too short") for what in figures.scenes.missing),
    ]
    wrong = verdict(figures)
    return [
        f"Measured in {figures.seconds:.0f} seconds:",
        *(f"  {name:<19} {what}" for name, what in rows),
        *(f"  {'WRONG':<19} {what}" for what in wrong),
        _result(wrong),
    ]


def _result(wrong: tuple[str, ...]) -> str:
    if wrong:
        return f"RESULT: FAILED, {len(wrong)} {'thing is' if len(wrong) == 1 else 'things are'} wrong (see above)"
    return "RESULT: no device was cut off, no credential was left over, no secret was found"


def _rotations(by_strategy: Mapping[str, Rotations]) -> str:
    total = sum(by_strategy.values(), Rotations())
    each = ", ".join(f"{name} {counts.succeeded}" for name, counts in by_strategy.items())
    return f"{each}; undone {total.undone}; steps that failed and were done again {total.setbacks}"


def _devices(fleet: FleetReport) -> str:
    return (
        f"{fleet.devices} devices: log-ins tried {fleet.tried}, accepted {fleet.accepted}, refused "
        f"{fleet.refused}, unanswered {fleet.unanswered}; longest gap {fleet.longest_gap:.2f} s; "
        f"cut off {len(fleet.cut_off)}"
    )


def _credentials(left: Left) -> str:
    return (
        f"at the provider {left.at_provider}, named in Vault {left.named}, orphans {len(left.orphans)}; "
        f"targets with a working password {left.targets - len(left.unusable)} of {left.targets}"
    )


def _secrets(found: Search) -> str:
    return (
        f"{found.secrets} passwords, keys and tokens searched for in {found.characters} characters: "
        f"leaks found {len(found.leaks)}"
    )
