"""The daemon's watches: a bug is logged, and ends none of them."""

from threading import Event

from structlog.testing import capture_logs

from rotator.daemon.watches import start_watch


def test_a_watch_with_a_bug_is_logged_and_begins_anew_until_the_daemon_stops() -> None:
    stop, begun = Event(), []

    def watch(given: Event) -> None:
        begun.append(given)
        if len(begun) < 3:
            raise ZeroDivisionError
        given.wait()

    with capture_logs() as logs:
        thread = start_watch("bell-watch", watch, stop, pause_after_a_bug=0)
        while len(begun) < 3 and thread.is_alive():
            thread.join(0.01)
        assert thread.is_alive()
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert begun == [stop] * 3
    assert [(line["event"], line["watch"], line["kind"]) for line in logs] == [
        ("BUG", "bell-watch", "ZeroDivisionError")
    ] * 2
