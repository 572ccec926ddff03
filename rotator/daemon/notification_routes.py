"""What carries the messages of each route of `notifications`."""

from collections.abc import Mapping
from pathlib import Path

from rotator.daemon.kubernetes_api import KubernetesApi
from rotator.daemon.kubernetes_events import KubernetesEvents
from rotator.daemon.notification_sender import AppriseSender, NotificationSender
from rotator.ports import Clock, Randomness
from rotator.settings import ConfigError, ConfigProblem, Settings


def senders(
    settings: Settings, config: Path, environ: Mapping[str, str], clock: Clock, randomness: Randomness
) -> Mapping[str, NotificationSender]:
    """Returns the service of each route. Connects to nothing.

    Raises:
        ConfigError: Apprise does not understand one of the URLs, or one does without TLS or its verification.
    """
    made: dict[str, NotificationSender] = {}
    problems = []
    for name, route in settings.notifications.items():
        if route.url is None:
            made[name] = KubernetesEvents(KubernetesApi(environ, clock), clock, randomness)
            continue
        try:
            made[name] = AppriseSender(route.url.value, route.allow_plain_http)
        except ValueError as error:
            what, remedy = error.args
            problems.append(ConfigProblem(str(config), None, None, f"notifications.{name}.url", what, remedy))
    if problems:
        raise ConfigError(problems)
    return made
