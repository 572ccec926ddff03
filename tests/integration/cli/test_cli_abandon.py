"""`rotator abandon`: says what it will do, asks, and gives the attempt up."""

from command_runner import DAY, LOBBY, OFFICE, create_credentials, run_at_terminal


def test_in_place_gets_its_old_password_back(environment, run_command):
    create_credentials(environment, "lobby")
    environment.configure([LOBBY], policies=DAY)
    assert run_command("rotate", "lobby").code == 0
    environment.sandbox.faults.plan("unauthorized", times=None)
    assert run_command("rotate", "lobby").code == 1
    environment.sandbox.faults.clear()
    asked = run_command("abandon", "lobby")
    assert asked.code == 2
    assert "lobby: giving up the attempt that has been open since" in asked.err
    assert "Nothing was carried out at" in asked.err
    assert "--yes" in asked.err
    assert environment.state("lobby").attempt is not None
    done = run_command("abandon", "lobby", "--yes", "--reason", "ticket 4711", "-o", "json")
    assert done.code == 0, done.err
    assert (done.json["result"], done.json["name"], done.json["ledger"]) == ("abandoned", "lobby", [])
    assert environment.state("lobby").attempt is None
    assert environment.published_works("sip/lobby")
    record = next(line for line in environment.audit() if line["verb"] == "abandon")
    assert record["facts"]["reason"] == "ticket 4711"
    assert record["facts"]["requested_by"].startswith("vault:approle")


def test_there_may_be_nothing_to_give_up(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    printed = run_command("abandon", "office", "--yes")
    assert printed.code == 1
    assert printed.err == "rotator: office: no attempt is open, and no request waits\n"
    assert run_command("abandon", "offcie", "--yes").code == 2


def test_a_request_that_has_not_begun_is_taken_back(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    assert run_command("rotate", "office", "--no-wait", "--compromised", "--reason", "ticket 4711").code == 0
    assert environment.state("office").request is not None
    asked = run_command("abandon", "office")
    assert asked.code == 2
    assert (
        "has requested (ticket 4711) has not begun: it is not carried out, and what is compromised stays" in asked.err
    )
    assert environment.state("office").request is not None
    done = run_command("abandon", "office", "--yes", "-o", "json")
    assert (done.code, done.json["name"], done.json["result"]) == (0, "office", "withdrawn")
    assert environment.state("office").request is None
    assert [line["verb"] for line in environment.audit()][-1] == "withdraw_request"
    assert run_command("abandon", "office", "--yes").code == 1


def test_a_terminal_is_asked_first(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    assert run_command("rotate", "office").code == 0
    environment.sandbox.faults.plan("unauthorized", times=None)
    assert run_command("rotate", "office").code == 1
    variables = {**environment.variables, "ROTATOR_CONFIG": str(environment.config)}
    code, printed = run_at_terminal(["abandon", "office"], variables, 120, answer="n\n")
    assert code == 1
    assert "Give it up? [y/N]" in printed
    assert "nothing was changed" in printed
    code, printed = run_at_terminal(["abandon", "office"], variables, 120, answer="y\n")
    assert code == 0, printed
    assert environment.state("office").attempt is None
