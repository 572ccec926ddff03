"""What several commands take."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("/etc/rotator/config.yaml")


class Output(Enum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="ROTATOR_CONFIG", metavar="PATH", help="The configuration file."),
]
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="A table for people, or JSON whose keys are stable.")
]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="TARGET", help="Names of targets in the configuration.", show_default=False),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit.")]
