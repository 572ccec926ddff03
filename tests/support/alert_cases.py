"""For each alert what makes it fire, what it says then, and what leaves it quiet: unit tests for promtool."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JOB = 'job="rotator",namespace="telephony"'
POD = f'{JOB},instance="a:9464"'
OTHER = f'{JOB},instance="b:9464"'
Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One alert. Series are written without their common labels; minutes are those since the series begin."""

    alert: str
    series: Series
    fires_at: str
    quiet_at: str  # in the same series, before or after
    labels: dict[str, str]
    severity: str
    summary: str
    description: str
    quiet: Series | None = None  # other series, in which it never fires


def _series(name: str, labels: str = "", pod: str = POD) -> str:
    return f"{name}{{{pod}{',' if labels else ''}{labels}}}"


_TARGET = 'target="phone"'
_LAST = _series("rotator_target_last_rotation_timestamp_seconds", _TARGET)
_LATEST = _series("rotator_target_latest_event_timestamp_seconds", _TARGET)
_MADE = _series("rotator_target_password_made_timestamp_seconds", _TARGET)
_NEXT = _series("rotator_target_next_rotation_timestamp_seconds", _TARGET)
_PAUSED = _series("rotator_target_paused", _TARGET)
_MAX_AGE = _series("rotator_target_max_age_seconds", _TARGET)
_LIMIT = _series("rotator_target_password_age_limit_timestamp_seconds", _TARGET)
_LIMIT_WARNING = _series("rotator_target_password_age_limit_warning_timestamp_seconds", _TARGET)
_FAILURES = _series("rotator_target_consecutive_failures", _TARGET)
_ACCEPTED = _series("rotator_target_accepted", _TARGET)
_UNVERIFIED = _series("rotator_target_verification_overdue", _TARGET)
_OPEN = _series("rotator_attempt_open_timestamp_seconds", _TARGET)
_LATE = _series("rotator_retirement_overdue", _TARGET)
_FROZEN = _series("rotator_held_timestamp_seconds", _TARGET)
_HELD_FOR = (
    "A rotation, or the end of what was replaced, has been held for 7d 0h 20m 0s. "
    "rotator status says what holds it, and why."
)
_STILL = _series("rotator_ended_still_accepted", _TARGET)
_HOOKS = _series("rotator_hooks_failing", _TARGET)
_IN_USE = _series("rotator_ledger_credentials", f'{_TARGET},state="in_use"')
_LOOK = _series("rotator_last_look_timestamp_seconds", _TARGET)
_ROUND = _series("rotator_sweep_round_seconds")
_CIRCUIT = _series("rotator_circuit_open", 'account="prod"')
_NOT_TAKEN = _series("rotator_notifications_total", 'route="on-call",outcome="not_taken"')
_KEY_MADE = _series("rotator_account_key_made_timestamp_seconds", 'account="prod"')
_KEY_ENDS = _series("rotator_account_key_expiry_timestamp_seconds", 'account="prod"')
_KEY_LIMIT = _series("rotator_account_key_max_age_seconds", 'account="prod"')
_HELD = _series("rotator_account_held_seconds", 'account="prod"')
_RATE_SHARE = _series("rotator_account_rate_share", 'account="prod"')
_OUT = _series("rotator_target_devices_out", _TARGET)
_FORBIDDEN = _series("rotator_provider_verb_forbidden", 'account="prod",verb="delete"')
_FOREIGN = _series("rotator_provider_requests_total", 'account="prod",verb="prove",outcome="foreign_binding"')
_PROVED = _series("rotator_provider_requests_total", 'account="prod",verb="prove",outcome="200"')
_TOKEN = _series("rotator_vault_token_expiry_timestamp_seconds")
_AUDIT = _series("rotator_audit_waiting_records", 'destination="syslog"')
_AUDIT_LOST = _series("rotator_audit_lost_records_total", 'destination="syslog"')
_CROWDED = _series("rotator_http_connections_ended_total", 'server="pages",reason="crowded"')
_SLOW = _series("rotator_http_connections_ended_total", 'server="pages",reason="slow"')
_OFFSET = _series("rotator_clock_offset_seconds")
_CONFIG = _series("rotator_config_last_reload_successful")


