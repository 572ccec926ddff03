"""Checks of the overlap against telephony: reading Vault, registrations, calls, and what a registrar remembers."""

from collections.abc import Iterator
from datetime import timedelta

from rotator.core.model import Strategy
from rotator.fields.times import duration_text
from rotator.providers.options import SipAccountOptions
from rotator.settings.problems import Finding
from rotator.settings.targets import CheckedSettings


def overlaps_outlast_devices(checked: CheckedSettings) -> Iterator[Finding]:
    """The slowest device has read Vault, logged in again and ended its call before the old credential ends."""
    for linked in checked.kinds:
        account, devices = linked.account, linked.policy.devices
        if not isinstance(account, SipAccountOptions) or not linked.overlaps:
            continue
        parts = {
            "until a device reads Vault": devices.read_every,
            "until it registers again": account.registration,
            "for a call that began before": devices.longest_call,
        }
        needed = sum(parts.values(), timedelta())
        if linked.policy.overlap < needed:
            terms = " + ".join(f"{duration_text(length)} {what}" for what, length in parts.items())
            what = f"{duration_text(linked.policy.overlap)} may cut devices off: they may need {duration_text(needed)}"
            remedy = f"{terms}; set at least {duration_text(needed)}, or correct devices.read_every, "
            remedy += f"devices.longest_call, or registration of the {account.type} account"
            yield Finding(linked.policy_key("overlap"), what, remedy, fatal=False)


def propagation_outlasts_digest_caches(checked: CheckedSettings) -> Iterator[Finding]:
    """A registrar that remembers the old password refuses the new one meanwhile, which is no failure."""
    for name, account in checked.settings.providers.items():
        sets = {Strategy.IN_PLACE, Strategy.ALTERNATING}
        used = any(each.target.provider == name and each.target.strategy in sets for each in checked.kinds)
        if used and isinstance(account, SipAccountOptions) and account.propagation < account.digest_cache:
            cached, propagation = duration_text(account.digest_cache), duration_text(account.propagation)
            what = f"{propagation} is too short: the registrar may refuse a new password for {cached} (digest_cache)"
            yield Finding(("providers", name, "propagation"), what, f"set at least {cached}")


def extensions_outlast_registrations(checked: CheckedSettings) -> Iterator[Finding]:
    """A device that has moved on leaves its old registration behind until that expires."""
    for linked in checked.kinds:
        account, usage = linked.account, linked.policy.usage
        if not isinstance(account, SipAccountOptions) or not linked.overlaps or usage is None:
            continue
        if usage.extend_at_most < account.registration:
            longest = duration_text(account.registration)
            what = f"a device that has moved on may seem to be there for {longest}, until its registration expires"
            loc = (*linked.policy_loc, "usage", "extend_at_most")
            yield Finding(loc, what, f"set at least {longest}", fatal=False)
