"""How long a granted right is remembered, and what ends that early."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from polling import eventually

from rotator.ports import StoreUnavailable
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


class SlowPolicy(GrantingPolicy):
    """Answers once it is told to."""

    def __init__(self, *granted: str, fails: bool) -> None:
        super().__init__(*granted)
        self.answers, self.fails = Event(), fails

    def capabilities(self, operation: str, paths: Sequence[str]) -> dict[str, frozenset[str]]:
        granted = super().capabilities(operation, paths)
        assert self.answers.wait(60)
        if self.fails and len(self.asked) == 1:
            raise StoreUnavailable("Vault is away")
        return granted


@pytest.mark.parametrize("fails", [False, True])
def test_one_thread_asks_for_all_that_are_expected_and_the_others_wait_for_it(fails: bool) -> None:
    """Vault takes long for many paths: thirty threads that ask for the same two hundred would time out."""
    paths = [f"sip/{number}" for number in range(10)]
    policy = SlowPolicy(*paths, fails=fails)
    policy.rights.expect(paths)
    with ThreadPoolExecutor(10) as threads:
        first = threads.submit(policy.rights.may_publish, "sip/0")
        eventually(lambda: policy.asked == [paths], "nobody asks")
        others = [threads.submit(policy.rights.may_publish, path) for path in paths[1:]]
        policy.answers.set()
        assert all(other.result() for other in others)
    assert isinstance(first.exception(), StoreUnavailable) if fails else first.result()
    assert len(policy.asked) == 1 or fails
