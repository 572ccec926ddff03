"""What is known of the accounts' own keys, from the configuration to the report and the metrics."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from settings_texts import GOOD, complaints, load_text

from rotator.core.account_key import AccountKey
from rotator.observe.fleet import KnownFleet
from rotator.observe.metrics import Metrics
from rotator.observe.report import KEYS_OVER, Report, Verdict, keys_table
from rotator.observe.report_formats import as_html
from rotator.testing import FakeClock

NOW = datetime(2026, 11, 22, tzinfo=UTC)
JWT = "eyJhbGciOiJub25lIn0.eyJpYXQiOjE3NjcyMjU2MDAsImV4cCI6MTc5ODc2MTYwMH0.c2ln"  # 2026-01-01 to 2027-01-01


@pytest.fixture
def key(tmp_path) -> Callable[..., AccountKey]:
    def of(dates: str = "", token: str = "K3y") -> AccountKey:
        text = GOOD.replace("{env: VOBIZ_AUTH_TOKEN}\n", "{env: VOBIZ_AUTH_TOKEN}\n" + dates)
        environ = {"VAULT_TOKEN": "t", "VOBIZ_AUTH_TOKEN": token}
        return load_text(text, tmp_path, environ).providers["prod"].key

    return of


def test_without_a_word_nothing_is_known(key):
    assert key() == AccountKey()


def test_what_people_wrote_down(key):
    known = key("    key_dates: {made: 2026-10-01, expires: 2027-09-30, max_age: 365d}\n")
    assert (known.made_at, known.expires_at) == (datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 9, 30, tzinfo=UTC))
    assert known.max_age is not None
    assert known.max_age.days == 365


def test_a_jwt_says_it_itself_and_people_know_better(key):
    said = key(token=JWT)
    assert (said.made_at, said.expires_at) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert key("    key_dates: {made: 2026-10-01}\n", JWT).made_at == datetime(2026, 10, 1, tzinfo=UTC)


def test_a_day_that_does_not_exist_is_explained(tmp_path):
    text = GOOD.replace("{env: VOBIZ_AUTH_TOKEN}\n", "{env: VOBIZ_AUTH_TOKEN}\n    key_dates: {made: 2026-02-30}\n")
    assert "key_dates.made: is not a day; write it as '2026-10-01'" in "\n".join(complaints(text, tmp_path))


def test_the_report_judges_each_key(key):
    old = key("    key_dates: {made: 2025-10-01, max_age: 365d}\n")
    unknown = key("    key_dates: {max_age: 365d}\n")
    young = key("    key_dates: {made: 2026-10-01, max_age: 365d}\n")
    table = keys_table({"old": old, "unknown": unknown, "young": young, "free": key()}, {"old": "vobiz"}, NOW)

    assert {row["account"]: row["verdict"] for row in table.rows} == {
        "old": Verdict.OVER,
        "unknown": Verdict.UNKNOWN,
        "young": Verdict.WITHIN,
        "free": Verdict.NO_LIMIT,
    }
    report = Report("Ages", {}, {Verdict.OVER: 0, KEYS_OVER: 1}, (), (), (table,), {})
    assert report.is_over
    assert "1 over the limit." in as_html(report)


def test_the_metrics_have_what_is_known(key):
    clock = FakeClock()
    metrics = Metrics(clock, "1", KnownFleet(clock), target_series=10)
    known = key("    key_dates: {made: 2026-10-01, max_age: 365d}\n", JWT)
    metrics.follow_keys(lambda: {"prod": known, "other": key()})

    page = metrics.render().decode()

    made = datetime(2026, 10, 1, tzinfo=UTC).timestamp()
    (line,) = [line for line in page.splitlines() if line.startswith("rotator_account_key_made_timestamp_seconds{")]
    assert float(line.split()[1]) == made
    assert 'rotator_account_key_max_age_seconds{account="prod"} 3.1536e+07' in page
    assert 'account="other"' not in page
