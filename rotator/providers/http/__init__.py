"""One way to a provider's HTTP API, shared by all providers."""