def _vault(outcome: str) -> str:
    return _series("rotator_vault_requests_total", f'operation="read",outcome="{outcome}"')


def _blocked(reason: str) -> str:
    return _series("rotator_target_blocked", f'{_TARGET},reason="{reason}"')


_GONE = ("critical", "No rotator runs")
_GONE_TEXT = "Nothing has answered a scrape for 5 minutes. No password is rotated, and none is retired."
_PHONE = {"target": "phone"}
_ONE = {"job": "rotator", "namespace": "telephony", "instance": "a:9464"}

_GROUP = 'account="prod",policy="quarterly"'
_EACH = _series("rotator_series_for_each_target")


def _fleet_case(
    alert: str,
    metric: str,
    label: str,
    after: int,
    severity: str,
    summary: str,
    description: str,
    *,
    also: dict[str, str] | None = None,
    but: str | None = None,
) -> Case:
    """An alert of a fleet: fires `after` minutes after the third minute, of what two processes report together.

    Quiet where each target has series of its own, and (`but`) for another label.
    """
    one, other = _series(metric, f"{_GROUP},{label}"), _series(metric, f"{_GROUP},{label}", OTHER)
    series = {one: "0x3 2x90", other: "0x3 1x90", _EACH: "0x100"}
    quiet = (
        {one: "2x100", _EACH: "1x100"} if but is None else {_series(metric, f"{_GROUP},{but}"): "2x100", _EACH: "0x100"}
    )
    labels = {"account": "prod", "policy": "quarterly"} | (also or {})
    return Case(alert, series, f"{after + 5}m", f"{after + 2}m", labels, severity, summary, description, quiet)


