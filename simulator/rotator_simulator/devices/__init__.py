"""The simulated devices: SIP phones and API clients that log in with the published credential."""
