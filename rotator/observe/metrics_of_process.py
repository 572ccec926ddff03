"""Metrics of one process: Vault, the scheduler, clocks, the configuration, the audit, notifications, the endpoint."""

from rotator.observe.described import Described

OF_PROCESS = (
    Described("rotator_build_info", "gauge", ("version",), "Always 1; the label is the running version."),
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
)
