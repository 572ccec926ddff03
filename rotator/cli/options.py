"""Options and arguments that several commands share."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("/etc/rotator/config.yaml")


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
    typer.Argument(metavar="TARGET", help="Target names in the configuration.", show_default=False),
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
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason, for the audit.")]
