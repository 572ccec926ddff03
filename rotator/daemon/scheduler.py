"""The schedule of looks; the only import of APScheduler.

Each target has one job. It runs at least once a poll, which notices requests and the work of other processes, and
earlier if its last look asked for that. A late run is carried out, however late (`misfire_grace_time` None:
APScheduler's default of one second would drop it silently); runs that piled up become one run (`coalesce`); a target
never has two looks at once (`max_instances`). Listeners count the runs that are skipped all the same.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from rotator.core.model import Target
from rotator.ports import Clock, Randomness

_MISSED = {
    EVENT_JOB_MISSED: "missed",
    EVENT_JOB_MAX_INSTANCES: "still_running",
    EVENT_JOB_ERROR: "error",
}
_HEARTBEAT = "heartbeat"
_SWEEP = "sweep"
_SWEEP_INTERVAL = timedelta(minutes=10)
_HEARTBEAT_INTERVAL = timedelta(seconds=5)
_SHORTEST_PAUSE = timedelta(milliseconds=200)  # between two looks at one target, whatever the last one returned

LookAt = Callable[[Target], datetime | None]


class Scheduler:
    """Runs looks on a pool of threads. Thread-safe."""

    def __init__(
        self,
        *,
        look: LookAt,
        heartbeat: Callable[[], None],
        sweep: Callable[[], datetime | None],
        missed: Callable[[str], None],
        clock: Clock,
        randomness: Randomness,
        workers: int,
        poll: timedelta,
    ) -> None:
        """Wires a scheduler; nothing runs before `start`.

        Args:
            look: looks at one target and returns when to look again; None: at the next poll.
            heartbeat: called every 5 seconds by the scheduler's loop, on a thread that looks never occupy.
            sweep: called at start, after `set_targets`, and every 10 minutes or when it asked for; looks at removed
                targets and returns when to call it again.
            missed: called with the reason for a skipped run.
        """
        self._look, self._clock, self._randomness, self._poll = look, clock, randomness, poll
        self._sweep = sweep
        self._lock = Lock()
        self._running: set[str] = set()  # the names of the targets that are being looked at
        self._again: set[str] = set()  # of these, the ones to look at once more
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(workers), _HEARTBEAT: ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self._scheduler.add_listener(
            lambda event: missed(_MISSED[event.code]), EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES | EVENT_JOB_ERROR
        )
        self._heartbeat_trigger = IntervalTrigger(seconds=_HEARTBEAT_INTERVAL.total_seconds())
        self._scheduler.add_job(
            heartbeat, self._heartbeat_trigger, id=_HEARTBEAT, executor=_HEARTBEAT, next_run_time=clock.now()
        )

    def start(self) -> None:
        """Starts running looks."""
        self._scheduler.start()

    def stop(self) -> None:
        """Starts no further look; does not wait for running ones."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def pause(self) -> None:
        """Starts no look until `resume`."""
        self._scheduler.pause()

    def resume(self) -> None:
        """Continues after `pause`."""
        self._scheduler.resume()

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Looks at exactly these targets from now on. The first looks are spread over a tenth of a poll."""
        wanted = {_job_id(target.name): target for target in targets}
        for job in self._scheduler.get_jobs():
            if job.id not in (_HEARTBEAT, _SWEEP) and job.id not in wanted:
                job.remove()
        for job_id, target in wanted.items():
            first = self._clock.now() + self._poll * self._randomness.fraction() * 0.1
            trigger = IntervalTrigger(seconds=self._poll.total_seconds(), jitter=int(self._poll.total_seconds() / 10))
            self._scheduler.add_job(
                self._run, trigger, args=[target], id=job_id, next_run_time=first, replace_existing=True
            )
        often = IntervalTrigger(seconds=_SWEEP_INTERVAL.total_seconds())
        self._scheduler.add_job(
            self._run_sweep, often, id=_SWEEP, next_run_time=self._clock.now(), replace_existing=True
        )

    def look_now(self, names: Iterable[str]) -> None:
        """Looks at these targets as soon as a thread is free; after the look that is running, if there is one."""
        for name in names:
            with self._lock:
                running = name in self._running
                if running:
                    self._again.add(name)
            if not running:
                self._at(_job_id(name), self._clock.now())

    def after_jump(self) -> None:
        """Plans every look again after the wall clock was set."""
        now = self._clock.now()
        for job in self._scheduler.get_jobs():
            with suppress(JobLookupError):  # a reload has just removed the target
                job.modify(next_run_time=now)
        self._scheduler.wakeup()

    def _run(self, target: Target) -> None:
        with self._lock:
            self._running.add(target.name)
        try:
            following = self._look(target)
        finally:
            with self._lock:
                self._running.discard(target.name)
                again = target.name in self._again
                self._again.discard(target.name)
        self._plan(_job_id(target.name), self._clock.now() if again else following, self._poll)

    def _run_sweep(self) -> None:
        self._plan(_SWEEP, self._sweep(), _SWEEP_INTERVAL)

    def _plan(self, job_id: str, following: datetime | None, usual: timedelta) -> None:
        now = self._clock.now()
        if following is not None and following < now + usual:
            self._at(job_id, max(following, now + _SHORTEST_PAUSE))

    def _at(self, job_id: str, moment: datetime) -> None:
        with suppress(JobLookupError):  # the target was removed while it was looked at
            self._scheduler.modify_job(job_id, next_run_time=moment)


def _job_id(target: str) -> str:
    return f"target:{target}"
