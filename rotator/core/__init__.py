"""What `rotator` decides, without doing any of it: no clock, no randomness, no I/O."""
