"""Apinizer: the credentials of a project."""

from place import Place
from row import Row

from rotator.core.secret import Secret
from rotator.providers.apinizer.api import ApinizerOptions
from rotator_simulator.providers.apinizer.api import KIND as APINIZER
from rotator_simulator.providers.apinizer.api import ApinizerApi

ORDERS = ("Orders", "API_PROXY")


def _add_to_project(place: Place, username: str, password: Secret) -> None:
    place.api.add(place.account.name, username, password, [ORDERS])


def _accepted_by_gateways(place: Place, username: str, password: Secret) -> bool:
    return all(place.api.lets_in(where, username, password, "Orders") for where in ("production", "staging"))


def _project(place: Place, key: Secret, proves: bool) -> ApinizerOptions:
    url = f"{place.sandbox.http_url}/gateway/production/Orders"
    return ApinizerOptions(
        place.account.name, key, email="ops@example.com", full_name="Ops", probe_url=url if proves else None
    )


ROWS = (
    Row(
        kind="apinizer",
        word=APINIZER,
        account="Pay ments",
        simulate=lambda account, clock: ApinizerApi([account], clock),
        options=_project,
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
