"""Makes the hooks that the configuration names."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from rotator.core.secret import Secret
from rotator.daemon.hooks.command import CommandHook
from rotator.daemon.hooks.http import HttpHook
from rotator.daemon.hooks.kubernetes import AnnotationHook
from rotator.daemon.kubernetes_api import KubernetesApi
from rotator.fields.references import VaultReader
from rotator.observe.redact import Redactor
from rotator.ports import Clock, Hook, HooksByName
from rotator.providers.http.transport import trusted
from rotator.settings import ConfigError, ConfigProblem, Settings
from rotator.settings.hooks import AnnotateSettings, CommandSettings, HookSettings, signing_key


def hooks_by_name(
    settings: Settings,
    config: Path,
    environ: Mapping[str, str],
    read: VaultReader,
    clock: Clock,
    redactor: Redactor,
    undo: ExitStack,
) -> HooksByName:
    """Returns the hooks by their names, and closes their connections with `undo`.

    Raises:
        ConfigError: a key or a file of authorities is unusable.
        StoreError: a key in Vault cannot be read.
    """
    made: dict[str, Hook] = {}
    for name, section in settings.hooks.items():
        try:
            made[name] = _made(section, environ, read, clock, redactor, undo)
        except ValueError as error:  # its text contains no value
            problem = ConfigProblem(str(config), None, None, f"hooks.{name}", str(error), "")
            raise ConfigError([problem]) from None
    return made


def _made(
    section: HookSettings,
    environ: Mapping[str, str],
    read: VaultReader,
    clock: Clock,
    redactor: Redactor,
    undo: ExitStack,
) -> Hook:
    limit = section.time_limit
    if isinstance(section, CommandSettings):
        return CommandHook(section.command, limit, takes_password=section.gives is not None)
    if isinstance(section, AnnotateSettings):
        return AnnotationHook(section.kind, section.namespace, section.name, limit, KubernetesApi(environ, clock))
    key: Secret = section.key.resolve(read).value
    redactor.add(key, *(section.proxy.secrets if section.proxy is not None else ()))
    hook = HttpHook(section.url, signing_key(key), trusted(section.ca_file), section.proxy, limit, clock)
    undo.callback(hook.close)
    return hook
