"""Telnyx: telephony credentials and credential connections."""
