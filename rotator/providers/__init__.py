"""The providers: a package for each, the shared HTTP and SIP clients, and the registry that lists them all."""
