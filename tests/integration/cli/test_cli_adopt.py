"""`rotator adopt` against a real OpenBao and the sandbox."""

import io
import json

import pytest
from command_runner import DAY, LOBBY, OFFICE, create_credentials

PASSWORD = "Vbz!2025$SecureP"  # what `create_credentials` sets


def destroy(environment, path):
    """Destroys the last two versions of a document: all that Vault keeps of a state document."""
    version = environment.bao.call("GET", f"secret/metadata/{path}")["data"]["current_version"]
    environment.bao.call("POST", f"secret/destroy/{path}", {"versions": [version - 1, version]})


def test_a_lost_state_is_taken_up_again_from_what_the_document_names(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    published = environment.state("office").published
    environment.bao.call("DELETE", "secret/data/rotator/state/office")
    refused = run_command("rotate", "office", "-o", "json")
    assert refused.code == 1
    assert "vault kv undelete -mount=secret -versions=" in refused.row("office")["message"]
    refused = run_command("adopt", "office", "--yes")
    assert refused.code == 1
    assert "restore it first: vault kv undelete -mount=secret -versions=" in refused.err
    destroy(environment, "rotator/state/office")
    printed = run_command("adopt", "office", "--yes", "--reason", "ticket 4711", "-o", "json")
    assert printed.code == 0, printed.err
    assert printed.json["result"] == "adopted"
    assert printed.json["published"]["username"] == published.username
    assert f"{published.username} ({published.id}) at vobiz becomes the published credential" in printed.err
    assert published.password.reveal() not in printed.out + printed.err
    assert environment.state("office").published.id == published.id
    assert environment.published_works("sip/office")
    recorded = [line for line in environment.audit() if line["verb"] == "adopt"]
    assert [line["facts"]["reason"] for line in recorded] == ["ticket 4711"]
    again = run_command("adopt", "office", "--yes")
    assert again.code == 1
    assert "is what rotator published: there is nothing to take up" in again.err


def test_an_older_credential_is_taken_up_with_its_password_from_a_file(environment, run_command, tmp_path):
    create_credentials(environment, "lobby")
    environment.configure([LOBBY], policies=DAY)
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    unconfirmed = run_command("adopt", "lobby", "--password-file", str(file))
    assert unconfirmed.code == 2
    assert "add --yes" in unconfirmed.err
    assert not environment.consumer_document("sip/lobby").exists
    printed = run_command("adopt", "lobby", "--password-file", str(file), "--yes")
    assert printed.code == 0, printed.err
    assert "adopted" in printed.out
    assert PASSWORD not in printed.out + printed.err
    assert environment.published_works("sip/lobby")
    assert environment.rotations("lobby") == 0
    assert run_command("rotate", "lobby").code == 0
    assert run_command("undo", "lobby").code == 0
    assert environment.consumer_document("sip/lobby").password.reveal() == PASSWORD


def test_a_password_comes_from_standard_input_and_a_wrong_one_changes_nothing(environment, run_command, monkeypatch):
    create_credentials(environment, "lobby")
    environment.configure([LOBBY], policies=DAY)
    monkeypatch.setattr("sys.stdin", io.StringIO("not-the-password\n"))
    printed = run_command("adopt", "lobby", "--password-stdin", "--yes")
    assert printed.code == 1
    assert "vobiz does not accept lobby, so it was not taken up" in printed.err
    assert not environment.consumer_document("sip/lobby").exists
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD))
    assert run_command("adopt", "lobby", "--password-stdin", "--yes").code == 0
    assert environment.published_works("sip/lobby")


def test_with_rotate_nobody_needs_to_know_the_password(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    printed = run_command("adopt", "office", "--rotate", "--yes", "-o", "json")
    assert printed.code == 0, printed.err
    assert printed.row("office")["result"] == "rotated"
    assert environment.published_works("sip/office")
    assert [entry.credential.username for entry in environment.state("office").ledger] == ["office"]


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (["--password-stdin"], "", "--password-stdin leaves no way to ask: add --yes"),
        (["--password-stdin", "--yes"], "", "standard input does not hold one password"),
        (["--password-stdin", "--yes"], "two\nlines", "standard input does not hold one password"),
        (["--password-file", "missing", "--yes"], "", "missing cannot be read: No such file or directory"),
        (["--password-file", "f", "--password-stdin", "--yes"], "", "exclude each other"),
    ],
)
def test_wrong_usage(environment, run_command, monkeypatch, words, text, message):
    environment.configure([LOBBY])
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    printed = run_command("adopt", "lobby", *words)
    assert printed.code == 2
    assert message in printed.err


def test_with_both_documents_destroyed_the_credential_is_named_by_hand_and_replaced(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    lost = environment.consumer_document("sip/office")
    for path in ("rotator/state/office", "sip/office"):
        destroy(environment, path)
    assert run_command("rotate", "office", "--take-over").code == 1
    printed = run_command("adopt", "office", "--username", lost.username, "--rotate", "--yes", "-o", "json")
    assert printed.code == 0, printed.err
    assert environment.published_works("sip/office")
    assert environment.account.accepts(lost.username, lost.password)
    assert [entry.credential.username for entry in environment.state("office").ledger] == [lost.username]


def test_a_destroyed_consumer_document_is_published_again(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    published = environment.consumer_document("sip/office")
    environment.bao.call("POST", "secret/destroy/sip/office", {"versions": [published.version]})
    assert run_command("adopt", "office", "--yes").code == 0
    again = environment.consumer_document("sip/office")
    assert (again.username, again.password) == (published.username, published.password)
    assert environment.rotations("office") == 1


def test_a_target_goes_on_under_another_name_of_its_account(environment, run_command):
    """The procedure of docs/operations.md: no rotation, and none begins until somebody says that it is one."""
    create_credentials(environment, "office")
    config = environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    before = environment.state("office")
    document = json.loads(config.read_text())
    document["providers"]["vobiz-emea"] = document["providers"]["vobiz"]
    document["targets"][0]["provider"] = "vobiz-emea"
    config.write_text(json.dumps(document))
    held = run_command("rotate", "office", "--no-wait")
    assert held.code == 0, held.err
    shown = run_command("plan", "office", "-o", "json")
    assert "rotator adopt office" in shown.out
    assert run_command("abandon", "office", "--yes").code == 0
    adopted = run_command("adopt", "office", "--yes", "--reason", "one account")
    assert adopted.code == 0, adopted.err
    assert "vobiz is another name of that account" in adopted.err
    del document["providers"]["vobiz"]
    config.write_text(json.dumps(document))
    state = environment.state("office")
    assert state.published.account == "vobiz-emea"
    assert state.published.password == before.published.password
    assert {entry.credential.account for entry in state.ledger} == {"vobiz-emea"}
    assert environment.published_works("sip/office")
    assert run_command("rotate", "office").code == 0
    assert environment.published_works("sip/office")
