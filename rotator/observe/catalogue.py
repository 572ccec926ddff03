"""The list of all metrics with their names, meanings and labels. docs/metrics.md is generated from it.

Label values are names from the configuration or words from the code: bounded, never an id or free text.
"""

from dataclasses import dataclass
from datetime import timedelta

GRACE = timedelta(minutes=10)  # how late a retirement may be before it counts as overdue


@dataclass(frozen=True, slots=True)
class Described:
    """The name, meaning and labels of one metric."""

    name: str
    kind: str  # counter, gauge, summary or histogram
    labels: tuple[str, ...]
    help: str


_TARGET = ("target",)
_GROUP = ("account", "policy")
_OF_FLEETS = (
    Described(
        "rotator_series_for_each_target",
        "gauge",
        (),
        "1 if each target has series of its own; 0 above `daemon.target_series` targets, where only rotator_fleet_… "
        "tell of them.",
    ),
    Described(
        "rotator_fleet_targets", "gauge", (*_GROUP, "state"), "Targets by state: the words of `state` in /status."
    ),
    Described(
        "rotator_fleet_targets_in_need",
        "gauge",
        (*_GROUP, "need"),
        "Targets that somebody has to look after, by need. One target may have several. `rotator status --state NEED` "
        "names them.",
    ),
    Described(
        "rotator_fleet_targets_blocked",
        "gauge",
        (*_GROUP, "reason"),
        "Targets that something other than the due time holds up; operations.md explains each reason.",
    ),
    Described(
        "rotator_fleet_password_age_seconds",
        "histogram",
        _GROUP,
        "Age of the published passwords now; of those that others made, since the last rotation. A gauge in form of a "
        "histogram: use it without rate().",
    ),
    Described("rotator_fleet_oldest_password_timestamp_seconds", "gauge", _GROUP, "When the oldest of them was made."),
    Described("rotator_fleet_max_age_seconds", "gauge", _GROUP, "The maximum age of a password under the policy."),
    Described("rotator_fleet_attempts_open", "gauge", _GROUP, "Open attempts."),
    Described(
        "rotator_fleet_ledger_credentials",
        "gauge",
        (*_GROUP, "state"),
        "Replaced credentials in the ledgers: waiting (accepted until they are disabled), in_use (accepted longer than "
        "their overlap, as devices use them or nobody can say), disabled or overwritten.",
    ),
    Described(
        "rotator_fleet_rotations_total",
        "counter",
        (*_GROUP, "outcome"),
        "Rotations that ended since start, by outcome, whichever process did them.",
    ),
    Described(
        "rotator_fleet_retirements_total",
        "counter",
        (*_GROUP, "outcome"),
        "Replaced credentials that were retired since start, by outcome, whichever process did it.",
    ),
    Described(
        "rotator_fleet_ends_total",
        "counter",
        (*_GROUP, "outcome"),
        "Credentials and passwords that were ended since start, by what a log-in with them showed: shown (refused) or "
        "not_shown.",
    ),
    Described(
        "rotator_fleet_rotation_duration_seconds",
        "summary",
        _GROUP,
        "Duration of successful rotations since start, from staging to publishing.",
    ),
)
METRICS = (
    Described("rotator_build_info", "gauge", ("version",), "Always 1; the label is the running version."),
    Described(
        "rotator_rotations_total",
        "counter",
        ("target", "outcome"),
        "Rotations that ended, by outcome (succeeded, failed, undone), since the state document was created.",
    ),
    Described(
        "rotator_retirements_total",
        "counter",
        ("target", "outcome"),
        "Replaced credentials that were retired, by outcome (disabled, overwritten, deleted), since the state document "
        "was created.",
    ),
    Described(
        "rotator_ends_total",
        "counter",
        ("target", "outcome"),
        "Credentials and passwords that were ended, by what a log-in with them showed: shown (refused) or not_shown "
        "(no log-in is configured, or none said so), since the state document was created.",
    ),
    Described(
        "rotator_rotation_duration_seconds",
        "summary",
        _TARGET,
        "Duration of successful rotations, from staging to publishing, since the state document was created.",
    ),
    Described(
        "rotator_target_last_rotation_timestamp_seconds",
        "gauge",
        _TARGET,
        "When the target was last rotated; an undo does not change it. Absent before the first rotation.",
    ),
    Described(
        "rotator_target_password_made_timestamp_seconds",
        "gauge",
        _TARGET,
        "When the published password was made, from which its age counts: an undo publishes an older one. Absent if "
        "unknown.",
    ),
    Described(
        "rotator_target_next_rotation_timestamp_seconds",
        "gauge",
        _TARGET,
        "When the next rotation is due; absent until it is scheduled.",
    ),
    Described(
        "rotator_target_paused",
        "gauge",
        _TARGET,
        "1 while a pause or a blackout keeps the target from being rotated by schedule, else 0.",
    ),
    Described(
        "rotator_target_max_age_seconds",
        "gauge",
        _TARGET,
        "The maximum age of a password under the policy, including the wait for a maintenance window: a higher age "
        "means that rotations fail or do not start.",
    ),
    Described(
        "rotator_target_password_age_limit_timestamp_seconds",
        "gauge",
        _TARGET,
        "When the oldest password that the provider accepts reaches its limit (`limits`), a replaced one included. "
        "Absent without a limit.",
    ),
    Described(
        "rotator_target_password_age_limit_warning_timestamp_seconds",
        "gauge",
        _TARGET,
        "When that is near: `warn_before` of the limit earlier.",
    ),
    Described(
        "rotator_target_consecutive_failures", "gauge", _TARGET, "Failures in a row; 0 if the last run succeeded."
    ),
    Described(
        "rotator_target_verified_timestamp_seconds",
        "gauge",
        _TARGET,
        "When a proof last showed whether the provider accepts what is published; absent before the first one.",
    ),
    Described(
        "rotator_target_accepted",
        "gauge",
        _TARGET,
        "0 while the provider refuses what is published (believed after two refused proofs in a row), else 1; absent "
        "before the first proof.",
    ),
    Described(
        "rotator_target_verification_overdue",
        "gauge",
        _TARGET,
        "1 if no proof of what is published was answered for twice `verify` of the policy, else 0.",
    ),
    Described(
        "rotator_target_blocked",
        "gauge",
        ("target", "reason"),
        "1 while something other than the due time holds a target up; operations.md explains each reason; absent "
        "otherwise.",
    ),
    Described(
        "rotator_last_look_timestamp_seconds",
        "gauge",
        _TARGET,
        "When this process last read or wrote the target's state.",
    ),
    Described(
        "rotator_attempt_open_timestamp_seconds",
        "gauge",
        _TARGET,
        "When the open attempt began; absent while none is open.",
    ),
    Described(
        "rotator_target_devices_out",
        "gauge",
        _TARGET,
        "1 while the provider may refuse what Vault hands out, because an attempt of in-place may have set another "
        "password and has not published it; else 0.",
    ),
    Described(
        "rotator_ledger_credentials",
        "gauge",
        ("target", "state"),
        "Replaced credentials in the ledger: waiting (accepted until they are disabled), in_use (accepted longer than "
        "their overlap, as devices use them or nobody can say), disabled (not deleted yet) or overwritten (not "
        "disabled, but with a random password).",
    ),
    Described(
        "rotator_retirement_overdue",
        "gauge",
        _TARGET,
        f"Replaced credentials whose disabling or deletion is more than {GRACE.seconds // 60} minutes overdue.",
    ),
    Described(
        "rotator_hooks_failing",
        "gauge",
        _TARGET,
        "Hooks that follow a rotation or a retirement, and whose last run failed. One that precedes blocks the target.",
    ),
    Described(
        "rotator_ended_still_accepted",
        "gauge",
        _TARGET,
        "Credentials and passwords that were ended, and that a log-in was let in with after the propagation time.",
    ),
    Described(
        "rotator_orphans",
        "gauge",
        ("kind",),
        "Credentials that nobody ends: published (of a target that is not configured), ledger (replaced, at an account "
        "that is not configured) or attempt (open, of a target and at an account that are not configured).",
    ),
    Described(
        "rotator_selection_credentials",
        "gauge",
        ("account", "what"),
        "What the last listing showed for the selections over an account: selected targets; gone (of those that this "
        "process looks at, the credential in use is not listed); unnamable (the username cannot be in a name); "
        "undecided (a rotation may have made it).",
    ),
    Described(
        "rotator_selection_listed_timestamp_seconds",
        "gauge",
        ("account",),
        "When an account with selections was last listed as a whole.",
    ),
    Described(
        "rotator_account_checked_timestamp_seconds",
        "gauge",
        ("account", "how"),
        "When `rotator check-provider` last checked the account: read, or write (with --write, to its end). Absent if "
        "it never did, and until a target of the account was looked at.",
    ),
    Described(
        "rotator_account_assumptions",
        "gauge",
        ("account", "shown"),
        "What checks of the account have shown of the assumptions that rotations rest on: how many hold, do not hold "
        "(does_not), or were looked at and not shown.",
    ),
    Described(
        "rotator_account_scratch_credentials",
        "gauge",
        ("account",),
        "Credentials that a check of the account works on, or has left behind: made by it, or with a password that it "
        "set.",
    ),
    Described(
        "rotator_account_credentials",
        "gauge",
        ("account", "finding"),
        "What the last `rotator reconcile` of the account found: foreign, orphaned, missing, changed, duplicate, "
        "never_rotated. Daemons read it in Vault, and list nothing for it. Accounts with one listing have the same.",
    ),
    Described(
        "rotator_account_reconciled_timestamp_seconds",
        "gauge",
        ("account",),
        "When that was: the last time that the whole listing was compared with the documents.",
    ),
    Described(
        "rotator_account_key_made_timestamp_seconds",
        "gauge",
        ("account",),
        "When the account's own key was made, by `key_dates` or by the key itself; absent if nobody knows.",
    ),
    Described(
        "rotator_account_key_expiry_timestamp_seconds",
        "gauge",
        ("account",),
        "When the account's own key expires, likewise.",
    ),
    Described(
        "rotator_account_key_max_age_seconds", "gauge", ("account",), "How old it may become, by `key_dates.max_age`."
    ),
    Described(
        "rotator_account_held_seconds",
        "gauge",
        ("account",),
        "For how long the provider still asks to send nothing to an account (Retry-After, an exhausted quota); 0 if it "
        "does not.",
    ),
    Described(
        "rotator_account_rate_share",
        "gauge",
        ("account",),
        "The share of `rate_limit` that is used at most: less than 1 after answers 429, although the limit was kept.",
    ),
    Described(
        "rotator_circuit_open",
        "gauge",
        ("account",),
        "1 while a provider account's circuit is open (too many calls failed in a row; only probes are sent), else 0.",
    ),
    Described(
        "rotator_provider_verb_forbidden",
        "gauge",
        ("account", "verb"),
        "1 while calls of one verb are refused for a missing right (403), as many in a row as open a circuit; absent "
        "otherwise.",
    ),
    Described(
        "rotator_provider_requests_total",
        "counter",
        ("account", "verb", "outcome"),
        "Requests to providers since start, by outcome: a status code, a network error, or foreign_binding (a proof).",
    ),
    Described(
        "rotator_provider_request_duration_seconds",
        "histogram",
        ("account", "verb"),
        "Duration of requests to providers, since start.",
    ),
    Described(
        "rotator_vault_requests_total",
        "counter",
        ("operation", "outcome"),
        "Requests to Vault since start, by outcome, such as ok, conflict, denied or unavailable.",
    ),
    Described(
        "rotator_vault_request_duration_seconds",
        "histogram",
        ("operation",),
        "Duration of requests to Vault, since start.",
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
        "rotator_sweep_round_seconds",
        "gauge",
        (),
        "The time in which the sweep looks at every target of this process: `daemon.poll`, or half a second for each "
        "target if that is longer.",
    ),
    Described(
        "rotator_clock_jumps_total",
        "counter",
        ("direction",),
        "Jumps of the wall clock since start: forward or backward.",
    ),
    Described(
        "rotator_clock_offset_seconds",
        "gauge",
        (),
        "How far this machine's clock is ahead of Vault's (negative: behind); 0 for up to two seconds, which cannot be "
        "measured.",
    ),
    Described(
        "rotator_config_last_reload_successful",
        "gauge",
        (),
        "1 if the last load of the configuration succeeded, 0 if the previous one is still in force.",
    ),
    Described(
        "rotator_config_last_reload_success_timestamp_seconds",
        "gauge",
        (),
        "When the configuration in force was loaded.",
    ),
    Described(
        "rotator_audit_last_sequence",
        "gauge",
        (),
        "Number of the newest record in this process's chain of the audit; -1 before the first.",
    ),
    Described(
        "rotator_notifications_total",
        "counter",
        ("route", "outcome"),
        "Messages that the routes of `notifications` sent, by whether the service took them (`taken`, `not_taken`). "
        "What was not taken is sent again.",
    ),
    Described(
        "rotator_audit_waiting_records",
        "gauge",
        ("destination",),
        "Audit records in memory, because a destination (`vault`, `file`, `output`, `syslog`, `http`) cannot be "
        "written, or takes them more than a minute late; 0 otherwise.",
    ),
    Described(
        "rotator_audit_lost_records_total",
        "counter",
        ("destination",),
        "Audit records that a destination will never have, since start: more waited for it than memory keeps. A record "
        "`lines_lost` names them.",
    ),
    Described(
        "rotator_http_connections_ended_total",
        "counter",
        ("server", "reason"),
        "Connections that the endpoint had to end since start, of `pages` or `probes`: `crowded` (too many, or too "
        "much to keep for them) or `slow` (a request or an answer took too long).",
    ),
    *_OF_FLEETS,
)


def documentation() -> str:
    """Returns the text of docs/metrics.md."""
    rows = []
    for each in METRICS:
        labels = ", ".join(f"`{label}`" for label in each.labels) or "-"
        rows.append(f"| `{each.name}` | {each.kind} | {labels} | {each.help} |")
    head = (
        "# Metrics",
        "",
        "Served at `/metrics`. The metrics of a target come from its state document in Vault, so a restart does not",
        'change them; those that say "since start" begin at zero with the process. Times are Unix seconds. This page',
        "is generated by `rotator.observe.catalogue.documentation()`, and a test compares it.",
        "",
        "| name | kind | labels | meaning |",
        "|---|---|---|---|",
    )
    return "\n".join((*head, *rows)) + "\n"
