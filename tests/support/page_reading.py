"""A page of HTML as a browser would take it apart, and what has to be true of every page."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"br", "input", "meta"}
_TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "nav",
        "main",
        "footer",
        "h1",
        "h2",
        "p",
        "a",
        "ul",
        "li",
    ),
    *("strong", "b", "span", "code", "br", "dl", "dt", "dd", "div", "time", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td", "form", "label", "input", "select", "optgroup", "option", "button"),
    *("svg", "line", "rect", "path", "text"),
}
_ATTRIBUTES = {
    *(
        "lang",
        "charset",
        "name",
        "content",
        "class",
        "id",
        "href",
        "rel",
        "datetime",
        "tabindex",
        "role",
        "scope",
        "open",
    ),
    *(
        "type",
        "value",
        "placeholder",
        "maxlength",
        "autocomplete",
        "selected",
        "label",
        "method",
        "action",
        "data-head",
    ),
    *(
        "aria-current",
        "aria-label",
        "viewbox",
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "cx",
        "cy",
        "r",
        "d",
        "width",
        "height",
    ),
    "text-anchor",
    "transform",
}


@dataclass
class Tag:
    """An element, and the ones around it."""

    name: str
    attributes: dict[str, str]
    around: tuple[str, ...]
    text: str = ""


@dataclass
class PageAsRead(HTMLParser):
    """All elements of a page, and its text."""

    html: str
    tags: list[Tag] = field(default_factory=list)
    _open: list[Tag] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()
        assert not self._open, f"never closed: {[tag.name for tag in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Tag(tag, {name: value or "" for name, value in attrs}, tuple(each.name for each in self._open))
        self.tags.append(found)
        if tag not in _VOID:
            self._open.append(found)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for each in self._open:
            each.text += data

    def all(self, *names: str) -> list[Tag]:
        """The elements with these names."""
        return [tag for tag in self.tags if tag.name in names]

    def texts(self, name: str) -> list[str]:
        """What the elements with a name say."""
        return [tag.text for tag in self.all(name)]

    @property
    def text(self) -> str:
        """What people read."""
        (body,) = self.texts("body")
        return body


def check_page(html: str) -> PageAsRead:
    """Reads a page, and checks what holds for each: nothing but known markup, own links, names for what has no text."""
    page = PageAsRead(html)
    assert html.startswith("<!doctype html>")
    assert {tag.name for tag in page.tags} <= _TAGS
    assert {name for tag in page.tags for name in tag.attributes} <= _ATTRIBUTES
    for tag in page.all("a"):
        assert tag.attributes["href"].startswith(("/", "#"))
        assert not tag.attributes["href"].startswith("//")
        assert tag.text.strip()
    assert [tag.attributes["action"] for tag in page.all("form")] in ([], ["/targets"])
    assert [tag.attributes["lang"] for tag in page.all("html")] == ["en"]
    titles = [tag for tag in page.all("title") if "svg" not in tag.around]
    assert len(page.all("h1")) == len(page.all("main")) == len(titles) == 1
    for field_ in page.all("input", "select"):
        assert "label" in field_.around
    for named in (
        *page.all("table", "nav", "svg"),
        *(tag for tag in page.tags if tag.attributes.get("role") == "region"),
    ):
        assert named.attributes["aria-label"]
    for scrolls in (tag for tag in page.tags if "scroll" in tag.attributes.get("class", "").split()):
        assert scrolls.attributes["tabindex"] == "0"
    ids = [tag.attributes["id"] for tag in page.tags if "id" in tag.attributes]
    assert len(ids) == len(set(ids))
    return page
