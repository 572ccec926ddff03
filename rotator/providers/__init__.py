"""The providers: one module for each kind of credential, one table that names them, one way to HTTP and one to SIP."""
