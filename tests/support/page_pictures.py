"""Takes the pictures of the documentation: `python tests/support/page_pictures.py docs/pictures`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import sync_playwright
from running_endpoint import RunningEndpoint
from shown_fleet import shown_fleet

_SHOWN: tuple[tuple[str, str, Literal["light", "dark"], tuple[int, int]], ...] = (  # name, path, colours, size
    ("fleet", "/", "light", (1200, 760)),
    ("targets", "/targets?sort=need", "dark", (1200, 640)),
    ("target", "/targets/phone-0007", "light", (1200, 760)),
)


def take(folder: Path) -> None:
    """Writes them."""
    with TemporaryDirectory() as data, shown_fleet(Path(data), 5000) as fleet, sync_playwright() as playwright:
        fleet.live()
        endpoint = RunningEndpoint(people=fleet.web)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for name, path, colours, (width, height) in _SHOWN:
            page = browser.new_page(java_script_enabled=False)
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=colours)
            page.goto(f"http://127.0.0.1:{endpoint.server.port}{path}")
            page.screenshot(path=folder / f"page-{name}.png")
        browser.close()
        endpoint.server.stop(timeout=0.1)


if __name__ == "__main__":
    take(Path(sys.argv[1]))
