"""Vault and OpenBao: login, the two documents of each target, and an embedded server for those without one."""
