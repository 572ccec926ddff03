"""`rotator reconcile` against a real OpenBao and the sandbox."""

import json
import re
from dataclasses import replace

from command_runner import DAY, LOBBY, OFFICE, create_credentials, run_at_terminal

from rotator_simulator.account import SimulatedAccount

AUDIT = "secret/metadata/rotator/state/_audit"
CANONICAL = {"sort_keys": True, "separators": (",", ":")}


def delete(account: SimulatedAccount, username: str) -> None:
    record = account.by_username(username)
    account.delete(record.kind, record.id)


def test_what_does_not_fit_is_named_with_what_ends_it(environment, run_command):
    create_credentials(environment, "office", "lobby")
    environment.configure([OFFICE, LOBBY], policies=DAY)
    assert run_command("rotate", "office", "lobby").code == 0
    printed = run_command("reconcile")
    assert printed.code == 0, printed.err
    assert "vobiz: 3 credentials listed; everything fits" in printed.out
    create_credentials(environment, "pbx")
    delete(environment.account, "lobby")
    printed = run_command("reconcile", "vob*", "-o", "json")
    assert printed.code == 1
    (account,) = printed.json["accounts"]
    assert (account["accounts"], account["listed"], account["certain"]) == (["vobiz"], 3, True)
    found = {(one["finding"], one["username"]): one for one in account["findings"]}
    assert set(found) == {("foreign", "pbx"), ("missing", "lobby")}
    assert found["missing", "lobby"]["remedy"].startswith("rotator verify lobby")
    table = run_command("reconcile", "--only", "missing").out
    assert "published, and not there" in table
    assert "missing (lobby): rotator verify lobby: " in table
    assert "pbx" not in table
    assert "1 missing, 1 foreign" in table
    assert run_command("reconcile", "--only", "duplicate").code == 0
    published = environment.consumer_document("sip/office")
    assert published.password.reveal() not in printed.out + printed.err + table


def test_an_unknown_account_and_a_key_that_may_not_list(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    unknown = run_command("reconcile", "vobizz")
    assert unknown.code == 2
    assert "there is no account 'vobizz'" in unknown.err
    environment.sandbox.faults.plan("unauthorized", times=None)
    printed = run_command("reconcile")
    assert printed.code == 1
    assert "not listed" in printed.out
    assert "nothing counts as missing" in printed.err


def forget_audit(environment) -> None:
    """Vault has no record of what was done until now; the key stays."""
    for day in environment.bao.call("LIST", AUDIT)["data"]["keys"]:
        for name in environment.bao.call("LIST", f"{AUDIT}/{day}")["data"]["keys"] if day.endswith("/") else ():
            environment.bao.call("DELETE", f"{AUDIT}/{day}{name}")


def test_an_orphan_of_an_older_backup_is_retired_by_its_target(environment, run_command, tmp_path):
    create_credentials(environment, "office", "officeab12cd34")  # somebody else's, named like ours
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    lost = environment.consumer_document("sip/office").username
    store = environment.vault.store
    assert run_command("rotate", "office").code == 0
    read = store.read_state("office")
    kept = tuple(entry for entry in read.state.ledger if entry.credential.username != lost)
    store.write_state(replace(read.state, ledger=kept), read.version)
    copy = tmp_path / "copy.log"
    copy.write_text("".join(f"2026 pod {json.dumps(line, **CANONICAL)}\n" for line in environment.audit()))
    forget_audit(environment)
    assert f"{lost} at vobiz stays: the audit does not show" in run_command("reconcile", "--repair", "orphaned").err
    repair = ("reconcile", "--repair", "orphaned", "--audit", str(copy), "--only", "orphaned")
    asked = run_command(*repair)
    assert asked.code == 2
    assert "add --yes" in asked.err
    printed = run_command(*repair, "--yes", "--by", "me", "-o", "json")
    assert printed.code == 1  # one stays
    retired = {one["username"]: one for one in printed.json["retired"]}
    assert (retired[lost]["done"], retired[lost]["target"]) == (True, "office")
    assert "the audit does not show" in retired["officeab12cd34"]["why_not"]
    assert lost in {entry.credential.username for entry in store.read_state("office").state.ledger}
    assert environment.account.by_username(lost).enabled
    (record,) = [line for line in environment.audit() if line["verb"] == "retire_orphan"]
    assert (record["target"], record["facts"]["stated"]) == ("office", "by me")


def test_a_terminal_shows_that_an_account_is_being_listed(environment):
    """A provider that answered slowly, or not at all, kept it silent for half a minute."""
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    words = ["reconcile", "-c", str(environment.config)]
    _, written = run_at_terminal(words, environment.variables, 120)
    assert re.search(r"[01]/1 +accounts listed", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written))
