"""A small HTTP server for what the daemon calls: it reports neither requests nor clients that hang up."""

from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class QuietServer(ThreadingHTTPServer):
    """Serves each connection on a thread that ends with the process."""

    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: Any) -> None:
        """Says nothing of a client that hangs up, as one does that does not trust the certificate."""


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps connections open between requests."""

    protocol_version = "HTTP/1.1"

    def read_body(self) -> bytes:
        """The body of a request that says how long it is."""
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Sends a whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Writes nothing to standard error."""
