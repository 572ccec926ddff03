"""The measurements of the demo, the verdict and the summary. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rotator.core.secret import Secret
from rotator.observe.redact import LONGEST_TEXT, Redactor
from rotator_simulator.devices.fleet import FleetReport

_OVERLAP = 1024  # characters by which the pieces of a long line overlap: more than any form of a secret has


@dataclass(frozen=True, slots=True)
class CredentialCheck:
    """The credentials at the providers, compared with the documents in Vault."""

    at_provider: int
    in_vault: int  # how many of them are in a document
    orphans: tuple[str, ...]  # usernames of the others
    targets: int
    unusable: tuple[str, ...]  # targets for which Vault has no credential that the provider accepts


@dataclass(frozen=True, slots=True)
class SecretSearch:
    """The result of a search for secrets."""

    secrets: int
    characters: int
    places: tuple[str, ...]
    leaks: tuple[str, ...]  # places where one was found


@dataclass(frozen=True, slots=True)
class ScenarioResults:
    """The results of the scenarios."""

    completed: tuple[str, ...]  # a sentence about each
    unfinished: tuple[str, ...]  # names
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that was measured."""

    seconds: float
    rotations: Mapping[str, int]  # by strategy
    undone: int
    retried: int  # steps that failed at first
    never_rotated: tuple[str, ...]  # targets
    overlapping: FleetReport  # devices that are promised an overlap
    others: FleetReport  # of `in-place` targets, of the emergency's target, and those that read Vault late
    patience: float  # seconds of refusal after which the others count as cut off
    credentials: CredentialCheck
    search: SecretSearch
    scenarios: ScenarioResults
    daemon_ended: bool  # before the demo stopped it


def search(texts: Mapping[str, str], secrets: list[Secret]) -> SecretSearch:
    """Searches every text for every secret, in all forms in which secrets are commonly written."""
    redactor = Redactor(capacity=len(secrets) + 1)
    redactor.add(*secrets)
    leaks = tuple(place for place, text in texts.items() if any(map(redactor.finds_in, _pieces(text))))
    return SecretSearch(len(secrets), sum(map(len, texts.values())), tuple(texts), leaks)


def _pieces(text: str) -> Iterator[str]:
    """Splits a text into pieces that the redactor searches whole."""
    for line in dict.fromkeys(text.splitlines()):
        for start in range(0, max(len(line), 1), LONGEST_TEXT - _OVERLAP):
            yield line[start : start + LONGEST_TEXT]


def failures(measured: Measurements) -> tuple[str, ...]:
    """Returns every broken promise, as a sentence; empty if all were kept."""
    both = (measured.overlapping, measured.others)
    problems = [f"a device was cut off: {what}" for fleet in both for what in fleet.cut_off]
    problems += [f"a device never logged in: {name}" for fleet in both for name in fleet.never_accepted]
    problems += [f"a credential at the provider is in no document: {name}" for name in measured.credentials.orphans]
    problems += [
        f"Vault has no credential that the provider accepts for {name}" for name in measured.credentials.unusable
    ]
    problems += [f"a secret was found in {place}" for place in measured.search.leaks]
    problems += [f"a target was never rotated: {name}" for name in measured.never_rotated]
    problems += measured.scenarios.problems
    if measured.daemon_ended:
        problems.append("the daemon ended by itself")
    return tuple(problems)


def summary(measured: Measurements) -> list[str]:
    """Returns the lines of the summary; the last one is the verdict."""
    wrong = failures(measured)
    rows = [
        ("rotations", _rotations(measured)),
        ("devices, overlap", _devices(measured.overlapping)),
        ("devices, others", f"{_devices(measured.others)} (refused for {measured.patience:g} s or longer)"),
        ("", "in-place, in an emergency, or without reading Vault in time: refused until they have read it"),
        ("credentials", _credentials(measured.credentials)),
        ("secrets", _secrets(measured.search)),
        ("", f"in {', '.join(measured.search.places)}"),
        *(("shown", what) for what in measured.scenarios.completed),
        *(("not shown", f"{name}: the time was too short") for name in measured.scenarios.unfinished),
        *(("WRONG", what) for what in wrong),
    ]
    verdict = "no device was cut off, no credential was left over, no secret was found"
    if wrong:
        verdict = f"FAILED, {len(wrong)} {'thing is' if len(wrong) == 1 else 'things are'} wrong (see above)"
    return [
        f"Measured in {measured.seconds:.0f} seconds:",
        *(f"  {name:<19} {what}" for name, what in rows),
        f"RESULT: {verdict}",
    ]


def _rotations(measured: Measurements) -> str:
    each = ", ".join(f"{strategy} {number}" for strategy, number in measured.rotations.items())
    return f"{each}; undone {measured.undone}; steps that failed and were retried {measured.retried}"


def _devices(fleet: FleetReport) -> str:
    return (
        f"{fleet.devices} devices: log-ins tried {fleet.tried}, accepted {fleet.accepted}, refused "
        f"{fleet.refused}, unanswered {fleet.unanswered}; longest gap {fleet.longest_gap:.2f} s; "
        f"cut off {len(fleet.cut_off)}"
    )


def _credentials(check: CredentialCheck) -> str:
    return (
        f"at the provider {check.at_provider}, named in Vault {check.in_vault}, orphans {len(check.orphans)}; "
        f"targets with a working password {check.targets - len(check.unusable)} of {check.targets}"
    )


def _secrets(result: SecretSearch) -> str:
    return (
        f"searched for {result.secrets} passwords, keys and tokens in {result.characters} characters: "
        f"leaks found {len(result.leaks)}"
    )
