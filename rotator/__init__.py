"""Rotation of SIP and API passwords: staged in Vault first, put into force, proved, published, and then retired."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("rotator")
except PackageNotFoundError:  # a checkout that was not installed; `__main__` says what to do
    __version__ = ""
