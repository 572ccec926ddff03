"""The decisions of `rotator`, without side effects: no clock, no randomness, no I/O."""
