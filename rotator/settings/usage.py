"""Whom to ask whether devices still use a replaced credential: the section `usage_sources`, and `usage` of a policy."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag

from rotator.core.secret import Secret
from rotator.core.usage_rules import AfterExtension, UsageRules
from rotator.engine import AcknowledgementSource
from rotator.fields.network import HostName, Url
from rotator.fields.proxy import ProxySettings
from rotator.fields.references import LocalSecret
from rotator.fields.section import Count, Section
from rotator.fields.templates import QueryTemplate, TargetPathTemplate, UrlTemplate
from rotator.fields.text import FilePath
from rotator.fields.times import Grace, UsageInterval
from rotator.ports import Store, UsageSource
from rotator.providers.http.client import Http, HttpOptions
from rotator.providers.usage_sources import HttpCheckSource, PrometheusSource

HttpMaker = Callable[[HttpOptions], Http]


class _AskedByHttp(Section):
    token: LocalSecret | None = Field(default=None, examples=["{env: PROMETHEUS_TOKEN}"])
    """A reference to the token in the header `Authorization: Bearer`; default none."""
    ca_file: FilePath | None = None
    """A file of CA certificates (PEM) to verify the server with, instead of the public CAs."""
    proxy: ProxySettings | None = None
    """A forward proxy to the server; default none. The environment (HTTPS_PROXY, .netrc) is never used."""
    allow_plain_http: tuple[HostName, ...] = ()
    """Hosts that may be reached without TLS; default none. Whoever is on the path can then say that nobody uses what is
    about to be retired. Loopback is always allowed."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no log may show."""
        token = () if self.token is None else (self.token.value,)
        return (*token, *(self.proxy.secrets if self.proxy is not None else ()))

    def options(self, name: str, base_url: str) -> HttpOptions:
        """Returns the connection; `name` is that of the source."""
        token = {} if self.token is None else {"Authorization": Secret(f"Bearer {self.token.value.reveal()}")}
        return HttpOptions(
            account=f"usage:{name}",
            base_url=base_url,
            address_key="url",
            headers=token,
            ca_file=self.ca_file,
            proxy=self.proxy,
            allow_plain_http=self.allow_plain_http,
            read_only=True,
        )


class PrometheusSettings(_AskedByHttp):
    """A Prometheus, or what speaks its API: how many devices are logged in with a username."""

    type: Literal["prometheus"]
    """The kind of source: `prometheus`."""
    url: Url = Field(examples=["https://prometheus.example.com:9090"])
    """The beginning of the server's URLs, before `/api/v1/query`."""
    query: QueryTemplate = Field(examples=['sum(sip_registrations{user="{username}"}) or 0 * (up{job="pbx"} == 1)'])
    """An expression with `{username}`, and `{name}` of the target, in it. Above zero means in use; zero, not in use. An
    empty result says neither, so let the expression be zero only while the exporter is up."""

    @property
    def where(self) -> str:
        """The URL that is asked."""
        return self.url

    def source(self, name: str, make: HttpMaker, store: Store) -> UsageSource:  # noqa: ARG002 - as of each kind
        """Returns the source. Raises ValueError if a file or the URL is unusable."""
        return PrometheusSource(make(self.options(name, self.url)), self.query)


class HttpCheckSettings(_AskedByHttp):
    """A check of your own, asked by HTTP."""

    type: Literal["http"]
    """The kind of source: `http`."""
    url: UrlTemplate = Field(examples=["https://pbx.example.com/in-use?user={username}"])
    """A URL with `{username}`, or `{name}` of the target, in it. It answers a GET with 200 and `{"in_use": true}` or
    `{"in_use": false}`. Everything else means that it cannot say."""

    @property
    def where(self) -> str:
        """The URL that is asked."""
        return self.url

    def source(self, name: str, make: HttpMaker, store: Store) -> UsageSource:  # noqa: ARG002 - as of each kind
        """Returns the source. Raises ValueError if a file or the URL is unusable."""
        parts = urlsplit(self.url)
        base = f"{parts.scheme}://{parts.netloc}"
        return HttpCheckSource(make(self.options(name, base)), self.url.removeprefix(base))


class AcknowledgementSettings(Section):
    """What devices, or their agents, say themselves: a document in Vault that they write."""

    type: Literal["acknowledgement"]
    """The kind of source: `acknowledgement`."""
    path: TargetPathTemplate = Field(examples=["used/{name}"])
    """The document of a target, below `vault.mount`, with `{name}` in it. Each device writes what it uses under a key
    of its own: a username, or an attempt_id. While any of them names the old one, it is in use."""
    at_least: Count = Field(default=1, ge=1, le=100_000)
    """How many devices have to name what is published before nobody is taken to use the old one; default 1."""

    def source(self, name: str, make: HttpMaker, store: Store) -> UsageSource:  # noqa: ARG002 - as of each kind
        """Returns the source."""
        return AcknowledgementSource(store, self.path, self.at_least)


def _type(data: Any) -> str | None:
    name = data.get("type") if isinstance(data, dict) else getattr(data, "type", None)
    return f"type={name}" if isinstance(name, str) else None


UsageSourceSettings = Annotated[
    Annotated[PrometheusSettings, Tag("type=prometheus")]
    | Annotated[HttpCheckSettings, Tag("type=http")]
    | Annotated[AcknowledgementSettings, Tag("type=acknowledgement")],
    Discriminator(_type),
]
"""Something that knows who is logged in; `type` selects the kind."""


class UsageSettings(Section):
    """The usage check: before a replaced credential is disabled at the end of its overlap, it is asked whether devices
    still use it. In an emergency nobody is asked."""

    ask: tuple[str, ...] = Field(min_length=1, examples=[["provider", "pbx"]])
    """Who is asked: `provider`, where it shows who is registered (Telnyx, Endpoints of Vobiz), and names from
    `usage_sources`. Each has to say that nobody uses it; one that cannot say counts as a yes."""
    every: UsageInterval = timedelta(minutes=15)
    """How often they are asked while the answer is yes or unknown; default 15m, at least 1m."""
    extend_at_most: Grace = timedelta(days=7)
    """How much longer than the overlap the old credential may be accepted because of that; default 7d."""
    then: AfterExtension = AfterExtension.RETIRE
    """What happens after that: `retire`, the default, or `hold`: it stays until nobody uses it, or `rotator retire NAME
    --despite-use`. While three are held so, no rotation begins by schedule. An alert fires in both cases, an hour after
    the overlap has ended."""

    def core(self) -> UsageRules:
        """Returns the rules as the core defines them."""
        return UsageRules(self.ask, self.every, self.extend_at_most, self.then)


def http_sources(sources: Mapping[str, Any]) -> Mapping[str, PrometheusSettings | HttpCheckSettings]:
    """Returns those that are asked by HTTP."""
    return {name: one for name, one in sources.items() if isinstance(one, PrometheusSettings | HttpCheckSettings)}


def ca_files(sources: Mapping[str, Any]) -> Mapping[str, Path | None]:
    """Returns the files of authorities, by the source's name."""
    return {name: one.ca_file for name, one in http_sources(sources).items()}
