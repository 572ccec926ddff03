"""A Secret is not seen by any way in which values usually get out."""

import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import traceback

import pytest

from rotator.core.model import Credential
from rotator.core.secret import Secret

VALUE = "tr0ub4dor&3-vErY-hidden"
SECRET = Secret(VALUE)
HOLDER = Credential("account", "user", "id", SECRET)


def logged(message, *args) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.Logger("test")  # noqa: LOG001
    logger.addHandler(handler)
    logger.warning(message, *args)
    return stream.getvalue()


def raised() -> str:
    password = HOLDER.password
    try:
        raise ValueError("refused", password, HOLDER)  # noqa: TRY301
    except ValueError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(shown.format()) + str(error) + repr(error)


@pytest.mark.parametrize(
    "show",
    [
        lambda: repr(SECRET),
        lambda: str(SECRET),
        lambda: f"{SECRET}",
        lambda: f"{SECRET!r} {SECRET!s} {SECRET!a}",
        lambda: f"{SECRET:>40}",
        lambda: "%s %r" % (SECRET, SECRET),  # noqa: UP031
        lambda: repr([SECRET]) + str({"password": SECRET}),
        lambda: repr(HOLDER),
        lambda: pprint.pformat(HOLDER) + pprint.pformat([SECRET]),
        lambda: repr(dataclasses.replace(HOLDER, username="other")),
        lambda: json.dumps({"password": SECRET}, default=str),
        lambda: logged("password %s %r", SECRET, HOLDER),
        raised,
    ],
)
def test_it_is_masked(show):
    shown = show()
    assert VALUE not in shown
    assert "Secret(***)" in shown


@pytest.mark.parametrize(
    "leave",
    [
        lambda: json.dumps(SECRET),
        lambda: pickle.dumps(SECRET),
        lambda: pickle.dumps(HOLDER, protocol=0),
        lambda: copy.deepcopy(SECRET),
        lambda: copy.copy(SECRET),
        lambda: hash(SECRET),
        lambda: {SECRET: 1},
        lambda: len(SECRET),
        lambda: list(SECRET),
        lambda: SECRET + "",
        lambda: vars(SECRET),
        lambda: SECRET < SECRET,
        lambda: dataclasses.asdict(HOLDER),
        lambda: Secret(b"bytes"),
        lambda: Secret(SECRET),
    ],
)
def test_it_does_not_leave_by_accident(leave):
    with pytest.raises(TypeError) as caught:
        leave()
    assert VALUE not in str(caught.value)


def test_it_equals_only_a_secret_of_the_same_value():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("ä") == Secret("ä")
    assert Secret("a") != "a"
    assert Secret("") != Secret("a")
    assert bool(Secret("a"))
    assert not Secret("")


def test_reveal_is_the_one_way_out():
    assert SECRET.reveal() == VALUE
    assert [name for name in dir(SECRET) if not name.startswith("_")] == ["reveal"]


def test_text_that_is_no_unicode_is_compared_too():
    """Whoever may write a consumer document may put half a surrogate pair into it."""
    half = json.loads('"\\ud800"')
    assert Secret(half) != SECRET
    assert Secret(half) == Secret(half)


def test_what_a_secret_refuses_is_said():
    with pytest.raises(TypeError, match=r"^a Secret contains text$"):
        Secret(7)
    with pytest.raises(TypeError, match=r"^a Secret cannot be pickled$"):
        pickle.dumps(Secret("x"))
