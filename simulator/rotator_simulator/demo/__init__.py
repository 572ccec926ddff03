"""`rotator demo`: the real daemon rotates at simulated providers and is measured from outside."""
