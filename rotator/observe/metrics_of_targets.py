"""Metrics with a series for each target, and of what is left of removed ones."""

from rotator.observe.described import GRACE, Described

_TARGET = ("target",)

OF_TARGETS = (
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
        "rotator_target_latest_event_timestamp_seconds",
        "gauge",
        _TARGET,
        "When the target was last rotated or, if later, when a credential that waits for its retirement was replaced, "
        "disabled or overwritten. It lies in the future if a clock was ahead. Absent before the first rotation.",
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
        "When the open attempt began; absent while none is open, and until the hooks before it have run.",
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
        "rotator_held_timestamp_seconds",
        "gauge",
        _TARGET,
        "From when on a pause or a blackout holds a rotation or a retirement that is due: "
        "the later of when it began and when that became or becomes due, of the earliest. Absent if none is held.",
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
        "that is not configured), attempt (open, of a target and at an account that are not configured), renamed (in "
        "the document of a former name: the rename was cut) or check (left by rotator check-provider, at an account "
        "that is not configured).",
    ),
)
