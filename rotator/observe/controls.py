"""Makes control characters visible: a remote message must not control an operator's terminal."""

import unicodedata


def visible(text: str, keep: str = "") -> str:
    r"""Returns the text with control characters escaped as `\x1b`, except those in `keep`."""
    return "".join(
        f"\\x{ord(char):02x}" if unicodedata.category(char) == "Cc" and char not in keep else char for char in text
    )
