"""A forward proxy: named in the configuration, never taken from the environment."""

from base64 import b64encode
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from rotator.core.secret import Secret
from rotator.fields.network import HostName, Url
from rotator.fields.references import LocalSecret
from rotator.fields.section import Section
from rotator.fields.text import Word, invalid


class ProxySettings(Section):
    """A forward proxy. TLS goes through it by CONNECT: it sees the name of the server, and no secret but its own."""

    url: Url = Field(examples=["http://proxy.example.com:3128"])
    """Its address, beginning with http://."""
    username: Word | None = None
    """The user name at the proxy; default none."""
    password: LocalSecret | None = Field(default=None, examples=["{env: PROXY_PASSWORD}"])
    """A reference to the password at the proxy."""
    no_proxy: tuple[HostName, ...] = ()
    """Hosts, and domains with all hosts in them, that are reached without the proxy; default none."""

    @model_validator(mode="after")
    def _is_whole(self) -> "ProxySettings":
        if not self.url.startswith("http://") or urlsplit(self.url).path:
            raise invalid("the address of a proxy is http://, a host and a port", "write 'http://proxy.internal:3128'")
        if (self.username is None) != (self.password is None):
            raise invalid("username and password of a proxy belong together", "give both, or neither")
        return self

    def carries(self, url: str) -> bool:
        """Returns True if requests to `url` go through the proxy."""
        host = urlsplit(url).hostname or ""
        return not any(host == each or host.endswith(f".{each}") for each in self.no_proxy)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no log may show."""
        return () if self.password is None else (self.password.value,)

    def headers(self) -> dict[str, str]:
        """Returns the headers that log in to the proxy, for the library that sends them."""
        if self.username is None or self.password is None:
            return {}
        pair = f"{self.username}:{self.password.value.reveal()}"
        return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
