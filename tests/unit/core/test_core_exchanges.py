"""Shapes of requests and answers: names and types, and no value."""

from rotator.core.exchanges import shape, uneven_fields
from rotator.core.secret import Secret


def test_a_shape_has_types_in_place_of_values():
    body = {"id": "a1", "enabled": True, "n": 5, "end": None, "password": "********", "set": Secret("hidden-value")}
    assert shape(body) == {
        "id": "text",
        "enabled": "boolean",
        "n": "number",
        "end": "null",
        "password": "mask",
        "set": "secret",
    }


def test_a_mask_has_four_characters_or_more():
    assert [shape("*" * length) for length in (3, 4, 5)] == ["text", "mask", "mask"]


def test_the_entries_of_a_list_are_merged_and_the_uneven_ones_are_named():
    body = {"objects": [{"id": "a", "expired": False}, {"id": "b", "expired": None}, {"id": "c"}], "empty": []}
    merged = shape(body)
    assert merged == {"objects": [{"id": "text", "expired": "boolean or missing or null"}], "empty": []}
    assert uneven_fields(merged) == ("expired (boolean or missing or null)",)
    assert uneven_fields(shape({"objects": [{"id": "a"}, {"id": "b"}]})) == ()


def test_a_key_that_is_no_name_is_left_out():
    assert shape({"user@example.com": 1, "x" * 61: 2, "name-of_it1": 3}) == {"{}": "number", "name-of_it1": "number"}


def test_what_is_nested_deeply_ends():
    body: dict[str, object] = {}
    for _ in range(50):
        body = {"a": body}
    assert "object" in str(shape(body))
