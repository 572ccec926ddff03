"""Apinizer: the credentials of a project."""

from place import Place
from row import API_KEY, Row

from rotator.core.secret import Secret
from rotator_simulator.providers.apinizer.api import KIND as APINIZER
from rotator_simulator.providers.apinizer.api import ApinizerApi

ORDERS = ("Orders", "API_PROXY")


def _add_to_project(place: Place, username: str, password: Secret) -> None:
    place.api.add(place.account.name, username, password, [ORDERS])


def _accepted_by_gateways(place: Place, username: str, password: Secret) -> bool:
    return all(place.api.lets_in(where, username, password, "Orders") for where in ("production", "staging"))


def _gateway(place: Place) -> dict[str, str]:
    return {"probe_url": f"{place.sandbox.http_url}/gateway/production/Orders"}


ROWS = (
    Row(
        kind="apinizer",
        word=APINIZER,
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
