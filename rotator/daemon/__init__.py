"""The daemon: the composition root, the scheduler, signals, and the HTTP endpoint."""
