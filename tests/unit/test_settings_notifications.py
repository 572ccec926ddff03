"""Who is told of what."""

from collections.abc import Callable

import pytest
from settings_texts import GOOD, SENTINEL, complaints, load_text

from rotator.core.model import Strategy, Target
from rotator.observe.notices import TOPICS, Condition
from rotator.settings.notifications import NotificationRoute

PHONE = Target("phone", "prod", Strategy.REPLACE, ("user1",), "sip/phone", None, labels=(("site", "berlin"),))
REFUSED, OPEN = Condition("refused", "phone"), Condition("circuit_open", "prod")


@pytest.fixture
def route(tmp_path) -> Callable[..., NotificationRoute]:
    def made(more: str = "") -> NotificationRoute:
        text = f"{GOOD}notifications:\n  on-call: {{url: {{env: VAULT_TOKEN}}{more}}}\n"
        return load_text(text, tmp_path).notifications["on-call"]

    return made


def test_by_default_everybody_is_told_everything(route):
    made = route()
    assert all(made.tells(Condition(topic, "phone"), PHONE) for topic in TOPICS)
    assert made.tells(OPEN, None)
    assert made.tells(Condition("orphan", "gone"), None)
    assert SENTINEL not in repr(made)


@pytest.mark.parametrize(
    ("more", "told", "of_circuits"),
    [
        (", about: [refused]", True, False),
        (", about: [blocked, circuit_open]", False, True),
        (", accounts: [prod]", True, True),
        (", accounts: [other]", False, False),
        (', targets: ["ph*"]', True, False),
        (", targets: [lobby]", False, False),
        (", labels: {site: berlin}", True, False),
        (", labels: {site: berlin, floor: ground}", False, False),
    ],
)
def test_a_route_is_told_of_what_it_asks_for(route, more, told, of_circuits):
    made = route(more)
    assert made.tells(REFUSED, PHONE) is told
    assert made.tells(OPEN, None) is of_circuits


def test_of_a_removed_target_only_the_name_is_known(route):
    gone = Condition("orphan", "gone")
    assert route(", targets: [gone]").tells(gone, None)
    assert not route(", accounts: [prod]").tells(gone, None)
    assert not route(", labels: {site: berlin}").tells(gone, None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("url: {env: VAULT_TOKEN}, about: [refussed]", "is nothing that can be told; did you mean 'refused'?"),
        ("url: {env: VAULT_TOKEN}, about: []", "about"),
        ("url: slack://token", "a secret must not be written into this file"),
        ("url: {env: VAULT_TOKEN}, at_most: 0", "at_most"),
    ],
)
def test_mistakes_are_explained(tmp_path, more, said):
    assert said in "\n".join(complaints(f"{GOOD}notifications:\n  on-call: {{{more}}}\n", tmp_path))
