"""How few requests a life takes. docs/architecture.md says what each is for, and has the figures as they are."""

import pytest
from documentation_tables import ARCHITECTURE, REMEDY, architecture
from kinds import ALL
from requests_of_a_life import requests_of_a_life

LIVES = [(description.kind, strategy) for description in ALL.values() for strategy in description.strategies]


@pytest.mark.parametrize(("kind", "strategy"), LIVES)
def test_a_rotation_reads_vault_once_and_writes_it_three_times(bao, kind, strategy):
    counted = requests_of_a_life(bao, kind, strategy)
    told = kind == "telnyx"  # the provider is told the end of the old one in the same look
    attached = kind == "vobiz" and strategy != "in-place"  # that devices may be out is on record before
    rotation, first = counted["rotation"], counted["first rotation"]
    assert (rotation.reads, rotation.writes, rotation.others) == (1, 4 if told or attached else 3, 0)
    assert (first.reads - rotation.reads, first.writes, first.others) == (1, rotation.writes, 3)
    tried = ALL[kind].proof_options is not None  # a log-in proves it
    # Each end is a claim and its record, after a look at what devices read; a password is forgotten by one write, and
    # that a log-in with what was ended is refused is another one.
    forgotten = strategy != "replace" or told  # that Telnyx has ended it is a record of its own
    ends = {"replace": 2, "alternating": 1, "in-place": 0}[strategy]
    retirement = counted["retirement"]
    reads = 2 * ends if told else ends  # also before the proof that precedes what the provider ends by itself
    assert (retirement.reads, retirement.writes, retirement.others) == (reads, 2 * ends + forgotten + tried, 0)


@pytest.mark.parametrize(
    ("kind", "strategy", "rotation", "retirement"),
    [
        ("vobiz", "in-place", 1, 0),
        ("vobiz-endpoint", "in-place", 1, 0),
        ("telnyx-connection", "in-place", 1, 0),
        ("vobiz", "replace", 3, 3),  # create, look at the trunks, point one; look again, disable, delete
        ("vobiz", "alternating", 3, 2),
    ],
)
def test_a_provider_hears_no_more_than_it_must_where_a_log_in_proves_it(bao, kind, strategy, rotation, retirement):
    counted = requests_of_a_life(bao, kind, strategy)
    assert (counted["rotation"].provider, counted["retirement"].provider) == (rotation, retirement)


def test_the_committed_figures_are_what_is_sent(bao, write_tables):
    found = architecture(bao)
    if write_tables:
        ARCHITECTURE.write_text(found)
    assert ARCHITECTURE.read_text() == found, REMEDY
