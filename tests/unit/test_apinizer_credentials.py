"""Apinizer credentials on scripted answers: what is sent, in which order, and what is made of each answer."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from apinizer_fixtures import (
    ALL,
    BASE,
    CARRIED,
    GENERATIONS,
    INVOICES,
    NEW,
    ORDERS,
    access,
    apinizer,
    credential,
    deployed,
    entry,
    environments,
    failure,
    listing,
    staged,
    success,
)
from provider_fixtures import PASSWORD, TOKEN, account_options, answer, answers_in_turn

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Proof, Strategy
from rotator.core.passwords import PasswordRules, problems
from rotator.providers.strategies import unsupported

NOT_FOUND = "Credential (username: client1) was not found!"
GRANTED = "Credential (username:client2) has already access to API Proxy (name:Orders)!"


def put_body(username="client1", enabled=True, password=PASSWORD) -> dict[str, Any]:
    return {**CARRIED, "username": username, "password": password, "enabled": enabled}


# -- find


@pytest.mark.parametrize("generation", GENERATIONS)
def test_find_reads_the_listing_and_names_it_by_its_username(generation):
    provider, network = apinizer(answers_in_turn(listing(entry("other"), entry(enabled=False), generation=generation)))
    (found,) = provider.find(credential()).value
    assert (found.username, found.id, found.password, found.enabled) == ("client1", "client1", None, False)
    assert network.request_lines == [f"GET {BASE}"]
    assert network.sent[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.unmeasured
def test_a_project_of_50000_credentials_is_read_although_its_listing_has_no_pages():
    clients = [entry(f"client{number}") for number in range(50_000)]
    whole = listing(*clients, {"username": "odd", "enabled": "perhaps"})
    provider, network = apinizer(lambda _: whole)
    (found,) = provider.find(credential("client49999")).value
    assert found.username == "client49999"
    assert provider.find(credential("nobody")).note == "1 of the listing's entries cannot be read, such as id odd"
    assert isinstance(provider.find(credential("odd")), Unknown)
    assert len(network.sent) == 3


def test_nothing_is_found_only_after_the_whole_listing_was_read():
    provider, _ = apinizer(answers_in_turn(listing(entry("other"))))
    assert provider.find(credential()) == Done(())


@pytest.mark.parametrize(
    "body",
    [
        {"success": True},
        {"success": True, "resultList": None},
        {"success": True, "resultList": {}},
        {"success": True, "resultList": ["client1"]},
        {"success": True, "resultList": [{"username": "client1"}]},
        {"success": True, "resultList": [entry(enabled="true")]},
        {"success": True, "resultList": [entry(username=7)]},
        {"success": True, "resultList": [entry(username="")]},
        {"success": True, "resultList": [entry(), entry()]},
        {"resultList": []},
        {"success": False, "resultList": []},
        {"status": "FAILURE", "resultList": []},
        [],
    ],
)
def test_a_listing_that_is_not_of_the_documented_form_shows_nothing(body):
    provider, _ = apinizer(answers_in_turn(answer(200, body)))
    assert isinstance(provider.find(credential()), Unknown)


# -- create


def test_create_takes_over_what_the_api_shows_and_ends_with_the_grants_seen():
    steps = [
        listing(entry("client1", enabled=False)),
        access(ORDERS, ALL),
        deployed(),
        access(),
        deployed(),
        access(ALL, ORDERS),
    ]
    provider, network = apinizer(answers_in_turn(*steps))
    made = provider.create(staged(), "billing", credential())
    assert made.value == replace(staged(), id="client2", enabled=True)
    assert "no request shows which of them name client1: add client2" in made.note  # rate-limit control lists
    assert network.request_lines == [
        f"GET {BASE}",
        f"GET {BASE}client1/access/",
        f"POST {BASE}",
        f"GET {BASE}client2/access/",
        f"PUT {BASE}client2/access/",
        f"GET {BASE}client2/access/",
    ]
    asked = [{"name": "Orders", "type": "API_PROXY"}, {"name": "All", "type": "API_PROXY_GROUP"}]
    assert network.bodies == [put_body("client2"), {"credentialAccessList": asked}]


def test_without_a_predecessor_the_configured_names_stand():
    provider, network = apinizer(answers_in_turn(deployed(), access()), email="a@b.c", full_name="Team")
    assert isinstance(provider.create(staged(), "billing"), Done)
    fields = {"email": "a@b.c", "fullName": "Team", "description": "billing", "roleNameList": [], "ipList": []}
    assert network.bodies == [
        {**fields, "expireDate": None, "username": "client2", "password": PASSWORD, "enabled": True}
    ]


@pytest.mark.parametrize("options", [{}, {"email": "a@b.c"}, {"full_name": "Team"}])
def test_without_a_predecessor_and_without_names_nothing_is_sent(options):
    provider, network = apinizer(answers_in_turn(), **options)
    found = provider.create(staged(), "billing")
    assert (found.why, "email and full_name" in found.message, network.sent) == (Refusal.INVALID, True, [])


def test_a_predecessor_at_another_account_hands_nothing_over():
    provider, network = apinizer(answers_in_turn(deployed(), access()), email="a@b.c", full_name="Team")
    assert isinstance(provider.create(staged(), "t", replace(credential(), account="elsewhere")), Done)
    assert network.request_lines[0] == f"POST {BASE}"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([listing()], Refusal.INVALID),  # gone, and no email is configured
        ([listing(entry(expireDate="2026-01-01T00:00:00.000Z"))], Refusal.EXPIRED),
        ([listing({k: v for k, v in entry().items() if k != "ipList"})], Refusal.INVALID),
        ([listing(entry(email=None))], Refusal.INVALID),
        ([listing(entry(fullName=""))], Refusal.INVALID),
        ([listing(entry(roleNameList="ADMIN"))], Refusal.INVALID),
        ([listing(entry(ipList=[7]))], Refusal.INVALID),
        ([listing(entry(expireDate=7))], Refusal.INVALID),
        ([answer(404)], Refusal.PERMISSION),
        ([listing(entry()), failure("x")], Refusal.INVALID),
    ],
)
def test_what_cannot_be_taken_over_whole_is_not_begun(steps, why):
    provider, network = apinizer(answers_in_turn(*steps))
    assert provider.create(staged(), "t", credential()).why is why
    assert all(line.startswith("GET ") for line in network.request_lines)


def test_lists_that_are_null_are_empty_ones():
    steps = [listing(entry(roleNameList=None, ipList=None, description=None)), access(), deployed(), access()]
    provider, network = apinizer(answers_in_turn(*steps))
    assert isinstance(provider.create(staged(), "t", credential()), Done)
    assert (network.bodies[0]["roleNameList"], network.bodies[0]["ipList"], network.bodies[0]["description"]) == (
        [],
        [],
        None,
    )


@pytest.mark.parametrize(
    "response",
    [
        failure("There is already a credential has this name!"),
        failure("This username is already used by another credential. Choose a different username.", NEW),
        failure("dup", status=409, error="duplicate_name"),
    ],
)
def test_a_username_that_is_taken_is_a_duplicate(response):
    provider, _ = apinizer(answers_in_turn(response), email="a@b.c", full_name="T")
    assert provider.create(staged(), "t").why is Refusal.DUPLICATE


def test_a_rejection_in_other_words_is_a_duplicate_where_the_listing_has_the_name():
    provider, _ = apinizer(
        answers_in_turn(failure("Kullanici var!"), listing(entry("client2"))), email="a@b.c", full_name="T"
    )
    assert provider.create(staged(), "t").why is Refusal.DUPLICATE
    provider, _ = apinizer(answers_in_turn(failure("Kullanici var!"), listing()), email="a@b.c", full_name="T")
    assert provider.create(staged(), "t").why is Refusal.INVALID


def test_a_create_is_never_sent_twice():
    for error in (httpx.ReadTimeout(""), httpx.ReadError(""), httpx.RemoteProtocolError("")):
        provider, network = apinizer(answers_in_turn(error), email="a@b.c", full_name="T")
        assert isinstance(provider.create(staged(), "t"), Unknown)
        assert len(network.sent) == 1


def test_a_predecessor_that_the_listing_lacks_is_none_and_what_it_was_granted_is_named():
    steps = answers_in_turn(listing(entry("other")), deployed(), access())
    provider, network = apinizer(steps, email="a@b.c", full_name="T")
    made = provider.create(staged(), "t", credential())
    assert isinstance(made, Done)
    assert made.note.startswith("client1 is gone, so its successor has none of its access to API proxies")
    assert network.bodies[0]["email"] == "a@b.c"


def test_a_create_whose_predecessor_is_gone_is_completed():
    steps = [failure(NOT_FOUND), listing(entry("client2")), listing(entry("client2")), deployed(),
             listing(entry("client2")), access()]  # fmt: skip
    provider, _ = apinizer(answers_in_turn(*steps))
    assert isinstance(provider.complete(replace(staged(), id="client2"), credential()), Done)


def test_a_predecessor_whose_absence_is_not_confirmed_is_still_needed():
    provider, network = apinizer(answers_in_turn(answer(500)), email="a@b.c", full_name="T")
    assert isinstance(provider.create(staged(), "t", credential()), Unknown)
    assert "POST" not in {sent.method for sent in network.sent}


def test_a_partial_create_is_a_partial_failure():
    provider, _ = apinizer(answers_in_turn(deployed("staging")), email="a@b.c", full_name="T")
    assert provider.create(staged(), "t").why is Wait.PARTIAL


AFTERWARDS = [
    answer(401),
    answer(404),
    failure("x"),
    answer(429),
    answer(500),
    success(),
    answer(200, []),
    httpx.ConnectError(""),
]


@pytest.mark.parametrize("step", AFTERWARDS)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_once_it_is_there_nothing_counts_as_refused(step, position):
    """The engine would discard the attempt, and the credential that was made would be an orphan."""
    after = [access(), deployed(), access(ORDERS)]
    after[position] = step
    steps = [listing(entry()), access(ORDERS), deployed(), *after[: position + 1]]

    def handle(request) -> httpx.Response:
        found = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(found, Exception):
            raise found
        return found

    provider, _ = apinizer(handle)
    found = provider.create(staged(), "t", credential())
    assert isinstance(found, Unknown) or (isinstance(found, Retry) and found.why is Wait.PARTIAL)
    assert found.message


def test_grants_that_are_not_shown_afterwards_are_a_partial_failure():
    steps = [listing(entry()), access(ORDERS, ALL), deployed(), access(), deployed(), access(ORDERS)]
    provider, _ = apinizer(answers_in_turn(*steps))
    found = provider.create(staged(), "t", credential())
    assert (found.why, "1 of its grants" in found.message) == (Wait.PARTIAL, True)


def test_grants_are_given_one_by_one_where_some_are_there_already():
    steps = [
        listing(entry()),
        access(ORDERS, INVOICES),
        deployed(),
        access(),
        failure(GRANTED),
        failure(GRANTED),
        deployed(),
    ]
    provider, network = apinizer(answers_in_turn(*steps, access(ORDERS, INVOICES)))
    assert isinstance(provider.create(staged(), "t", credential()), Done)
    names = [[one["name"] for one in body["credentialAccessList"]] for body in network.bodies[1:]]
    assert names == [["Orders", "Invoices"], ["Orders"], ["Invoices"]]


@pytest.mark.parametrize(
    "rows", [[{}], [{"name": "x"}], [{"name": 7, "type": "API_PROXY"}], [{"name": "x", "type": "b"}]]
)
def test_grants_that_cannot_be_read_are_not_guessed(rows):
    provider, network = apinizer(answers_in_turn(listing(entry()), success(resultList=rows)))
    assert isinstance(provider.create(staged(), "t", credential()), Unknown)
    assert "POST" not in "".join(network.request_lines)


# -- complete


def test_complete_sets_the_password_and_grants_what_is_missing():
    steps = [
        access(ORDERS, ALL),
        listing(entry("client2")),
        deployed(),
        listing(entry("client2")),
        access(ALL),
        deployed(),
    ]
    provider, network = apinizer(answers_in_turn(*steps, access(ORDERS, ALL)))
    made = replace(staged(), id="client2")
    assert provider.complete(made, credential()) == Done(replace(made, enabled=True))
    assert network.bodies == [
        {"password": PASSWORD},
        {"credentialAccessList": [{"name": "Orders", "type": "API_PROXY"}]},
    ]


def test_complete_without_a_predecessor_grants_nothing():
    provider, network = apinizer(
        answers_in_turn(listing(entry("client2")), deployed(), listing(entry("client2")), access())
    )
    assert isinstance(provider.complete(replace(staged(), id="client2")), Done)
    assert [line.split()[0] for line in network.request_lines] == ["GET", "PATCH", "GET", "GET"]


# -- set_password and enable


@pytest.mark.parametrize("method", ["set_password", "enable"])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_password_of_an_enabled_one_is_set_without_touching_anything_else(method, generation):
    shown = listing(entry(), generation=generation)
    provider, network = apinizer(answers_in_turn(shown, deployed(generation=generation), shown))
    done = getattr(provider, method)(credential())
    assert done == Done(credential(), "an environment with a password of its own may keep that one")
    assert network.request_lines == [f"GET {BASE}", f"PATCH {BASE}client1/", f"GET {BASE}"]
    assert network.bodies == [{"password": PASSWORD}]


@pytest.mark.parametrize("method", ["set_password", "enable"])
def test_a_disabled_one_is_enabled_by_the_full_update_with_its_own_password(method):
    provider, network = apinizer(answers_in_turn(listing(entry(enabled=False)), deployed(), listing(entry())))
    assert isinstance(getattr(provider, method)(credential()), Done)
    assert network.request_lines[1] == f"PUT {BASE}"
    assert network.bodies == [put_body()]


def test_one_that_is_still_disabled_is_a_partial_failure():
    shown = listing(entry(enabled=False))
    provider, _ = apinizer(answers_in_turn(shown, deployed(), shown))
    found = provider.set_password(credential())
    assert (found.why, "shows the credential disabled" in found.message) == (Wait.PARTIAL, True)


def test_a_partial_deployment_is_not_done():
    provider, _ = apinizer(answers_in_turn(listing(entry()), deployed("staging")))
    found = provider.set_password(credential())
    assert (found.why, "staging" in found.message) == (Wait.PARTIAL, True)


def test_one_that_the_listing_lacks_is_not_found_and_may_have_been_moved():
    for method in ("set_password", "enable", "disable"):
        provider, network = apinizer(answers_in_turn(listing()))
        found = getattr(provider, method)(credential())
        assert (found.why, "Move to Global" in found.message) == (Refusal.NOT_FOUND, True)
        assert len(network.sent) == 1


def test_one_that_is_listed_and_not_found_is_a_contradiction():
    provider, _ = apinizer(answers_in_turn(listing(entry()), failure(NOT_FOUND)))
    assert isinstance(provider.set_password(credential()), Unknown)


def test_a_read_back_that_fails_is_no_refusal():
    provider, _ = apinizer(answers_in_turn(listing(entry()), deployed(), answer(401)))
    found = provider.set_password(credential())
    assert isinstance(found, Retry)
    assert found.why is Wait.PARTIAL


def test_a_refusal_after_a_lost_try_is_unknown():
    provider, network = apinizer(
        answers_in_turn(listing(entry()), httpx.ReadError(""), failure("Credential password can not be empty!"))
    )
    assert isinstance(provider.set_password(credential()), Unknown)
    assert len(network.sent) == 3


@pytest.mark.parametrize("method", ["set_password", "enable", "complete"])
@pytest.mark.parametrize("made", [credential(password=None), credential(".."), credential(""), credential("a\nb")])
def test_without_a_password_or_a_usable_name_nothing_is_sent(method, made):
    provider, network = apinizer(answers_in_turn())
    assert getattr(provider, method)(made).why is Refusal.INVALID
    assert network.sent == []


def test_names_are_percent_encoded():
    provider, network = apinizer(answers_in_turn(listing(entry("a b/c@x")), deployed(), listing(entry("a b/c@x"))))
    assert isinstance(provider.set_password(credential("a b/c@x")), Done)
    assert network.request_lines[1] == f"PATCH {BASE}a%20b%2Fc%40x/"


# -- disable


def test_disable_sets_a_password_that_nobody_keeps():
    sent = []
    for _ in range(2):
        provider, network = apinizer(answers_in_turn(listing(entry()), deployed(), listing(entry(enabled=False))))
        provider._randomness._random.seed(len(sent))
        assert "metadata" in provider.disable(credential()).note  # what the listing does not show may be lost
        (body,) = network.bodies
        assert {**body, "password": PASSWORD} == put_body(enabled=False)
        sent.append(body["password"])
    assert len({*sent, PASSWORD}) == 3
    assert all(len(password) == 64 for password in sent)


def test_disable_needs_no_password_and_repeats_where_it_is_shown_disabled_already():
    """An environment that an earlier try did not reach still has the old one."""
    shown = listing(entry(enabled=False))
    provider, network = apinizer(answers_in_turn(shown, deployed(), shown))
    assert isinstance(provider.disable(credential(password=None)), Done)
    assert network.request_lines[1] == f"PUT {BASE}"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([listing(entry()), deployed("production")], Wait.PARTIAL),
        ([listing(entry()), success(deploymentResult=None)], Wait.PARTIAL),
        ([listing(entry()), deployed(), listing(entry())], Wait.PARTIAL),
    ],
)
def test_what_may_still_be_in_force_is_not_disabled(steps, why):
    provider, _ = apinizer(answers_in_turn(*steps))
    assert provider.disable(credential()).why is why


def test_an_update_that_would_open_it_to_any_address_is_not_sent():
    provider, network = apinizer(answers_in_turn(listing({k: v for k, v in entry().items() if k != "ipList"})))
    assert provider.disable(credential()).why is Refusal.INVALID
    assert len(network.sent) == 1


# -- delete


@pytest.mark.parametrize("generation", GENERATIONS)
def test_delete(generation):
    provider, network = apinizer(answers_in_turn(deployed(generation=generation)))
    assert provider.delete(credential()) == Done(None)
    assert network.request_lines == [f"DELETE {BASE}client1/"]
    assert network.bodies == []


@pytest.mark.parametrize("generation", GENERATIONS)
def test_400_was_not_found_is_believed_where_the_listing_lacks_it(generation):
    provider, _ = apinizer(
        answers_in_turn(failure(NOT_FOUND, generation), listing(entry("other"), generation=generation))
    )
    assert provider.delete(credential()).why is Refusal.NOT_FOUND


@pytest.mark.parametrize("second", [listing(entry()), answer(404), answer(500), answer(401), answer(200, {"x": 1})])
def test_400_was_not_found_alone_is_not_done(second):
    steps = [failure(NOT_FOUND)]
    provider, _ = apinizer(lambda _: steps.pop(0) if steps else second)
    assert isinstance(provider.delete(credential()), Unknown)


@pytest.mark.parametrize(
    "response",
    [
        failure("Project(Pay ments) was not found or user does not have privilege to access it!", status=404),
        failure(NOT_FOUND, status=404),
        answer(404),
        failure("Project (Pay ments) is not found!", NEW),
        failure("User does not have required permission for this operation!", NEW),
    ],
)
def test_a_project_that_cannot_be_seen_is_never_a_deleted_credential(response):
    provider, network = apinizer(answers_in_turn(response))
    found = provider.delete(credential())
    assert (found.why, found.why.concerns_account, len(network.sent)) == (Refusal.PERMISSION, True, 1)


def test_another_credential_that_was_not_found_says_nothing_of_this_one():
    provider, network = apinizer(answers_in_turn(failure("Credential (username: other) was not found!")))
    assert provider.delete(credential()).why is Refusal.INVALID
    assert len(network.sent) == 1


def test_a_partial_removal_is_told_once_and_then_it_is_gone():
    steps = [deployed("staging"), failure(NOT_FOUND), listing()]
    provider, _ = apinizer(answers_in_turn(*steps))
    assert provider.delete(credential()).why is Wait.PARTIAL
    assert provider.delete(credential()).why is Refusal.NOT_FOUND


@pytest.mark.parametrize("result", [None, environments(names=())])
def test_one_that_was_deployed_nowhere_is_gone_when_the_listing_says_so(result):
    provider, _ = apinizer(answers_in_turn(success(deploymentResult=result), listing()))
    assert provider.delete(credential()) == Done(None)
    provider, _ = apinizer(answers_in_turn(success(deploymentResult=result), listing(entry())))
    assert isinstance(provider.delete(credential()), Unknown)


def test_a_delete_whose_answer_was_lost_is_asked_again():
    provider, _ = apinizer(answers_in_turn(httpx.ReadError(""), failure(NOT_FOUND), listing()))
    assert provider.delete(credential()).why is Refusal.NOT_FOUND


# -- prove


PROBE, GATEWAY = "https://gw.example.test/orders", "https://gw.example.test"


@pytest.mark.parametrize("status", [200, 204, 302, 400, 404, 405])
def test_a_request_that_is_let_in_only_with_the_password_proves_it(status):
    provider, network = apinizer(answers_in_turn(answer(status), answer(401)), probe_url=PROBE)
    method = f"HTTP Basic request through the gateway: {status} with the password, 401 without"
    assert provider.prove(credential()) == Done(Proof(method, tries_password=True))
    assert [str(request.url) for request in network.sent] == [PROBE, PROBE]
    assert network.sent[0].headers["Authorization"].startswith("Basic ")
    assert "Authorization" not in network.sent[1].headers
    assert TOKEN not in "".join(str(request.headers) for request in network.sent)


@pytest.mark.parametrize("status", [401, 403])
def test_a_request_that_is_turned_away_is_not_yet_proved(status):
    provider, _ = apinizer(answers_in_turn(answer(status)), probe_url=PROBE)
    assert provider.prove(credential()).why is Wait.NOT_YET


def test_a_proxy_that_lets_in_anybody_shows_nothing():
    provider, network = apinizer(answers_in_turn(answer(200), answer(200), listing(entry())), probe_url=PROBE)
    method = "listed and enabled; the gateway does not ask for a password at this address"
    assert provider.prove(credential()) == Done(Proof(method, tries_password=False))
    assert network.request_lines[-1] == f"GET {BASE}"


@pytest.mark.parametrize("steps", [[answer(500)], [answer(200), answer(500)], [answer(200), httpx.ReadTimeout("")]])
def test_a_gateway_that_fails_proves_nothing(steps):
    provider, _ = apinizer(answers_in_turn(*steps, *[httpx.ReadTimeout("")] * 3), probe_url=PROBE)
    found = provider.prove(credential())
    assert isinstance(found, Unknown) or "anybody" in getattr(found, "value", "")
    assert not isinstance(found, Done)


def test_a_token_that_is_issued_proves_it_and_the_secret_stands_in_the_header_only():
    provider, network = apinizer(
        answers_in_turn(answer(200, {"access_token": "t", "token_type": "Bearer"})), gateway_url=GATEWAY
    )
    assert provider.prove(credential()) == Done(
        Proof("token request at the gateway: a token was issued", tries_password=True)
    )
    (request,) = network.sent
    assert (request.method, str(request.url)) == ("POST", f"{GATEWAY}/credential/token")
    assert request.content == b"grant_type=client_credentials"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "response",
    [answer(401), answer(403), answer(400, {"error": "invalid_client"}), answer(400, {"error": "invalid_grant"})],
)
def test_no_token_is_not_yet_proved(response):
    provider, _ = apinizer(answers_in_turn(response), gateway_url=GATEWAY)
    assert provider.prove(credential()).why is Wait.NOT_YET


@pytest.mark.parametrize(
    "response",
    [answer(200, {}), answer(200, {"access_token": ""}), answer(200, {"access_token": 7}), answer(400, {"error": "x"})],
)
def test_any_other_answer_of_the_token_endpoint_proves_nothing(response):
    provider, _ = apinizer(answers_in_turn(response), gateway_url=GATEWAY)
    found = provider.prove(credential())
    assert not isinstance(found, Done)
    assert getattr(found, "why", None) is not Wait.NOT_YET


def test_a_token_is_asked_for_once():
    """Each one that is issued may end the token that a client uses."""
    provider, network = apinizer(answers_in_turn(httpx.ReadTimeout("")), gateway_url=GATEWAY)
    assert isinstance(provider.prove(credential()), Unknown)
    assert len(network.sent) == 1


@pytest.mark.parametrize("made", [credential(password=None), credential("a:b")])
def test_what_http_basic_cannot_carry_is_not_tried(made):
    provider, network = apinizer(answers_in_turn(), probe_url=PROBE)
    assert provider.prove(made).why is Refusal.INVALID
    assert network.sent == []


def test_the_read_back_does_not_try_the_password_and_says_why():
    provider, _ = apinizer(answers_in_turn(listing(entry(expireDate="2027-01-01T00:00:00.000Z"))))
    method = "listed and enabled; no gateway is configured"
    assert provider.prove(credential()) == Done(Proof(method, tries_password=False))


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (listing(), Wait.NOT_YET),
        (listing(entry(enabled=False)), Wait.NOT_YET),
        (listing(entry(expireDate="2026-01-01T00:00:00.000Z")), Refusal.EXPIRED),
    ],
)
def test_the_read_back_sees_what_cannot_authenticate(shown, why):
    provider, _ = apinizer(answers_in_turn(shown))
    assert provider.prove(credential()).why is why


# -- options and the table


@pytest.mark.parametrize("project", ["", ".", "..", "a\nb", "a\u202eb", "x" * 256])
def test_a_project_that_cannot_stand_in_a_path_is_refused(project):
    with pytest.raises(ValueError, match="is not a project name"):
        account_options("apinizer", project=project)


def test_two_proofs_exclude_each_other():
    with pytest.raises(ValueError, match="keep one"):
        account_options("apinizer", probe_url=PROBE, gateway_url=GATEWAY)


def test_plain_http_to_the_gateway_has_to_be_allowed():
    with pytest.raises(ValueError, match="use https"):
        apinizer(answers_in_turn(), probe_url="http://gw.internal/x")
    apinizer(answers_in_turn(), probe_url="http://gw.internal/x", allow_plain_http=("gw.internal",))


def test_every_strategy_is_possible():
    can = account_options("apinizer").capabilities
    assert {strategy for strategy in Strategy if unsupported(strategy, can) is None} == set(Strategy)


def test_the_default_password_rules_can_be_met():
    limits = account_options("apinizer").capabilities.password_limits
    assert problems(PasswordRules(), limits) == ()
    assert problems(PasswordRules(length=128), limits) == ()
    assert problems(PasswordRules(symbols="#"), limits)


def test_the_proof_and_the_propagation_follow_the_options():
    keys: tuple[dict[str, str], ...] = ({}, {"probe_url": PROBE}, {"gateway_url": GATEWAY})
    proofs = [account_options("apinizer", **given).capabilities.proof for given in keys]
    assert proofs == [
        Proof("listed and enabled", tries_password=False),
        Proof("HTTP Basic request through the gateway", tries_password=True),
        Proof("token request at the gateway", tries_password=True),
    ]
    assert account_options("apinizer", propagation="2m").capabilities.propagation == timedelta(minutes=2)


def test_an_end_is_not_set_beforehand():
    provider, network = apinizer(answers_in_turn())
    assert provider.expire(credential(), network.clock.now()).why is Refusal.UNSUPPORTED
    assert provider.capabilities.expires is False
    assert isinstance(provider.expire(credential(), network.clock.now()), Refused)
