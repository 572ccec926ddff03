"""What is run before and after rotations and retirements: the section `hooks`, and `hooks` of a policy."""

import base64
import binascii
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, field_validator

from rotator.core.hook_rules import Hooks
from rotator.core.secret import Secret
from rotator.fields.network import HostName, Url
from rotator.fields.proxy import ProxySettings
from rotator.fields.references import AnySecret
from rotator.fields.section import Section
from rotator.fields.text import FilePath, KubernetesName, Name, Program, invalid
from rotator.fields.times import HookTime

_LIMIT = timedelta(seconds=10)
_SHORTEST_KEY = 24  # bytes, as Standard Webhooks has it


def signing_key(text: Secret) -> bytes:
    """Returns the bytes of a key. Raises ValueError, which names no value."""
    try:
        key = base64.b64decode(text.reveal().removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < _SHORTEST_KEY:
        what = f"key: is not the Base64 of {_SHORTEST_KEY} random bytes or more"
        raise ValueError(f"{what}; make one with: openssl rand -base64 32")
    return key


class HttpHookSettings(Section):
    """A request, signed as Standard Webhooks has it. It never contains a password."""

    type: Literal["http"]
    """The kind of hook: `http`."""
    url: Url = Field(examples=["https://pbx.example.com/hooks/rotator"])
    """Where the facts are sent by POST, as JSON. An answer of 200 to 299 means that it has succeeded; no redirect is
    followed."""
    key: AnySecret = Field(examples=["{env: HOOK_KEY}"])
    """A reference to the key of the signature (HMAC-SHA256): Base64 of 24 random bytes or more, with or without
    `whsec_` before it. `openssl rand -base64 32` makes one."""
    time_limit: HookTime = _LIMIT
    """How long it may take, with up to three tries; default 10s, at most 30s."""
    ca_file: FilePath | None = None
    """A file of CA certificates (PEM) to verify the server with, instead of the public CAs."""
    proxy: ProxySettings | None = None
    """A forward proxy to the server; default none. The environment (HTTPS_PROXY, .netrc) is never used."""
    allow_plain_http: tuple[HostName, ...] = ()
    """Hosts that may be reached without TLS; default none. Whoever is on the path can then answer in its name. Loopback
    is always allowed."""


class CommandSettings(Section):
    """A command where rotator runs: in its container, with its user."""

    type: Literal["command"]
    """The kind of hook: `command`."""
    command: tuple[Program, ...] = Field(min_length=1, examples=[["/usr/sbin/asterisk", "-rx", "pjsip reload"]])
    """The program, by its whole path, and its arguments. There is no shell, and nothing is put into the arguments: the
    facts are JSON on standard input. Status 0 means that it has succeeded; what it prints goes nowhere."""
    gives: Literal["password"] | None = None
    """`password`: after a rotation, the published password is among the facts; default: it is not."""
    time_limit: HookTime = _LIMIT
    """How long it may take before it is killed; default 10s, at most 30s."""

    @field_validator("command")
    @classmethod
    def _by_whole_path(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if not command[0].startswith("/"):
            raise invalid("does not begin with a path", "give the program by its whole path, such as /usr/bin/true")
        return command


class AnnotateSettings(Section):
    """An annotation in the Kubernetes cluster in which rotator runs, `rotator/event`."""

    type: Literal["annotate"]
    """The kind of hook: `annotate`."""
    kind: Literal["Deployment", "StatefulSet", "Secret"]
    """What is annotated. Of a Deployment or a StatefulSet it is the template of the pods, so they are rolled out."""
    name: KubernetesName = Field(examples=["kamailio"])
    """The object's name."""
    namespace: KubernetesName | None = None
    """Its namespace; default that of rotator's pod."""
    time_limit: HookTime = _LIMIT
    """How long it may take, with up to three tries; default 10s, at most 30s. The rollout itself is not waited for."""


def _type(data: Any) -> str | None:
    name = data.get("type") if isinstance(data, dict) else getattr(data, "type", None)
    return f"type={name}" if isinstance(name, str) else None


HookSettings: TypeAlias = HttpHookSettings | CommandSettings | AnnotateSettings

AnyHookSettings = Annotated[
    Annotated[HttpHookSettings, Tag("type=http")]
    | Annotated[CommandSettings, Tag("type=command")]
    | Annotated[AnnotateSettings, Tag("type=annotate")],
    Discriminator(_type),
]
"""Something that is run; `type` selects the kind."""


class PolicyHooksSettings(Section):
    """Which hooks are run when, by their names in `hooks`, in this order. None is run for a password of `in-place` that
    is only forgotten, nor when what is disabled already is deleted."""

    before_rotation: tuple[Name, ...] = ()
    """Before anything is sent to the provider. While one fails, the rotation waits; an emergency and an undo do not."""
    after_rotation: tuple[Name, ...] = ()
    """After devices can read the new credential. One that fails is run again for a week, and undoes nothing."""
    before_retirement: tuple[Name, ...] = ()
    """Before a replaced credential is disabled. While one fails, it stays accepted; an emergency does not wait."""
    after_retirement: tuple[Name, ...] = ()
    """After that. One that fails is run again for a week, and undoes nothing."""

    def core(self) -> Hooks:
        """Returns them as the core defines them."""
        return Hooks(self.before_rotation, self.after_rotation, self.before_retirement, self.after_retirement)


def http_hooks(hooks: Mapping[str, Any]) -> Mapping[str, HttpHookSettings]:
    """Returns those that are requests."""
    return {name: one for name, one in hooks.items() if isinstance(one, HttpHookSettings)}
