"""Messages to people, through Apprise: the only place that imports it."""

import logging
import re
from collections.abc import Collection
from threading import Thread
from typing import Any, Protocol
from urllib.parse import unquote

from rotator.core.secret import Secret
from rotator.fields.network import is_loopback
from rotator.observe.notices import Notification

_WITHIN = 15  # seconds for one message
_FORM = "see https://github.com/caronc/apprise/wiki for the service's form, such as slack://TOKEN/#CHANNEL"
_PLAIN = "without TLS lets whoever is on the path read its messages and its token"
_ALWAYS_PLAIN = frozenset(
    {"aprs", "dapnet", "kavenegar"}
)  # schemes of services that have no TLS, whatever their URL says
_NO_TLS_MODES = frozenset({"insecure", "none"})  # of mail and XMPP
_PLAIN_ADDRESS = re.compile(r"(?<![a-z0-9+.-])(http|ws)://(?:[^/?#@\s]*@)?(\[[^]]*\]|[^/?#&:,\s]*)")  # scheme, host
_STATUS = re.compile(r"\berror=(\d{3})\b")
# What these say may have a service's token in it: messages, and the URL whose answer has headers that cannot be read.
logging.getLogger("apprise").propagate = False
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class NotificationSender(Protocol):
    """Sends one message to a service."""

    def __call__(self, message: Notification) -> str:
        """Returns why the message was not taken, or an empty text."""


class AppriseSender:
    """One service. Apprise and its modules are loaded with the first one, which takes most of a second.

    Apprise bounds only how long it waits: what hangs stays in one of a few threads that all services share, and for
    which the interpreter waits when it ends. So a message has a thread of its own here, and only one at a time.
    """

    def __init__(self, url: Secret, allow_plain: Collection[str] = (), within: float = _WITHIN) -> None:
        """Reads the URL without connecting.

        Args:
            allow_plain: the hosts that may be reached without TLS, beside this machine.
            within: seconds for one message.

        Raises:
            ValueError: Apprise does not understand it, or it does without TLS or its verification. Its arguments are
                what is wrong and what would be right.
        """
        from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, OverflowMode  # noqa: PLC0415

        asset = AppriseAsset(
            app_id="rotator",
            app_desc="credential rotation",
            secure_logging=True,
            async_mode=False,
            http_redirects=False,
            service_timeout=0,
        )
        self._apprise = Apprise(asset=asset)
        self._text, self._types = NotifyFormat.TEXT, (NotifyType.WARNING, NotifyType.FAILURE)
        if not self._apprise.add(url.reveal()):
            raise ValueError("is no URL that Apprise understands", _FORM)
        _require_tls_in_query(url.reveal(), allow_plain)
        for service in self._apprise:
            _require_tls(service, allow_plain)
            if not service.verify_certificate:
                what = "switches off the verification of the service's certificate"
                raise ValueError(what, "remove verify=no from it")
            if service.overflow_mode is OverflowMode.UPSTREAM:  # its default: many services refuse what is too long
                service.overflow_mode = OverflowMode.TRUNCATE
        self._within, self._sending = within, Thread()

    def __call__(self, message: Notification) -> str:
        """Returns why the message was not taken, or an empty text."""
        if self._sending.is_alive():
            return "the service still has the message before, and does not answer"
        answers: list[str] = []
        self._sending = Thread(target=lambda: answers.append(self._send(message)), name="notification", daemon=True)
        self._sending.start()
        self._sending.join(self._within)
        return answers[0] if answers else f"the service did not answer within {self._within:g} s"

    def _send(self, message: Notification) -> str:
        kind = self._types[message.urgent]
        body = message.text.encode(
            "utf-8", "replace"
        ).decode()  # providers send halves of characters, which have no code
        try:
            result = self._apprise.notify(body, message.title, kind, body_format=self._text)
        except Exception as error:  # noqa: BLE001 - a service's module may raise anything, with the token in its words
            return f"it could not be sent ({type(error).__name__})"
        if result:
            return ""
        answers = [found[1] for entry in result.logs() if (found := _STATUS.search(entry.message))]
        return f"the service answered {answers[-1]}" if answers else "the service did not take it"


def _require_tls(service: Any, allow_plain: Collection[str]) -> None:
    """Refuses one of Apprise's services that is reached without TLS, unless its host is allowed.

    Raises:
        ValueError: its arguments are what is wrong and what would be right.
    """
    scheme = service.url().partition(":")[0]  # as Apprise understood it: mailto://…@gmail.com becomes mailtos
    if scheme in _ALWAYS_PLAIN:
        raise ValueError(f"{scheme} {_PLAIN}", "use a service that has TLS")
    secure = _schemes(service.secure_protocol)
    fixed = str(getattr(service, "notify_url", ""))  # of services that have no host of their own in the URL
    has_tls = scheme in secure or (not secure and fixed.startswith("https:"))
    if has_tls and getattr(service, "secure_mode", "") not in _NO_TLS_MODES:
        return
    host = (getattr(service, "smtp_host", "") or service.host or "").lower().strip("[]")
    if not host or is_loopback(host) or host in allow_plain:  # without a host: of this machine, such as syslog://
        return
    with_tls = f"use {secure[0]}:// with TLS" if secure else "use a service that has TLS"
    raise ValueError(f"{scheme} {_PLAIN}", f"{with_tls}, or add the host to allow_plain_http in the same section")


def _require_tls_in_query(url: str, allow_plain: Collection[str]) -> None:
    """Refuses addresses without TLS that a service is given in its URL's query, such as a relay or the place of a key.

    Raises:
        ValueError: its arguments are what is wrong and what would be right.
    """
    query, decoded = url.partition("?")[2], ""
    while query != decoded:  # some services decode their values once more than Apprise
        query, decoded = unquote(query), query
    for scheme, named in _PLAIN_ADDRESS.findall(query.lower()):
        host = named.strip("[]")
        if not is_loopback(host) and host not in allow_plain:
            remedy = f"use {scheme}s:// there, or add the host to allow_plain_http in the same section"
            raise ValueError(f"has {scheme}:// in its query, which {_PLAIN}", remedy)


def _schemes(names: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names or ()
