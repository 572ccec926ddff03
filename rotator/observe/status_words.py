"""What a row of the status document says, in the words of `rotator status` and of the daemon's pages. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, TypeAlias

from rotator.core.clocks import WORTH_TELLING
from rotator.core.holding import HoldReason
from rotator.core.model import Purpose
from rotator.observe.time_words import length_text, local, relative, when

Json: TypeAlias = Mapping[str, Any]

_DELETED = HoldReason.DOCUMENT_DELETED.value
_ENDED = {
    "replaced": "old password replaced",
    "disabled": "disabled",
    "overwritten": "random password set",
    "deleted": "deleted",
}


class StatusWords:
    """The words as of one moment."""

    def __init__(self, now: datetime, zone: tzinfo | None = None) -> None:
        """`zone` is that of the times which are told; None: this machine's."""
        self._now, self._zone = now, zone

    def published(self, row: Json) -> str:
        """Returns what is published, and how old its password is, in two lines."""
        published = row["published"]
        if published is None:
            if row["state"] == "retired":
                return "nothing"
            return "unknown" if row["waiting"] and row["waiting"]["reason"] == _DELETED else "nothing yet"
        return f"{published['username']}\n{self.age(row)}"

    def age(self, row: Json) -> str:
        """Returns how old the published password is; if only its last rotation is known, how old it is at least."""
        if row["age_seconds"] is not None:
            return f"{length_text(timedelta(seconds=row['age_seconds']))} old"
        if row["last_rotation"] is not None:
            return f"{length_text(self._now - datetime.fromisoformat(row['last_rotation']))} old or more"
        return "age unknown"

    def next_rotation(self, row: Json) -> str:
        """Returns when it is rotated next: the time that is left, and the moment below it."""
        if row["next_rotation"]["at"] is None:
            return "none" if row["state"] == "retired" else "not scheduled yet"
        moment = datetime.fromisoformat(row["next_rotation"]["at"])
        if moment <= self._now:
            return f"due since\n{self._local(moment)}"
        return f"{relative(moment, self._now)}\n{self._local(moment)}"

    def replaced(self, row: Json) -> list[str]:
        """Returns a line for each replaced credential: how far it is, and what comes next."""
        return [self.entry(_after_pauses(entry, row)) for entry in row["ledger"]]

    def entry(self, entry: Json) -> str:
        """Returns the line of one replaced credential, whatever holds it."""
        name = entry["username"] or entry["id"] or "unknown username"
        if entry["ending"] == "forget":
            return f"old password {self.future('forgotten', entry['ends_at'])}"
        if entry["overwritten_at"] is not None and entry["disabled_at"] is None:
            stays = entry["ending"] == "stand-by"
            return f"{name}: random password, " + (
                "not disabled yet" if stays else self.future("deleted", entry["ends_at"])
            )
        if entry["disabled_at"] is None:
            return f"{name}: {self._overlap_ends(entry)}"
        stays = entry["ending"] == "stand-by"
        end = (
            f"password {self.future('forgotten', entry['ends_at'])}"
            if stays
            else self.future("deleted", entry["ends_at"])
        )
        return f"{name}: disabled, {end}"

    def _overlap_ends(self, entry: Json) -> str:
        usage = entry["usage"]
        if usage is None or usage["in_use"] is False:
            return self.future("disabled", entry["disable_at"])
        said = "still in use" if usage["in_use"] else "may be in use"
        return f"{said}, " + (
            self.future("disabled", usage["until"]) if usage["until"] else "kept until nobody uses it"
        )

    def future(self, done: str, moment: str) -> str:
        """Returns `deleted in 5 min`; for what is due and waits for something, `to be deleted, due since 12:00:00`."""
        at = datetime.fromisoformat(moment)
        return f"{done} {relative(at, self._now)}" if at > self._now else f"to be {done}, due since {self._local(at)}"

    def _at(self, moment: str) -> str:
        at = datetime.fromisoformat(moment)
        return relative(at, self._now) if at > self._now else "now"

    def remarks(self, row: Json, *, everything: bool) -> list[str]:
        """Returns the lines about a target that its row has no room for: `everything`, or only what is wrong."""
        remarks = []
        if row["attempt"] is not None:
            attempt = row["attempt"]
            since = when(datetime.fromisoformat(attempt["since"]), self._now, self._zone)
            doubt = ", provider's last answer unknown" if attempt["uncertain"] else ""
            noun = Purpose(attempt["purpose"]).noun
            remarks.append(f"{noun} open, {attempt['phase']}{doubt}: started {since}, {attempt['reason']}")
        if row["request"] is not None:
            request = row["request"]
            remarks.append(
                f"{Purpose(request['purpose']).noun} requested by {request['requested_by']}: {request['reason']}"
            )
        if row["claim"] is not None:
            remarks.append(f"{row['claim']['holder']} is working on it")
        if row["state"] == "blocked":
            remarks.append(f"blocked: {row['waiting']['message']}")
        if row["last_error"] is not None:
            remarks.append(f"{row['last_error']} ({_failures(row)}{self._again(row)})")
        if row["verification"] is not None and (everything or not row["verification"]["accepted"]):
            remarks.append(self._verified(row["verification"]))
        for entry in row["ledger"]:
            remarks += self.about(entry)
        remarks += [self._still_tried(ended) for ended in row["ended"] if everything or ended["accepted"]]
        if everything and row["last_end"] is not None:
            remarks.append(self._last_end(row["last_end"]))
        for former in row["former_paths"]:
            failed = f" ({former['note']})" if former["note"] else ""
            remarks.append(
                f"{former['path']}: also published there, {self.future('withdrawn', former['until'])}{failed}"
            )
        remarks += [self._still_run(hook) for hook in row["hooks"] if everything or hook["failures"]]
        return remarks

    def _still_run(self, hook: Json) -> str:
        when_run = hook["moment"].replace("_", " ")
        if not hook["failures"]:
            return f"{when_run}: the hook {hook['hook']} has not run yet"
        again = f", again {self._at(hook['next'])}" if hook["next"] else ""
        return f"{when_run}: {hook['note']} ({_failures(hook)}{again})"

    def _verified(self, last: Json) -> str:
        at, following = datetime.fromisoformat(last["at"]), last["next"]
        again = f", again {self._at(following)}" if following else ""
        found = f"; {last['listed']} at the provider" if last["listed"] else ""
        word = "accepted" if last["accepted"] else "NOT ACCEPTED"
        return f"{word} {relative(at, self._now)}{again}: {last['proof']}{found}"

    def _still_tried(self, ended: Json) -> str:
        name, at = ended["username"] or ended["id"], relative(datetime.fromisoformat(ended["at"]), self._now)
        what = f"{name}: {_ENDED[ended['by']]} {at}"
        again = f", tried again {self._at(ended['next'])}" if ended["next"] else ""
        if ended["accepted"]:
            return f"{what}, and STILL ACCEPTED{again}: {ended['note']}"
        return f"{what}, and not tried yet{again}" + (f": {ended['note']}" if ended["note"] else "")

    def _last_end(self, last: Json) -> str:
        what = f"{last['username']}: {_ENDED[last['by']]} {relative(datetime.fromisoformat(last['at']), self._now)}"
        if last["refused_at"] is None:
            return f"{what}; that it is refused is not shown: {last['detail']}"
        return f"{what}; refused {relative(datetime.fromisoformat(last['refused_at']), self._now)}: {last['detail']}"

    def _again(self, row: Json) -> str:
        return f", next try {self._at(row['back_off_until'])}" if row["back_off_until"] else ""

    def about(self, entry: Json) -> list[str]:
        """Returns who uses a replaced credential, whether an undo is possible, and what stands in its way."""
        return [*self._users(entry), *self._of_its_end(entry)]

    def _users(self, entry: Json) -> list[str]:
        """Returns who was found to use a replaced credential past its overlap."""
        usage = entry["usage"]
        if usage is None or usage["in_use"] is False or entry["disabled_at"] is not None:
            return []
        seen = f", last seen {self._local(datetime.fromisoformat(usage['seen_at']))}" if usage["seen_at"] else ""
        asked = self._local(datetime.fromisoformat(usage["asked_at"]))
        return [f"{entry['username'] or entry['id']}: asked {asked}: {usage['evidence']}{seen}"]

    def _of_its_end(self, entry: Json) -> list[str]:
        name = entry["username"] or entry["id"]
        if entry["undo_until"] is not None:
            until = datetime.fromisoformat(entry["undo_until"])
            return [f"{name}: undo possible until {self._local(until)} ({relative(until, self._now)})"] + (
                [f"{name}: {entry['note']}"] if entry["note"] else []
            )
        if entry["overdue"]:
            return [f"{name}: overdue: {entry['note'] or 'it should have been retired by now'}"]
        return [f"{name}: {entry['note']}"] if entry["note"] else []

    def _local(self, moment: datetime) -> str:
        return local(moment, self._now, self._zone)


