"""The simulated Telnyx."""
