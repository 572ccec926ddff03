"""Targets are chosen by name, by pattern and by label, in every command that takes targets."""

import time

import pytest

from rotator.cli.choosing import check_names, select_target, select_targets
from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Choice
from rotator.core.model import Policy, Strategy, Target
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Every
from rotator.fields.times import duration

POLICY = Policy("p", Every(duration("90d")), None, duration("1d"), duration("7d"), PasswordRules())


def target(name: str, **labels: str) -> Target:
    return Target(name, "prod", Strategy.REPLACE, (name,), f"sip/{name}", POLICY, labels=tuple(sorted(labels.items())))


TARGETS = (
    target("office"),
    target("lobby-a", site="berlin", floor="1"),
    target("lobby-b", site="berlin", floor="2"),
    target("lobby-c", site="paris", floor="1"),
)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (Choice(), ["office", "lobby-a", "lobby-b", "lobby-c"]),
        (Choice(("lobby-b", "office", "lobby-b")), ["lobby-b", "office"]),
        (Choice(("lobby-*",)), ["lobby-a", "lobby-b", "lobby-c"]),
        (Choice(("lobby-?", "office")), ["lobby-a", "lobby-b", "lobby-c", "office"]),
        (Choice(labels=("site=berlin",)), ["lobby-a", "lobby-b"]),
        (Choice(labels=("site=berlin", "floor=1")), ["lobby-a"]),
        (Choice(("*-b", "*-c"), ("site=berlin",)), ["lobby-b"]),
    ],
)
def test_targets_are_chosen(choice, names):
    """One of the names, and all of the labels."""
    assert [each.name for each in select_targets(TARGETS, choice)] == names


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(("offce",)), "there is no target 'offce': did you mean 'office'?"),
        (Choice(("lobby",)), "there is no target 'lobby': did you mean 'lobby-c', 'lobby-b' or 'lobby-a'?"),
        (Choice(("x*",)), "there is no target 'x*': known targets: lobby-a, lobby-b, lobby-c, office"),
        (
            Choice(labels=("site=rome",)),
            "no target has site=rome; known labels: floor=1, floor=2, site=berlin, site=paris",
        ),
        (Choice(("office",), ("site=berlin",)), "no target has site=berlin; there are no labels"),
        (Choice(labels=("berlin",)), "'berlin' is not a label: write it as KEY=VALUE, such as site=berlin"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is_near(choice, said):
    """Nothing is chosen by half."""
    with pytest.raises(CommandError) as caught:
        select_targets(TARGETS, choice)

    assert str(caught.value) == said


@pytest.mark.unmeasured
def test_a_name_among_many_is_answered_with_five():
    """Not with all of them, and not after minutes."""
    many = [target(f"agent-{number:05d}") for number in range(20_000)]
    began = time.process_time()

    with pytest.raises(CommandError) as near:
        select_targets(many, Choice(("agent-1234",)))
    with pytest.raises(CommandError) as far:
        select_targets(many, Choice(("zzz",)))

    assert str(near.value).count("'agent-") == 5 + 1
    assert str(far.value) == "there is no target 'zzz': none of the 20,000 targets resembles it"
    assert time.process_time() - began < 10


def test_a_command_for_one_target_takes_no_pattern():
    """An undo of several would be a mistake."""
    assert select_target(TARGETS, "office").name == "office"
    with pytest.raises(CommandError):
        select_target(TARGETS, "off*")


def test_every_unknown_name_is_named_once():
    check_names(["prod"], ["prod", "test"], "account")
    with pytest.raises(CommandError) as caught:
        check_names(["prodd", "prod", "x", "prodd"], ["prod", "test"], "account")
    assert str(caught.value) == (
        "there is no account 'prodd': did you mean 'prod'?\nthere is no account 'x': known accounts: prod, test"
    )
    assert caught.value.code is Exit.USAGE
