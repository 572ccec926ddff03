"""Checks of policies: password rules, overlaps, windows, back-off."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from rotator.core.blackouts import longest_stretch
from rotator.core.passwords import FEWEST_BITS, LONGEST, PasswordRules, problems
from rotator.core.schedule import SPREAD, Cron, Every
from rotator.fields.times import duration_text
from rotator.settings import strength
from rotator.settings.intervals import gaps, shortest_interval
from rotator.settings.problems import Finding
from rotator.settings.targets import CheckedSettings, LinkedTarget

_ENOUGH_BITS = 80
_LOWEST_ODDS = 0.01  # a hundred of ten thousand draws succeed; all of them fail about once in 10**43 passwords


def _with_chosen_passwords(checked: CheckedSettings) -> Iterator[LinkedTarget]:
    return (linked for linked in checked.kinds if not linked.capabilities.generates_password)


def passwords_can_be_generated(checked: CheckedSettings) -> Iterator[Finding]:
    """Some password meets the rules and is acceptable to the provider."""
    for linked in _with_chosen_passwords(checked):
        for what in problems(linked.policy.password.core(), linked.capabilities.password_limits):
            remedy = f"change the rules to suit the {linked.account.type} account of a target with this policy"
            yield Finding(linked.policy_key("password"), what, remedy)


def passwords_are_strong(checked: CheckedSettings) -> Iterator[Finding]:
    """Reports an error or a warning if the rules leave little entropy."""
    for linked in _with_chosen_passwords(checked):
        rules = linked.policy.password.core()
        bits, fatal = strength.bits(rules), strength.bits(rules) < FEWEST_BITS
        if 0 < bits < _ENOUGH_BITS:
            size = strength.alphabet(rules)
            what = f"{rules.length} characters out of {size} have only {bits:.0f} bits of entropy under these rules"
            remedy = f"{_longer(rules, FEWEST_BITS if fatal else _ENOUGH_BITS)}: "
            remedy += f"{FEWEST_BITS} bits are required and {_ENOUGH_BITS} recommended"
            yield Finding(linked.policy_key("password"), what, remedy, fatal)


def _longer(rules: PasswordRules, bits: int) -> str:
    for length in range(rules.length + 1, LONGEST + 1):
        reached = strength.bits(replace(rules, length=length))
        if reached >= bits:
            return f"set length: {length} or more ({reached:.0f} bits)"
    return "make them longer, and allow more kinds of characters"


def passwords_can_be_drawn(checked: CheckedSettings) -> Iterator[Finding]:
    """Passwords are drawn until one meets the rules: if hardly any does, drawing does not end."""
    for linked in _with_chosen_passwords(checked):
        if 0 < strength.odds(linked.policy.password.core()) < _LOWEST_ODDS:
            what = "random passwords hardly ever meet these minimum counts"
            yield Finding(linked.policy_key("password"), what, "lower them, or make the password longer")


def symbols_are_distinct(checked: CheckedSettings) -> Iterator[Finding]:
    """A symbol listed twice would be drawn twice as often."""
    for linked in _with_chosen_passwords(checked):
        symbols = linked.policy.password.symbols
        if len(set(symbols)) < len(symbols):
            yield Finding(linked.policy_key("password"), "symbols contains a symbol twice", "list each symbol once")


def overlap_outlasts_propagation(checked: CheckedSettings) -> Iterator[Finding]:
    """The old credential is not disabled while the provider may still refuse the new one."""
    for linked in checked.kinds:
        needed = linked.account.propagation
        if linked.overlaps and linked.policy.overlap < needed:
            overlap, least = duration_text(linked.policy.overlap), duration_text(needed)
            what = f"{overlap} is too short: the {linked.account.type} account may refuse a new password for {least}"
            yield Finding(linked.policy_key("overlap"), what, f"set at least {least}")


def overlap_ends_before_next_rotation(checked: CheckedSettings) -> Iterator[Finding]:
    """Otherwise credentials would be replaced faster than they are retired."""
    for linked in checked.kinds:
        shortest = shortest_interval(linked.policy.schedule())
        if linked.overlaps and linked.policy.overlap >= shortest:
            overlap, next_one = duration_text(linked.policy.overlap), duration_text(shortest)
            what = f"{overlap} is too long: the next rotation may follow after {next_one}"
            yield Finding(linked.policy_key("overlap"), what, "make it shorter, or rotate less often")


def windows_open_often_enough(checked: CheckedSettings) -> Iterator[Finding]:
    """If a window opens less often than passwords are due, they exceed their maximum age."""
    for linked in checked.kinds:
        window, schedule = linked.policy.window, linked.policy.schedule()
        if window is None or not isinstance(schedule, Every):
            continue
        longest = max(gaps(Cron(window.cron, window.timezone)))
        if longest > schedule.interval:
            what = f"may stay closed for {duration_text(longest)}: passwords would become older than `every` allows"
            remedy = "open the window more often, or rotate less often"
            yield Finding(linked.policy_key("window"), what, remedy, fatal=False)


def windows_close(checked: CheckedSettings) -> Iterator[Finding]:
    """A window that is always open is none, though somebody meant one."""
    for linked in checked.kinds:
        window = linked.policy.window
        if window is not None and window.duration >= max(gaps(Cron(window.cron, window.timezone))):
            what = f"never closes: it opens again before {duration_text(window.duration)} have passed"
            yield Finding(linked.policy_key("window"), what, "make its duration shorter, or leave it out", fatal=False)


def fleets_begin_in_time(checked: CheckedSettings) -> Iterator[Finding]:
    """A budget that is too small for the fleet lets passwords become older than `every` allows."""
    sizes = Counter((linked.target.provider, linked.target.policy) for linked in checked.linked)
    for linked in checked.kinds:
        schedule, first = linked.policy.schedule(), linked.policy.first
        number = sizes[linked.target.provider, linked.target.policy]
        days = number / first.per_day
        if isinstance(schedule, Every) and timedelta(days=days) > schedule.interval:
            least = math.ceil(number / (schedule.interval / timedelta(days=1)))
            what = (
                f"{number:,} targets at one account take {days:,.0f} days: passwords become older than `every` allows"
            )
            yield Finding(linked.policy_key("first"), what, f"set per_day to at least {least:,}", fatal=False)


def blackouts_let_passwords_be_rotated(checked: CheckedSettings) -> Iterator[Finding]:
    """A long blackout lets passwords become older than `every` allows: the spread makes up for a tenth of it."""
    for linked in checked.kinds:
        schedule = linked.policy.schedule()
        longest = longest_stretch(each for settings in linked.policy.blackouts for each in settings.core())
        if isinstance(schedule, Every) and longest > schedule.interval * SPREAD:
            most = duration_text(schedule.interval + longest)
            what = f"hold rotations for {duration_text(longest)}: passwords may become {most} old"
            remedy = "make every shorter by that, so that passwords are rotated often enough before"
            yield Finding(linked.policy_key("blackouts"), what, remedy, fatal=False)


def backoff_grows(checked: CheckedSettings) -> Iterator[Finding]:
    """The first back-off is not longer than the longest."""
    backoff = checked.settings.daemon.backoff
    if backoff.base > backoff.cap:
        yield Finding(("daemon", "backoff"), "base is longer than cap", "make base shorter than cap")
