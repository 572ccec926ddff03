"""Applications of the simulator that are made in little time: tests make thousands."""

from collections.abc import Callable

from werkzeug.routing import Rule


class MatchedRoute(Rule):
    """A route that is matched, and of which no URL is built.

    Compiling what builds URLs takes 7 of the 8.5 ms that making Vobiz's application takes, and Werkzeug has no way to
    leave it out. In a version of Werkzeug that has another name for it, this class only saves nothing.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _build_nothing


def _build_nothing(*_: object, **__: object) -> tuple[str, str]:
    raise NotImplementedError("no URL is built of a route")
