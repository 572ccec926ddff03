"""The one stylesheet of the pages for people: of the report, and of the daemon's."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

STYLE = files("rotator.observe").joinpath("pages.css").read_text("utf-8")
STYLE_SOURCE = f"'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
"""What a Content-Security-Policy allows so that a browser uses this sheet and no other one."""
