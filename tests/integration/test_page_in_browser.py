"""The daemon's pages in Chromium: what is loaded, what assistive technology is told, and what the keyboard reaches."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from running_endpoint import RunningEndpoint
from shown_fleet import shown_fleet

from rotator.core.secret import Secret

pytestmark = pytest.mark.ci
TOKEN = "Sentinel-Of-The-Browser-0123456789"
PATHS = ("/", "/targets", "/targets/phone-0001", "/targets/phone-0003", "/accounts")
FEW, MANY = 5, 5000
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 27)"}
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (390, 1440)]
NAMED = "link|button|searchbox|textbox|combobox|table|rowheader|columnheader|img|region|navigation|heading"


@contextmanager
def served(folder: Path, targets: int) -> Iterator[RunningEndpoint]:
    with shown_fleet(folder, targets) as fleet:
        fleet.live()
        made = RunningEndpoint(people=fleet.web)
        made.token = Secret(TOKEN)
        yield made
        made.server.stop(timeout=0.1)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEndpoint]:
    with served(tmp_path_factory.mktemp("fleet"), MANY) as made:
        yield made


@pytest.fixture(scope="module")
def small_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEndpoint]:
    with served(tmp_path_factory.mktemp("few"), FEW) as made:
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # every run collects this file

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(chromium: Any, endpoint: RunningEndpoint, **more: Any) -> Iterator[Any]:
    """A tab that notes what it asks for, and what it complains of."""
    context = chromium.new_context(
        base_url=f"http://127.0.0.1:{endpoint.server.port}",
        http_credentials={"username": "me", "password": TOKEN},
        reduced_motion="reduce",
        **{"viewport": {"width": 1440, "height": 900}, **more},
    )
    page = context.new_page()
    page.requested, page.complaints = [], []
    page.on("request", lambda request: page.requested.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    yield page
    context.close()


@pytest.fixture
def page(chromium, endpoint) -> Iterator[Any]:
    with opened(chromium, endpoint) as made:
        yield made


@pytest.mark.parametrize("targets", [FEW, MANY])
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_nothing_hinders_people_and_nothing_leaves_the_host(request, chromium, targets, scheme, width):
    """axe-core knows the rules of WCAG: names, contrast, structure."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    served_at = request.getfixturevalue("endpoint" if targets == MANY else "small_endpoint")
    with opened(chromium, served_at, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        for path in PATHS:
            page.goto(path)
            found = Axe().run(page)
            assert not found.response["violations"], f"{path}\n{found.generate_report()}"
            widest = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert widest <= 0, f"{path} is {widest} pixels too wide for {width}"
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER[scheme]
        assert {re.match("https?://[^/]*", url)[0] for url in page.requested} == {
            f"http://127.0.0.1:{served_at.server.port}"
        }


@pytest.mark.parametrize("targets", [FEW, MANY])
def test_whatever_assistive_technology_meets_has_a_name(request, chromium, targets):
    """The accessibility tree, as Chromium makes it."""
    served_at = request.getfixturevalue("endpoint" if targets == MANY else "small_endpoint")
    with opened(chromium, served_at) as page:
        for path in PATHS:
            page.goto(path)
            tree = page.locator("body").aria_snapshot()
            met = re.findall(rf"^ *- '?({NAMED})\b(?: \"((?:[^\"\\]|\\.)+)\")?", tree, re.MULTILINE)
            assert {role for role, _ in met} >= {"link", "navigation", "heading"}, path
            assert [role for role, name in met if not name.strip()] == [], f"{path}\n{tree}"


def test_the_policy_lets_the_style_through_and_stops_what_a_stranger_would_add(page):
    page.goto("/")
    assert page.evaluate("getComputedStyle(document.querySelector('.tiles')).display") == "flex"
    assert [text for text in page.complaints if "Content Security Policy" in text and "favicon" not in text] == []
    with page.expect_event("requestfailed") as refused:
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=/status><p id=p style=color:red>')")
    assert (refused.value.url.endswith("/status"), refused.value.failure) == (True, "csp")
    assert page.evaluate("getComputedStyle(document.getElementById('p')).color") != "rgb(255, 0, 0)"


def test_the_pages_are_used_by_the_keyboard_and_without_scripts(chromium, endpoint):
    context = chromium.new_context(
        base_url=f"http://127.0.0.1:{endpoint.server.port}",
        http_credentials={"username": "", "password": TOKEN},
        java_script_enabled=False,
    )
    page = context.new_page()
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.get_by_role("link", name="To the content").bounding_box()["x"] >= 0  # seen once it has the focus
    page.get_by_role("link", name="Targets", exact=True).focus()
    page.keyboard.press("Enter")
    search = page.get_by_role("searchbox", name="Name, or a part of it")
    search.focus()
    page.keyboard.type("0007")
    page.keyboard.press("Enter")
    page.get_by_role("row", name="phone-0007").get_by_role("link").click()
    assert page.get_by_role("heading", level=1).inner_text() == "phone-0007"
    picture = page.get_by_role("img", name="Timeline of phone-0007")
    assert picture.bounding_box()["width"] > 500
    assert page.get_by_role("table", name="Replaced credentials").get_by_role("columnheader").count() == 5
    context.close()


def test_whatever_has_the_focus_is_seen_to_have_it(page):
    page.goto("/targets")
    seen = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        tag, outline = page.evaluate(
            "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineWidth]"
        )
        assert outline == "3px"
        seen.add(tag)
    assert {"A", "INPUT", "SELECT", "BUTTON", "DIV"} <= seen
