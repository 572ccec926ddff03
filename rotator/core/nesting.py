"""How deeply the answers of others may be nested: with this limit, no code that walks through one needs its own."""

DEEPEST = 100
"""The most levels of lists and objects in an answer's JSON."""


def is_too_deep(document: object) -> bool:
    """Returns True if parsed JSON has more than `DEEPEST` levels."""
    level = [document]
    for _ in range(DEEPEST + 1):
        containers = [part for part in level if isinstance(part, (list, dict))]
        if not containers:
            return False
        level = [part for each in containers for part in (each.values() if isinstance(each, dict) else each)]
    return True
