"""The section `audit`: where the records go, and how long Vault keeps them."""

import ssl
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from rotator.core.secret import Secret
from rotator.fields.network import HostName, Receiver, Url, is_loopback
from rotator.fields.proxy import ProxySettings
from rotator.fields.references import LocalSecret
from rotator.fields.section import Section
from rotator.fields.text import FilePath, invalid
from rotator.fields.times import AuditAge
from rotator.providers.http.transport import changeable_trust


class Facility(Enum):
    """The facilities of syslog that an audit may have."""

    AUTH = "auth"
    AUTHPRIV = "authpriv"
    AUDIT = "audit"
    LOCAL0 = "local0"
    LOCAL1 = "local1"
    LOCAL2 = "local2"
    LOCAL3 = "local3"
    LOCAL4 = "local4"
    LOCAL5 = "local5"
    LOCAL6 = "local6"
    LOCAL7 = "local7"

    @property
    def number(self) -> int:
        """The number of RFC 5424."""
        named = {Facility.AUTH: 4, Facility.AUTHPRIV: 10, Facility.AUDIT: 13}
        return named[self] if self in named else 16 + int(self.value[-1])


class SyslogSettings(Section):
    """A receiver of syslog: RFC 5424, each message with its length before it (RFC 5425, RFC 6587)."""

    address: Receiver = Field(examples=["logs.example.com:6514"])
    """Host and port of the receiver."""
    transport: Literal["tls", "tcp"] = "tls"
    """`tls`, the default, with a certificate that names the host; `tcp` only where `allow_plain_tcp` names the host.
    There is no UDP, which would lose records without a word."""
    ca_file: FilePath | None = None
    """A file of CA certificates (PEM) to verify the receiver with; default the public CAs."""
    certificate: FilePath | None = None
    """A file with the client certificate to show (PEM), if the receiver wants one; default none. Renewed files are
    noticed at the next connection."""
    key: FilePath | None = None
    """A file with its key (PEM), without a passphrase."""
    facility: Facility = Facility.AUDIT
    """The facility of the messages; default audit (13)."""
    allow_plain_tcp: tuple[HostName, ...] = ()
    """Receivers that may be reached without TLS; default none. Whoever is on the path then reads who does what, and can
    drop records. Loopback is always allowed."""

    @model_validator(mode="after")
    def _is_whole(self) -> "SyslogSettings":
        if (self.certificate is None) != (self.key is None):
            raise invalid("certificate and key belong together", "give both, or neither")
        return self

    @property
    def exposed(self) -> bool:
        """True if it is reached without TLS although nothing allows that."""
        host = self.address.host.lower()
        return self.transport == "tcp" and not is_loopback(host) and host not in self.allow_plain_tcp

    def context(self) -> ssl.SSLContext:
        """Returns a context with what the files hold now. Raises ValueError if they cannot be used."""
        context = changeable_trust(self.ca_file)
        if self.certificate is None:
            return context
        try:
            # Without a passphrase OpenSSL would ask the terminal for one.
            context.load_cert_chain(self.certificate, self.key, password="")
        except ssl.SSLError:
            what = "do not hold a certificate and its key in PEM form, without a passphrase"
        except OSError as error:
            what = f"cannot be read: {error.strerror}"
        else:
            return context
        raise ValueError(f"the files {self.certificate} and {self.key} {what}")


class AuditHttpSettings(Section):
    """A receiver of HTTP: each POST has some records as JSON, one on each line (`application/x-ndjson`)."""

    url: Url = Field(examples=["https://logs.example.com/ingest/rotator"])
    """The address to post to."""
    token: LocalSecret | None = Field(default=None, examples=["{env: AUDIT_TOKEN}"])
    """A reference to the token in the header `Authorization`; default none."""
    scheme: Literal["Bearer", "Splunk"] = "Bearer"
    """The word before the token; default Bearer. Splunk's HTTP Event Collector wants `Splunk`, and a `url` that ends in
    /services/collector/raw."""
    ca_file: FilePath | None = None
    """A file of CA certificates (PEM) to verify the receiver with; default the public CAs."""
    proxy: ProxySettings | None = None
    """A forward proxy to the receiver; default none. The environment (HTTPS_PROXY, .netrc) is never used."""
    allow_plain_http: tuple[HostName, ...] = ()
    """Hosts that may be reached without TLS; default none. The token and the records then cross the network
    unprotected. Loopback is always allowed."""

    @property
    def authorization(self) -> Secret | None:
        """The value of the header, if there is a token."""
        return None if self.token is None else Secret(f"{self.scheme} {self.token.value.reveal()}")


class AuditSettings(Section):
    """The audit: a keyed record of each effect and request, without secrets. Vault keeps it; standard output or a file,
    and if you like a receiver of syslog or HTTP, get a copy."""

    file: FilePath | None = None
    """An append-only file for the copy; default standard output."""
    syslog: SyslogSettings | None = None
    """A receiver of syslog that gets a copy as well; default none."""
    http: AuditHttpSettings | None = None
    """A receiver of HTTP that gets a copy as well; default none."""
    required: bool = False
    """Let no effect begin before it is on record in Vault that it is about to begin; default false. Nothing is rotated
    or retired then while Vault does not take the audit."""
    keep: AuditAge = timedelta(days=400)
    """How long Vault keeps the records; default 400d, at least 30d. That older ones were removed is on record."""

    @property
    def ca_files(self) -> dict[tuple[str, str], Path | None]:
        """The files of authorities, by their place in the section."""
        return {
            ("syslog", "ca_file"): self.syslog.ca_file if self.syslog is not None else None,
            ("http", "ca_file"): self.http.ca_file if self.http is not None else None,
        }

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no log may show."""
        if self.http is None:
            return ()
        token = () if self.http.token is None else (self.http.token.value,)
        return (*token, *(self.http.proxy.secrets if self.http.proxy is not None else ()))