def _after_pauses(entry: Json, row: Json) -> Json:
    """Returns the entry with the times at which it can really be retired: what holds changes holds that as well."""
    held = max((pause["until"] for pause in row["pauses"] if pause["holds"] == "changes"), default="")
    return {**entry, **{key: max(entry[key], held) for key in ("disable_at", "ends_at")}}


def _failures(row: Json) -> str:
    return "once" if row["failures"] == 1 else f"{row['failures']} times in a row"


def orphan_words(orphan: Json) -> str:
    """Returns what is left of a removed target, and the command that ends it."""
    parts = []
    if orphan["published"] is not None:
        parts.append(f"published, and rotated by nobody: {orphan['published']['username']}")
    if orphan["attempt"] is not None:
        parts.append(f"an open {Purpose(orphan['attempt']['purpose']).noun}")
    for reachable, what in ((True, "still to be retired"), (False, "at an account that is not configured")):
        left = [_label(entry) for entry in orphan["ledger"] if entry["reachable"] is reachable]
        parts += [f"{what}: {', '.join(left)}"] if left else []
    name, new = orphan["name"], orphan["renamed_to"]
    if new is not None:
        return (
            f"{name}: its rename to {new} was cut, and it is rotated by nobody until then (rotator rename {name} {new})"
        )
    place = "" if orphan["configured"] else "not in the configuration; "
    return f"{name}: {place}{'; '.join(parts)} (rotator retire {name})"


def left_by_check_words(left: Json) -> str:
    """Returns what a check may have left at an account that is not configured as it was then, and what ends it."""
    name = left["username"] or left["id"] or "a credential"
    what = "this account is not configured, or not with the key that it had"
    remedy = f"end it there if it exists, then delete the record _evidence-{left['record']} in Vault"
    return f"{left['account']}: a check may have left {name}, and {what}: {remedy}"


def _label(entry: Json) -> str:
    return str(entry["username"] or entry["id"] or "what a lost call may have created")


def clock_words(offset: timedelta) -> list[str]:
    """Returns a line if this machine's clock and Vault's differ so much that somebody should know."""
    if abs(offset) <= WORTH_TELLING:
        return []
    where = "ahead of" if offset > timedelta() else "behind"
    return [f"this machine's clock is {length_text(abs(offset))} {where} Vault's: correct whichever is wrong"]
