"""The port of what knows who is logged in, other than the provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rotator.core.answers import Answer
from rotator.core.model import Credential
from rotator.core.usage_rules import Usage


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """Whether devices still use a replaced credential of a target."""

    target: str
    credential: Credential
    published: Credential | None  # what they should use instead


class UsageSource(Protocol):
    """Something that knows who is logged in, other than the provider. It ends within seconds, and never raises."""

    def ask(self, question: UsageQuestion) -> Answer[Usage]:
        """Returns whether devices still use the credential; anything but `Done` means that it cannot say."""
        ...


UsageSources = Mapping[str, UsageSource]
"""What else can be asked who is logged in, by its name in the configuration."""
