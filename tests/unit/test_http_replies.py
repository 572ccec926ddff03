"""What counts as a body that was read."""

import pytest
from engine_harness import EngineHarness

from rotator.providers.http.replies import parse


@pytest.mark.parametrize("body", [b"1e999", b'{"a": -1e999}', b"[NaN]", b"Infinity", b"-Infinity"])
def test_a_number_that_could_not_be_sent_back_makes_a_body_unreadable(body):
    reply = parse(200, body, {}, EngineHarness().clock.now())
    assert not reply.readable
    assert reply.body is None


def test_finite_numbers_are_read_as_they_are():
    assert parse(200, b'{"a": 1.5, "b": 10}', {}, EngineHarness().clock.now()).body == {"a": 1.5, "b": 10}
