"""What Apinizer's answers are taken for: flags, deployments, documented texts, in both generations."""

import pytest
from apinizer_fixtures import GENERATIONS, NEW, OLD, PROJECT, deployed, environments, failure, pods, success
from provider_fixtures import PASSWORD, TOKEN, answer

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.secret import Secret
from rotator.providers.apinizer.envelope import NOWHERE, DocumentedError, documented_error, failed, outcome
from rotator.providers.http.replies import HttpReply

HIDDEN = (Secret(PASSWORD), Secret(TOKEN))
BOTH = pytest.mark.parametrize("generation", GENERATIONS)
RESULTS = pytest.mark.parametrize("result", [environments, pods])


def reply(response, **fields) -> HttpReply:
    body = response.json() if response.content else None
    return HttpReply(response.status_code, body, **fields)


def outcome_of(response, **fields) -> Answer[None]:
    return outcome(reply(response, **fields), "client1", HIDDEN)


@BOTH
@RESULTS
def test_everything_says_success(generation, result):
    assert outcome_of(success(generation, deploymentResult=result())) == Done(None)


@BOTH
@RESULTS
def test_one_environment_that_failed_is_a_partial_failure_that_is_named(generation, result):
    found = outcome_of(success(generation, deploymentResult=result("staging")))
    assert (found.why, "not deployed to staging;" in found.message) == (Wait.PARTIAL, True)


@BOTH
@RESULTS
def test_the_success_of_the_whole_does_not_hide_an_environment_that_failed(generation, result):
    found = outcome_of(success(generation, deploymentResult=result("production", success=True)))
    assert found.why is Wait.PARTIAL
    assert "production" in found.message


@RESULTS
def test_a_failure_of_the_whole_counts_although_no_environment_is_named_as_failed(result):
    found = outcome_of(success(deploymentResult=result(success=False)))
    assert (found.why, "as a whole" in found.message) == (Wait.PARTIAL, True)


@BOTH
@pytest.mark.parametrize(
    "result",
    [
        None,
        {"success": True},
        {"success": True, "environmentResults": []},
        {"success": True, "detailList": []},
        {"success": True, "environmentResults": None, "detailList": []},
    ],
)
def test_an_empty_deployment_proves_nothing(generation, result):
    assert outcome_of(success(generation, deploymentResult=result)) == Retry(Wait.PARTIAL, NOWHERE)


@BOTH
def test_a_missing_deployment_proves_nothing(generation):
    assert outcome_of(success(generation)) == Retry(Wait.PARTIAL, NOWHERE)


@pytest.mark.parametrize("value", ["true", 1, None, "SUCCESS", {}])
def test_an_environment_is_only_believed_with_a_true(value):
    results = [{"environmentName": "production", "success": value}]
    found = outcome_of(success(deploymentResult={"success": True, "environmentResults": results}))
    assert found.why is Wait.PARTIAL


def test_both_lists_are_judged_where_both_are_there():
    result = environments() | {"detailList": pods("staging")["detailList"]}
    assert outcome_of(success(deploymentResult=result)).why is Wait.PARTIAL


@pytest.mark.parametrize("result", [[], "ok", 7, {"environmentResults": "all"}, {"detailList": ["production"]}])
def test_a_deployment_that_cannot_be_read_is_unknown(result):
    assert isinstance(outcome_of(success(deploymentResult=result)), Unknown)


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"success": False},
        {"success": "true"},
        {"success": 1},
        {"status": "success"},
        {"status": True},
        {"success": True, "status": "FAILURE"},
        {"success": False, "status": "SUCCESS"},
    ],
)
def test_without_a_flag_that_says_success_nothing_is_done(flags):
    assert isinstance(outcome_of(answer(200, {**flags, "deploymentResult": environments()})), Unknown)


def test_a_flag_that_says_no_because_of_an_environment_is_a_partial_failure():
    found = outcome_of(answer(200, {"success": False, "deploymentResult": environments("staging")}))
    assert (found.why, "staging" in found.message) == (Wait.PARTIAL, True)


@pytest.mark.parametrize(
    "name", [PASSWORD, TOKEN, f"env {TOKEN} x", "a" * 81, "<b>x</b>", "", None, 7, "prod\nuction", "prod;drop"]
)
def test_what_does_not_look_like_the_name_of_an_environment_is_not_shown(name):
    results = [{"environmentName": name, "success": False}]
    found = outcome_of(success(deploymentResult={"success": False, "environmentResults": results}))
    assert "an unnamed environment" in found.message
    assert not (isinstance(name, str) and name and name in found.message)


def test_names_are_cut_and_counted():
    names = [f"environment-{number}-with-a-rather-long-name" for number in range(9)]
    found = outcome_of(success(deploymentResult=environments(*names, names=names)))
    assert "environment-0-with-a-rather-long," in found.message
    assert "4 more" in found.message
    assert len(found.message) < 300


