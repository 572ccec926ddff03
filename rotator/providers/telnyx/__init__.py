"""Telnyx: telephony credentials and credential connections."""

from rotator.providers.telnyx.connections import TelnyxConnections
from rotator.providers.telnyx.telephony import TelnyxTelephony

KINDS = (TelnyxTelephony, TelnyxConnections)
"""The kinds of credential, in the order of the documentation."""
