"""The pages for people at the real endpoint: their headers, and who may read them."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_reading import check_page
from running_endpoint import RunningEndpoint
from shown_fleet import shown_fleet

from rotator.core.secret import Secret
from rotator.observe.style import STYLE_SOURCE

TOKEN = "Sentinel-Of-The-Endpoint-0123456789"
PATHS = ("/", "/targets", "/targets?state=failing&name=phone", "/targets/phone-0001", "/accounts")


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[RunningEndpoint]:
    with shown_fleet(tmp_path, 9) as fleet:
        fleet.live()
        made = RunningEndpoint(people=fleet.web)
        yield made
        made.server.stop(timeout=0.1)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_may_use_its_own_style_and_forms_and_nothing_else(endpoint, path):
    status, headers, body = endpoint.ask(path)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    check_page(body.decode())
    assert headers["content-security-policy"].split("; ") == [
        "default-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        f"style-src {STYLE_SOURCE}",
        "form-action 'self'",
    ]
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert endpoint.ask(path, "HEAD")[1]["content-length"] == str(len(body))
    assert endpoint.ask(path, "POST", b"name=x")[0] == 405


def test_a_wrong_address_gets_a_page_and_an_unknown_one_the_usual_answer(endpoint):
    status, headers, body = endpoint.ask("/targets?page=-1")
    assert (status, headers["content-type"]) == (400, "text/html; charset=utf-8")
    check_page(body.decode())
    assert endpoint.ask("/targets/nobody%2F..%2F")[0] == 404
    status, _, body = endpoint.ask("/nothing")
    assert (status, json.loads(body)["error"]) == (404, "no such page")


def test_the_token_guards_the_pages_and_a_browser_asks_for_it(endpoint):
    endpoint.token = Secret(TOKEN)
    for path in PATHS:
        status, headers, body = endpoint.ask(path)
        assert (status, headers["www-authenticate"]) == (401, 'Basic realm="rotator"')
        assert b"phone" not in body
        typed_in = b64encode(f"me:{TOKEN}".encode()).decode()
        assert endpoint.ask(path, headers={"Authorization": f"Basic {typed_in}"})[0] == 200
