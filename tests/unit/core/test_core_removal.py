"""What is given up of a target whose accounts are out of reach, or which nobody configures any more."""

from dataclasses import replace

from core_facts import NEW, OLD, OTHER, opened

from rotator.core.removal import after_forgetting, forgotten

STATE = replace(opened(), published=OLD, standby=OTHER)


def test_what_can_be_reached_is_kept_while_the_target_is_configured():
    assert forgotten(STATE, {"fake"}, configured=True) == ()
    assert after_forgetting(STATE, {"fake"}, configured=True) == STATE


def test_an_attempt_out_of_reach_is_given_up_and_what_is_published_is_kept():
    assert [one.username for one in forgotten(STATE, (), configured=True)] == [NEW.username]
    assert after_forgetting(STATE, (), configured=True) == replace(STATE, attempt=None)


def test_of_a_target_that_is_not_configured_both_credentials_are_given_up():
    assert forgotten(STATE, {"fake"}, configured=False) == (OLD, OTHER)
    assert after_forgetting(STATE, {"fake"}, configured=False) == replace(STATE, published=None, standby=None)