# -- errors

NOT_FOUND = "Credential (username: client1) was not found!"
TEXTS = [
    (NOT_FOUND, DocumentedError.NO_CREDENTIAL),
    ("Credential (username:client1) was not found!", DocumentedError.NO_CREDENTIAL),
    ("Credential (username:client1) has already access to API Proxy (name:Orders)!", DocumentedError.GRANTED),
    ("Credential (username:client1) has already access to API Proxy Group (name:All)!", DocumentedError.GRANTED),
    ("There is already a credential has this name!", DocumentedError.TAKEN),
    (
        "This username is already used by another credential. Credential usernames must be unique.",
        DocumentedError.TAKEN,
    ),
    (f"Project({PROJECT}) was not found or user does not have privilege to access it!", DocumentedError.NO_PROJECT),
    (f"Project ({PROJECT}) is not found!", DocumentedError.NO_PROJECT),
    ("User does not have required permission for this operation!", DocumentedError.NO_PERMISSION),
    ("Token was expired!", DocumentedError.BAD_TOKEN),
    ("API Proxy (name:Orders) is not found or user does not have privilege to access it!", DocumentedError.NO_RESOURCE),
]


@BOTH
@pytest.mark.parametrize(("text", "meaning"), TEXTS)
def test_the_documented_texts_are_understood_in_either_generation(generation, text, meaning):
    assert documented_error(reply(failure(text, generation)), "client1") is meaning


@pytest.mark.parametrize(
    "text",
    [
        "Credential (username: other) was not found!",
        "credential (username: client1) was not found!",
        f"{NOT_FOUND} Really.",
        f"x {NOT_FOUND}",
        "was not found",
        f"Credential (username: client1) was not found!{'!' * 2000}",
    ],
)
def test_a_text_that_only_resembles_one_is_none_of_them(text):
    assert documented_error(reply(failure(text)), "client1") is None


@pytest.mark.parametrize("body", [None, [], "x", {"error_description": 7}, {"error_description": None}])
def test_a_body_without_a_text_says_nothing(body):
    assert documented_error(HttpReply(400, body), "client1") is None


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (
            failure(f"Project({PROJECT}) was not found or user does not have privilege to access it!", OLD, 404),
            "PERMISSION",
        ),
        (failure(f"Project ({PROJECT}) is not found!", NEW), "PERMISSION"),
        (failure("User does not have required permission for this operation!", NEW), "PERMISSION"),
        (failure(NOT_FOUND, OLD, 404), "PERMISSION"),
        (answer(404), "PERMISSION"),
        (answer(403), "PERMISSION"),
        (failure("Invalid token", OLD, 401), "AUTHENTICATION"),
        (failure("Token was expired!", NEW, 400), "AUTHENTICATION"),
        (answer(401), "AUTHENTICATION"),
        (failure("There is already a credential has this name!"), "DUPLICATE"),
        (failure("duplicate", OLD, 409, "duplicate_name"), "DUPLICATE"),
        (failure(NOT_FOUND), "INVALID"),
        (failure("Credential password can not be empty!"), "INVALID"),
        (failure("Project (x) is not found!", NEW, 200), "PERMISSION"),
    ],
)
def test_errors_are_classified(response, why):
    found = failed(reply(response), "client1")
    assert isinstance(found, Refused)
    assert found.why is Refusal[why]


def test_a_project_that_is_not_there_says_what_to_check():
    message = failed(reply(answer(404)), "client1").message
    for word in ("case-sensitive", "token", "IDENTITY", "DEPLOY_UNDEPLOY", "base URL"):
        assert word in message


@pytest.mark.parametrize("response", [failure("x", OLD, 404), failure(NOT_FOUND), failure("Invalid token", OLD, 401)])
def test_after_a_lost_try_no_error_is_definite(response):
    assert isinstance(failed(reply(response, uncertain=True), "client1"), Unknown)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302])
def test_a_servers_error_is_unknown_whatever_it_says(status):
    assert isinstance(outcome_of(failure(NOT_FOUND, OLD, status)), Unknown)
    assert isinstance(outcome_of(answer(status, {"success": True, "deploymentResult": environments()})), Unknown)


def test_no_text_is_ever_repeated():
    for text in (PASSWORD, f"Project ({TOKEN}) is not found!", f"Credential (username: {TOKEN}) was not found!"):
        assert text not in failed(reply(failure(text)), "client1").message
        assert TOKEN not in failed(reply(failure(text)), "client1").message


def test_a_right_answer_would_be_done():
    """These tests can tell."""
    assert outcome_of(deployed()) == Done(None)
