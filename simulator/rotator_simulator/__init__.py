"""Simulated providers, a registrar and devices, for the demo and the tests. Bound to loopback only."""
