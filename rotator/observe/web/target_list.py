"""The page of targets: searched, filtered, sorted, and turned over, by plain forms and addresses. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.core.holding import HoldReason
from rotator.observe.markup import Child, Element, h
from rotator.observe.needs import Need
from rotator.observe.notices import URGENT
from rotator.observe.ordering import Order
from rotator.observe.remedies import BY_URGENCY
from rotator.observe.status_query import StatusQuery, StatusQueryError, parse
from rotator.observe.status_words import Json, StatusWords
from rotator.observe.target_words import FILTERS, ORPHAN, OTHERS
from rotator.observe.time_words import counted
from rotator.observe.web.shell import (
    TARGETS,
    About,
    lines,
    list_address,
    page,
    state_mark,
    table,
    target_link,
)

PAGE = 50
_WITHIN = {"1d": "a day", "7d": "a week", "30d": "30 days"}
_ORDERS = {Order.NAME: "name", Order.DUE: "next rotation", Order.AGE: "oldest password", Order.NEED: "need"}
_KEYS = ("name", "state", "account", "label", "due", "sort", "page")
_PAGE = re.compile("[1-9][0-9]{0,4}")
_MOST_LINES = 4  # about one target


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What the address asks for."""

    name: str = ""  # a part of the name, or a pattern with `*` and `?`
    state: str = ""
    account: str = ""
    label: str = ""
    due: str = ""  # one of `_WITHIN`
    sort: str = Order.NAME.value
    page: int = 1

    @classmethod
    def parse(cls, query: Mapping[str, Sequence[str]]) -> "ListQuery":
        """Returns what an address asks for; a field that was left empty asks for nothing. Raises StatusQueryError."""
        unknown = sorted(set(query) - set(_KEYS))
        if unknown:
            raise StatusQueryError(f"no parameter {', '.join(unknown)}: use {', '.join(_KEYS)}")
        given = {key: values[-1].strip() for key, values in query.items() if values[-1].strip()}
        if given.get("due", "1d") not in _WITHIN:
            raise StatusQueryError(f"due is one of {', '.join(_WITHIN)}")
        if given.get("sort", "name") not in list(Order):
            raise StatusQueryError(f"sort is one of {', '.join(Order)}")
        if _PAGE.fullmatch(given.get("page", "1")) is None:
            raise StatusQueryError("page is a number from 1")
        number = int(given.pop("page", "1"))
        return cls(**given, page=number)

    @property
    def order(self) -> Order:
        """What it is sorted by."""
        return Order(self.sort)

    def status_query(self, now: datetime) -> StatusQuery:
        """Returns the filters as `/status` has them. Raises StatusQueryError."""
        given: dict[str, list[str]] = {}
        if self.name:
            given["name"] = [self.name if re.search(r"[*?\[]", self.name) else f"*{self.name}*"]
        given |= {key: [value] for key in ("state", "account", "label") if (value := getattr(self, key))}
        if self.due:
            given["due_before"] = [(now + timedelta(days=int(self.due.removesuffix("d")))).isoformat()]
        return parse(given)

    def address(self, number: int) -> str:
        """Returns the address of another page of the same."""
        filters = {key: getattr(self, key) for key in ("name", "state", "account", "label", "due")}
        sort = "" if self.sort == Order.NAME else self.sort
        return list_address(**filters, sort=sort, page=number if number > 1 else "")


@dataclass(frozen=True, slots=True)
class TargetList:
    """What the page is made of."""

    query: ListQuery
    document: Json  # the status document of the targets of this page
    matching: int  # targets that the filters let through
    accounts: Sequence[str]
    needs: Mapping[str, Collection[str]]  # by target of this page


def list_page(about: About, found: TargetList) -> str:
    """Returns the page."""
    return page(about, "Targets", TARGETS, _body(about, found))


