"""Vobiz trunk credentials: every trap of its pages, each answered by hand."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from provider_fixtures import (
    CREDENTIALS,
    PASSWORD,
    TRUNKS,
    account_options,
    answer,
    answers_in_turn,
    credential,
    listing,
    trunk_json,
    vobiz,
)

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Proof
from rotator.providers.http import listing as walk

NOT_FOUND = [
    answer(404),
    answer(404, {"status": "error", "error": {"code": "TRUNK_NOT_FOUND"}}),
    answer(404, text="<h1>"),
]
ONE = f"{CREDENTIALS}/id-1"
LIST = f"GET {TRUNKS}?limit=100&offset=0"


def refusal_message(result, why) -> str:
    assert isinstance(result, Refused), result
    assert result.why is why, result
    return result.message


# -- options


@pytest.mark.parametrize("auth_id", ["", "MA/1", "..", "MA 1", "MA\n", "ü", "M" * 65])
def test_an_auth_id_that_cannot_stand_in_a_path_is_refused(auth_id):
    with pytest.raises(ValueError, match="is not a valid id"):
        account_options("vobiz", auth_id=auth_id)


# -- create


@pytest.mark.parametrize("status", [200, 201])
def test_create_sends_only_username_and_password_and_takes_id_and_realm(status):
    provider, network = vobiz(answers_in_turn(answer(status, trunk_json("new-id", "office1"))))
    staged = credential(None, "office1", attempt="a1")
    assert provider.create(staged, "office") == Done(replace(staged, id="new-id", realm="MA_TEST.sip.vobiz.ai"))
    assert network.request_lines == [f"POST {CREDENTIALS}"]
    assert network.bodies == [{"username": "office1", "password": PASSWORD}]
    assert network.meter.outcomes == [("create", str(status))]


@pytest.mark.parametrize(
    "taken",
    [
        answer(409, {"error": "Username already exists", "code": 409}),
        answer(409, text="<html>"),
        answer(409),
        answer(400, {"status": "error", "error": {"code": "DUPLICATE_USERNAME", "message": "x"}}),
    ],
)
def test_create_of_a_taken_username_is_a_duplicate(taken):
    provider, _ = vobiz(answers_in_turn(taken))
    refusal_message(provider.create(credential(None, "office1"), "office"), Refusal.DUPLICATE)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        "created",
        trunk_json(identity=None),
        trunk_json(identity=""),
        trunk_json(identity="../x"),
        trunk_json(identity={"a": 1}),
        trunk_json(identity=True),
        trunk_json("id-1", "somebodyelse"),
        trunk_json("id-1", 7),
        trunk_json("id-1", "office1", enabled=None),
        trunk_json("id-1", "office1", enabled="true"),
        trunk_json("id-1", "office1", enabled=False),
    ],
)
def test_create_whose_answer_does_not_show_the_credential_is_unknown(body):
    provider, _ = vobiz(answers_in_turn(answer(201, body)))
    assert isinstance(provider.create(credential(None, "office1"), "office"), Unknown)


def test_create_takes_an_id_that_is_a_number():
    provider, _ = vobiz(answers_in_turn(answer(201, trunk_json(4711, "office1"))))
    assert provider.create(credential(None, "office1"), "office").value.id == "4711"


def test_create_is_sent_once_when_its_answer_is_lost():
    provider, network = vobiz(answers_in_turn(httpx.ReadTimeout("no")))
    assert isinstance(provider.create(credential(None, "office1"), "office"), Unknown)
    assert len(network.sent) == 1


def test_a_realm_that_is_no_host_is_left_out():
    provider, _ = vobiz(answers_in_turn(answer(201, trunk_json("n", "office1", realm="a b\r\nc"))))
    assert provider.create(credential(None, "office1"), "office").value.realm == ""


def test_a_rejected_password_that_is_echoed_is_not_repeated():
    echo = {"field": "password", "message": f"{PASSWORD} is weak", "code": PASSWORD, "value": PASSWORD}
    body = {
        "status": "error",
        "error": {"code": "VALIDATION_ERROR", "message": PASSWORD, "details": {"errors": [echo]}},
    }
    provider, _ = vobiz(answers_in_turn(answer(422, body)))
    message = refusal_message(provider.create(credential(None, "office1"), "office"), Refusal.INVALID)
    assert "VALIDATION_ERROR" in message
    assert PASSWORD not in message


# -- find


@pytest.mark.parametrize("total", ["total", "total_count"])
def test_find_by_username_and_by_id(total):
    objects = [trunk_json("id-1", "phone1"), trunk_json("id-2", "phone2", enabled=False, password="in clear")]
    provider, network = vobiz(lambda _: listing(*objects, total=total))
    by_name = provider.find(credential(None, "phone2")).value
    by_id = provider.find(credential("id-2", "whatever")).value
    assert by_name == by_id
    assert (by_name[0].id, by_name[0].username, by_name[0].enabled) == ("id-2", "phone2", False)
    assert by_name[0].password is None
    assert by_name[0].realm == "MA_TEST.sip.vobiz.ai"
    assert network.request_lines == [LIST, LIST]


def test_find_of_what_is_not_there_is_empty():
    provider, _ = vobiz(lambda _: listing(trunk_json("id-2", "phone2")))
    assert provider.find(credential("id-1", "phone2")) == Done(())


def test_find_takes_the_older_listing_without_realm_and_password():
    entry = {
        "id": "id-1",
        "username": "phone1",
        "enabled": True,
        "description": "x",
        "created_at": "",
        "updated_at": "",
    }
    provider, _ = vobiz(lambda _: listing(entry, total="total_count"))
    assert provider.find(credential()).value[0].realm == ""


def answer_in_pages(objects, *, cut=100, total="total") -> Callable[[httpx.Request], httpx.Response]:
    """A listing that pages as documented, and cuts `limit` silently."""

    def handle(request) -> httpx.Response:
        query = request.url.params
        offset, limit = int(query["offset"]), min(int(query["limit"]), cut)
        return listing(*objects[offset : offset + limit], total=total, count=len(objects))

    return handle


MANY = [trunk_json(f"id-{n}", f"phone{n}") for n in range(250)]


@pytest.mark.parametrize(("cut", "pages"), [(1, 45), (7, 8), (20, 3), (100, 1), (1000, 1)])
def test_all_pages_are_read_however_long_they_are(cut, pages):
    few = MANY[:45]
    provider, network = vobiz(answer_in_pages(few, cut=cut))
    assert [found.id for found in provider.find(credential("id-44")).value] == ["id-44"]
    assert len(network.sent) == pages


def test_the_pages_of_a_listing_overlap_and_the_first_ones_are_read_again_before_absence_is_believed():
    provider, network = vobiz(answer_in_pages(MANY))
    assert provider.find(credential("no")) == Done(())
    assert [request.url.params["offset"] for request in network.sent] == ["0", "95", "190", "0", "95"]
    # What is known now saves the first pass of the next reading.
    assert provider.find(credential("nor this")) == Done(())
    assert [request.url.params["offset"] for request in network.sent[5:]] == ["190", "0", "95"]


def test_one_page_that_shows_everything_is_read_once():
    provider, network = vobiz(answer_in_pages(MANY[:60]))
    assert provider.find(credential("no")) == Done(())
    assert len(network.sent) == 1


def test_a_hit_ends_the_reading():
    provider, network = vobiz(answer_in_pages(MANY))
    assert provider.find(credential("id-101")).value[0].username == "phone101"
    assert len(network.sent) == 2


def test_an_entry_that_moves_past_the_reader_between_two_pages_is_found():
    before, after = MANY[:150], [*MANY[1:150], trunk_json("late", "late")]
    calls = []

    def handle(request) -> httpx.Response:
        calls.append(request)
        return answer_in_pages(before if len(calls) == 1 else after)(request)

    provider, _ = vobiz(handle)
    # The first goes and one is added at the end, so that the total stays and entry 100 was on no page that was read.
    assert provider.find(credential("id-100")).value[0].username == "phone100"


def test_a_limit_that_is_rejected_is_not_insisted_on():
    def handle(request) -> httpx.Response:
        return answer(400) if request.url.params["limit"] != "20" else answer_in_pages(MANY[:30])(request)

    provider, _ = vobiz(handle)
    assert provider.find(credential("id-29")).value[0].id == "id-29"


def test_a_listing_that_is_always_rejected_is_refused():
    provider, network = vobiz(lambda _: answer(400))
    refusal_message(provider.find(credential()), Refusal.INVALID)
    assert len(network.sent) == 2


@pytest.mark.parametrize("meta", [{}, {"limit": 100, "offset": 0}, None, "x"])
def test_without_a_total_a_page_without_anything_new_is_the_end(meta):
    def handle(request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        return answer(200, {"meta": meta, "objects": MANY[:30][offset : offset + 20]})

    provider, network = vobiz(handle)
    assert len(provider.find(credential("id-29")).value) == 1
    assert provider.find(credential("no")) == Done(())
    assert [request.url.params["offset"] for request in network.sent] == ["0", "19", "29", "0", "19"]


@pytest.mark.parametrize("with_total", [True, False])
def test_a_page_that_repeats_for_ever_is_noticed(with_total):
    same = {"meta": {"total": 1000} if with_total else {}, "objects": MANY[:100]}
    provider, network = vobiz(lambda _: answer(200, same))
    assert isinstance(provider.find(credential("no")), Unknown)
    assert len(network.sent) == 7


def test_a_listing_without_end_is_bounded(monkeypatch):
    monkeypatch.setattr(walk, "MOST_ENTRIES", 5_000)

    def handle(request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        return answer(200, {"meta": {}, "objects": [trunk_json(f"id-{offset + n}", "x") for n in range(100)]})

    provider, network = vobiz(handle)
    result = provider.find(credential("no"))
    assert isinstance(result, Unknown)
    assert len(network.sent) == 53


def test_a_total_that_changes_with_every_page_spoils_nothing():
    there = [*MANY]

    def handle(request) -> httpx.Response:
        there.append(trunk_json(f"late-{len(there)}", f"late{len(there)}"))
        return answer_in_pages(there)(request)

    provider, network = vobiz(handle)
    assert provider.find(credential("no")) == Done(())
    assert len(network.sent) == 5


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        7,
        {},
        {"meta": {"total": 0}},
        {"meta": {"total": 0}, "objects": None},
        {"meta": {"total": 0}, "objects": {}},
        {"meta": {"total": 1}, "objects": []},
        {"meta": {"total": 0}, "objects": [trunk_json()]},
        {"meta": {"total": "0"}, "objects": []},
        {"meta": {"total": -1}, "objects": []},
        {"meta": {"total": True}, "objects": [trunk_json()]},
        {"meta": {"total": None}, "objects": []},
        {"meta": {"total": 0, "total_count": "x"}, "objects": []},
        {"meta": {"total": 2}, "objects": [trunk_json(), trunk_json()]},
        {"meta": {"total": 2}, "objects": [trunk_json(), None]},
        {"meta": {"total": 1}, "objects": [{"username": "phone9", "enabled": True}]},
        {"meta": {"total": 1}, "objects": [{"id": "no", "username": "phone9"}]},
        {"meta": {"total": 1}, "objects": [trunk_json("no", username="a\nb")]},
    ],
)
def test_a_listing_of_another_form_is_never_taken_for_empty(body):
    provider, _ = vobiz(lambda _: answer(200, body))
    assert isinstance(provider.find(credential("no")), Unknown)


@pytest.mark.parametrize(
    "strange", [{"id": "id-9"}, trunk_json("id-9", username="a\nb"), trunk_json("id-9", enabled="no")]
)
def test_an_unreadable_entry_that_cannot_be_meant_is_skipped_and_named(strange, caplog):
    provider, _ = vobiz(lambda _: listing(trunk_json(), strange))
    answer = provider.find(credential("no"))
    assert answer == Done((), "1 of the listing's entries cannot be read, such as id id-9")
    assert answer.note in caplog.text
    assert provider.find(credential()).value[0].id == "id-1"
    provider.find(credential("no"))
    assert caplog.text.count(answer.note) == 1


@pytest.mark.parametrize("content", [b"<html>", b"", b"{"])
def test_a_listing_that_is_not_json_is_unknown(content):
    provider, _ = vobiz(lambda _: httpx.Response(200, content=content))
    assert isinstance(provider.find(credential("no")), Unknown)


@pytest.mark.parametrize(("status", "why"), [(401, Refusal.AUTHENTICATION), (404, Refusal.OTHER)])
def test_a_refused_key_or_path_is_named_with_what_to_check(status, why):
    provider, _ = vobiz(lambda _: answer(status))
    assert "letter case of the path" in refusal_message(provider.find(credential()), why)


# -- the request for a single one

ABSENT = answer(404)


def test_a_single_get_that_is_answered_is_used_and_remembered():
    provider, network = vobiz(lambda _: answer(200, trunk_json()), answers_get=None)
    for _ in range(2):
        assert provider.find(credential()).value[0].id == "id-1"
    assert network.request_lines == [f"GET {ONE}"] * 2


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 405, 501])
def test_a_single_get_that_is_not_there_is_tried_once(status):
    get = answer(status)
    provider, network = vobiz(answers_in_turn(get, *[listing(trunk_json())] * 2), answers_get=None)
    for _ in range(2):
        assert provider.find(credential()).value[0].id == "id-1"
    assert network.request_lines == [f"GET {ONE}", LIST, LIST]


@pytest.mark.parametrize("known", [None, True])
def test_a_single_get_never_shows_that_something_is_gone(known):
    provider, network = vobiz(answers_in_turn(ABSENT, listing(), ABSENT, answer(500)), answers_get=known)
    assert provider.find(credential()) == Done(())
    assert isinstance(provider.find(credential()), Unknown)
    assert network.request_lines == [f"GET {ONE}", LIST] * 2


def test_a_single_get_that_fails_is_not_made_up_for_by_the_listing():
    provider, network = vobiz(lambda _: answer(429, headers={"Retry-After": "100"}), answers_get=None)
    assert provider.find(credential()).after == timedelta(seconds=100)
    assert network.request_lines == [f"GET {ONE}"]


# -- set_password


def test_set_password_sends_only_the_password():
    provider, network = vobiz(answers_in_turn(answer(200, trunk_json())))
    assert provider.set_password(credential()) == Done(credential(realm="MA_TEST.sip.vobiz.ai"))
    assert network.request_lines == [f"PUT {ONE}"]
    assert network.bodies == [{"password": PASSWORD}]
    assert network.meter.outcomes == [("set_password", "200")]


def test_set_password_enables_what_is_disabled_with_the_same_password():
    provider, network = vobiz(
        answers_in_turn(answer(200, trunk_json(enabled=False)), answer(200, trunk_json())),
    )
    assert isinstance(provider.set_password(credential()), Done)
    assert network.bodies == [{"password": PASSWORD}, {"enabled": True, "password": PASSWORD}]


def test_set_password_of_one_that_is_known_to_be_disabled_is_one_request():
    provider, network = vobiz(answers_in_turn(answer(200, trunk_json())))
    assert provider.set_password(credential(enabled=False)).value.enabled
    assert network.bodies == [{"enabled": True, "password": PASSWORD}]


@pytest.mark.parametrize("first", [[answer(400)], [answer(422)]])
def test_set_password_with_enabled_that_is_rejected_is_set_alone(first):
    provider, network = vobiz(answers_in_turn(*first, answer(200, trunk_json())))
    assert provider.set_password(credential(enabled=False)).value.enabled
    assert network.bodies == [{"enabled": True, "password": PASSWORD}, {"password": PASSWORD}]


@pytest.mark.parametrize("then", [answer(200, trunk_json()), answer(401)])
def test_set_password_whose_enabled_is_ignored_is_enabled_alone(then):
    off = trunk_json(enabled=False)
    provider, network = vobiz(answers_in_turn(answer(200, off), listing(off), then))
    assert isinstance(provider.set_password(credential(enabled=False)), Done if then.status_code == 200 else Unknown)
    assert network.bodies == [{"enabled": True, "password": PASSWORD}, {"enabled": True}]


@pytest.mark.parametrize(
    "then",
    [
        [answer(401)],
        [answer(422), answer(422)],
        [answer(404), listing()],
        [httpx.ConnectError("no")] * 4,
        [answer(429, headers={"Retry-After": "100"})],
        [answer(500)],
        [answer(200, trunk_json(enabled=False)), listing(trunk_json(enabled=False))] * 2,
    ],
    ids=["401", "422", "404", "no connection", "429", "500", "ignored"],
)
def test_once_the_password_is_set_nothing_is_refused_any_more(then):
    provider, _ = vobiz(answers_in_turn(answer(200, trunk_json(enabled=False)), *then))
    result = provider.set_password(credential())
    assert isinstance(result, Unknown)
    assert "the password is set" in result.message


OTHER_SUCCESSES = [None, {}, {"message": "updated"}, trunk_json(enabled=None)]


@pytest.mark.parametrize("body", [[], "ok", trunk_json("other"), {"error": "x"}])
def test_set_password_whose_answer_is_of_something_else_is_unknown(body):
    provider, _ = vobiz(answers_in_turn(answer(200, body)))
    assert isinstance(provider.set_password(credential()), Unknown)


@pytest.mark.parametrize("body", OTHER_SUCCESSES)
@pytest.mark.parametrize("method", ["set_password", "enable"])
def test_a_success_that_shows_nothing_of_the_credential_is_read_back(method, body):
    """It is sent again, and `updated_at` shows whether it was carried out; `in-place` kept devices out for good."""
    looks = [listing(trunk_json(updated_at=f"2026-01-01T00:00:0{second}Z")) for second in (0, 0, 1)]
    before = looks[method == "set_password" : -1]
    provider, network = vobiz(answers_in_turn(answer(200, body), *before, answer(200, body), looks[-1]))
    assert getattr(provider, method)(credential()).value.password == credential().password
    assert [request.method for request in network.sent if request.method == "PUT"] == ["PUT", "PUT"]


@pytest.mark.parametrize("updated", ["2026-01-01T00:00:00Z", None])
def test_a_success_after_which_nothing_was_updated_is_unknown(updated):
    look = listing(trunk_json(updated_at=updated))
    provider, _ = vobiz(answers_in_turn(answer(204), look, answer(204), look))
    assert isinstance(provider.set_password(credential()), Unknown)


def test_what_cannot_be_read_back_stays_unknown():
    provider, _ = vobiz(answers_in_turn(answer(204), *[answer(503)] * 4))
    assert isinstance(provider.set_password(credential()), Unknown)
    provider, _ = vobiz(answers_in_turn(answer(204), listing()))
    assert isinstance(provider.set_password(credential()), Unknown)


@pytest.mark.parametrize("absent", NOT_FOUND)
def test_set_password_of_what_is_gone_is_not_found_where_the_listing_confirms_it(absent):
    provider, _ = vobiz(answers_in_turn(absent, listing(trunk_json("other", "other"))))
    refusal_message(provider.set_password(credential()), Refusal.NOT_FOUND)


def test_a_404_for_what_is_listed_is_not_believed():
    provider, _ = vobiz(answers_in_turn(answer(404), listing(trunk_json())))
    assert "letter case" in refusal_message(provider.set_password(credential()), Refusal.OTHER)


def test_a_404_after_a_lost_answer_for_what_is_listed_is_unknown():
    provider, _ = vobiz(answers_in_turn(httpx.ReadTimeout("no"), answer(404), listing(trunk_json())))
    assert isinstance(provider.set_password(credential()), Unknown)


@pytest.mark.parametrize("then", [[answer(500)], [answer(401)], [httpx.ConnectError("no")] * 4, [answer(200, "x")]])
def test_a_404_that_no_listing_confirms_is_unknown(then):
    provider, _ = vobiz(answers_in_turn(answer(404), *then))
    assert isinstance(provider.set_password(credential()), Unknown)


@pytest.mark.parametrize("identity", [None, "", "..", "a/b", "a?b", "a b", "ü", "a" * 200])
def test_an_id_that_cannot_stand_in_a_path_is_never_sent(identity):
    provider, network = vobiz(answers_in_turn())
    for method in (provider.set_password, provider.enable, provider.disable, provider.delete):
        refusal_message(method(credential(identity)), Refusal.INVALID)
    assert network.sent == []


def test_nothing_is_set_or_created_without_a_password():
    provider, network = vobiz(answers_in_turn())
    refusal_message(provider.set_password(credential(password=None)), Refusal.INVALID)
    refusal_message(provider.create(credential(None, password=None), "t"), Refusal.INVALID)
    assert network.sent == []


# -- disable and enable


def test_disable_sends_enabled_alone_and_believes_the_answer_that_shows_it():
    provider, network = vobiz(answers_in_turn(answer(200, trunk_json(enabled=False))))
    assert provider.disable(credential()) == Done(None)
    assert network.request_lines == [f"PUT {ONE}"]
    assert network.bodies == [{"enabled": False}]
    assert network.meter.outcomes == [("disable", "200")]


@pytest.mark.parametrize("shown", [None, {}, trunk_json("other", enabled=False), trunk_json()])
def test_disable_whose_answer_does_not_show_it_is_read_back(shown):
    provider, network = vobiz(answers_in_turn(answer(200, shown), listing(trunk_json(enabled=False))))
    assert provider.disable(credential()) == Done(None)
    assert network.request_lines == [f"PUT {ONE}", LIST]


@pytest.mark.parametrize(
    "first",
    [
        [answer(400)],
        [answer(422)],
        [answer(200, trunk_json()), listing(trunk_json())],
        [answer(200, {}), listing(trunk_json())],
    ],
)
def test_disable_falls_back_to_the_password_it_knows_where_it_was_rejected_or_ignored(first):
    provider, network = vobiz(
        answers_in_turn(*first, answer(200, trunk_json(enabled=False)), listing(trunk_json(enabled=False)))
    )
    assert provider.disable(credential()) == Done(None)
    assert network.bodies == [{"enabled": False}, {"enabled": False, "password": PASSWORD}]


@pytest.mark.parametrize("first", [[answer(400)], [answer(422)], [answer(200, trunk_json()), listing(trunk_json())]])
def test_disable_with_a_password_that_nobody_knows_says_what_to_do(first):
    provider, network = vobiz(answers_in_turn(*first))
    assert "set one first" in refusal_message(provider.disable(credential(password=None)), Refusal.UNSUPPORTED)
    assert network.bodies == [{"enabled": False}]


def test_disable_that_is_ignored_with_the_password_too_is_unsupported():
    provider, _ = vobiz(answers_in_turn(*[answer(200, trunk_json()), listing(trunk_json())] * 2))
    refusal_message(provider.disable(credential()), Refusal.UNSUPPORTED)


@pytest.mark.parametrize(
    "then", [[answer(500)], [answer(401)], [httpx.ConnectError("no")] * 4, [listing()], [answer(200, "x")]]
)
def test_disable_that_cannot_be_read_back_is_unknown(then):
    provider, _ = vobiz(answers_in_turn(answer(200, trunk_json()), *then))
    assert isinstance(provider.disable(credential()), Unknown)


def test_disable_that_may_have_acted_is_not_refused():
    provider, network = vobiz(answers_in_turn(httpx.ReadTimeout("no"), answer(422)))
    assert isinstance(provider.disable(credential()), Unknown)
    assert len(network.sent) == 2


@pytest.mark.parametrize(("status", "why"), [(401, Refusal.AUTHENTICATION), (403, Refusal.PERMISSION)])
def test_disable_that_is_refused_for_good_is_not_tried_with_the_password(status, why):
    provider, network = vobiz(answers_in_turn(answer(status)))
    refusal_message(provider.disable(credential()), why)
    assert len(network.sent) == 1


def test_enable_puts_the_password_in_force_with_it():
    provider, network = vobiz(answers_in_turn(answer(200, trunk_json())))
    assert provider.enable(credential(enabled=False)) == Done(credential(realm="MA_TEST.sip.vobiz.ai"))
    assert network.bodies == [{"enabled": True, "password": PASSWORD}]


def test_enable_is_tried_without_the_password_where_it_was_ignored_with_it():
    off, on = trunk_json(enabled=False), trunk_json()
    provider, network = vobiz(answers_in_turn(answer(200, off), listing(off), answer(200, on), listing(on)))
    assert isinstance(provider.enable(credential()), Done)
    assert network.bodies == [{"enabled": True, "password": PASSWORD}, {"enabled": True}]


@pytest.mark.parametrize("body", ["ok", trunk_json("other")])
def test_enable_whose_answer_is_of_something_else_does_not_vouch_for_the_password(body):
    provider, _ = vobiz(answers_in_turn(answer(200, body), listing(trunk_json())))
    assert isinstance(provider.enable(credential()), Unknown)


def test_enable_without_a_known_password():
    provider, network = vobiz(answers_in_turn(answer(200, trunk_json()), listing(trunk_json())))
    assert isinstance(provider.enable(credential(password=None)), Done)
    assert network.bodies == [{"enabled": True}]


# -- delete


@pytest.mark.parametrize("gone", [answer(204), answer(200, "Credential deleted")])
def test_delete(gone):
    provider, network = vobiz(answers_in_turn(gone))
    assert provider.delete(credential()) == Done(None)
    assert network.request_lines == [f"DELETE {ONE}"]


@pytest.mark.parametrize(
    "strange", [answer(200), answer(200, {"status": "error"}), answer(202), answer(200, text="<html>")]
)
def test_delete_that_is_answered_as_no_page_says_is_unknown(strange):
    provider, _ = vobiz(answers_in_turn(strange))
    assert isinstance(provider.delete(credential()), Unknown)


def test_delete_during_calls_waits():
    provider, _ = vobiz(answers_in_turn(answer(409, {"status": "error"}, headers={"Retry-After": "60"})))
    result = provider.delete(credential())
    assert isinstance(result, Retry)
    assert result.why is Wait.IN_USE
    assert result.after == timedelta(seconds=60)
    assert "active calls" in result.message


@pytest.mark.parametrize("absent", NOT_FOUND)
def test_delete_of_what_is_gone_finds_nothing_where_the_listing_confirms_it(absent):
    provider, network = vobiz(answers_in_turn(absent, listing(trunk_json("other", "phone1"))))
    refusal_message(provider.delete(credential()), Refusal.NOT_FOUND)
    assert network.request_lines == [f"DELETE {ONE}", LIST]


def test_delete_of_what_is_still_listed_is_not_done():
    provider, _ = vobiz(answers_in_turn(answer(404), listing(trunk_json())))
    refusal_message(provider.delete(credential()), Refusal.OTHER)


@pytest.mark.parametrize(
    "then", [[answer(500)], [answer(404)], [answer(200, {"objects": "x"})], [listing(count=3)] * 4, [answer(200)]]
)
def test_delete_that_no_whole_listing_confirms_is_unknown(then):
    provider, _ = vobiz(answers_in_turn(answer(404), *then))
    assert isinstance(provider.delete(credential()), Unknown)


def test_delete_whose_answer_was_lost_is_asked_again():
    provider, _ = vobiz(answers_in_turn(httpx.ReadError("no"), answer(404), listing()))
    refusal_message(provider.delete(credential()), Refusal.NOT_FOUND)


# -- prove by reading back


def test_the_read_back_does_not_try_the_password_and_says_why():
    provider, _ = vobiz(answers_in_turn(listing(trunk_json())))
    proof = provider.prove(credential()).value
    assert proof == Proof("listed and enabled; no SIP registrar is configured", tries_password=False)
    assert str(proof).startswith("read-back without trying the password (")


@pytest.mark.parametrize(
    "entries", [[], [trunk_json(enabled=False)], [trunk_json(username="other")], [trunk_json("other")]]
)
def test_what_is_not_listed_enabled_and_by_this_name_is_not_proved_yet(entries):
    provider, _ = vobiz(lambda _: listing(*entries))
    result = provider.prove(credential())
    assert isinstance(result, Retry)
    assert result.why is Wait.NOT_YET


def test_a_listing_that_fails_proves_nothing():
    provider, _ = vobiz(answers_in_turn(answer(500)))
    assert isinstance(provider.prove(credential()), Unknown)


def test_the_longest_call_is_that_of_the_connection():
    provider, network = vobiz(answers_in_turn())
    assert provider.longest_call == network.http.longest_call


def test_every_method_ends_within_the_longest_call_when_the_provider_is_always_busy():
    provider, network = vobiz(lambda _: answer(503, headers={"Retry-After": "2"}))
    for method in (
        provider.find,
        provider.set_password,
        provider.enable,
        provider.disable,
        provider.delete,
        provider.prove,
    ):
        started = network.clock.monotonic()
        method(credential())
        assert network.clock.monotonic() - started <= provider.longest_call.total_seconds()
