"""The list of all metrics: what they are called, what they mean, how they are labelled. docs/metrics.md is made of it.

Labels are names of the configuration or words of the code: bounded, never an id or a text.
"""

from dataclasses import dataclass
from datetime import timedelta

GRACE = timedelta(minutes=10)  # how late a retirement may be before it counts as overdue


@dataclass(frozen=True, slots=True)
class Described:
    """One metric: what it is called, what it means, how it is labelled."""

    name: str
    kind: str  # counter, gauge, summary or histogram
    labels: tuple[str, ...]
    help: str


_TARGET = ("target",)
METRICS = (
    Described("rotator_build_info", "gauge", ("version",), "Always 1; the label is the version that runs."),
    Described(
        "rotator_rotations_total",
        "counter",
        ("target", "outcome"),
        "Rotations that ended, by outcome (succeeded, failed, undone), since the state document was made.",
    ),
    Described(
        "rotator_retirements_total",
        "counter",
        ("target", "outcome"),
        "Replaced credentials that were retired, by outcome (disabled, deleted), since the state document was made.",
    ),
    Described(
        "rotator_rotation_duration_seconds",
        "summary",
        _TARGET,
        "Duration of the rotations that succeeded, from staging to publishing, since the state document was made.",
    ),
    Described(
        "rotator_target_last_rotation_timestamp_seconds",
        "gauge",
        _TARGET,
        "When the published password came into force; absent before the first rotation.",
    ),
    Described(
        "rotator_target_next_rotation_timestamp_seconds",
        "gauge",
        _TARGET,
        "When the next rotation is due; absent until that was drawn.",
    ),
    Described(
        "rotator_target_max_age_seconds",
        "gauge",
        _TARGET,
        "The greatest age of a password under the policy, the wait for a maintenance window included: an age above it "
        "means that rotations fail or do not start.",
    ),
    Described(
        "rotator_target_consecutive_failures", "gauge", _TARGET, "Failures in a row; 0 where the last run went well."
    ),
    Described(
        "rotator_target_blocked",
        "gauge",
        ("target", "reason"),
        "1 while a target waits for somebody or something else than its due time: foreign_document, idle_in_overlap, "
        "account_missing or passwords_not_accepted; absent otherwise.",
    ),
    Described(
        "rotator_last_look_timestamp_seconds",
        "gauge",
        _TARGET,
        "When the target's state was last read or written by this process.",
    ),
    Described(
        "rotator_attempt_open_timestamp_seconds",
        "gauge",
        _TARGET,
        "When the open attempt was started; absent while none is open.",
    ),
    Described(
        "rotator_ledger_credentials",
        "gauge",
        ("target", "state"),
        "Replaced credentials in the ledger: waiting (still accepted, to be disabled) or disabled (to be deleted).",
    ),
    Described(
        "rotator_retirement_overdue",
        "gauge",
        _TARGET,
        f"Replaced credentials that should have been disabled, or deleted, more than {GRACE.seconds // 60} minutes "
        "ago.",
    ),
    Described(
        "rotator_circuit_open",
        "gauge",
        ("account",),
        "1 while a provider account failed too often in a row and is only probed, else 0.",
    ),
    Described(
        "rotator_provider_requests_total",
        "counter",
        ("account", "verb", "outcome"),
        "Requests to providers since start, by outcome: a status code, or what the network did.",
    ),
    Described(
        "rotator_provider_request_duration_seconds",
        "histogram",
        ("account", "verb"),
        "How long requests to providers took, since start.",
    ),
    Described(
        "rotator_vault_requests_total",
        "counter",
        ("operation", "outcome"),
        "Requests to Vault since start, by outcome such as ok, conflict, denied, unavailable.",
    ),
    Described(
        "rotator_vault_request_duration_seconds",
        "histogram",
        ("operation",),
        "How long requests to Vault took, since start.",
    ),
    Described(
        "rotator_vault_token_expiry_timestamp_seconds",
        "gauge",
        (),
        "When the Vault token expires unless it is renewed; absent for a token that does not expire.",
    ),
    Described(
        "rotator_scheduler_missed_runs_total",
        "counter",
        ("reason",),
        "Runs that the scheduler skipped since start, by reason.",
    ),
    Described(
        "rotator_clock_jumps_total",
        "counter",
        ("direction",),
        "Jumps of the wall clock since start: forward or backward.",
    ),
    Described(
        "rotator_config_last_reload_successful",
        "gauge",
        (),
        "1 where the configuration was read without error the last time, 0 where the one before it is still in force.",
    ),
    Described(
        "rotator_config_last_reload_success_timestamp_seconds",
        "gauge",
        (),
        "When the configuration that is in force was read.",
    ),
    Described(
        "rotator_audit_last_sequence",
        "gauge",
        (),
        "Number of the newest record of the audit's chain; it only falls when a new chain begins.",
    ),
    Described(
        "rotator_audit_waiting_records",
        "gauge",
        (),
        "Audit records that could not be written yet and are kept in memory.",
    ),
)


def documentation() -> str:
    """The text of docs/metrics.md."""
    rows = []
    for each in METRICS:
        labels = ", ".join(f"`{label}`" for label in each.labels) or "-"
        rows.append(f"| `{each.name}` | {each.kind} | {labels} | {each.help} |")
    head = (
        "# Metrics",
        "",
        "Served at `/metrics`. What is said of a target comes from its state document in Vault, so that a restart does",
        'not falsify it; the metrics that say "since start" begin at zero with the process. Times are Unix seconds.',
        "This page is written by `rotator.observe.catalogue.documentation()`, and a test compares it.",
        "",
        "| name | kind | labels | meaning |",
        "|---|---|---|---|",
    )
    return "\n".join((*head, *rows)) + "\n"
