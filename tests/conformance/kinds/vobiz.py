"""Vobiz: trunk credentials and Endpoint users."""

from kind_description import API_KEY, NO_END, NOT_BY_US, KindDescription

from rotator_simulator.providers.vobiz import api as vobiz
from rotator_simulator.providers.vobiz import endpoints as vobiz_endpoints
from rotator_simulator.providers.vobiz.api import VobizApi

_NO_SWITCH = "the provider documents no way to switch off a single one"


DESCRIPTIONS = (
    KindDescription(
        kind="vobiz",
        record_kind=vobiz.KIND,
        account="MA_DEMO",
        simulate=lambda account, clock: VobizApi([account], clock),
        options={"auth_id": "MA_DEMO", "auth_token": API_KEY},
        path="/api/v1/Account/MA_DEMO/",
        gaps={
            "generate": "username and password are always those that were chosen here",
            "expire": NO_END,
            "usage": "no page shows who uses a trunk credential, and trunks do not register",
        },
        page=100,
        in_use={"delete_during_call": "conflict"},
        strategies=("replace", "alternating", "in-place"),
        attach=lambda account, credential: account.api.trunks.add(account.simulated, "office", credential.id),
    ),
    KindDescription(
        kind="vobiz-endpoint",
        record_kind=vobiz_endpoints.KIND,
        account="MA_DEMO",
        simulate=lambda account, clock: VobizApi([account], clock),
        options={"auth_id": "MA_DEMO", "auth_token": API_KEY},
        path="/api/v1/Account/MA_DEMO/",
        gaps={
            "create": NOT_BY_US,
            "complete": NOT_BY_US,
            "duplicate": NOT_BY_US,
            "generate": NOT_BY_US,
            "delete": NOT_BY_US,
            "in use": NOT_BY_US,
            "disable": _NO_SWITCH,
            "re-enable": _NO_SWITCH,
            "expire": NO_END,
        },
        page=100,
    ),
)
