"""Simulated providers, their registrar and devices: what the demo and the tests run on. Bound to loopback only."""
