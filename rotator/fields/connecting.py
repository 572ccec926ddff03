"""Explains why no connection was made to a provider, a registrar, a receiver or Vault, and what to check."""

import socket
import ssl
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from rotator.fields.proxy import ProxySettings

_EXPIRED, _NOT_YET_VALID, _OTHER_NAME = 10, 9, (62, 64)  # OpenSSL's X509_V_ERR_...: of a name, of an address
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
)  # OpenSSL's words for an answer in plain text


@dataclass(frozen=True, slots=True)
class Destination:
    """The server that a connection is for, and where the configuration names it."""

    host: str
    key: str  # of its address in the configuration
    ca_key: str  # of the authorities to trust
    proxy: str = ""  # the address that is connected to instead

    @classmethod
    def at(cls, url: str, key: str, proxy: ProxySettings | None) -> Self:
        """Returns the destination of a URL that stands under `key` in the configuration, through `proxy` if given."""
        return cls(urlsplit(url).netloc, key, "ca_file", urlsplit(proxy.url).netloc if proxy is not None else "")

    def why_not(self, error: BaseException) -> str:
        """Returns what is wrong and what to check; empty if the error does not tell. It quotes no text of the error."""
        for cause in _causes(error):
            if isinstance(cause, socket.gaierror | UnicodeError):
                name, key = (self.proxy, "proxy.url") if self.proxy else (self.host, self.key)
                return f"the name of {name} cannot be resolved: check {key}, and the DNS of this machine"
            if isinstance(cause, ConnectionRefusedError):
                return f"nothing listens at {self._where}: check {self._address_key}"
            if isinstance(cause, ssl.SSLCertVerificationError):
                return self._why_untrusted(cause.verify_code)
            if isinstance(cause, ssl.SSLError):
                return self._why_no_tls(cause)
        return ""

    @property
    def why_silent(self) -> str:
        """What to check if no connection was made and nothing said why."""
        return f"{self._where} does not answer: check {self._address_key}, and what on the way may drop it (a firewall)"

    @property
    def _where(self) -> str:
        return f"the proxy {self.proxy}" if self.proxy else self.host

    @property
    def _address_key(self) -> str:
        return "proxy.url" if self.proxy else self.key

    def why_refused(self, error: BaseException) -> str:
        """Returns why a proxy carries nothing, by the status at the beginning of the error."""
        status = str(error)[:3]
        if status == "407":
            return f"the proxy {self.proxy} asks for another login (407): check proxy.username and proxy.password"
        said = f" ({status})" if status.isdigit() else ""
        return f"the proxy {self.proxy} refused it{said}: it has to allow CONNECT to {self.host}"

    def _why_no_tls(self, error: ssl.SSLError) -> str:
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return f"the connection to {self.host} broke during the TLS handshake"
        if error.reason in _NO_TLS:
            return f"{self.host} does not speak TLS there: check the port in {self.key}"
        said = f" ({error.reason})" if error.reason else ""
        return f"TLS with {self.host} failed: it may ask for a client certificate or another TLS version{said}"

    def _why_untrusted(self, code: int) -> str:
        whose = f"the TLS certificate of {self.host}"
        if code == _EXPIRED:
            return f"{whose} has expired: it has to be renewed there, unless this machine's clock is wrong"
        if code == _NOT_YET_VALID:
            return f"{whose} is not valid yet: check this machine's clock"
        if code in _OTHER_NAME:
            return f"{whose} is for another name: {self.key} needs a name that the certificate has"
        return f"{whose} is not trusted: check {self.key}, or set {self.ca_key} to the authority that issued it"


def is_untrusted(error: BaseException) -> bool:
    """True if the other side's certificate was refused: another try will not help."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    """Returns an error and what it came from."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found
