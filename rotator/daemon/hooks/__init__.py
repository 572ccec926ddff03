"""What hooks do outside: a signed request, a command, an annotation in Kubernetes."""

from rotator.daemon.hooks.made import hooks_by_name

__all__ = ["hooks_by_name"]
