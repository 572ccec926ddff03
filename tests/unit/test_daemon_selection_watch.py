"""The listing for selections: one that takes many calls, one that fails, and one while the process stops."""

from threading import Event
from types import SimpleNamespace
from typing import Any

from rotator.core.answers import Done, Retry, Wait
from rotator.core.selection import ListedCredential
from rotator.daemon.looks import Looks
from rotator.daemon.selection_watch import SelectionWatch
from rotator.testing import FakeClock

READING = Retry(Wait.READING, "the listing is being read")


class SlowProvider:
    """Answers as planned; what a call has read is not passed again."""

    def __init__(self, *answers: object) -> None:
        self.answers = [*answers]
        self.calls = 0

    def each(self, take: object) -> object:
        self.calls += 1
        take(ListedCredential(str(self.calls), f"agent{self.calls}"))  # type: ignore[operator]
        return self.answers.pop(0)


def read(provider: SlowProvider, *, stopping: bool = False) -> tuple[object, list[str]]:
    listed: dict[str, ListedCredential] = {}
    watch = SelectionWatch(SimpleNamespace(), SimpleNamespace(stopping=stopping), SimpleNamespace())
    answer = watch._read_listing(provider, listed)
    return answer, [entry.username for entry in listed.values()]


def test_a_listing_that_takes_many_calls_is_read_to_its_end():
    provider = SlowProvider(READING, READING, Done(None))

    assert read(provider) == (Done(None), ["agent1", "agent2", "agent3"])


def test_a_listing_that_fails_is_not_read_again_at_once():
    provider = SlowProvider(READING, Retry(Wait.UNREACHABLE, "no connection"), Done(None))

    assert read(provider)[0] == Retry(Wait.UNREACHABLE, "no connection")
    assert provider.calls == 2


def test_a_stop_does_not_wait_for_a_listing():
    assert read(SlowProvider(READING, Done(None)), stopping=True)[0] == READING


def test_a_reload_leaves_the_connections_of_a_listing_open():
    """It closed them, and the listing failed: the account was not looked at until the next one."""
    clock, nothing, closed = FakeClock(), None, list[str]()
    looks: Any = Looks(nothing, nothing, clock, Event())

    def each(take: Any) -> Any:
        looks.components = None
        looks.close(components)
        assert closed == []
        return Retry(Wait.UNREACHABLE, "no connection")

    components: Any = SimpleNamespace(
        settings=SimpleNamespace(core_selections=[SimpleNamespace(account="fake")]),
        providers={"fake": SimpleNamespace(each=each)},
        connections=object(),
        close=lambda: closed.append("closed"),
    )
    looks.components = components
    composition: Any = SimpleNamespace(clock=clock, selections=SimpleNamespace(keep=lambda accounts: None))
    SelectionWatch(composition, looks, SimpleNamespace()).update()  # type: ignore[arg-type]
    assert closed == ["closed"]
