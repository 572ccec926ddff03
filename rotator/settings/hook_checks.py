"""Checks of hooks: what a policy names exists, what exists is named, and a request can be signed."""

from collections.abc import Iterator

from rotator.fields.references import Resolved
from rotator.fields.suggestions import suggest
from rotator.settings.hooks import CommandSettings, http_hooks, signing_key
from rotator.settings.problems import Finding
from rotator.settings.targets import CheckedSettings


def hooks_exist(checked: CheckedSettings) -> Iterator[Finding]:
    """Whatever a policy names is in `hooks`; what no policy names is never run."""
    known, named = checked.settings.hooks, set[str]()
    for policy_name, policy in checked.settings.policies.items():
        for moment in type(policy.hooks).model_fields:
            for position, name in enumerate(getattr(policy.hooks, moment)):
                named.add(name)
                if name not in known:
                    loc = ("policies", policy_name, "hooks", moment, position)
                    yield Finding(loc, "there is no hook with this name", suggest(name, known, "hooks"))
    for name in known:
        if name not in named:
            remedy = "name it in `hooks` of a policy, or remove it"
            yield Finding(("hooks", name), "no policy names it, so it is never run", remedy, fatal=False)


def passwords_are_given_after_rotations(checked: CheckedSettings) -> Iterator[Finding]:
    """What is given is what devices read: at any other moment there is nothing to give."""
    for policy_name, policy in checked.settings.policies.items():
        for moment in type(policy.hooks).model_fields:
            for position, name in enumerate(getattr(policy.hooks, moment)):
                hook = checked.settings.hooks.get(name)
                if moment != "after_rotation" and isinstance(hook, CommandSettings) and hook.gives is not None:
                    loc, remedy = ("policies", policy_name, "hooks", moment, position), "name it in after_rotation only"
                    yield Finding(loc, "gets no password at this moment, although it has `gives: password`", remedy)


def keys_can_sign(checked: CheckedSettings) -> Iterator[Finding]:
    """A key that is at hand is long enough; one in Vault is looked at when it is read."""
    for name, hook in http_hooks(checked.settings.hooks).items():
        if not isinstance(hook.key, Resolved):
            continue
        try:
            signing_key(hook.key.value)
        except ValueError as error:
            what, _, remedy = str(error).removeprefix("key: ").partition("; ")
            yield Finding(("hooks", name, "key"), what, remedy)
