"""Shows what a request and its answer looked like to whoever watches, without any value: `rotator check-provider`."""

import ssl
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from rotator.core.exchanges import ProviderExchange, shape
from rotator.providers.http.calls import HttpRequest, LostTry, Try


@dataclass(slots=True)
class SeenAnswer:
    """What an answer shows beside its body."""

    headers: tuple[str, ...] = ()
    date: datetime | None = None
    peer: str = ""
    issuer: str = ""
    certificate_ends: datetime | None = None

    def look_at(self, response: httpx.Response) -> None:
        """Takes note of an answer whose body is still to be read."""
        self.headers = tuple(sorted({name.lower() for name in response.headers}))
        self.date = _date(response.headers.get("date", ""))
        stream = response.extensions.get("network_stream")
        if stream is None:
            return
        address = stream.get_extra_info("server_addr")
        self.peer = str(address[0]) if address else ""
        tls = stream.get_extra_info("ssl_object")
        if tls is not None:
            self.issuer, self.certificate_ends = _certificate(tls.getpeercert() or {})


def exchange(
    request: HttpRequest, words: Collection[str], tried: Try, seen: SeenAnswer, seconds: float
) -> ProviderExchange:
    """Returns what `request` and what came of it looked like.

    Args:
        words: the parts of paths that are no values.
    """
    lost = isinstance(tried, LostTry)
    body = None if isinstance(tried, LostTry) else tried.body
    return ProviderExchange(
        request.verb,
        request.method,
        path_template(request.path, words),
        None if isinstance(tried, LostTry) else tried.status,
        seconds,
        problem=tried.message if isinstance(tried, LostTry) else "",
        query=tuple(request.query),
        sent=shape(request.body if request.body is not None else request.form),
        received="unreadable" if not lost and not getattr(tried, "readable", True) else shape(body),
        headers=seen.headers,
        entries=_longest_list(body),
        date=seen.date,
        peer=seen.peer,
        issuer=seen.issuer,
        certificate_ends=seen.certificate_ends,
    )


def path_template(path: str, words: Collection[str]) -> str:
    """Returns a path with `{}` in place of every part that is not one of `words`."""
    return "/".join(part if not part or part in words else "{}" for part in path.split("/"))


def _longest_list(body: Any) -> int | None:
    lists = [len(one) for one in body.values() if isinstance(one, list)] if isinstance(body, dict) else []
    return max(lists, default=None)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _certificate(certificate: Any) -> tuple[str, datetime | None]:
    """Returns who issued a certificate, and when it ends."""
    names = {key: value for part in certificate.get("issuer", ()) for key, value in part}
    ends = certificate.get("notAfter")
    moment = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if ends else None
    return str(names.get("organizationName") or names.get("commonName") or ""), moment
