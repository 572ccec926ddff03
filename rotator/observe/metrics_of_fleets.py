"""Metrics with the sums over each account and policy."""

from rotator.observe.described import Described

_GROUP = ("account", "policy")

OF_FLEETS = (
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
