"""The simulated providers, a folder for each."""
