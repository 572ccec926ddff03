"""The read-only HTTP endpoint: pages for Prometheus and people on one port, probes on another. It shows no secret."""

from rotator.daemon.http.endpoint import Endpoint
from rotator.daemon.http.pages import PageForPeople, Pages, Probes
from rotator.daemon.http.server import ListenError, PeerLimits

__all__ = ["Endpoint", "ListenError", "PageForPeople", "Pages", "PeerLimits", "Probes"]
