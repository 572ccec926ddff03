"""The section `daemon.http`: the addresses of the endpoint, and who may read its pages."""

import ssl

from pydantic import Field

from rotator.core.secret import Secret
from rotator.fields.network import HostPort, Listen
from rotator.fields.references import LocalSecret
from rotator.fields.section import Section
from rotator.fields.text import FilePath
from rotator.fields.tls import server_context


class TlsSettings(Section):
    """The certificate of /metrics and /status. Renewed files are noticed at the next connection, without a reload."""

    certificate: FilePath = Field(examples=["/run/secrets/rotator-tls/tls.crt"])
    """A file with the certificate and what leads from it to its authority (PEM)."""
    key: FilePath = Field(examples=["/run/secrets/rotator-tls/tls.key"])
    """A file with its key (PEM), without a passphrase."""

    def context(self) -> ssl.SSLContext:
        """Returns a server's context with what the files hold now. Raises ValueError if they cannot be used."""
        context = server_context()
        try:
            # Without a passphrase OpenSSL would ask the terminal for one.
            context.load_cert_chain(self.certificate, self.key, password="")
        except ssl.SSLError:
            what = "{} do not hold a certificate and its key in PEM form, without a passphrase"
        except OSError as error:
            what = f"one of {{}} cannot be read: {error.strerror}"
        else:
            return context
        raise ValueError(what.format(f"the files {self.certificate} and {self.key}"))


class HttpSettings(Section):
    """The daemon's HTTP endpoint. It only answers questions: nothing can be changed by it."""

    listen: Listen = HostPort("127.0.0.1", 9464)
    """The address of /metrics and /status; default 127.0.0.1:9464. Use 0.0.0.0:9464 in a container, since Prometheus
    connects from outside. Port 0 takes any free port."""
    probes: Listen = HostPort("127.0.0.1", 9465)
    """The address of /healthz and /readyz; default 127.0.0.1:9465. It has threads of its own, so that nothing on the
    other port delays a probe, and needs neither TLS nor the token: it answers yes or no, and the log says why. Use
    0.0.0.0:9465 in a container."""
    tls: TlsSettings | None = None
    """Serve /metrics and /status by TLS only; default plain HTTP."""
    token: LocalSecret | None = Field(default=None, examples=["{file: /run/secrets/rotator-http/token}"])
    """A reference to a token of at least 20 characters, which each request for /metrics and /status has to bear
    (`Authorization: Bearer`); default none. A reload reads it again."""

    @property
    def required_token(self) -> Secret | None:
        """The token itself."""
        return self.token.value if self.token is not None else None
