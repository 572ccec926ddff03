"""The configuration file: `load` returns `Settings` or raises `ConfigError`."""

from rotator.settings.files import ON_DISK, Draft
from rotator.settings.load import check, load
from rotator.settings.models import Settings
from rotator.settings.problems import ConfigError, ConfigProblem

__all__ = ["ON_DISK", "ConfigError", "ConfigProblem", "Draft", "Settings", "check", "load"]
