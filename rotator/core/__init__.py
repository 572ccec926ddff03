"""The decisions of `rotator`, without the acts: no clock, no randomness, no I/O."""
