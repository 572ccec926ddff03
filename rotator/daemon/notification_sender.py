"""Messages to people, through Apprise: the only place that imports it."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Protocol

from rotator.core.secret import Secret
from rotator.settings import ConfigError, ConfigProblem, Settings

_WITHIN = 15  # seconds for one message
_FORM = "see https://github.com/caronc/apprise/wiki for the service's form, such as slack://TOKEN/#CHANNEL"
_STATUS = re.compile(r"\berror=(\d{3})\b")
# What these say may have a service's token in it: messages, and the URL whose answer has headers that cannot be read.
logging.getLogger("apprise").propagate = False
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class NotificationSender(Protocol):
    """Sends one message to a service."""

    def __call__(self, title: str, body: str, *, urgent: bool) -> str:
        """Returns why the message was not taken, or an empty text."""


class AppriseSender:
    """One service. Apprise and its modules are loaded with the first one, which takes most of a second.

    Apprise bounds only how long it waits: what hangs stays in one of a few threads that all services share, and for
    which the interpreter waits when it ends. So a message has a thread of its own here, and only one at a time.
    """

    def __init__(self, url: Secret, within: float = _WITHIN) -> None:
        """Reads the URL without connecting.

        Args:
            within: seconds for one message.

        Raises:
            ValueError: Apprise does not understand it, or it switches verification off. Its arguments are what is wrong
                and what would be right.
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
        for service in self._apprise:
            if not service.verify_certificate:
                what = "switches off the verification of the service's certificate"
                raise ValueError(what, "remove verify=no from it")
            if service.overflow_mode is OverflowMode.UPSTREAM:  # its default: many services refuse what is too long
                service.overflow_mode = OverflowMode.TRUNCATE
        self._within, self._sending = within, Thread()

    def __call__(self, title: str, body: str, *, urgent: bool) -> str:
        """Returns why the message was not taken, or an empty text."""
        if self._sending.is_alive():
            return "the service still has the message before, and does not answer"
        answers: list[str] = []
        self._sending = Thread(
            target=lambda: answers.append(self._send(title, body, urgent=urgent)), name="notification", daemon=True
        )
        self._sending.start()
        self._sending.join(self._within)
        return answers[0] if answers else f"the service did not answer within {self._within:g} s"

    def _send(self, title: str, body: str, *, urgent: bool) -> str:
        kind = self._types[urgent]
        body = body.encode("utf-8", "replace").decode()  # providers send halves of characters, which no encoding knows
        try:
            result = self._apprise.notify(body, title, kind, body_format=self._text)
        except Exception as error:  # noqa: BLE001 - a service's module may raise anything, with the token in its words
            return f"it could not be sent ({type(error).__name__})"
        if result:
            return ""
        answers = [found[1] for entry in result.logs() if (found := _STATUS.search(entry.message))]
        return f"the service answered {answers[-1]}" if answers else "the service did not take it"


def senders(settings: Settings, config: Path) -> Mapping[str, AppriseSender]:
    """Returns the service of each route.

    Raises:
        ConfigError: Apprise does not understand one of the URLs, or one is not to be verified.
    """
    made: dict[str, AppriseSender] = {}
    problems = []
    for name, route in settings.notifications.items():
        try:
            made[name] = AppriseSender(route.url.value)
        except ValueError as error:
            what, remedy = error.args
            problems.append(ConfigProblem(str(config), None, None, f"notifications.{name}.url", what, remedy))
    if problems:
        raise ConfigError(problems)
    return made