def _body(about: About, found: TargetList) -> Iterator[Child]:
    yield h("h1", "Targets")
    yield _form(found.query, found.accounts)
    rows = found.document["targets"]
    first = (found.query.page - 1) * PAGE + 1
    if not rows:
        yield h("p", "No target matches." if not found.matching else "This page is past the last one.", role="status")
        yield h("p", h("a", "all targets", href=TARGETS))
        return
    shown = f"{first:,} to {first + len(rows) - 1:,} of " if found.matching > len(rows) else ""
    yield h("p", f"{shown}{counted(found.matching, 'target')}", role="status")
    words = StatusWords(about.now, about.now.tzinfo)
    heads = (("Target", None), ("State", None), ("Published", "wide"), ("Next rotation", None), ("What goes on", None))
    yield table("Targets", heads, (_row(row, words, found.needs[row["name"]]) for row in rows))
    yield _turn(found.query, found.matching)


def _row(row: Json, words: StatusWords, needs: Collection[str]) -> list[Child]:
    about = words.remarks(row, everything=False)
    waiting = row["waiting"]
    if waiting and row["state"] != "blocked" and waiting["reason"] not in (HoldReason.NOT_DUE.value, "retired"):
        about.append(f"{waiting['reason']}: {waiting['message']}" if waiting["message"] else waiting["reason"])
    about += words.replaced(row)
    more = [f"and {len(about) - _MOST_LINES + 1} more"] if len(about) > _MOST_LINES else []
    shown = (about[: _MOST_LINES - 1] if more else about) + more
    return [
        [target_link(row["name"]), h("br"), h("span", f"{row['account']}, {row['strategy']}", css="quiet")],
        state_mark(row["state"]),
        list(lines(words.published(row))),
        list(lines(words.next_rotation(row))),
        [_needs(needs), list(lines("\n".join(dict.fromkeys(shown))))],
    ]


def _needs(needs: Collection[str]) -> Iterator[Child]:
    true_of_it = [need for need in BY_URGENCY if need in needs]
    for place, need in enumerate(true_of_it):
        yield ", " if place else None
        yield h("strong", need.replace("_", " "), css="bad" if need in URGENT else "warn")
    yield h("br") if true_of_it else None


def _form(query: ListQuery, accounts: Sequence[str]) -> Element:
    states = FILTERS[: FILTERS.index(OTHERS[0])]
    needs = [word for word in Need if word != ORPHAN]
    groups = (("State", states), ("What goes on", OTHERS), ("To be looked after", needs))
    by_state = [_option("", "any", query.state)] + [
        h("optgroup", (_option(word, word.replace("_", " "), query.state) for word in words), label=name)
        for name, words in groups
    ]
    known = {*accounts, *([query.account] if query.account else [])}  # what filters is shown, also if it is unknown
    account = [_option("", "any", query.account), *(_option(name, name, query.account) for name in sorted(known))]
    due = [_option("", "any time", query.due), *(_option(key, said, query.due) for key, said in _WITHIN.items())]
    order = [_option(each.value, said, query.sort) for each, said in _ORDERS.items()]
    return h(
        "form",
        h("label", "Name, or a part of it", _text("name", query.name, "lobby or lobby-*")),
        h("label", "State", h("select", by_state, name="state")),
        h("label", "Account", h("select", account, name="account")),
        h("label", "Label", _text("label", query.label, "site=berlin")),
        h("label", "Due within", h("select", due, name="due")),
        h("label", "Sort by", h("select", order, name="sort")),
        h("button", "Show", type="submit"),
        method="get",
        action=TARGETS,
        role="search",
        aria_label="Search targets",
    )


def _text(name: str, value: str, example: str) -> Element:
    return h("input", type="search", name=name, value=value, placeholder=example, maxlength=200, autocomplete="off")


def _option(value: str, said: str, chosen: str) -> Element:
    return h("option", said, value=value, selected=value == chosen)


def _turn(query: ListQuery, matching: int) -> Child:
    last = -(-matching // PAGE)
    if last <= 1:
        return None
    ways: list[Child] = []
    if query.page > 1:
        ways += [h("a", "first", href=query.address(1)),
                 h("a", "previous", href=query.address(query.page - 1), rel="prev")]  # fmt: skip
    ways.append(h("span", f"page {query.page:,} of {last:,}", css="quiet"))
    if query.page < last:
        ways += [h("a", "next", href=query.address(query.page + 1), rel="next"),
                 h("a", "last", href=query.address(last))]  # fmt: skip
    return h("nav", ways, css="pages", aria_label="Pages of targets")
