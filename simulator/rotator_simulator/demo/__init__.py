"""`rotator demo`: the real daemon at simulated providers, measured from outside."""
