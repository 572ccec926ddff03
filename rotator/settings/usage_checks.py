"""Checks of the usage check: who is asked exists and can say, and the extension fits between two rotations."""

from collections.abc import Iterator

from rotator.core.usage_rules import PROVIDER_SOURCE, AfterExtension
from rotator.fields.suggestions import suggest
from rotator.fields.times import duration_text
from rotator.settings.intervals import shortest_interval
from rotator.settings.problems import Finding
from rotator.settings.targets import CheckedSettings
from rotator.settings.usage import AcknowledgementSettings


def usage_sources_exist(checked: CheckedSettings) -> Iterator[Finding]:
    """Whoever a policy asks is in the file. `provider` is the account of each target itself."""
    known = {PROVIDER_SOURCE, *checked.settings.usage_sources}
    for name, policy in checked.settings.policies.items():
        for position, source in enumerate(policy.usage.ask if policy.usage is not None else ()):
            if source not in known:
                loc = ("policies", name, "usage", "ask", position)
                yield Finding(loc, "there is no usage source with this name", suggest(source, known, "sources"))
    if PROVIDER_SOURCE in checked.settings.usage_sources:
        what = "is the name of the provider itself"
        yield Finding(("usage_sources", PROVIDER_SOURCE), what, "give this source another name")


def providers_show_usage(checked: CheckedSettings) -> Iterator[Finding]:
    """A provider that cannot say who is logged in would extend every overlap to its bound."""
    for linked in checked.kinds:
        asked = linked.policy.usage.ask if linked.policy.usage is not None else ()
        if linked.overlaps and PROVIDER_SOURCE in asked and not linked.capabilities.shows_usage:
            what = f"provider: the {linked.account.type} account does not show who is logged in"
            remedy = "ask something else, such as a Prometheus in usage_sources, or give its targets another policy"
            yield Finding((*linked.policy_loc, "usage", "ask"), what, remedy)


def extensions_end_before_next_rotation(checked: CheckedSettings) -> Iterator[Finding]:
    """With `alternating` the idle credential of a device that stays holds the next rotation up."""
    for linked in checked.kinds:
        usage, shortest = linked.policy.usage, shortest_interval(linked.policy.schedule())
        longest = linked.policy.overlap + usage.extend_at_most if usage is not None else shortest
        if usage is not None and linked.overlaps and linked.policy.overlap < shortest <= longest:
            what = f"overlap and extension together are {duration_text(longest)}"
            what += f", and the next rotation may follow after {duration_text(shortest)}"
            remedy = f"set extend_at_most to less than {duration_text(shortest - linked.policy.overlap)}"
            yield Finding((*linked.policy_loc, "usage", "extend_at_most"), what, remedy, fatal=False)


def holds_have_no_limit(checked: CheckedSettings) -> Iterator[Finding]:
    """What stays for as long as somebody uses it keeps no limit of a password's age."""
    for linked in checked.kinds:
        usage, limits = linked.policy.usage, linked.policy.limits or checked.settings.limits
        if usage is not None and usage.then is AfterExtension.HOLD and limits is not None and linked.overlaps:
            loc, remedy = (*linked.policy_loc, "usage", "then"), "set `then: retire`, or remove the limits"
            yield Finding(loc, "with hold a password may be accepted for ever, and limits say that it may not", remedy)


def acknowledgements_stay_apart(checked: CheckedSettings) -> Iterator[Finding]:
    """What devices write is neither what they read, which rotator writes, nor a state document."""
    documents = {linked.path: loc for loc, linked in checked.targets}
    prefix = checked.settings.vault.state_prefix
    for name, source in checked.settings.usage_sources.items():
        if not isinstance(source, AcknowledgementSettings):
            continue
        loc, remedy = ("usage_sources", name, "path"), "use a folder of its own, such as 'used/{name}'"
        if source.path.startswith(f"{prefix}/"):
            yield Finding(loc, "is inside vault.state_prefix, which only rotator may write", remedy)
        for _, target in checked.targets:
            if source.path.replace("{name}", target.name) in documents:
                yield Finding(loc, "is where devices read, and only rotator may write there", remedy)
                break
