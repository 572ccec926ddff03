"""Vobiz: trunk credentials and Endpoint users."""

from rotator.providers.vobiz.credentials import VobizCredentials
from rotator.providers.vobiz.endpoints import VobizEndpoints

KINDS = (VobizCredentials, VobizEndpoints)
"""The kinds of credential, in the order of the documentation."""
