"""Chooses targets by name, by pattern and by label, and accounts and routes by name."""

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Choice
from rotator.core.model import Target
from rotator.fields.labels import label
from rotator.fields.suggestions import suggest

T = TypeVar("T")
_MOST_SUGGESTED = 5


def select_targets(targets: Iterable[Target], choice: Choice) -> tuple[Target, ...]:
    """Returns the targets that are meant, each once.

    Raises:
        CommandError: a name is unknown, a pattern matches no name, or no target has the labels.
    """
    known = {target.name: target for target in targets}
    named = _named(known, choice.names, "target") if choice.names else list(known.values())
    wanted = {_pair(text) for text in choice.labels}
    having = [target for target in named if wanted <= set(target.labels)]
    if wanted and not having:
        raise CommandError(f"no target has {' and '.join(choice.labels)}; {_labels_there(named)}", Exit.USAGE)
    return tuple(having)


def select_target(targets: Iterable[Target], name: str) -> Target:
    """Returns the target with exactly that name. Raises CommandError: there is none."""
    known = {target.name: target for target in targets}
    check_names([name], known, "target")
    return known[name]


def select_accounts(accounts: Iterable[str], names: Collection[str]) -> tuple[str, ...]:
    """Returns the accounts that are meant, each once; no name or pattern: all.

    Raises:
        CommandError: a name is unknown, or a pattern matches no name.
    """
    known = {account: account for account in accounts}
    return tuple(_named(known, names, "account") if names else known)


def check_names(names: Iterable[str], known: Collection[str], what: str) -> None:
    """Checks that each name is known. Raises CommandError: some are not; all of those are named.

    Args:
        what: they are names of, such as `account`.
    """
    unknown = [_unknown(name, known, what) for name in dict.fromkeys(names) if name not in known]
    if unknown:
        raise CommandError("\n".join(unknown), Exit.USAGE)


def _named(known: Mapping[str, T], names: Collection[str], what: str) -> list[T]:
    named: dict[str, T] = {}
    wrong = []
    for name in names:
        if "*" in name or "?" in name:
            matches = {each: target for each, target in known.items() if fnmatchcase(each, name)}
        else:
            matches = {name: known[name]} if name in known else {}
        named.update(matches)
        if not matches:
            wrong.append(_unknown(name, known, what))
    if wrong:
        raise CommandError("\n".join(wrong), Exit.USAGE)
    return list(named.values())


def _unknown(name: str, known: Collection[str], what: str) -> str:
    return f"there is no {what} {name!r}: {suggest(name, known, f'{what}s', _MOST_SUGGESTED)}"


def _pair(text: str) -> tuple[str, str]:
    try:
        return label(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a label: {error}", Exit.USAGE) from None


def _labels_there(targets: Iterable[Target]) -> str:
    there = {f"{key}={value}" for target in targets for key, value in target.labels}
    return suggest("", there, "labels")
