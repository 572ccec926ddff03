"""Vault and OpenBao: logging in, the two documents of each target, and a server for those without one."""
