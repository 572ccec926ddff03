"""The simulated Vobiz."""
