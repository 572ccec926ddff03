"""Which plans `rotator plan` shows if there are more than fit."""

from datetime import timedelta

from core_facts import DAY, HOUR, NEW, NOW, TARGET

from rotator.cli.show_plan import first_plans
from rotator.core.forecast import Forecast, ForecastStep
from rotator.core.forecast_events import ForecastEvent


def plan(*moments: timedelta, acts: bool = False, unanswered: bool = False) -> Forecast:
    steps = (ForecastStep("rotate", "it is due"),) if acts else ()
    events = tuple(ForecastEvent(NOW + moment, "rotation", "policy") for moment in moments)
    return Forecast(TARGET, steps, "", events, (), NEW if unanswered else None)


def test_those_without_an_answer_come_first_then_what_acts_soonest_and_what_acts_now_as_configured() -> None:
    late, soon, idle = plan(DAY), plan(HOUR, 2 * DAY), plan()
    overdue, due = plan(timedelta(seconds=2)), plan(-HOUR)  # Vault's clock may be so far ahead of what it told last
    acts, lost = plan(DAY, acts=True), plan(unanswered=True)
    plans = [idle, late, soon, overdue, due, acts, lost]
    assert first_plans(plans, 6, NOW) == [lost, acts, overdue, due, soon, late]
    assert first_plans(plans, 7, NOW) is first_plans(plans, None, NOW) is plans
