"""`rotator verify` against a real OpenBao and the sandbox."""

from command_runner import LOBBY, OFFICE, create_credentials

from rotator_simulator.account import SimulatedAccount


def delete(account: SimulatedAccount, username: str) -> None:
    record = account.by_username(username)
    account.delete(record.kind, record.id)


def test_what_is_accepted_refused_and_not_published_yet(environment, run_command):
    create_credentials(environment, "office", "lobby")
    environment.configure([OFFICE, LOBBY])
    assert run_command("rotate", "office").code == 0
    printed = run_command("verify")
    assert printed.code == 0, printed.err
    assert "accepted" in printed.out
    assert "SIP REGISTER accepted by" in printed.out
    assert "nothing published yet" in printed.out
    row = run_command("verify", "office", "-o", "json").row("office")
    assert (row["result"], row["tries_password"]) == ("accepted", True)
    published = environment.consumer_document("sip/office")
    delete(environment.account, published.username)
    printed = run_command("verify", "-o", "json")
    assert printed.code == 1
    assert printed.row("office")["result"] == "not accepted"
    assert published.password.reveal() not in printed.out + printed.err
    status = run_command("status", "-o", "json").row("office")
    assert (status["state"], status["verification"]["accepted"]) == ("blocked", False)
    assert "office: NOT ACCEPTED" in run_command("status").out


def test_a_registrar_that_does_not_answer_refuses_nothing(environment, run_command):
    create_credentials(environment, "office")
    file = environment.configure([OFFICE])
    assert run_command("rotate", "office").code == 0
    file.write_text(file.read_text().replace(str(environment.sandbox.sips_address), "127.0.0.1:9"))
    printed = run_command("verify", "-o", "json")
    assert printed.code == 2
    assert printed.row("office")["result"] == "could not be asked"
    assert run_command("status", "-o", "json").row("office")["verification"]["accepted"]


def test_a_read_back_is_named_as_one(environment, run_command):
    create_credentials(environment, "office")
    file = environment.configure([OFFICE])
    assert run_command("rotate", "office").code == 0
    lines = [line for line in file.read_text().splitlines() if "registrar" not in line]
    file.write_text("\n".join(lines))
    printed = run_command("verify", "-o", "json")
    assert printed.code == 0, printed.err
    row = printed.row("office")
    assert (row["result"], row["tries_password"]) == ("accepted", False)
    assert row["detail"].startswith("read-back without trying the password")
