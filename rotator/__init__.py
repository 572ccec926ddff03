"""Rotates SIP and API passwords: staged in Vault first, put into force, proved, published, retired by the ledger."""

from importlib.metadata import version

__version__ = version("rotator")
