"""The schedule of looks; the only import of APScheduler.

A wheel in memory knows when each target is due; APScheduler has one job, at the earliest of these moments, and wakes
the workers. So nothing runs for a target at which nothing is due, but for the sweep. A late job is carried out, however
late (`misfire_grace_time` None: APScheduler's default of one second would drop it silently). Listeners count the runs
that are skipped all the same.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from threading import Condition, Thread

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from rotator.daemon.sweep import Sweep
from rotator.daemon.wheel import Plan, Turn, Urgency, Wheel
from rotator.ports import Clock

_SKIPPED = "still_running"
_MISSED = {EVENT_JOB_MISSED: "missed", EVENT_JOB_MAX_INSTANCES: _SKIPPED, EVENT_JOB_ERROR: "error"}
_HEARTBEAT, _WAKE = "heartbeat", "wake"
_HEARTBEAT_INTERVAL = timedelta(seconds=5)
_MANY = 1000
_SHORTEST_PAUSE = timedelta(milliseconds=200)  # between two looks at one target, whatever the last one returned

LookAt = Callable[[Turn], Plan | None]


class Scheduler:
    """Runs looks on threads of its own. Thread-safe."""

    def __init__(
        self,
        *,
        look: LookAt,
        heartbeat: Callable[[], None],
        missed: Callable[[str], None],
        clock: Clock,
        workers: int,
        poll: timedelta,
    ) -> None:
        """Wires a scheduler; nothing runs before `start`.

        Args:
            look: looks at one target and returns when to look again; None: when the sweep comes by. Never raises.
            heartbeat: called every 5 seconds by the scheduler's loop, on a thread that looks never occupy.
            missed: called with the reason for a skipped run.
            workers: so many looks run at the same time. The last one is left free by the sweep.
            poll: how long the sweep takes for all targets, if it has half a second for each.
        """
        self._look, self._clock, self._missed = look, clock, missed
        self._condition = Condition()  # guards everything below
        self._wheel, self._sweep = Wheel(max(workers - 1, 1)), Sweep(poll)
        self._passing = False  # everything is looked at, as fast as the workers can
        self._paused = self._ended = False
        self._armed: datetime | None = None  # when the job runs
        self._workers = [Thread(target=self._work, name=f"look-{number}", daemon=True) for number in range(workers)]
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(2)},  # one thread for each job
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self._scheduler.add_listener(
            lambda event: missed(_MISSED[event.code]), EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES | EVENT_JOB_ERROR
        )
        beat = IntervalTrigger(seconds=_HEARTBEAT_INTERVAL.total_seconds())
        self._scheduler.add_job(heartbeat, beat, id=_HEARTBEAT, next_run_time=clock.now())

    def start(self) -> None:
        """Starts running looks."""
        self._scheduler.start()
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Starts no further look; does not wait for running ones."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def pause(self) -> None:
        """Starts no look until `resume`."""
        with self._condition:
            self._paused = True

    def resume(self) -> None:
        """Continues after `pause`."""
        with self._condition:
            self._paused = False
            self._condition.notify_all()

    def hold(self, names: Collection[str]) -> timedelta:
        """Looks at exactly these targets from now on: at new ones as soon as there is nothing else to do.

        Returns how long the sweep takes for all of them.
        """
        with self._condition:
            added = set(self._wheel.hold(names))
            self._sweep.set_names(list(names))
            self._pass_over([name for name in names if name in added])
            return self._sweep.takes

    def look_at_all(self) -> None:
        """Looks at every target as soon as there is nothing else to do."""
        with self._condition:
            self._pass_over(list(self._wheel.held))

    def look_now(self, names: Iterable[str], urgency: Urgency = Urgency.DUE) -> None:
        """Looks at these targets, and at their documents, as soon as a thread is free."""
        with self._condition:
            plan = Plan(self._clock.now(), urgency, fresh=True)
            for name in names:
                self._wheel.plan(name, plan)
            self._wake_workers()

    def after_jump(self) -> None:
        """Plans every look again after the wall clock was set."""
        self._scheduler.modify_job(_HEARTBEAT, next_run_time=self._clock.now())
        with self._condition:
            self._armed = None
            self._pass_over(list(self._wheel.held))
        self._scheduler.wakeup()

    def _pass_over(self, names: list[str]) -> None:
        if names:
            self._passing = True
            self._wheel.sweep(names, self._clock.now())
            self._condition.notify_all()
        self._sweep.restart(self._clock.now())
        self._arm()

    def _work(self) -> None:
        while True:
            with self._condition:
                while (turn := self._take()) is None:
                    if self._ended:
                        return
                    self._condition.wait()
            following = self._look(turn)
            if following is not None:
                soonest = self._clock.now() + _SHORTEST_PAUSE
                following = Plan(max(following.moment, soonest), following.urgency, following.fresh)
            with self._condition:
                self._wheel.finish(turn.name, following)
                self._wake_workers()
                self._arm()

    def _take(self) -> Turn | None:
        return None if self._paused or self._ended else self._wheel.take(self._clock.now())

    def _wake(self) -> None:
        with self._condition:
            self._armed = None
            self._step()
            self._wake_workers()
            self._arm()

    def _step(self) -> None:
        """Lets the sweep take its next step if that is due."""
        now = self._clock.now()
        if self._sweep.moment is None or self._sweep.moment > now:
            return
        names = self._sweep.step(now)
        if not self._wheel.sweeping:
            self._passing = False
            self._wheel.sweep(names, now)
            self._condition.notify()  # one worker looks at them one after the other
        elif not self._passing:
            self._missed(_SKIPPED)  # no worker was free for the step before

    def _wake_workers(self) -> None:
        self._condition.notify(self._wheel.advance(self._clock.now()))

    def _arm(self) -> None:
        """Sees to it that APScheduler wakes the workers at the earliest moment."""
        moment = min((each for each in (self._wheel.earliest(), self._sweep.moment) if each is not None), default=None)
        if moment is not None and (self._armed is None or moment < self._armed):
            self._armed = moment
            # The next job may be due before APScheduler takes note that this one has ended.
            self._scheduler.add_job(
                self._wake, DateTrigger(moment), id=_WAKE, replace_existing=True, max_instances=_MANY
            )
