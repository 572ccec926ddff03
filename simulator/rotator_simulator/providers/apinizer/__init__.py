"""The simulated Apinizer."""
