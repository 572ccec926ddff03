"""`rotator test-notification`: a message by each route, and what its service said."""

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from rotator.cli.choosing import check_names
from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Output
from rotator.cli.printing import cell, print_json, print_table, table
from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.daemon.notification_routes import senders
from rotator.observe.notices import Notification
from rotator.settings import load

_TEST = Notification("rotator: a test", "If you read this, this route works. Nothing needs attention.")


def send_tests(config: Path, routes: Sequence[str], output: Output) -> Exit:
    """Prints the result of each route and returns the exit code. Raises ConfigError, CommandError."""
    settings = load(config, os.environ)
    made = senders(settings, config, os.environ, SystemClock(Event()), SystemRandomness())
    if not made:
        raise CommandError("no route is configured: add one to notifications, see docs/operations.md", Exit.USAGE)
    check_names(routes, made, "route")
    problems = {name: made[name](_TEST) for name in routes or made}
    if output is Output.JSON:
        rows = [{"route": name, "taken": not problem, "problem": problem or None} for name, problem in problems.items()]
        print_json({"routes": rows})
    else:
        shown = table("Route", "Result")
        for name, problem in problems.items():
            shown.add_row(cell(name), cell(problem or "taken"))
        print_table(shown)
    return Exit.FAILED if any(problems.values()) else Exit.DONE
