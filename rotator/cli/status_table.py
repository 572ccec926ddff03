"""The table of `rotator status`, the remarks below it, and the line with the numbers."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from rotator.cli.printing import (
    cell,
    console,
    length_text,
    local,
    print_lines,
    print_table,
    relative,
    table,
    when,
)
from rotator.core.clocks import WORTH_TELLING
from rotator.core.holding import HoldReason
from rotator.core.model import Purpose

Json: TypeAlias = Mapping[str, Any]

_DELETED = HoldReason.DOCUMENT_DELETED.value
_LINES_OF_A_ROW = 2
_FEWEST_ROWS = 10
_MOST_NAMED = 5  # targets that a line about several names
_ENDED = {
    "replaced": "old password replaced",
    "disabled": "disabled",
    "overwritten": "random password set",
    "deleted": "deleted",
}


def screenful() -> int | None:
    """Returns how many rows fit on the screen; None if standard output is no terminal, so that a pipe gets all."""
    if not sys.stdout.isatty():
        return None
    return max((console(sys.stdout).height - 8) // _LINES_OF_A_ROW, _FEWEST_ROWS)


def print_status(document: Json) -> None:
    """Prints the document for a person."""
    now = datetime.fromisoformat(document["time"])
    summary = table("Target", "State", "Published", "Next rotation", "Replaced", times="Next rotation")
    for row in document["targets"]:
        summary.add_row(
            cell(f"{row['name']}\n{row['strategy']}"),
            row["state"],
            cell(_published(row, now)),
            cell(_next(row, now)),
            cell("\n".join(_entry(_after_pauses(entry, row), now) for entry in row["ledger"])),
        )
    print_table(summary)
    print_lines(*_clocks(timedelta(seconds=document["clock_offset_seconds"] or 0)))
    everything = document["summary"]["matching"] == len(document["targets"])
    for row in document["targets"]:
        print_lines(*(f"{row['name']}: {line}" for line in _remarks(row, now, everything=everything)))
    print_lines(*_pauses(document["targets"]))
    for orphan in document["orphans"]:
        print_lines(_orphan(orphan))
    print_lines(*_numbers(document["summary"], len(document["targets"])))


def _numbers(summary: Json, shown: int) -> list[str]:
    """Returns the last lines, where there is more than a person counts at a glance, or where rows are left out."""
    if summary["targets"] <= _FEWEST_ROWS and summary["targets"] == shown:
        return []
    states = ", ".join(f"{number:,} {state}" for state, number in summary["states"].items())
    lines = ["", f"{summary['targets']:,} targets: {states}"]
    if summary["needs"]:
        needs = ", ".join(f"{number:,} {need}" for need, number in summary["needs"].items())
        lines.append(f"to be looked after: {needs}")
    if summary["matching"] > shown:
        lines.append(
            f"shown: {shown:,} of {summary['matching']:,}; more with --all or --limit, "
            "fewer with names, --label, --state, --account, --due-before"
        )
    elif summary["matching"] < summary["targets"]:
        lines.append(f"shown: {summary['matching']:,}, as asked for")
    return lines


def _pauses(rows: Sequence[Json]) -> list[str]:
    """Returns what holds the targets that are shown, each pause once: it may hold all of them."""
    held: dict[str, list[str]] = {}
    for row in rows:
        for pause in row["pauses"]:
            held.setdefault(pause["why"], []).append(row["name"])
    return [
        f"{', '.join(names) if len(names) <= _MOST_NAMED else f'{len(names):,} targets'}: {why}"
        for why, names in held.items()
    ]


def _clocks(offset: timedelta) -> list[str]:
    if abs(offset) <= WORTH_TELLING:
        return []
    where = "ahead of" if offset > timedelta() else "behind"
    return [f"this machine's clock is {length_text(abs(offset))} {where} Vault's: correct whichever is wrong"]


def _published(row: Json, now: datetime) -> str:
    published = row["published"]
    if published is None:
        if row["state"] == "retired":
            return "nothing"
        return "unknown" if row["waiting"] and row["waiting"]["reason"] == _DELETED else "nothing yet"
    return f"{published['username']}\n{_age(row, now)}"


def _age(row: Json, now: datetime) -> str:
    """Returns how old the published password is; if only its last rotation is known, how old it is at least."""
    if row["age_seconds"] is not None:
        return f"{length_text(timedelta(seconds=row['age_seconds']))} old"
    if row["last_rotation"] is not None:
        return f"{length_text(now - datetime.fromisoformat(row['last_rotation']))} old or more"
    return "age unknown"


def _next(row: Json, now: datetime) -> str:
    if row["next_rotation"]["at"] is None:
        return "none" if row["state"] == "retired" else "not scheduled yet"
    moment = datetime.fromisoformat(row["next_rotation"]["at"])
    if moment <= now:
        return f"due since\n{local(moment, now)}"
    return f"{relative(moment, now)}\n{local(moment, now)}"


def _entry(entry: Json, now: datetime) -> str:
    name = entry["username"] or entry["id"] or "unknown username"
    if entry["ending"] == "forget":
        return _future("password forgotten", entry["ends_at"], now)
    if entry["overwritten_at"] is not None and entry["disabled_at"] is None:
        stays = entry["ending"] == "stand-by"
        return f"{name}: random password, " + (
            "not disabled yet" if stays else _future("deleted", entry["ends_at"], now)
        )
    if entry["disabled_at"] is None:
        return f"{name}: {_overlap_ends(entry, now)}"
    end = "password forgotten" if entry["ending"] == "stand-by" else "deleted"
    return f"{name}: disabled, {_future(end, entry['ends_at'], now)}"


def _after_pauses(entry: Json, row: Json) -> Json:
    """Returns the entry with the times at which it can really be retired: what holds changes holds that as well."""
    held = max((pause["until"] for pause in row["pauses"] if pause["holds"] == "changes"), default="")
    return {**entry, **{key: max(entry[key], held) for key in ("disable_at", "ends_at")}}


def _overlap_ends(entry: Json, now: datetime) -> str:
    usage = entry["usage"]
    if usage is None or usage["in_use"] is False:
        return _future("disabled", entry["disable_at"], now)
    said = "still in use" if usage["in_use"] else "may be in use"
    return f"{said}, " + (_future("disabled", usage["until"], now) if usage["until"] else "kept until nobody uses it")


def _future(done: str, moment: str, now: datetime) -> str:
    """Returns `deleted in 5 min`. What is due and not done waits for something: `to be deleted, due since 12:00:00`."""
    at = datetime.fromisoformat(moment)
    return f"{done} {relative(at, now)}" if at > now else f"to be {done}, due since {local(at, now)}"


def _at(moment: str, now: datetime) -> str:
    at = datetime.fromisoformat(moment)
    return relative(at, now) if at > now else "now"


def _remarks(row: Json, now: datetime, *, everything: bool) -> list[str]:
    """Returns the lines about a target that do not fit into the table; on a full screen only what is out of order."""
    remarks = []
    if row["attempt"] is not None:
        attempt = row["attempt"]
        since = when(datetime.fromisoformat(attempt["since"]), now)
        doubt = ", provider's last answer unknown" if attempt["uncertain"] else ""
        remarks.append(
            f"{Purpose(attempt['purpose']).noun} open, {attempt['phase']}{doubt}: started {since}, {attempt['reason']}"
        )
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
        remarks.append(f"{row['last_error']} ({_failures(row)}{_again(row, now)})")
    if row["verification"] is not None and (everything or not row["verification"]["accepted"]):
        remarks.append(_verified(row["verification"], now))
    for entry in row["ledger"]:
        remarks += _about(entry, now)
    remarks += [_still_tried(ended, now) for ended in row["ended"] if everything or ended["accepted"]]
    if everything and row["last_end"] is not None:
        remarks.append(_last_end(row["last_end"], now))
    for former in row["former_paths"]:
        failed = f" ({former['note']})" if former["note"] else ""
        remarks.append(f"{former['path']}: also published there, {_future('withdrawn', former['until'], now)}{failed}")
    remarks += [_still_run(hook, now) for hook in row["hooks"] if everything or hook["failures"]]
    return remarks


def _still_run(hook: Json, now: datetime) -> str:
    what, again = hook["moment"].replace("_", " "), f", again {_at(hook['next'], now)}" if hook["next"] else ""
    return f"{what}: {hook['note'] or 'the hook ' + hook['hook'] + ' has not run yet'} ({_failures(hook)}{again})"


def _verified(last: Json, now: datetime) -> str:
    at, following = datetime.fromisoformat(last["at"]), last["next"]
    again = f", again {_at(following, now)}" if following else ""
    found = f"; {last['listed']} at the provider" if last["listed"] else ""
    return f"{'accepted' if last['accepted'] else 'NOT ACCEPTED'} {relative(at, now)}{again}: {last['proof']}{found}"


def _still_tried(ended: Json, now: datetime) -> str:
    name, at = ended["username"] or ended["id"], relative(datetime.fromisoformat(ended["at"]), now)
    what = f"{name}: {_ENDED[ended['by']]} {at}"
    again = f", tried again {_at(ended['next'], now)}" if ended["next"] else ""
    if ended["accepted"]:
        return f"{what}, and STILL ACCEPTED{again}: {ended['note']}"
    return f"{what}, and not tried yet{again}" + (f": {ended['note']}" if ended["note"] else "")


def _last_end(last: Json, now: datetime) -> str:
    what = f"{last['username']}: {_ENDED[last['by']]} {relative(datetime.fromisoformat(last['at']), now)}"
    if last["refused_at"] is None:
        return f"{what}; that it is refused is not shown: {last['detail']}"
    return f"{what}; refused {relative(datetime.fromisoformat(last['refused_at']), now)}: {last['detail']}"


def _failures(row: Json) -> str:
    return "once" if row["failures"] == 1 else f"{row['failures']} times in a row"


def _again(row: Json, now: datetime) -> str:
    return f", next try {_at(row['back_off_until'], now)}" if row["back_off_until"] else ""


def _about(entry: Json, now: datetime) -> list[str]:
    return [*_users(entry, now), *_of_its_end(entry, now)]


def _users(entry: Json, now: datetime) -> list[str]:
    """Returns who was found to use a replaced credential past its overlap."""
    usage = entry["usage"]
    if usage is None or usage["in_use"] is False or entry["disabled_at"] is not None:
        return []
    seen = f", last seen {local(datetime.fromisoformat(usage['seen_at']), now)}" if usage["seen_at"] else ""
    asked = local(datetime.fromisoformat(usage["asked_at"]), now)
    return [f"{entry['username'] or entry['id']}: asked {asked}: {usage['evidence']}{seen}"]


def _of_its_end(entry: Json, now: datetime) -> list[str]:
    name = entry["username"] or entry["id"]
    if entry["undo_until"] is not None:
        until = datetime.fromisoformat(entry["undo_until"])
        return [f"{name}: undo possible until {local(until, now)} ({relative(until, now)})"] + (
            [f"{name}: {entry['note']}"] if entry["note"] else []
        )
    overdue = "overdue: " if entry["overdue"] else ""
    return [f"{name}: {overdue}{entry['note']}"] if entry["note"] or overdue else []


def _orphan(orphan: Json) -> str:
    parts = []
    if orphan["published"] is not None:
        parts.append(f"published, and rotated by nobody: {orphan['published']['username']}")
    if orphan["attempt"] is not None:
        parts.append(f"an open {Purpose(orphan['attempt']['purpose']).noun}")
    for reachable, what in ((True, "still to be retired"), (False, "at an account that is not configured")):
        left = [_label(entry) for entry in orphan["ledger"] if entry["reachable"] is reachable]
        parts += [f"{what}: {', '.join(left)}"] if left else []
    place = "" if orphan["configured"] else "not in the configuration; "
    return f"{orphan['name']}: {place}{'; '.join(parts)} (rotator retire {orphan['name']})"


def _label(entry: Json) -> str:
    return str(entry["username"] or entry["id"] or "what a lost call may have created")
