"""The section `notifications`: who is told what needs attention."""

from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rotator.core.model import Target
from rotator.fields.labels import Labels
from rotator.fields.network import HostName
from rotator.fields.references import LocalSecret
from rotator.fields.section import Count, Section
from rotator.fields.suggestions import suggest
from rotator.fields.text import Name, TargetPattern, TextField, invalid
from rotator.fields.times import Duration, Grace
from rotator.observe.notices import CIRCUIT_OPEN, TOPICS, Condition, NoticeRules


def _topic(text: str) -> str:
    if text in TOPICS:
        return text
    raise invalid("is nothing that can be told", suggest(text, map(str, TOPICS), "topics"))


Topic = Annotated[str, TextField(_topic, {"enum": [*map(str, TOPICS)]}, "write a word such as 'devices_out'")]
"""A word for what needs attention, as `rotator status --state` takes them."""


class NotificationRoute(Section):
    """Who is told: by a service that Apprise knows (Slack, Teams, PagerDuty, mail, a webhook and a hundred others), or
    by Events of the Kubernetes cluster in which rotator runs. Give `url` or `to`."""

    url: LocalSecret | None = Field(default=None, examples=["{env: ROTATOR_SLACK_URL}"])
    """A reference to the URL by which Apprise names a service, such as `slack://…`, `pagerduty://…`, `mailtos://…` or
    `jsons://…`: https://github.com/caronc/apprise/wiki. It has the service's token in it, so it is a secret."""
    to: Literal["kubernetes-events"] | None = None
    """Instead of `url`, `kubernetes-events`: Events on rotator's own pod, one for each word of `about`. The pod must be
    allowed to write them (in the chart: `kubernetesEvents`)."""
    allow_plain_http: tuple[HostName, ...] = ()
    """Hosts that may be reached without TLS, by whatever protocol; default none. Whoever is on the path then reads the
    messages and the service's token. Loopback is always allowed."""
    about: tuple[Topic, ...] = Field(
        default=tuple(map(str, TOPICS)), min_length=1, examples=[["devices_out", "refused"]]
    )
    """What is told: words as `rotator status --state` takes them, and `blocked`, `emergency`, `circuit_open`; default
    everything."""
    accounts: tuple[Name, ...] = ()
    """Only what concerns these provider accounts; default all."""
    targets: tuple[TargetPattern, ...] = ()
    """Only these targets: names, or patterns with `*` and `?`; default all."""
    labels: Labels = Field(default_factory=tuple)
    """Only targets that have all these labels; default all."""
    collect: Grace = timedelta(seconds=30)
    """How long news is collected before it is sent as one message; default 30s."""
    remind: Duration = timedelta(days=1)
    """How often what still needs attention is told again; default 1d."""
    at_most: Count = Field(default=20, ge=1, le=1000)
    """The most messages in an hour, of each process; default 20. What comes beyond them is told together, later."""

    @model_validator(mode="after")
    def _has_one_service(self) -> "NotificationRoute":
        if (self.url is None) == (self.to is None):
            raise invalid("needs either url or to", "give url for a service, or to: kubernetes-events")
        if self.to is not None and self.allow_plain_http:
            raise invalid("allow_plain_http belongs to url", "remove it: the Kubernetes API has TLS")
        return self

    def tells(self, condition: Condition, target: Target | None) -> bool:
        """True if this route is told of a condition; `target` is the one that it concerns, if that is known."""
        if condition.topic not in self.about:
            return False
        if condition.topic == CIRCUIT_OPEN:
            return not (self.targets or self.labels) and (not self.accounts or condition.subject in self.accounts)
        if self.targets and not any(fnmatchcase(condition.subject, pattern) for pattern in self.targets):
            return False
        if target is None:  # of a target that was removed, nothing but the name is known
            return not (self.accounts or self.labels)
        return (not self.accounts or target.account in self.accounts) and set(self.labels) <= set(target.labels)

    @property
    def rules(self) -> NoticeRules:
        """How often it is told."""
        return NoticeRules(self.collect, self.remind, self.at_most)
