"""Answers that are not as documented: what a twist makes of an honest answer on its way."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from account_under_test import AnswerChange
from flask import Response, request

ValueChange = Callable[[str, Any], Any]
"""What becomes of a value under a key; `DROPPED` takes it out."""
DROPPED = object()
NOISE = {"unexpected": "sentinel", "nested": {"id": "sentinel", "enabled": None, "data": [1, {"errors": "sentinel"}]}}
_OTHERS: dict[type, tuple[Any, ...]] = {
    bool: (None, "perhaps", [True], {}),
    int: (None, "many", [1], {}),
    str: (None, ["x"], {"x": 1}, True),
    list: (None, "x", {"x": []}, 7),
    dict: (None, "x", [], 7),
    type(None): (7, {"x": 1}, [7], True),
}
"""For each type of JSON, values of other types."""


def _walk(value: Any, change: ValueChange) -> Any:
    if isinstance(value, dict):
        changed = {key: change(key, _walk(inner, change)) for key, inner in value.items()}
        return {key: inner for key, inner in changed.items() if inner is not DROPPED}
    return [_walk(inner, change) for inner in value] if isinstance(value, list) else value


def change_answers_to(verb: str, change: Callable[[Any], Any]) -> AnswerChange:
    """Changes the JSON of the good answers to one verb."""

    def change_answer(asked: str, answer: Response) -> None:
        if asked == verb and answer.status_code < 300 and answer.get_data():
            answer.set_data(json.dumps(change(answer.get_json())))

    return change_answer


def fields_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key anywhere in a JSON value, with a value that it has."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from fields_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from fields_of(inner)


def without_field(key: str) -> Callable[[Any], Any]:
    """The same without a field, wherever it is."""
    return lambda whole: _walk(whole, lambda name, value: DROPPED if name == key else value)


def with_field_value(key: str, wrong: Any) -> Callable[[Any], Any]:
    """The same with this value for a field, wherever it is."""
    return lambda whole: _walk(whole, lambda name, value: wrong if name == key else value)


def about_another(names: dict[str, str]) -> Callable[[Any], Any]:
    """The same about something else: each text that stands in `names` by the one beside it."""

    def change(_: str, value: Any) -> Any:
        return names.get(value, value) if isinstance(value, str) else value

    return lambda whole: _walk(whole, change)


def with_unexpected_fields(whole: Any) -> Any:
    """The same with fields that nobody expects, in every object."""
    if isinstance(whole, dict):
        return {**{key: with_unexpected_fields(inner) for key, inner in whole.items()}, **NOISE}
    return [with_unexpected_fields(inner) for inner in whole] if isinstance(whole, list) else whole


def values_of_other_types(value: Any) -> tuple[Any, ...]:
    """Values of other types than this one."""
    return _OTHERS[type(value)]


def error_that_repeats(text: str, status: int) -> AnswerChange:
    """An error whose every word is the text, in the shapes of all providers."""
    code = {"code": text, "title": text, "detail": text, "message": text, "value": text, "meta": {"url": text}}
    body = {
        "error": {**code, "details": {"errors": [code]}},
        "errors": [code],
        "code": text,
        "message": text,
        "error_description": text,
        "resultMessage": text,
        "status": text,
    }

    def change_answer(_: str, answer: Response) -> None:
        answer.status_code = status
        answer.set_data(json.dumps(body))
        answer.headers["X-Said"] = text

    return change_answer


def redirect_to(status: int, elsewhere: str) -> AnswerChange:
    """The way to another host, with the same path."""

    def change_answer(_: str, answer: Response) -> None:
        answer.status_code = status
        answer.headers["Location"] = f"{elsewhere}{request.path}"
        answer.set_data(b"")

    return change_answer
