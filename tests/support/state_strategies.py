"""Hypothesis strategies for everything that a state document holds."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from rotator.core import model
from rotator.core.secret import Secret
from rotator.core.usage_rules import AfterExtension, UsageRules

texts = st.text(max_size=20)
zones = st.sampled_from([UTC, timezone(timedelta(hours=-11)), timezone(timedelta(hours=5, minutes=45))])
times = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2200, 1, 1), timezones=zones)  # noqa: DTZ001
lengths = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4000))
counts = st.integers(min_value=0, max_value=10**9)

credentials = st.builds(
    model.Credential,
    account=texts,
    username=texts,
    id=st.none() | texts,
    password=st.none() | texts.map(Secret),
    realm=texts,
    attempt=st.none() | texts,
    enabled=st.booleans(),
    made_at=st.none() | times,
    identity=texts,
)
attempts = st.builds(
    model.Attempt,
    id=texts,
    staged=credentials,
    predecessor=st.none() | credentials,
    started_at=times,
    requested_by=texts,
    reason=texts,
    applied_at=st.none() | times,
    proof=texts,
    compromised=st.booleans(),
    take_over=st.booleans(),
    despite_pause=st.booleans(),
    repairs=st.booleans(),
    uncertain=st.booleans(),
    proved_at=st.none() | times,
    unasked_since=st.none() | times,
    handed_out=st.none() | credentials,
)
verifications = st.builds(model.Verification, at=times, accepted=st.booleans(), proof=texts, refusals=counts)
entries = st.builds(
    model.LedgerEntry,
    credential=credentials,
    replaced_at=times,
    disable_at=times,
    quarantine=lengths,
    disabled_at=st.none() | times,
    overwritten_at=st.none() | times,
    failures=counts,
    not_before=st.none() | times,
    note=texts,
)
requests = st.builds(
    model.Request, requested_by=texts, reason=texts, at=times, compromised=st.booleans(), repairs=st.booleans()
)
usages = st.builds(
    UsageRules,
    sources=st.lists(texts, max_size=2).map(tuple),
    every=lengths,
    extend_at_most=lengths,
    then=st.sampled_from(AfterExtension),
)
claims = st.builds(model.Claim, holder=texts, until=times)
totals = st.builds(
    model.Counts, succeeded=counts, failed=counts, seconds=st.floats(0, 1e12, allow_nan=False, allow_infinity=False)
)
states = st.builds(
    model.TargetState,
    target=texts,
    published=st.none() | credentials,
    standby=st.none() | credentials,
    attempt=st.none() | attempts,
    ledger=st.lists(entries, max_size=3).map(tuple),
    usage=st.none() | usages,
    policy=texts,
    labels=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    last_rotation=st.none() | times,
    next_rotation=st.none() | times,
    failures=counts,
    outgrown=counts,
    not_before=st.none() | times,
    last_error=texts,
    request=st.none() | requests,
    claim=st.none() | claims,
    counts=totals,
    verification=st.none() | verifications,
    verify_at=st.none() | times,
    published_since=st.none() | times,
    path=texts,
)
