"""Apinizer: the credentials of a project."""

from rotator.providers.apinizer.credentials import ApinizerCredentials

KINDS = (ApinizerCredentials,)
"""The kinds of credential, in the order of the documentation."""
