"""What must hold between the lengths of time, the password rules and the usernames of a configuration."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from rotator.core.model import Strategy
from rotator.core.naming import new_username
from rotator.core.passwords import problems
from rotator.core.schedule import SPREAD, Cron, Every, Schedule
from rotator.engine import CLAIM_MARGIN
from rotator.settings import strength
from rotator.settings.times import duration_text
from rotator.settings.world import Finding, Use, World

_FEWEST_BITS = 50  # fewer can be searched through offline from one sniffed SIP digest (MD5) within days
_ENOUGH_BITS = 80
_FEWEST_ODDS = 0.01  # of ten thousand draws, a hundred: one fails to turn up about once in 10**43 passwords
_TIMES = 400  # of a cron expression that are looked at, and none after _END
_END = datetime(2100, 1, 1, tzinfo=UTC)


def passwords_can_be_made(world: World) -> Iterator[Finding]:
    """The rules can be met, and the provider takes what they give."""
    for use in world.password_uses():
        limits = use.kind.capabilities.password_limits
        for what in problems(use.policy.password.core(), limits):
            remedy = f"mend it for the {use.account.type} account that a target of this policy uses"
            yield Finding(use.policy_key("password"), what, remedy)


def passwords_are_strong(world: World) -> Iterator[Finding]:
    """The entropy that the rules leave, stated where it is little."""
    for use in world.password_uses():
        bits = strength.bits(use.policy.password.core())
        if 0 < bits < _ENOUGH_BITS:
            fatal = bits < _FEWEST_BITS
            need = _FEWEST_BITS if fatal else _ENOUGH_BITS
            what = f"passwords of these rules have {bits:.0f} bits of entropy, which is {'too ' if fatal else ''}little"
            remedy = f"make them longer: {need} bits or more{'' if fatal else ' are advised'}"
            yield Finding(use.policy_key("password"), what, remedy, fatal)


def passwords_can_be_drawn(world: World) -> Iterator[Finding]:
    """Passwords are drawn until one meets the rules: where hardly any does, none would be found."""
    for use in world.password_uses():
        rules = use.policy.password.core()
        if 0 < strength.odds(rules) < _FEWEST_ODDS:
            what = "the minima leave hardly any password that could be drawn"
            yield Finding(use.policy_key("password"), what, "lower them, or make the password longer")


def symbols_are_distinct(world: World) -> Iterator[Finding]:
    """A symbol written twice would be drawn twice as often."""
    for use in world.password_uses():
        symbols = use.policy.password.symbols
        if len(set(symbols)) < len(symbols):
            yield Finding(use.policy_key("password"), "a symbol stands twice in symbols", "write each symbol once")


def overlap_outlasts_propagation(world: World) -> Iterator[Finding]:
    """The old one is not disabled while the provider may still refuse the new one."""
    for use in world.uses():
        if use.overlaps and use.policy.overlap < use.propagation:
            overlap, needed = duration_text(use.policy.overlap), duration_text(use.propagation)
            what = f"{overlap} is shorter than the {needed} for which the {use.account.type} account may still refuse"
            yield Finding(use.policy_key("overlap"), f"{what} the new password", f"at least {needed}")


def overlap_ends_before_next_rotation(world: World) -> Iterator[Finding]:
    """Otherwise a credential is replaced before its predecessor is retired, each time again, and they pile up."""
    for use in world.uses():
        shortest = _shortest(use.policy.schedule())
        if use.overlaps and use.policy.overlap >= shortest:
            overlap, next_one = duration_text(use.policy.overlap), duration_text(shortest)
            what = f"{overlap} does not end before the next rotation, which may come after {next_one}"
            why = "credentials would be replaced faster than they are retired"
            yield Finding(use.policy_key("overlap"), f"{what}: {why}", "make it shorter, or rotate less often")


def _shortest(schedule: Schedule) -> timedelta:
    """The least time between two rotations."""
    if isinstance(schedule, Every):
        return schedule.interval * (1 - SPREAD)
    return min(_gaps(schedule))


@lru_cache  # many targets share one policy
def _gaps(schedule: Cron) -> tuple[timedelta, ...]:
    """The gaps between the times of a cron expression, from a year on that has all its days."""
    moments = [schedule.due_after(datetime(2024, 1, 1, tzinfo=UTC), 0)]
    while len(moments) < 2 or (len(moments) <= _TIMES and moments[-1] < _END):
        moments.append(schedule.due_after(moments[-1], 0))
    return tuple(later - earlier for earlier, later in pairwise(moments))


def in_place_has_no_overlap(world: World) -> Iterator[Finding]:
    """Said once for each target, since it is a surprise to whoever has not read about strategies."""
    for use in world.uses():
        if not use.overlaps:
            what = "in-place has no overlap by nature: devices are refused until they read Vault"
            yield Finding((*use.loc, "strategy"), what, "", fatal=False)


def windows_open_often_enough(world: World) -> Iterator[Finding]:
    """A window that opens more rarely than passwords fall due makes them older than the policy says."""
    for use in world.uses():
        window, schedule = use.policy.window, use.policy.schedule()
        if window is None or not isinstance(schedule, Every):
            continue
        longest = max(_gaps(Cron(window.cron, window.timezone)))
        if longest > schedule.interval:
            what = f"the window may stay shut for {duration_text(longest)}, so that passwords get older than `every`"
            yield Finding(use.policy_key("window"), what, "let it open more often, or rotate less often", fatal=False)


def usernames_are_taken(world: World) -> Iterator[Finding]:
    """Usernames that rotator makes are of the form that the provider takes."""
    for use in world.uses():
        pattern = re.compile(use.kind.capabilities.username_pattern)
        if not all(pattern.fullmatch(name) for name in _made(use)):
            what = f"usernames made from this would be refused by the {use.account.type} account"
            yield Finding((*use.loc, "credential"), what, f"it takes {pattern.pattern}")


def _made(use: Use) -> tuple[str, ...]:
    """The usernames that rotator would create; for `replace` the two extremes of the random part."""
    names = use.target.credential.names
    if use.target.strategy is Strategy.ALTERNATING:
        return names
    if use.target.strategy is Strategy.IN_PLACE or use.kind.capabilities.generates_password:
        return ()
    target = use.target.core(use.policy.core(use.target.policy))
    return (
        new_username(target, lambda characters: characters[0]),
        new_username(target, lambda characters: characters[-1]),
    )


def claim_outlasts_calls(world: World) -> Iterator[Finding]:
    """A claim that ends during a call would let a second process act on the same target."""
    needed = _longest_call(world) + CLAIM_MARGIN
    if world.configuration.daemon.claim <= needed:
        what = f"a claim has to outlast the longest call to a provider, which is {duration_text(needed - CLAIM_MARGIN)}"
        yield Finding(("daemon", "claim"), what, f"more than {duration_text(needed)}")


def stop_lets_a_call_end(world: World) -> Iterator[Finding]:
    """A stop that comes sooner would cut every call in progress, and leave its outcome unknown."""
    longest = _longest_call(world)
    if world.configuration.daemon.stop_within <= longest:
        what = f"the longest call to a provider takes {duration_text(longest)}, and would be cut by a stop"
        yield Finding(("daemon", "stop_within"), what, f"more than {duration_text(longest)}")


def _longest_call(world: World) -> timedelta:
    accounts = world.configuration.providers.values()
    return max(world.facts.kinds[account.type].longest_call for account in accounts)


def backoff_grows(world: World) -> Iterator[Finding]:
    """The first wait is not longer than the longest."""
    backoff = world.configuration.daemon.backoff
    if backoff.base > backoff.cap:
        yield Finding(("daemon", "backoff"), "base is longer than cap", "make base the shorter one")


RULES: tuple[Callable[[World], Iterator[Finding]], ...] = (
    passwords_can_be_made,
    passwords_are_strong,
    passwords_can_be_drawn,
    symbols_are_distinct,
    overlap_outlasts_propagation,
    overlap_ends_before_next_rotation,
    in_place_has_no_overlap,
    windows_open_often_enough,
    usernames_are_taken,
    claim_outlasts_calls,
    stop_lets_a_call_end,
    backoff_grows,
)
