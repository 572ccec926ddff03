"""Notifications as Events of the Kubernetes API (`events.k8s.io/v1`) on rotator's own pod.

There is one Event for each topic, however many targets it is about, and however many of them were told before. What is
told again with the same words counts up the series of its Event, as the API wants it: nothing else of an Event may be
changed. Kubernetes forgets an Event an hour after its last change, unless the cluster is set otherwise.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC

from rotator.daemon.kubernetes_api import KubernetesApi, NoServiceAccount
from rotator.daemon.receiver import NotNow, Rejected
from rotator.observe.notices import SHOWN, TOPICS, Notification, Told, TopicNews
from rotator.ports import Clock, Randomness

_WITHIN = 10.0  # seconds for one message
_LONGEST_NOTE = 1024  # bytes that the API takes
_LONGEST_NAME, _LONGEST_INSTANCE = 200, 128  # of the pod
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_NOT_FOUND, _CONFLICT = 404, 409


@dataclass(frozen=True, slots=True)
class _EventSeries:
    """The last Event with a reason."""

    note: str
    name: str
    count: int


class KubernetesEvents:
    """Writes the Events of one route. Takes ten seconds at most."""

    def __init__(self, api: KubernetesApi, clock: Clock, randomness: Randomness) -> None:
        """Prepares it without connecting."""
        self._api, self._clock, self._randomness = api, clock, randomness
        self._series: dict[str, _EventSeries] = {}  # by reason, of which there are two for each topic
        self._written: set[TopicNews] = set()  # what was written of a message that was not taken wholly

    def __call__(self, message: Notification) -> str:
        """Returns why the message was not taken, or an empty text."""
        end = self._clock.monotonic() + _WITHIN
        topics = _one_for_each_reason(message.topics)
        self._written &= set(topics)
        try:
            if not topics:
                self._create("Test", message.text, "Normal", end)
            for news in topics:
                if news not in self._written:
                    self._write(news, end)
                    self._written.add(news)
        except NotNow as error:
            return f"the API of Kubernetes: {error}"
        except NoServiceAccount as error:
            return f"{error} (in the chart: kubernetesEvents)"
        except OSError as error:
            asks = "may this pod create and patch Events? (in the chart: kubernetesEvents)"
            return f"the API of Kubernetes: {error}; {asks}"
        self._written.clear()
        return ""

    def _write(self, news: TopicNews, end: float) -> None:
        ended = news.told is Told.ENDED
        reason = "".join(word.capitalize() for word in news.topic.split("_")) + ("Ended" if ended else "")
        note, before = _note(news), self._series.get(reason)
        if before is not None and before.note == note and self._counted_up(before, end):
            self._series[reason] = _EventSeries(note, before.name, before.count + 1)
            return
        name = self._create(reason, note, "Normal" if ended else "Warning", end)
        self._series[reason] = _EventSeries(note, name, 1)

    def _counted_up(self, series: _EventSeries, end: float) -> bool:
        """Returns False if the Event is forgotten."""
        place = f"{self._place()}/{series.name}"
        patch = {"series": {"count": series.count + 1, "lastObservedTime": self._now()}}
        try:
            self._api.send("PATCH", place, patch, "application/strategic-merge-patch+json", within=self._left(end))
        except Rejected as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return True

    def _create(self, reason: str, note: str, kind: str, end: float) -> str:
        """Creates an Event and returns its name."""
        namespace, pod = self._api.own("namespace"), self._api.own("pod")
        name = f"{pod[:_LONGEST_NAME]}.{self._randomness.text(_LETTERS, 16)}"
        event = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": self._now(),
            "reportingController": "rotator",
            "reportingInstance": pod[:_LONGEST_INSTANCE],
            "action": "Notify",
            "reason": reason,
            "type": kind,
            "regarding": {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": namespace,
                "name": pod,
                "uid": self._api.own("uid"),
            },
            "note": note,
        }
        try:
            self._api.send("POST", self._place(), event, "application/json", within=self._left(end))
        except Rejected as error:
            if error.status != _CONFLICT:  # an answer was lost, and it is there by this name
                raise
        return name

    def _place(self) -> str:
        return f"apis/events.k8s.io/v1/namespaces/{self._api.own('namespace')}/events"

    def _now(self) -> str:
        return f"{self._clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"

    def _left(self, end: float) -> float:
        left = end - self._clock.monotonic()
        if left <= 0:
            raise NotNow(f"it did not take everything within {_WITHIN:g} s")
        return left


def _one_for_each_reason(topics: Iterable[TopicNews]) -> list[TopicNews]:
    """Returns the topics with what lasts beside what is new, as the next reminder names both."""
    merged: dict[tuple[str, bool], TopicNews] = {}
    for news in topics:
        key = news.topic, news.told is Told.ENDED
        before = merged.get(key)
        if before is None:
            merged[key] = news
            continue
        named = sorted((*before.named, *news.named))
        merged[key] = replace(before, named=tuple(named[:SHOWN]), more=before.more + news.more + len(named[SHOWN:]))
    return list(merged.values())


def _note(news: TopicNews) -> str:
    """Returns the text of an Event: the number is first, for what is too long is cut."""
    number = len(news.named) + news.more
    text = f"{TOPICS[news.topic]} ({number}): {'; '.join(news.named)}{f'; and {news.more} more' if news.more else ''}"
    data = text.encode("utf-8", "replace")
    if len(data) <= _LONGEST_NOTE:
        return data.decode()
    return f"{data[: _LONGEST_NOTE - 3].decode(errors='ignore')}…"