_PAUSED_LONG = Case(
    "RotatorTargetPausedLong",
    {_FROZEN: "0x11000"},
    "10100m",
    "10080m",
    _PHONE,
    "warning",
    "A pause or a blackout holds what is due at phone",
    _HELD_FOR,
    quiet={_NEXT: "0x11000", _PAUSED: "1x11000"},
)
CASES = (
    Case(
        "RotatorGone",
        {_series("up"): "1x3 0x30"},
        "10m",
        "8m",
        {},
        *_GONE,
        _GONE_TEXT,
        quiet={_series("up"): "0x90", _series("up", pod=OTHER): "1x90"},
    ),
    Case(
        "RotatorGone",
        {_series("up"): "1x3 _x30"},
        "15m",
        "8m",
        {},
        *_GONE,
        _GONE_TEXT,
    ),
    Case(
        "RotatorTargetNotLookedAt",
        {_LOOK: "0x60", _ROUND: "30x60"},
        "21m",
        "19m",
        _PHONE,
        "critical",
        "No process looks at phone",
        "The state of phone was last read 21m 0s ago.",
        quiet={
            _LOOK: "0x90",
            _ROUND: "30x90",
            _series("rotator_last_look_timestamp_seconds", _TARGET, OTHER): "0+60x90",
        },
    ),
    Case(
        "RotatorTargetNotLookedAt",
        {_LOOK: "0x200", _ROUND: "5000x200"},
        "173m",
        "165m",
        _PHONE,
        "critical",
        "No process looks at phone",
        "The state of phone was last read 2h 53m 0s ago.",
    ),
    Case(
        "RotatorTargetOverdue",
        {_LAST: "0x200", _MAX_AGE: "3600x200"},
        "77m",
        "70m",
        _PHONE,
        "critical",
        "The password of phone is older than its policy allows",
        "It is 1h 17m 0s old. Rotations fail, or do not start.",
        quiet={_LAST: "0+60x200", _MAX_AGE: "3600x200"},
    ),
    Case(  # after an undo: the password is older than the last rotation
        "RotatorTargetOverdue",
        {_MADE: "0x200", _LAST: "0+60x200", _MAX_AGE: "3600x200"},
        "77m",
        "70m",
        _PHONE,
        "critical",
        "The password of phone is older than its policy allows",
        "It is 1h 17m 0s old. Rotations fail, or do not start.",
        quiet={_MADE: "0+60x200", _LAST: "0x200", _MAX_AGE: "3600x200"},
    ),
    Case(
        "RotatorTargetAgeLimitNear",
        {_LIMIT_WARNING: "3600x200"},
        "77m",
        "70m",
        _PHONE,
        "warning",
        "A password of phone reaches its age limit soon",
        "It is published, or was replaced and is still accepted. Rotations or retirements fail, or do not start.",
        quiet={  # another process has rotated it meanwhile
            _LIMIT_WARNING: "3600x200",
            _series("rotator_target_password_age_limit_warning_timestamp_seconds", _TARGET, OTHER): "99999x200",
        },
    ),
    Case(
        "RotatorTargetOverAgeLimit",
        {_LIMIT: "3600x200"},
        "62m",
        "59m",
        _PHONE,
        "critical",
        "A password of phone is over its age limit",
        "The provider accepts it although it is older than `limits.max_age`. It is published, or was replaced.",
        quiet={_LIMIT: "99999x200", _LIMIT_WARNING: "3600x200"},
    ),
    Case(
        "RotatorTargetNeverRotated",
        {_NEXT: "0x1500"},
        "1460m",
        "1440m",
        _PHONE,
        "warning",
        "phone was never rotated",
        "Its first rotation has been due for 1d 0h 20m 0s.",
        quiet={_NEXT: "0x1500", _LAST: "0x1500"},
    ),
    _PAUSED_LONG,
    Case(
        "RotatorDevicesCutOff",
        {_OUT: "0x3 1x20"},
        "8m",
        "6m",
        _PHONE,
        "critical",
        "Devices of phone may be refused",
        "A password was or may have been set in place. It is neither published yet, nor is the old one put back.",
        quiet={_OUT: "0x5 1 1 0x80"},
    ),
    Case(
        "RotatorTargetFailing",
        {_FAILURES: "0 1 2 3x20"},
        "9m",
        "7m",
        _PHONE,
        "warning",
        "Rotating phone fails",
        "3 failures in a row; the back-off grows with each try. Devices are cut off only if another alert says so.",
        quiet={_FAILURES: "2x60"},
    ),
    Case(
        "RotatorTargetBlocked",
        {_blocked("foreign_document"): "1x60"},
        "16m",
        "14m",
        {"target": "phone", "reason": "foreign_document"},
        "warning",
        "phone is blocked: foreign_document",
        "Something about phone waits until somebody acts. rotator status phone says what ends it.",
        quiet={_blocked("idle_in_overlap"): "1x60"},
    ),
    Case(
        "RotatorDocumentDeleted",
        {_blocked("document_deleted"): "1x60"},
        "2m",
        "0m",
        _PHONE,
        "critical",
        "A document of phone in Vault was deleted, or ends by itself",
        "rotator changes nothing until it is restored; devices may find no password. The runbook has the commands.",
        quiet={_blocked("foreign_document"): "1x60"},
    ),
    Case(
        "RotatorPublishedRefused",
        {_ACCEPTED: "1x2 0x60"},
        "9m",
        "7m",
        _PHONE,
        "critical",
        "The provider refuses the published password of phone",
        (
            "Devices that read Vault are refused. Nothing is retired. See rotator status phone; "
            "rotator rotate phone replaces it."
        ),
        quiet={_ACCEPTED: "1x90"},
    ),
    Case(
        "RotatorVerificationOverdue",
        {_UNVERIFIED: "1x60"},
        "16m",
        "14m",
        _PHONE,
        "warning",
        "The published password of phone is not verified",
        "The provider could not be asked for two intervals whether it accepts it.",
        quiet={_UNVERIFIED: "0x90"},
    ),
    Case(
        "RotatorAttemptStaysOpen",
        {_OPEN: "0x120"},
        "76m",
        "70m",
        _PHONE,
        "warning",
        "A rotation of phone does not end",
        "It started more than an hour ago, or by a clock that was ahead, and continues with the same password.",
        quiet={_OPEN: "0x10 _x5 900x50 _x60"},
    ),
    Case(
        "RotatorAttemptStaysOpen",
        {_OPEN: "864000x120"},  # ten days ahead
        "16m",
        "14m",
        _PHONE,
        "warning",
        "A rotation of phone does not end",
        "It started more than an hour ago, or by a clock that was ahead, and continues with the same password.",
        quiet={_OPEN: "3000x40"},
    ),
    Case(
        "RotatorReplacedInUse",
        {_IN_USE: "0x5 1x120"},
        "70m",
        "60m",
        _PHONE,
        "warning",
        "A replaced credential of phone is still in use, or nobody can say",
        (
            "Its overlap has ended and is extended. rotator status phone says who was found, who was asked, "
            "and until when it is extended."
        ),
        quiet={_IN_USE: "0x90"},
    ),
    Case(
        "RotatorRetirementOverdue",
        {_LATE: "2x90"},
        "61m",
        "59m",
        _PHONE,
        "warning",
        "Replaced credentials of phone are not retired",
        "2 should have been disabled or deleted by now.",
        quiet={_LATE: "1x30 0x1 1x30 0x60"},
    ),
    Case(
        "RotatorHookFailing",
        {_HOOKS: "1x60"},
        "16m",
        "14m",
        _PHONE,
        "warning",
        "A hook that follows a change of phone fails",
        "What was done stays done; 1 did not succeed, and is run again. rotator status phone says why.",
        quiet={_HOOKS: "0x60"},
    ),
    Case(
        "RotatorEndedStillAccepted",
        {_STILL: "1x30"},
        "6m",
        "4m",
        _PHONE,
        "critical",
        "What was ended at phone is still accepted",
        "A log-in with 1 that should be refused was let in after the propagation time.",
        quiet={_STILL: "0x30"},
    ),
    Case(
        "RotatorOrphans",
        {_series("rotator_orphans", 'kind="published"'): "1x90"},
        "61m",
        "59m",
        {"kind": "published"},
        "warning",
        "Credentials that nobody ends: published",
        "1 of targets or accounts that are not in the configuration. rotator status names them.",
        quiet={_series("rotator_orphans", 'kind="published"'): "0x90"},
    ),
    Case(
        "RotatorCheckLeftCredential",
        {_series("rotator_account_scratch_credentials", 'account="prod"'): "1x150"},
        "121m",
        "119m",
        {"account": "prod"},
        "warning",
        "A check has left a credential at provider account prod",
        "1 that nobody needs. rotator check-provider prod --write cleans up.",
        quiet={_series("rotator_account_scratch_credentials", 'account="prod"'): "0x150"},
    ),
    Case(
        "RotatorCredentialsUnowned",
        {
            _series("rotator_account_credentials", 'account="prod",finding="orphaned"'): "1x90",
            _series("rotator_account_credentials", 'account="prod",finding="duplicate"'): "1x90",
        },
        "61m",
        "59m",
        {"account": "prod"},
        "warning",
        "Credentials at provider account prod belong to no target, or to two",
        "2, by the last comparison; rotator reconcile prod names them.",
        quiet={_series("rotator_account_credentials", 'account="prod",finding="foreign"'): "9x90"},
    ),
    Case(
        "RotatorAccountNeverCompared",
        {
            _series("rotator_account_scratch_credentials", 'account="prod"'): "0x400",
            _series("rotator_account_scratch_credentials", 'account="other"'): "0x400",
            _series("rotator_account_reconciled_timestamp_seconds", 'account="other"'): "0x400",
            _series("rotator_reconcile_interval_seconds", ""): "86400x400",
            _series("rotator_config_last_reload_success_timestamp_seconds", ""): " ".join(
                f"{at * 60}x99" for at in (0, 100, 200, 300)
            ),
        },
        "376m",
        "374m",
        {"account": "prod"},
        "warning",
        "Provider account prod was never compared with the documents",
        "Each try failed or was cut short, so nobody knows what it has that no document names.",
        quiet={_series("rotator_account_scratch_credentials", 'account="prod"'): "0x400"},
    ),
    Case(
        "RotatorAccountNotCompared",
        {
            _series("rotator_account_reconciled_timestamp_seconds", 'account="prod"'): "0x400",
            _series("rotator_reconcile_interval_seconds", ""): "3600x400",
        },
        "242m",
        "240m",
        {"account": "prod"},
        "warning",
        "Provider account prod is not compared with the documents any more",
        "The last time was 4h 2m 0s ago, so nobody knows what it has that no document names.",
        quiet={_series("rotator_account_reconciled_timestamp_seconds", 'account="prod"'): "0x400"},
    ),
    Case(
        "RotatorSelectionGone",
        {_series("rotator_selection_credentials", 'account="prod",what="gone"'): "2x90"},
        "61m",
        "59m",
        {"account": "prod"},
        "warning",
        "Provider account prod no longer lists what selected targets published",
        "2 targets. /status names some of them below selections.",
        quiet={_series("rotator_selection_credentials", 'account="prod",what="gone"'): "0x90"},
    ),
    Case(
        "RotatorCircuitOpen",
        {_CIRCUIT: "0 1x60"},
        "12m",
        "10m",
        {"account": "prod"},
        "critical",
        "The circuit of provider account prod is open",
        "Its calls failed several times in a row. Single calls probe it; all others wait.",
        quiet={_CIRCUIT: "1x6 0x60"},
    ),
    Case(
        "RotatorAccountHeldOff",
        {_HELD: "0 3600x60"},
        "32m",
        "30m",
        {"account": "prod"},
        "warning",
        "The provider slows account prod down",
        "It has asked to wait, or answered 429, for half an hour, although rate_limit is kept.",
        quiet={_HELD: "5x20 0x60", _RATE_SHARE: "0.7x60"},
    ),
    Case(
        "RotatorAccountKeyExpires",
        {_KEY_ENDS: f"{20 * 86400} {13 * 86400}x60"},
        "10m",
        "5m",
        {"account": "prod"},
        "warning",
        "The key of provider account prod expires soon, or has expired",
        "Left: 12d 23h 50m 0s. Without it nothing can be rotated there, nor ended.",
        quiet={_KEY_ENDS: f"{16 * 86400}x60"},
    ),
    Case(
        "RotatorAccountKeyOld",
        {_KEY_MADE: "0x600", _KEY_LIMIT: "7200x600"},
        "3h",
        "5m",
        {"account": "prod"},
        "warning",
        "The key of provider account prod is older than it may become",
        "3h 0m 0s old. No provider's API replaces it safely: somebody has to.",
        quiet={_KEY_MADE: "0x600", _KEY_LIMIT: "86400x600"},
    ),
    Case(
        "RotatorProviderVerbForbidden",
        {_FORBIDDEN: "_x3 1x60"},
        "20m",
        "15m",
        {"account": "prod", "verb": "delete"},
        "warning",
        "The key of prod may not delete",
        "Several calls in a row were refused for a missing right. Other calls go on; single ones probe this.",
        quiet={_FORBIDDEN: "1x5 _x90"},
    ),
    Case(
        "RotatorForeignBinding",
        {_FOREIGN: "_x5 1x90"},
        "7m",
        "70m",
        {"account": "prod"},
        "critical",
        "A registrar of prod lists a binding that was not asked for",
        "It is a device's, or somebody on the path of SIP without TLS takes over calls. It proves no password.",
        quiet={_PROVED: "0+1x90"},
    ),
    Case(
        "RotatorVaultFailing",
        {_vault("unavailable"): "0+1x60", _vault("ok"): "0+10x60"},
        "12m",
        "9m",
        {"outcome": "unavailable"},
        "critical",
        "Requests to Vault fail: unavailable",
        "No rotation starts while Vault cannot be written. Devices are not affected.",
        quiet={_vault("conflict"): "0+5x60", _vault("absent"): "0+5x60", _vault("unavailable"): "0x20 3x60"},
    ),
    Case(
        "RotatorVaultTokenEnds",
        {_TOKEN: "7200x130"},
        "114m",
        "108m",
        _ONE,
        "critical",
        "The Vault token of a:9464 is not renewed",
        "It ends in 6m 0s.",
        quiet={_TOKEN: "600x5 900x5 1200x5 1500x5 1800x5 2100x5"},
    ),
    Case(
        "RotatorRunsMissed",
        {_series("rotator_scheduler_missed_runs_total", 'reason="error"'): "0+1x60"},
        "40m",
        "8m",
        {"instance": "a:9464", "reason": "error"},
        "warning",
        "a:9464 skips looks: error",
        "30 in half an hour: no worker is free when the sweep comes by, or looks fail.",
        quiet={_series("rotator_scheduler_missed_runs_total", 'reason="error"'): "0x10 5x100"},
    ),
    Case(
        "RotatorClockJumped",
        {_series("rotator_clock_jumps_total", 'direction="forward"'): "_x10 1x120"},
        "12m",
        "75m",
        _ONE | {"direction": "forward"},
        "warning",
        "The clock of a:9464 was set forward",
        "What is due waits until it is due by Vault's clock as well. Check that the time is right now.",
        quiet={_series("rotator_clock_jumps_total", 'direction="forward"'): "0x200"},
    ),
    Case(
        "RotatorClockJumped",
        {_series("rotator_clock_jumps_total", 'direction="backward"'): "1x90 2x90"},
        "95m",
        "85m",
        _ONE | {"direction": "backward"},
        "warning",
        "The clock of a:9464 was set backward",
        "What is due waits until it is due by Vault's clock as well. Check that the time is right now.",
    ),
    Case(
        "RotatorClocksDiffer",
        {_OFFSET: "0 -172800x60"},
        "7m",
        "5m",
        _ONE,
        "warning",
        "The clocks of a:9464 and of Vault differ",
        "By 2d 0h 0m 0s. What is due waits until it is due by both.",
        quiet={_OFFSET: "60x20 -60x20 90x4 0x60"},
    ),
    Case(
        "RotatorTimesInTheFuture",
        {_LATEST: "0x5 86400x60"},
        "22m",
        "20m",
        _PHONE,
        "warning",
        "The stored times of phone lie in the future",
        "By 23h 38m 0s, since a clock was ahead. What is due comes late by as much.",
        quiet={_LATEST: "3600x90"},
    ),
    Case(
        "RotatorAuditNotWritten",
        {_AUDIT: "0 7x60"},
        "7m",
        "5m",
        {**_ONE, "destination": "syslog"},
        "critical",
        "a:9464 cannot write its audit to syslog",
        "7 records are kept in memory; /status says why.",
        quiet={_AUDIT: "0x60"},
    ),
    Case(
        "RotatorAuditRecordsLost",
        {_AUDIT_LOST: "0x10 5x200"},
        "30m",
        "5m",
        {**_ONE, "destination": "syslog"},
        "critical",
        "a:9464 has lost records of its audit for syslog",
        "5 in the last hour: more waited for it than memory keeps.",
        quiet={_AUDIT_LOST: "7x200"},
    ),
    Case(
        "RotatorNotificationsNotTaken",
        {_NOT_TAKEN: "0 1 2 3 4x60"},
        "15m",
        "5m",
        {**_ONE, "route": "on-call", "outcome": "not_taken"},
        "warning",
        "a:9464 cannot notify by on-call",
        "The service of this route did not take several messages. They are sent again, together.",
        quiet={_NOT_TAKEN: "0 1 2x60"},
    ),
    Case(
        "RotatorConnectionsEnded",
        {_CROWDED: "0+3x60", _SLOW: "0+3x60"},
        "30m",
        "5m",
        {"instance": "a:9464", "server": "pages"},
        "warning",
        "a:9464 has to end connections to its pages",
        "60 in ten minutes: somebody opens too many, or reads or writes too slowly.",
        quiet={_CROWDED: "0+1x60", _SLOW: "0+1x60"},
    ),
    Case(
        "RotatorConfigurationNotReloaded",
        {_CONFIG: "1 0x60"},
        "7m",
        "5m",
        _ONE,
        "warning",
        "a:9464 runs with an old configuration",
        "The new one is invalid; the log says why.",
        quiet={_CONFIG: "1x60"},
    ),
    _fleet_case(
        "RotatorFleetNotLookedAt",
        "rotator_fleet_targets_in_need",
        'need="not_looked_at"',
        5,
        "critical",
        "No process looks at 3 targets of prod",
        "Their state was not read for a quarter of an hour, or for two rounds of the sweep if these take longer.",
    ),
    _fleet_case(
        "RotatorFleetOverdue",
        "rotator_fleet_targets_in_need",
        'need="overdue"',
        15,
        "critical",
        "3 passwords of prod are older than policy quarterly allows",
        "Rotations fail, or do not start. rotator status --state overdue names the targets.",
    ),
    _fleet_case(
        "RotatorFleetAgeLimitNear",
        "rotator_fleet_targets_in_need",
        'need="age_limit_near"',
        15,
        "warning",
        "Passwords of 3 targets of prod reach their age limit soon",
        "Rotations or retirements fail, or do not start. rotator status --state age_limit_near names the targets.",
    ),
    _fleet_case(
        "RotatorFleetOverAgeLimit",
        "rotator_fleet_targets_in_need",
        'need="over_age_limit"',
        0,
        "critical",
        "Passwords of 3 targets of prod are over their age limit",
        (
            "The provider accepts passwords that are older than `limits.max_age`. rotator status "
            "--state over_age_limit names the targets."
        ),
    ),
    _fleet_case(
        "RotatorFleetNeverRotated",
        "rotator_fleet_targets_in_need",
        'need="first_rotation_late"',
        15,
        "warning",
        "3 targets of prod were never rotated",
        "Their first rotation has been due for more than a day. rotator status --state first_rotation_late names them.",
    ),
    _fleet_case(
        "RotatorFleetPausedLong",
        "rotator_fleet_targets_in_need",
        'need="paused_long"',
        15,
        "warning",
        "A pause or a blackout holds what is due at 3 targets of prod",
        (
            "Their rotations, or the ends of what was replaced, have been due for more than a week. "
            "rotator status --state paused_long names them."
        ),
    ),
    _fleet_case(
        "RotatorFleetDevicesCutOff",
        "rotator_fleet_targets_in_need",
        'need="devices_out"',
        2,
        "critical",
        "Devices of 3 targets of prod may be refused",
        (
            "A password was or may have been set in place. It is neither published yet, nor is the old one "
            "put back. rotator status --state devices_out names the targets."
        ),
    ),
    _fleet_case(
        "RotatorFleetFailing",
        "rotator_fleet_targets_in_need",
        'need="keeps_failing"',
        5,
        "warning",
        "Rotating 3 targets of prod fails",
        "Three failures or more in a row. rotator status --state keeps_failing names the targets.",
    ),
    _fleet_case(
        "RotatorFleetPublishedRefused",
        "rotator_fleet_targets_in_need",
        'need="refused"',
        5,
        "critical",
        "The provider refuses the published passwords of 3 targets of prod",
        (
            "Devices that read Vault are refused. Nothing of these targets is retired. rotator status "
            "--state refused names them."
        ),
    ),
    _fleet_case(
        "RotatorFleetVerificationOverdue",
        "rotator_fleet_targets_in_need",
        'need="unverified"',
        15,
        "warning",
        "3 published passwords of prod are not verified",
        "The provider could not be asked for two intervals whether it accepts them.",
    ),
    _fleet_case(
        "RotatorFleetAttemptStaysOpen",
        "rotator_fleet_targets_in_need",
        'need="attempt_stays_open"',
        15,
        "warning",
        "3 rotations at prod do not end",
        (
            "They started more than an hour ago, or by a clock that was ahead, and continue with the same password. "
            "rotator status --state attempt_stays_open names them."
        ),
    ),
    _fleet_case(
        "RotatorFleetReplacedInUse",
        "rotator_fleet_targets_in_need",
        'need="replaced_in_use"',
        0,
        "warning",
        "Replaced credentials of 3 targets of prod are still in use",
        (
            "Their overlap ended an hour ago and is extended, or nobody can say who uses them. rotator status "
            "--state replaced_in_use names the targets."
        ),
    ),
    _fleet_case(
        "RotatorFleetRetirementOverdue",
        "rotator_fleet_targets_in_need",
        'need="retirement_overdue"',
        60,
        "warning",
        "Replaced credentials of 3 targets of prod are not retired",
        (
            "They should have been disabled or deleted by now. rotator status --state retirement_overdue "
            "names the targets."
        ),
    ),
    _fleet_case(
        "RotatorFleetHookFailing",
        "rotator_fleet_targets_in_need",
        'need="hook_fails"',
        5,
        "warning",
        "Hooks that follow changes of 3 targets of prod fail",
        "What was done stays done; the hooks are run again. rotator status --state hook_fails names the targets.",
    ),
    _fleet_case(
        "RotatorFleetEndedStillAccepted",
        "rotator_fleet_targets_in_need",
        'need="ended_still_accepted"',
        5,
        "critical",
        "What was ended at 3 targets of prod is still accepted",
        (
            "Log-ins that should be refused were let in after the propagation time. rotator status --state "
            "ended_still_accepted names the targets."
        ),
    ),
    _fleet_case(
        "RotatorFleetTimesInTheFuture",
        "rotator_fleet_targets_in_need",
        'need="in_the_future"',
        15,
        "warning",
        "The stored times of 3 targets of prod lie in the future",
        "A clock was ahead. What is due comes late by as much.",
    ),
    _fleet_case(
        "RotatorFleetBlocked",
        "rotator_fleet_targets_blocked",
        'reason="foreign_document"',
        15,
        "warning",
        "3 targets of prod are blocked: foreign_document",
        "They wait until somebody acts. rotator status --state blocked says what ends it.",
        also={"reason": "foreign_document"},
        but='reason="idle_in_overlap"',
    ),
    _fleet_case(
        "RotatorFleetDocumentDeleted",
        "rotator_fleet_targets_blocked",
        'reason="document_deleted"',
        1,
        "critical",
        "Documents of 3 targets of prod in Vault were deleted, or end by themselves",
        (
            "rotator changes nothing there until they are restored; devices may find no password. "
            "rotator status --state blocked names the targets."
        ),
        but='reason="foreign_document"',
    ),
)


