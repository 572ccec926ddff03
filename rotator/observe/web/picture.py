"""The timeline of a target as a picture: inline SVG, with every moment in a table below it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log1p

from rotator.observe.markup import Child, Element, h
from rotator.observe.status_words import Json
from rotator.observe.time_words import length_text, relative
from rotator.observe.web.shell import stamp, table
from rotator.observe.web.timeline import Lane, Mark, lanes, moments

_WIDTH, _SIDE, _TOP, _LANE = 960.0, 14.0, 30.0, 46.0
_MOST_LANES = 12
_LEAST = 64.0  # units between the labels of the axis
_FINE, _FINEST = 2000.0, 50_000.0  # parts of the whole time; what lies within one looks as if time were linear
_TICKS = [timedelta(seconds=each) for each in (10, 60, 600, 3600, 21600, 86400)] + [
    timedelta(days=each) for each in (3, 7, 30, 90, 365, 1095, 3650)
]
_LEGEND = (
    ("use", "published"),
    ("overlap", "replaced, still accepted"),
    ("off", "disabled or kept for an undo"),
    ("staged", "made, not published"),
)
_MARKS = (("made", "made"), ("good", "shown to work"), ("bad", "failed, refused or over"), ("warn", "late or held"),
          ("plan", "planned"), ("limit", "age limit"), ("end", "ended"))  # fmt: skip
_SHAPES = {  # by kind of mark: the class, and the outline around its place; no two differ by the colour alone
    "made": ("mark", "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0"),
    "good": ("mark good", "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0"),
    "bad": ("mark bad", "M0 -7l6 11h-12z"),
    "warn": ("mark warn", "M0 7l6 -11h-12z"),
    "plan": ("mark", "M0 -6l6 6l-6 6l-6 -6z"),
    "limit": ("mark bad", "M-1.5 -11h3v22h-3z"),
    "end": ("line", "M-5 -5l10 10m0 -10l-10 10"),
}


def picture(row: Json, now: datetime) -> Iterator[Child]:
    """Yields the picture of a row of the status document, and the table of its moments."""
    found = lanes(row, now)
    if not found:
        yield h("p", "Nothing has happened yet.")
        return
    shown = found[:_MOST_LANES]
    said = f"Timeline of {row['name']}: {len(shown)} passwords; the table below has every moment."
    yield h("div", _drawn(shown, now, said), css="scroll", tabindex=0, role="region", aria_label="Timeline")
    rest = f" The table also has {len(found) - len(shown)} older passwords." if len(found) > len(shown) else ""
    yield h("p", "The nearer to now, the more room an hour has.", rest, css="quiet")
    heads = (("When (UTC)", "m"), ("From now", "m"), ("Password", None), ("What", None))
    rows = [(stamp(at), _away(at, now), label, what) for at, label, what in moments(found) if what]
    yield h("details", h("summary", f"{len(rows)} moments"), table("Moments", heads, rows), open=len(rows) < 13)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a moment stands: logarithmic from now on in both directions."""

    now: datetime
    past: float  # seconds
    future: float
    fine: float  # what lies within looks as if time were linear

    def x(self, moment: datetime) -> float:
        """Returns the place of a moment."""
        before, after = (log1p(side / self.fine) for side in (self.past, self.future))
        seconds = (moment - self.now).total_seconds()
        away = log1p(abs(seconds) / self.fine)
        part = (before + (away if seconds >= 0 else -away)) / (before + after)
        return round(_SIDE + part * (_WIDTH - 2 * _SIDE), 1)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yields the places of the axis' labels."""
        middle = self.x(self.now)
        for sign, reach in ((-1, self.past), (1, self.future)):
            last = middle
            for tick in _TICKS:
                place = self.x(self.now + sign * tick) if tick.total_seconds() <= reach else None
                if place is not None and abs(place - last) >= _LEAST and _SIDE + 20 < place < _WIDTH - _SIDE - 20:
                    last = place
                    yield place, f"{length_text(tick)} ago" if sign < 0 else f"in {length_text(tick)}"


def _scale(shown: list[Lane], now: datetime) -> _Scale:
    all_moments = [at for at, _, _ in moments(shown)] + [span.end for lane in shown for span in lane.spans]
    past, future = (now - min(all_moments)).total_seconds(), (max(all_moments) - now).total_seconds()
    reach = max(past, future, 1.0)
    away = sorted(abs((at - now).total_seconds()) for at in all_moments if at != now)
    fine = min(max(away[len(away) // 5] if away else 0.0, reach / _FINEST), reach / _FINE)
    return _Scale(now, max(past, reach / 50) * 1.1, max(future, reach / 50) * 1.1, fine)


def _drawn(shown: list[Lane], now: datetime, said: str) -> Element:
    scale, height = _scale(shown, now), _TOP + len(shown) * _LANE + 62
    bottom = height - 56
    return h(
        "svg",
        h("title", said),
        _axis(scale, bottom),
        (_lane(lane, scale, _TOP + number * _LANE) for number, lane in enumerate(shown)),
        _legend(bottom + 18),
        viewBox=f"0 0 {_WIDTH:g} {height:g}",
        role="img",
        aria_label=said,
    )


def _axis(scale: _Scale, bottom: float) -> Iterator[Element]:
    for place, label in scale.ticks():
        yield h("line", x1=place, x2=place, y1=_TOP - 8, y2=bottom, css="axis")
        yield h("text", label, x=place, y=_TOP - 14, text_anchor="middle", css="quiet")
    middle = scale.x(scale.now)
    yield h("line", x1=middle, x2=middle, y1=_TOP - 8, y2=bottom, css="now")
    yield h("text", "now", x=middle, y=_TOP - 14, text_anchor="middle")


def _lane(lane: Lane, scale: _Scale, top: float) -> Iterator[Element]:
    yield h("text", lane.label, x=_SIDE, y=top + 12)
    for span in lane.spans:
        for begin, end, is_planned in _parts(span.begin, span.end, scale.now):
            left, right = scale.x(begin), scale.x(end)
            css = f"{span.kind} plan" if is_planned else span.kind
            yield h("rect", x=left, y=top + 19, width=max(round(right - left, 1), 1.5), height=14, css=css)
    yield from (_mark(mark.kind, scale.x(mark.at), top + 26, _told(mark, scale.now)) for mark in lane.marks)


def _parts(begin: datetime, end: datetime, now: datetime) -> Iterator[tuple[datetime, datetime, bool]]:
    if begin < now:
        yield begin, min(end, now), False
    if end > now:
        yield max(begin, now), end, True


def _told(mark: Mark, now: datetime) -> str:
    return f"{mark.what}, {_away(mark.at, now)}"


def _away(moment: datetime, now: datetime) -> str:
    return "now" if moment == now else relative(moment, now)


def _mark(kind: str, x: float, y: float, said: str = "") -> Element:
    css, outline = _SHAPES[kind]
    return h("path", h("title", said) if said else None, d=outline, transform=f"translate({x} {y})", css=css)


def _legend(top: float) -> Iterator[Element]:
    x = _SIDE
    for kind, label in _LEGEND:
        yield h("rect", x=x, y=top - 9, width=18, height=10, css=kind)
        yield h("text", label, x=x + 24, y=top, css="quiet")
        x += 44 + 6.3 * len(label)
    x = _SIDE
    for kind, label in _MARKS:
        yield _mark(kind, x + 8, top + 20)
        yield h("text", label, x=x + 24, y=top + 24, css="quiet")
        x += 44 + 6.3 * len(label)
