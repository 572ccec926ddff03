"""Rotation of SIP and API passwords: staged in Vault first, then applied, proved, published, and retired."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("rotator")
except PackageNotFoundError:  # a checkout that was not installed; `__main__` says what to do
    __version__ = ""