def unit_tests(groups: list[dict[str, Any]], folder: Path, runbook: str) -> list[Path]:
    """Writes what `promtool test rules` takes: for each alert of the cases a file of tests, which has its rules only.

    Promtool evaluates all rules of a file in every minute of each test, and some of these last for a week.
    """
    written = []
    for alert in dict.fromkeys(case.alert for case in CASES):
        rules = [{**group, "rules": [each for each in group["rules"] if each["alert"] == alert]} for group in groups]
        rule_file, tests_file = folder / f"{alert}.json", folder / f"{alert}.tests.json"
        rule_file.write_text(json.dumps({"groups": rules}))
        tests = [test for case in CASES if case.alert == alert for test in _tests(case, runbook)]
        document = {"rule_files": [rule_file.name], "evaluation_interval": "1m", "tests": tests}
        tests_file.write_text(json.dumps(document))
        written.append(tests_file)
    return written


def _tests(case: Case, runbook: str) -> Iterator[dict[str, Any]]:
    annotations = {
        "summary": case.summary,
        "description": case.description,
        "runbook_url": f"{runbook}#{case.alert.lower()}",
    }
    firing = {"exp_labels": {"severity": case.severity, **case.labels}, "exp_annotations": annotations}
    yield _test(case.series, [(case.alert, case.quiet_at, []), (case.alert, case.fires_at, [firing])])
    if case.quiet is not None:
        moments = ["1m", "10m", "30m", "59m", "61m", "80m", case.quiet_at, case.fires_at]
        yield _test(case.quiet, [(case.alert, moment, []) for moment in moments])


def _test(series: Series, expected: list[tuple[str, str, list[Any]]]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"alertname": alert, "eval_time": moment, "exp_alerts": alerts} for alert, moment, alerts in expected
        ],
    }
