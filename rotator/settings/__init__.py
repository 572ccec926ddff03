"""The configuration: read with `load`, wrong with `ConfigError`, right as `Settings`."""

from rotator.settings.load import load
from rotator.settings.problems import ConfigError, Problem
from rotator.settings.settings import Settings

__all__ = ["ConfigError", "Problem", "Settings", "load"]
