"""How long a granted right is remembered, and what ends that early."""

from collections.abc import Sequence

from rotator.vault.publishing_rights import PublishingRights


class GrantingPolicy:
    """Grants the paths in `granted`, and counts what it is asked."""

    def __init__(self, *granted: str) -> None:
        self.granted, self.now = {f"secret/data/{path}" for path in granted}, 0.0
        self.asked: list[list[str]] = []
        self.rights = PublishingRights(self, "secret", lambda: self.now)  # type: ignore[arg-type]

    def capabilities(self, operation: str, paths: Sequence[str]) -> dict[str, frozenset[str]]:
        assert operation == "check_publishable"
        self.asked.append([path.removeprefix("secret/data/") for path in paths])
        both = frozenset({"create", "update"})
        return {path: both if path in self.granted else frozenset({"create"}) for path in paths}


def test_a_granted_right_is_remembered_for_five_minutes():
    policy = GrantingPolicy("sip/a", "sip/b")
    policy.rights.expect(["sip/a", "sip/b", "sip/a"])
    assert policy.rights.may_publish("sip/a")
    policy.now = 299.0
    assert policy.rights.may_publish("sip/b")
    assert policy.asked == [["sip/a", "sip/b"]]
    policy.now = 300.0
    assert policy.rights.may_publish("sip/b")
    assert len(policy.asked) == 2


def test_a_right_that_is_missing_is_asked_for_each_time():
    policy = GrantingPolicy()
    assert not policy.rights.may_publish("sip/a")
    policy.granted.add("secret/data/sip/a")
    assert policy.rights.may_publish("sip/a")


def test_a_right_that_turns_out_to_be_gone_is_asked_for_again():
    policy = GrantingPolicy("sip/a")
    assert policy.rights.may_publish("sip/a")
    policy.granted.clear()
    policy.rights.forget("sip/a")
    assert not policy.rights.may_publish("sip/a")
    policy.rights.forget("sip/never asked for")
