"""Pages for people, as a tree of elements. Pure.

Text becomes part of a page as text: what looks like markup in a name or in a provider's error is escaped when the tree
is written, and there is no way to put markup in by hand.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias
from xml.etree import ElementTree as ET

from rotator.observe.controls import visible
from rotator.observe.style import STYLE

Element: TypeAlias = ET.Element
Child: TypeAlias = str | Element | Iterable["Child"] | None

_CODE = re.compile("`([^`]+)`")


def h(tag: str, *children: Child, **attributes: str | float | bool | None) -> Element:
    """Returns an element.

    Args:
        children: text, elements, and nested series of both; None is left out.
        attributes: `css` is the class; an underscore stands for a hyphen; None and False are left out.
    """
    element = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None and value is not False:
            element.set(_attribute(name), "" if value is True else visible(str(value)))
    for child in _flat(children):
        _append(element, child)
    return element


def prose(text: str) -> Iterator[Child]:
    """Yields a text in which what stands between backticks is set as code."""
    parts = _CODE.split(text)
    for place, part in enumerate(parts):
        yield h("code", part) if place % 2 else part


def written(title: str, body: Iterable[Child], *, head: Iterable[Child] = ()) -> str:
    """Returns the whole page: without scripts, and with nothing to load."""
    page = h(
        "html",
        h(
            "head",
            h("meta", charset="utf-8"),
            h("meta", name="viewport", content="width=device-width, initial-scale=1"),
            head,
            h("title", title),
            _style(),
        ),
        h("body", body),
        lang="en",
    )
    # What providers and Vault say may hold halves of characters, which no encoding knows.
    text = ET.tostring(page, encoding="unicode", method="html").encode("utf-8", "replace").decode()
    return f"<!doctype html>\n{text}\n"


def _style() -> Element:
    element = ET.Element("style")
    element.text = STYLE  # as it is: the hash of exactly this stands in the policy
    return element


def _attribute(name: str) -> str:
    return "class" if name == "css" else name.rstrip("_").replace("_", "-")


def _flat(children: Iterable[Child]) -> Iterator[str | Element]:
    for child in children:
        if isinstance(child, str | ET.Element):
            yield child
        elif child is not None:
            yield from _flat(child)


def _append(element: Element, child: str | Element) -> None:
    if not isinstance(child, str):
        element.append(child)
    elif len(element):
        element[-1].tail = (element[-1].tail or "") + visible(child, keep="\n")
    else:
        element.text = (element.text or "") + visible(child, keep="\n")
