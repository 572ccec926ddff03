"""Options and arguments that several commands share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from rotator.cli.completion import account_names, target_names

DEFAULT_CONFIG = Path("/etc/rotator/config.yaml")

READABLE_FILES: Mapping[str, Any] = MappingProxyType(
    {"exists": True, "dir_okay": False, "readable": True, "show_default": False}
)
"""Of an argument or option: files that can be read."""


class Output(Enum):
    """The format of a printed result."""

    TABLE = "table"
    JSON = "json"


Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="ROTATOR_CONFIG", metavar="PATH", help="The configuration file."),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="A table for people, or JSON with stable keys.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        help="Names of targets, or patterns such as 'lobby-*'.",
        show_default=False,
        autocompletion=target_names,
    ),
]
TargetName = Annotated[
    str,
    typer.Argument(metavar="TARGET", help="The target's name.", show_default=False, autocompletion=target_names),
]
AccountName = Annotated[
    str,
    typer.Argument(
        metavar="ACCOUNT",
        help="The provider account's name in the configuration.",
        show_default=False,
        autocompletion=account_names,
    ),
]
ChosenLabels = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", metavar="KEY=VALUE", help="Only targets with this label. With several: with all."),
]
NoWaitOption = Annotated[
    bool,
    typer.Option(
        "--no-wait",
        help="Only write the request. The daemon sees it within seconds, and carries it out.",
    ),
]
HereOption = Annotated[
    bool, typer.Option("--here", help="Carry it out in this process, even if a daemon lives.", show_default=False)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed without a terminal.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason, for the audit.")]
ByOption = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="NAME",
        help="Who you are, for the audit, which has whom Vault knows you as beside it. Nobody checks it.",
        show_default=False,
    ),
]
TicketOption = Annotated[
    str,
    typer.Option(
        "--ticket", metavar="ID", help="The ticket or change, for the audit. Nobody checks it.", show_default=False
    ),
]


@dataclass(frozen=True, slots=True)
class Why:
    """What the caller of a command says about itself and its reason."""

    reason: str
    by: str = ""
    ticket: str = ""

    @property
    def stated(self) -> str:
        """What nobody has checked, in words."""
        parts = (("by", self.by), ("ticket", self.ticket))
        return ", ".join(f"{name} {value}" for name, value in parts if value)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which targets a command is about: those that have one of the names and all of the labels."""

    names: tuple[str, ...] = ()  # names, or patterns with `*` and `?`; none: whatever the name is
    labels: tuple[str, ...] = ()  # such as `site=berlin`

    def __bool__(self) -> bool:
        """False if every target is meant."""
        return bool(self.names or self.labels)


def chosen(names: Iterable[str] | None, labels: Iterable[str] | None) -> Choice:
    """Returns the choice that the arguments of a command stand for."""
    return Choice(tuple(names or ()), tuple(labels or ()))
