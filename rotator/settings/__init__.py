"""The configuration file: `load` returns `Settings` or raises `ConfigError`."""

from rotator.settings.files import Draft
from rotator.settings.load import check, load
from rotator.settings.models import Settings
from rotator.settings.problems import ConfigError, ConfigProblem

__all__ = ["ConfigError", "ConfigProblem", "Draft", "Settings", "check", "load"]
