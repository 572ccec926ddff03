"""Makes what can be asked whether devices still use a replaced credential."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from rotator.ports import Clock, Meter, Store, UsageSource
from rotator.providers.http.client import Http, HttpOptions
from rotator.settings import ConfigError, ConfigProblem, Settings


def usage_sources(
    settings: Settings, config: Path, store: Store, clock: Clock, meter: Meter, undo: ExitStack
) -> Mapping[str, UsageSource]:
    """Returns the sources by their names in the configuration, and closes them with `undo`.

    Raises ConfigError: a source's file or URL is unusable.
    """

    def make(options: HttpOptions) -> Http:
        http = Http(options, clock, meter)
        undo.callback(http.close)
        return http

    sources: dict[str, UsageSource] = {}
    for name, section in settings.usage_sources.items():
        try:
            sources[name] = section.source(name, make, store)
        except ValueError as error:  # its text contains no value
            problem = ConfigProblem(str(config), None, None, f"usage_sources.{name}", str(error), "")
            raise ConfigError([problem]) from None
    return sources
