"""The made-up provider in the conformance suite."""

from kind_description import API_KEY, NO_END, KindDescription

from example.simulator import USER, IntercomApi

DESCRIPTIONS = (
    KindDescription(
        kind="intercom",
        options={"api_key": API_KEY},
        record_kind=USER,
        account="front-door",
        simulate=lambda account, clock: IntercomApi([account]),
        path="/intercom/",
        base="/intercom",
        proof_options=None,
        gaps={
            "generate": "username and password are always those that were chosen here",
            "expire": NO_END,
            "prove": "there is nothing to log in to with a user's password",
            "usage": "it keeps no record of who uses a door",
            "pages": "the listing is one piece",
            "in use": "no call holds a credential",
        },
        strategies=("replace", "alternating", "in-place"),
    ),
)
