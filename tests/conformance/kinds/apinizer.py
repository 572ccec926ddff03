"""Apinizer: the credentials of a project."""

from account_under_test import AccountUnderTest
from kind_description import API_KEY, KindDescription

from rotator.core.secret import Secret
from rotator_simulator.providers.apinizer.api import KIND as APINIZER
from rotator_simulator.providers.apinizer.api import ApinizerApi

ORDERS = ("Orders", "API_PROXY")


def _add_to_project(account: AccountUnderTest, username: str, password: Secret) -> None:
    account.api.add(account.simulated.name, username, password, [ORDERS])


def _accepted_by_gateways(account: AccountUnderTest, username: str, password: Secret) -> bool:
    return all(account.api.lets_in(where, username, password, "Orders") for where in ("production", "staging"))


def _gateway(account: AccountUnderTest) -> dict[str, str]:
    return {"probe_url": f"{account.sandbox.http_url}/gateway/production/Orders"}


DESCRIPTIONS = (
    KindDescription(
        kind="apinizer",
        record_kind=APINIZER,
        account="Pay ments",
        simulate=lambda account, clock: ApinizerApi([account], clock),
        options={
            "project": "Pay ments",
            "access_token": API_KEY,
            "email": "ops@example.com",
            "full_name": "Ops",
        },
        proof_options=_gateway,
        path="/apiops/projects/Pay%20ments/",
        gaps={
            "generate": "username and password are always those that were chosen here",
            "expire": "setting `expireDate` needs the full update, which would set a password during the overlap",
            "usage": "nobody is logged in: each request has the password",
            "pages": "the listing is one piece",
            "in use": "no call holds a credential",
        },
        add=_add_to_project,
        accepts=_accepted_by_gateways,
        identity=lambda record: record.username,
        lingers=True,
        strategies=("replace", "alternating", "in-place"),
    ),
)
