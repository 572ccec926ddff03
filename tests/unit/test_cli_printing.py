"""How times and texts are printed."""

from datetime import UTC, datetime, timedelta

import pytest

from rotator.cli.printing import cell, few, safe, table
from rotator.observe.time_words import length_text, relative

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (3 * 86400 + 4 * 3600 + 59, "3 d 4 h"),
        (86400 + 59, "1 d"),
        (400 * 86400, "400 d"),
    ],
)
def test_lengths_have_their_two_largest_units(seconds, text):
    assert length_text(timedelta(seconds=seconds)) == text


def test_moments_are_told_from_now():
    assert relative(NOW + timedelta(minutes=5), NOW) == "in 5 min"
    assert relative(NOW - timedelta(minutes=5), NOW) == "5 min ago"


def test_control_characters_are_shown_and_not_obeyed():
    assert safe("a\x1b[31mred\r\nnext\x9b") == "a\\x1b[31mred\\x0d\\x0anext\\x9b"
    assert cell("a\x1b\nb") == "a\\x1b\nb"


def test_of_many_names_the_first_are_shown():
    assert few(["a", "b", "c", "d", "e"]) == "a, b, c, d, e"
    assert few(["a", "b", "c", "d", "e", "f"]) == "a, b, c, d, e, …"


def test_markup_in_a_name_is_printed_as_it_is(capsys):
    from rotator.cli.printing import print_table  # noqa: PLC0415 - binds standard output when it is called

    made = table("Target")
    made.add_row("[bold]office[/bold] :smile:")
    print_table(made)
    assert "[bold]office[/bold] :smile:" in capsys.readouterr().out


def test_a_name_stays_in_one_piece_and_nothing_is_cut_off(capsys, monkeypatch):
    from rotator.cli.printing import print_table  # noqa: PLC0415 - binds standard output when it is called

    monkeypatch.setenv("COLUMNS", "60")
    made = table("Target", "State", "Next rotation", times="Next rotation")
    made.add_row("contact-centre", "waits for the provider to answer again", "2027-02-13 18:02")
    made.add_row("n" * 70, "idle", "in 5 min")
    print_table(made)
    shown = capsys.readouterr().out
    assert "contact-centre " in shown
    assert all(word in shown for word in ("waits", "for", "the", "provider", "to", "answer", "again", "2027-02-13"))
    assert shown.count("n" * 24) == 2  # a longer one folds
    assert max(map(len, shown.splitlines())) <= 60


def test_the_head_of_short_names_stays_in_one_piece_too(capsys, monkeypatch):
    from rotator.cli.printing import print_table  # noqa: PLC0415 - binds standard output when it is called

    monkeypatch.setenv("COLUMNS", "40")
    made = table("Target", "Replaced")
    made.add_row("lobby", "lobby01ohn6ltqp: accepted for 27 s, lobby01i85idvq7: disabled")
    print_table(made)
    assert capsys.readouterr().out.startswith("Target ")
