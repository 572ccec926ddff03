"""A fleet in a daemon's memory with everything that its pages have to show, and its pages at a real endpoint.

No Vault and no provider is asked: the states are those that looks leave behind.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

from rotator.core.blackouts import Extent
from rotator.core.freezes import Freeze, Freezes
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import (
    Attempt,
    Counts,
    Credential,
    Ended,
    EndedBy,
    Ending,
    LedgerEntry,
    Phase,
    Purpose,
    Strategy,
    Target,
    TargetState,
    Verification,
)
from rotator.core.secret import Secret
from rotator.core.usage_rules import Sighting
from rotator.daemon.components import Components
from rotator.daemon.composition import Composition
from rotator.daemon.snapshot import Snapshot
from rotator.daemon.web import Web
from rotator.engine import Look, Outcome

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PASSWORD = "Sentinel-Password-7c1d"
TOKEN = "Sentinel-Token-0123456789abcdef"
HOSTILE = "<script>alert(1)</script></title><img src=x onerror=alert(2)> \" ' & \x1b[31m\x00 \u202e\ud800"
_PLACES = ("berlin", "hamburg", "leipzig", "wien")


class ShownFleet:
    """The memory."""

    def __init__(self, composition: Composition) -> None:
        self.composition, self.snapshot = composition, Snapshot(composition)
        self.now = composition.clock.now()
        made = composition.assemble(composition.settings, seen=self.snapshot.update_state)
        self.components: Components | None = made
        self.targets = sorted(made.targets, key=lambda target: target.name)
        self.snapshot.keep_only([*made.by_name, "removed-phone"], lambda _: True)
        self.web = Web(composition, self.snapshot, lambda: self.components)

    def html(self, path: str, query: str = "", status: int = 200) -> str:
        """A page that there has to be."""
        page = self.web(path, query)
        assert page is not None
        assert page.status == status
        return page.html

    def know(
        self, target: Target, state: TargetState, hold: Hold | None = None, freezes: Freezes | None = None
    ) -> None:
        """Lets a look at a target end."""
        self.snapshot.update_state(target, state)
        held = Look(target.name, Outcome.HELD, "", (), None, hold, None, 0.0, freezes or Freezes())
        self.snapshot.update_look(target, held)

    def live(self) -> None:
        """Gives each target a state: most are at rest, and each of the first ones has a trouble of its own."""
        for number, target in enumerate(self.targets):
            self.know(target, *self._life(number, target))
        gone = replace(self.targets[0], name="removed-phone", removed=True)
        self.snapshot.update_state(gone, TargetState("removed-phone", published=self._made(gone, 200, "removed0")))

    def _life(self, number: int, target: Target) -> tuple[TargetState, Hold | None, Freezes | None]:
        rest, now = self._at_rest(target, number), self.now
        not_due = Hold(HoldReason.NOT_DUE, "", rest.next_rotation)
        staged = replace(self._made(target, 0.1, f"{target.name}9zkq"), id=None)
        began = ("schedule", "due")
        attempt = Attempt("k3v9", Purpose.ROTATE, target.strategy, Phase.APPLIED, staged, rest.published,
                          now - 2 * HOUR, *began, applied_at=now - HOUR)  # fmt: skip
        if number == 1:
            error = "vobiz-prod: 503, the registrar did not answer in time"
            failing = replace(rest, attempt=attempt, failures=4, last_error=error, not_before=now + HOUR)
            return failing, Hold(HoldReason.BACKING_OFF, error, now + HOUR), None
        if number == 2:
            said = f"{target.path} is not what rotator published: correct it, or rotate (--take-over)"
            return rest, Hold(HoldReason.FOREIGN_DOCUMENT, said), None
        if number == 3:
            refused = Verification(now - timedelta(minutes=9), accepted=False, proof="403 Forbidden", refusals=2)
            return replace(rest, verification=refused), Hold(HoldReason.PUBLISHED_REFUSED, "refused twice"), None
        if number == 5:
            since, until = now - 8 * DAY, now + 2 * DAY
            pause = Freeze(HoldReason.PAUSED, since, until, "paused by uid:1000: PBX is replaced", Extent.CHANGES)
            late = replace(rest, next_rotation=now - 8 * DAY)
            return late, Hold(HoldReason.PAUSED, pause.words, pause.until), Freezes((pause,))
        if number == 6:
            return TargetState(target.name, first_seen=now - 3 * DAY, next_rotation=now - 2 * DAY), None, None
        if number == 7:
            old = replace(self._made(target, 90, f"{target.name}2old"), enabled=False)
            ended = Ended(old, EndedBy.DISABLED, now - HOUR, accepted=2, not_before=now + HOUR, note="200 OK")
            return replace(rest, ended=(ended,)), not_due, None
        if number == 8:
            seen = Sighting(now - HOUR, in_use=True, evidence="provider: registered", seen_at=now - HOUR)
            entry = replace(self._replaced(target, 1.2), disabled_at=None, disable_at=now - 3 * HOUR, sighting=seen)
            return replace(rest, ledger=(entry,)), Hold(HoldReason.IN_USE, "still in use", now + DAY), None
        if number == 9:
            return TargetState(target.name, retired_at=now - DAY), Hold(HoldReason.RETIRED, ""), None
        return rest, not_due, None

    def _at_rest(self, target: Target, number: int) -> TargetState:
        age = (number * 37) % 85 + 0.4  # days
        made = self.now - age * DAY
        ledger = (self._replaced(target, age),) if age < 8 else ()
        shown = self.now - timedelta(minutes=(number * 13) % 1400 + 1)
        return TargetState(
            target.name,
            published=self._made(target, age, f"{target.name}{number % 10}xq4"),
            published_since=made + timedelta(seconds=40),
            last_rotation=made + timedelta(seconds=40),
            next_rotation=made + 86 * DAY,
            scheduled_by=target.policy.schedule_key,
            ledger=ledger,
            verification=Verification(shown, accepted=True, proof="SIP REGISTER"),
            verify_at=shown + DAY,
            counts=Counts(succeeded=4, disabled=3, deleted=3, seconds=61.0),
            path=target.path,
        )

    def _made(self, target: Target, days: float, username: str) -> Credential:
        made = self.now - days * DAY
        return Credential(target.account, username, f"id-{username}", Secret(PASSWORD), attempt="a1", made_at=made)

    def _replaced(self, target: Target, days: float) -> LedgerEntry:
        at = self.now - days * DAY
        old = self._made(target, days + 86, f"{target.name}old7")
        disabled = at + DAY if days > 1 else None
        ending = Ending.FORGET if target.strategy is Strategy.IN_PLACE else Ending.DELETE
        return LedgerEntry(old, ending, at, at + DAY, 7 * DAY, disabled_at=disabled)


@contextmanager
def shown_fleet(folder: Path, number: int) -> Iterator[ShownFleet]:
    """A fleet of so many targets, of which nothing is known yet."""
    account = {"type": "vobiz", "auth_token": {"env": "TOKEN"}, "registrar": "127.0.0.1:5061"}
    document = {
        "vault": {"address": "http://127.0.0.1:9", "auth": {"method": "token", "token": {"env": "TOKEN"}}},
        "providers": {
            "vobiz-prod": {**account, "auth_id": "MA_A"},
            "vobiz-lab": {**account, "auth_id": "MA_B", "rate_limit": "300/m"},
        },
        "limits": {"max_age": "90d"},
        "policies": {"quarterly": {"every": "86d", "overlap": "1d", "quarantine": "7d"}},
        "targets": [
            {"name": f"phone-{place:04}", "provider": "vobiz-lab" if place % 5 == 4 else "vobiz-prod",
             "strategy": "in-place" if place % 7 == 6 else "replace", "policy": "quarterly",
             "labels": {"site": _PLACES[place % 4]},
             "credential": {"username": f"phone{place:04}"}, "path": f"sip/phone-{place:04}"}
            for place in range(number)
        ],
    }  # fmt: skip
    config = folder / "config.yaml"
    config.write_text(json.dumps(document))
    with Composition(config, {"TOKEN": TOKEN}, Event(), quiet=True) as composition:
        yield ShownFleet(composition)
