"""What a successor inherits from its predecessor: the fields that the API shows, and the access."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotator.core.answers import Answer, Done, Refusal, Refused
from rotator.core.model import Credential
from rotator.providers.apinizer.api import ApinizerListing, ApinizerRecord, name_of
from rotator.providers.apinizer.grants import AccessGrant, grants
from rotator.providers.apinizer.options import ApinizerOptions
from rotator.providers.http.calls import HttpCall


@dataclass(frozen=True, slots=True)
class Inheritance:
    """The fields and the access that a successor inherits."""

    fields: Mapping[str, Any]
    access: tuple[AccessGrant, ...] = ()
    note: str = ""  # what could not be inherited


def inheritance(
    call: HttpCall,
    options: ApinizerOptions,
    listing: ApinizerListing,
    staged: Credential,
    target: str,
    like: Credential | None,
    now: datetime,
) -> Answer[Inheritance]:
    """Returns what a new credential inherits: from `like`, or from the options if there is none or it is gone."""
    if like is None or like.account != staged.account:
        return _without_predecessor(options, target)
    item = listing.entry(call, like)
    if _is_gone(item):
        return _without_predecessor(options, target, _lost_grants(like))
    if not isinstance(item, Done):
        return item
    fields = item.value.carried()
    if not isinstance(fields, Done):
        return fields
    if item.value.expired(now):
        message = f"the expireDate of {like.username!r} has passed, and a successor would inherit it"
        message += ": set a later one in the console"
        return Refused(Refusal.EXPIRED, message)
    inherited = grants(call, options, name_of(like))
    return Done(Inheritance(fields.value, inherited.value)) if isinstance(inherited, Done) else inherited


def _without_predecessor(options: ApinizerOptions, target: str, note: str = "") -> Answer[Inheritance]:
    if not options.email or not options.full_name:
        message = "set email and full_name: the API requires both, and there is no predecessor to inherit them from"
        return Refused(Refusal.INVALID, message)
    fields = {"email": options.email, "fullName": options.full_name}
    plain: dict[str, Any] = {**fields, "description": target, "roleNameList": [], "ipList": [], "expireDate": None}
    return Done(Inheritance(plain, note=note))


def access_of(
    call: HttpCall, options: ApinizerOptions, listing: ApinizerListing, created: Credential, like: Credential | None
) -> Answer[tuple[AccessGrant, ...]]:
    """Returns the access that `created` inherits: that of `like` if it still exists."""
    if like is None or like.account != created.account:
        return Done(())
    access = grants(call, options, name_of(like))
    refused = isinstance(access, Refused) and not access.why.concerns_account
    return Done(()) if refused and _is_gone(listing.entry(call, like)) else access


def _is_gone(answer: Answer[ApinizerRecord]) -> bool:
    """True if the project's listing was read and lacks the credential."""
    return isinstance(answer, Refused) and answer.why is Refusal.NOT_FOUND


def _lost_grants(like: Credential) -> str:
    name = like.username
    return f"{name} is gone, so its successor has none of its access to API proxies, roles or IP list: set them by hand"
