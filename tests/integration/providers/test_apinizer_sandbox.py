"""The adapter against the simulated Apinizer on real sockets, in both generations; held against the contract."""

from dataclasses import replace

import pytest
from apinizer_fixtures import ALL, GENERATIONS, ORDERS, PROJECT, apinizer_project, credential, staged
from provider_fixtures import PASSWORD

from rotator.core.answers import Done, Refusal, Refused, Unknown, Wait
from rotator.core.secret import Secret
from rotator_simulator.faults import fault_named

BOTH = pytest.mark.parametrize("generation", GENERATIONS)
FIRST = "first-password"


@BOTH
@pytest.mark.parametrize("pods", [False, True])
@pytest.mark.parametrize("hides_failures", [False, True])
def test_a_partial_deployment_is_seen_in_every_form(generation, pods, hides_failures):
    with apinizer_project(generation, pods=pods, hides_failures=hides_failures) as project:
        project.api.add(PROJECT, "client1", Secret(FIRST), [ORDERS])
        project.sandbox.faults.plan("partial-deployment", verb="update")
        answer = project.provider.set_password(credential())
        assert (answer.why, "staging" in answer.message) == (Wait.PARTIAL, True)
        assert project.lets_in("client1", PASSWORD) == {"production": True, "staging": False}
        assert isinstance(project.provider.set_password(credential()), Done)
        assert project.accepted_everywhere("client1", PASSWORD)


@BOTH
def test_every_verb_means_the_same_when_it_is_repeated(generation):
    with apinizer_project(generation) as project:
        project.api.add(PROJECT, "client1", Secret(FIRST), [ORDERS, ALL])
        assert isinstance(project.provider.create(staged(), "t", credential()), Done)
        assert project.provider.create(staged(), "t", credential()).why is Refusal.DUPLICATE
        made = replace(staged(), id="client2")
        for _ in range(2):
            assert isinstance(project.provider.complete(made, credential()), Done)
            assert isinstance(project.provider.set_password(made), Done)
            assert project.accepted_everywhere("client2", PASSWORD, "Invoices")
        for _ in range(2):
            assert isinstance(project.provider.disable(made), Done)
            assert project.accepted_nowhere("client2", PASSWORD)
        for _ in range(2):
            assert isinstance(project.provider.enable(made), Done)
            assert project.accepted_everywhere("client2", PASSWORD, "Invoices")
        assert isinstance(project.provider.delete(made), Done)
        assert project.provider.delete(made).why is Refusal.NOT_FOUND
        assert project.enabled_by_username() == {"client1": True}


@pytest.mark.parametrize("proof", ["probe", "token"])
def test_the_proof_is_not_there_before_the_gateway_follows(proof):
    with apinizer_project(proof=proof, gateway_delay=5.0) as project:
        project.api.add(PROJECT, "client1", Secret(FIRST), [ORDERS])
        project.provider.set_password(credential())
        assert project.provider.prove(credential()).why is Wait.NOT_YET
        project.http.clock.sleep(6)
        assert isinstance(project.provider.prove(credential()), Done)
        assert project.provider.prove(credential(password=FIRST)).why is Wait.NOT_YET


def test_a_missing_grant_is_not_yet_proved_by_a_request():
    with apinizer_project(proof="probe") as project:
        project.api.add(PROJECT, "client1", Secret(PASSWORD))
        assert project.provider.prove(credential()).why is Wait.NOT_YET


def test_a_proxy_without_a_policy_proves_nothing_and_the_proof_says_so():
    with apinizer_project(proof="probe", proxies_ask=False) as project:
        project.api.add(PROJECT, "client1", Secret(FIRST), [ORDERS])
        assert not project.provider.prove(credential()).value.tries_password


def test_the_access_token_is_not_shown_to_the_gateway_and_the_password_not_to_the_console():
    with apinizer_project(proof="probe") as project:
        project.api.add(PROJECT, "client1", Secret(PASSWORD), [ORDERS])
        project.provider.prove(credential())
        assert [line.split("/")[1] for line in project.request_lines()] == ["gateway", "gateway"]
        assert project.meter.outcomes == [("prove", "200"), ("prove", "401")]


@BOTH
@pytest.mark.parametrize("reading", ["project_visible", "permitted"])
@pytest.mark.parametrize("method", ["find", "set_password", "disable", "delete", "prove"])
def test_a_project_that_cannot_be_seen_concerns_the_account(method, reading, generation):
    with apinizer_project(generation, **{reading: False}) as project:
        answer = getattr(project.provider, method)(credential())
        assert isinstance(answer, Refused)
        assert answer.why is Refusal.PERMISSION


@pytest.mark.parametrize("fault", ["reset", "silence", "half-body", "html", "empty", "huge", "redirect", "drip"])
def test_nothing_that_the_wire_does_is_taken_for_an_answer(fault):
    with apinizer_project() as project:
        project.http._options = replace(
            project.http._options, timeouts=replace(project.http._options.timeouts, read=0.3)
        )
        project.api.add(PROJECT, "client1", Secret(FIRST), [ORDERS])
        changes = {"seconds": 0.6} if fault == "drip" else {}
        project.sandbox.faults.plan(fault_named(fault, **changes), verb="update", times=None)
        answer = project.provider.set_password(credential())
        assert isinstance(answer, Unknown), answer
