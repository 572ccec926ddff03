"""Checks of the limits of a password's age: what the policies add up to, until the old password is refused."""

from collections.abc import Iterator

from rotator.core.age_limit import total
from rotator.fields.times import duration_text
from rotator.settings.limited_lives import LimitedLife, limited_lives
from rotator.settings.policy_models import LimitSettings
from rotator.settings.problems import Finding, Loc
from rotator.settings.targets import CheckedSettings


def policies_are_only_stricter(checked: CheckedSettings) -> Iterator[Finding]:
    """Whoever writes a policy in an included file cannot loosen what holds for the whole configuration."""
    fleet = checked.settings.limits
    for name, policy in checked.settings.policies.items():
        if fleet is not None and policy.limits is not None and policy.limits.max_age > fleet.max_age:
            length, most = duration_text(policy.limits.max_age), duration_text(fleet.max_age)
            what = f"{length} is more than the limit of the whole configuration: {most}"
            yield Finding(("policies", name, "limits", "max_age"), what, f"set at most {most}, or leave it out")


def warnings_come_after_the_beginning(checked: CheckedSettings) -> Iterator[Finding]:
    """A warning before a password exists would never end."""
    named: list[tuple[Loc, LimitSettings | None]] = [(("limits",), checked.settings.limits)]
    named += [(("policies", name, "limits"), policy.limits) for name, policy in checked.settings.policies.items()]
    for loc, limits in named:
        if limits is not None and limits.core().warn_before >= limits.max_age:
            what = f"is not shorter than max_age, {duration_text(limits.max_age)}"
            yield Finding((*loc, "warn_before"), what, "make it shorter, or leave it out")


def passwords_keep_their_limit(checked: CheckedSettings) -> Iterator[Finding]:
    """A password is refused before its limit while everything works, with time to act in between if something fails."""
    for life in limited_lives(checked):
        length, limit = total(life.parts), life.limit
        key = "cron" if life.linked.policy.cron is not None else "every"
        loc = life.linked.policy_key(key)
        if length > limit.max_age:
            sums = "".join(f"\n    {line}" for line in life.arithmetic)
            yield Finding(loc, f"passwords may be accepted for longer than the limit:{sums}", _remedy(life))
        elif length > limit.max_age - limit.warn_before:
            most = duration_text(limit.max_age - limit.warn_before)
            what = f"passwords may be accepted for {duration_text(length)}: the warning, {most} after they were made, "
            what += "comes while everything works"
            yield Finding(loc, what, f"{_remedy(life)}, or set a shorter warn_before", fatal=False)


def _remedy(life: LimitedLife) -> str:
    """Says what would fit: with time for a warning, if that is possible."""
    limit, policy = life.limit, life.linked.policy
    with_warning, without = life.fitting(limit.max_age - limit.warn_before), life.fitting(limit.max_age)
    if without is None:
        least = duration_text(life.least)
        return f"make the overlap shorter or the window open more often: {least} are needed for them alone"
    fits = f"at most {duration_text(without)} fits"
    if with_warning is not None:
        fits = f"{duration_text(with_warning)} fits, and leaves {duration_text(limit.warn_before)} for a warning"
    return f"rotate more often: {fits}" if policy.cron is not None else f"set another `every`, or none: {fits}"
