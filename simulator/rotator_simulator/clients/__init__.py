"""The devices and API clients that log in with what is published."""
