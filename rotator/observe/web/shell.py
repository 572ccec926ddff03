"""What the pages have in common: the head with the ways to the others, the foot, and small parts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from rotator.observe.markup import Child, Element, h, written
from rotator.observe.time_words import relative

FLEET, TARGETS, ACCOUNTS = "/", "/targets", "/accounts"
_WAYS = ((FLEET, "Fleet"), (TARGETS, "Targets"), (ACCOUNTS, "Accounts"))


@dataclass(frozen=True, slots=True)
class About:
    """Whose page it is, and of when."""

    now: datetime
    version: str
    holder: str  # this process
    here: int  # targets that this process looks at
    configured: int  # targets in all
    ready: bool = True  # Vault was reached


def page(about: About, title: str, here: str, body: Iterable[Child]) -> str:
    """Returns a whole page. `here` is the way in the head that it belongs to."""
    ways = (
        h("a", name, href=way, aria_current=("page" if title == name else "true") if way == here else None)
        for way, name in _WAYS
    )
    head = h("header", h("strong", "rotator"), h("nav", ways, aria_label="Pages"))
    skip = h("a", "To the content", href="#content", css="skip")
    parts = [skip, head, h("main", _notes(about), body, id="content"), _foot(about)]
    return written(f"{title} · rotator", parts)


def error_page(about: About, title: str, said: str, here: str = TARGETS) -> str:
    """Returns a page that says what is wrong."""
    return page(about, title, here, [h("h1", title), h("p", said)])


def _notes(about: About) -> Iterator[Child]:
    if not about.ready:
        said = "Vault has not been reached yet since this process began: nothing is known of any target."
        yield h("p", said, css="verdict warn", role="status")
    elif about.here < about.configured:
        others = about.configured - about.here
        yield h("p", f"This process looks at {about.here:,} of {about.configured:,} targets, and shows those. ",
                f"Other replicas look at the other {others:,}; `rotator status` shows all.".replace("`", ""),
                css="quiet")  # fmt: skip


def _foot(about: About) -> Element:
    return h(
        "footer",
        "As of ",
        stamp(about.now),
        " UTC, from the memory of ",
        about.holder,
        f", rotator {about.version}. All times are in UTC. Read-only; reload the page for newer figures. ",
        h("a", "The same as JSON", href="/status"),
    )


def stamp(moment: datetime) -> Element:
    """Returns a moment, to the second."""
    in_utc = moment.astimezone(UTC)
    return h("time", f"{in_utc:%Y-%m-%d %H:%M:%S}", datetime=f"{in_utc:%Y-%m-%dT%H:%M:%SZ}")


def told(moment: datetime, now: datetime) -> list[Child]:
    """Returns how far away a moment is, and the moment."""
    return [relative(moment, now), " (", stamp(moment), ")"]


def lines(text: str) -> Iterator[Child]:
    """Yields a text with its line breaks."""
    for number, line in enumerate(text.split("\n")):
        if number:
            yield h("br")
        yield line


def target_link(name: str) -> Element:
    """Returns the way to a target's page."""
    return h("a", name, href=f"{TARGETS}/{quote(name, safe='')}")


def list_address(**filters: str | int) -> str:
    """Returns the address of the targets that filters let through; empty ones are left out."""
    given = {key: value for key, value in filters.items() if value != ""}
    return f"{TARGETS}?{urlencode(given)}" if given else TARGETS


def named(names: Iterable[str], number: int) -> Iterator[Child]:
    """Yields the ways to some targets, and how many more there are of `number`."""
    shown = list(names)
    for place, name in enumerate(shown):
        yield ", " if place else None
        yield target_link(name)
    if number > len(shown):
        yield f" and {number - len(shown):,} more"


def commands(given: Iterable[str]) -> Iterator[Child]:
    """Yields commands, each in a line of its own."""
    for number, command in enumerate(given):
        if number:
            yield h("br")
        yield h("code", command, css="command")


def table(caption: str, heads: Iterable[tuple[str, str | None]], rows: Iterable[Iterable[Child]]) -> Element:
    """Returns a table that scrolls by itself where it is too wide.

    Args:
        heads: each with the class of its cells, or None.
        rows: cells; the first one names its row.
    """
    columns = list(heads)
    # On a small screen its rows are stacked; the roles tell what the parts are nevertheless.
    head = h("tr", (h("th", name, scope="col", css=css, role="columnheader") for name, css in columns), role="row")
    body = (
        h("tr", (_cell(*each) for each in zip(row, columns, range(len(columns)), strict=True)), role="row")
        for row in rows
    )
    groups = h("thead", head, role="rowgroup"), h("tbody", body, role="rowgroup")
    content = h("table", groups, aria_label=caption, css="list", role="table")
    return h("div", content, css="scroll", tabindex=0, role="region", aria_label=caption)


def _cell(content: Child, column: tuple[str, str | None], place: int) -> Element:
    name, css = column
    if not place:
        return h("th", content, css=css, scope="row", role="rowheader")
    return h("td", h("div", content), css=css, role="cell", data_head=name or None)


def state_mark(state: str) -> Element:
    """Returns the word of a state, coloured by how much it matters."""
    return h("span", state, css={"blocked": "bad", "failing": "bad", "paused": "warn", "idle": "good"}.get(state))
