"""The words of the audit: verbs and outcomes. `docs/audit.md` lists them.

A word is part of the audit's format: people search for it for years. It is written out here, and renaming a class or a
function changes no line.
"""

from enum import StrEnum
from typing import Self, assert_never

from rotator.core.answers import Answer, Done, Refused, Retry, Unknown


class _DescribedWord(StrEnum):
    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class AuditVerb(_DescribedWord):
    """The word for an effect."""

    STAGE = "stage", "An attempt was opened: the new password is in the state document."
    CREATE = "create", "The provider was asked to create the staged credential."
    COMPLETE = "complete", "A create with a lost answer was found at the provider and finished."
    SET_PASSWORD = "set_password", "The provider was asked to set the staged password."
    ENABLE = "enable", "The provider was asked to enable a credential again, for an undo."
    ATTACH = "attach", "The trunks that named another credential of the target were to be pointed to this one."
    PROVE = "prove", "The provider was asked whether it accepts the staged credential, or still the old one."
    VERIFY = (
        "verify",
        "The provider was asked again: what it says of the published credential changed, or it cannot be asked now.",
    )
    PUBLISH = "publish", "The consumer document was written: devices read the new credential."
    MOVE = (
        "move",
        "The consumer document was written at another path, `path`, and stays at `moved_from` for the overlap.",
    )
    WITHDRAW = "withdraw", "The credential was taken out of the consumer document at `path`, which the target has left."
    CLOSE = "close", "The attempt succeeded; `proof` says how the credential was proved."
    RESTORE = (
        "restore",
        "The old password of an `in-place` credential was set again: the new one was refused, or not accepted.",
    )
    ABANDON = "abandon", "The attempt was abandoned; `detail` says why."
    WITHDRAW_REQUEST = "withdraw_request", "Somebody took a request back before anything had begun."
    DROP = (
        "drop",
        "A request or a due rotation was dropped, since it cannot be carried out, or need not be. An emergency stays.",
    )
    REASSERT = "reassert", "The published credential was set and enabled again, since a late call may have changed it."
    CHECK_USAGE = (
        "check_usage",
        "It was asked whether devices still log in with a replaced credential, and the answer is another than before.",
    )
    EXPIRE = "expire", "The provider was told when to end a replaced credential by itself."
    LIFT_END = "lift_end", "The provider was told not to end a replaced credential that devices still need."
    DISABLE = "disable", "The provider was asked to disable a replaced credential."
    OVERWRITE = "overwrite", "A credential that must end and cannot be disabled was to get a random password."
    DELETE = "delete", "The provider was asked to delete a replaced credential."
    FORGET = "forget", "A ledger entry with nothing left to do, and the password in it, were removed."
    TRY_ENDED = (
        "try_ended",
        (
            "What was ended was tried where devices log in. `done`: it is refused, and what is published is accepted; "
            "`refused`: it is still accepted; `unknown`: that is not shown, and `detail` says why."
        ),
    )
    RUN_HOOK = (
        "run_hook",
        "A hook of the policy was run: `hook`, at `moment`; `key` is the same each time that it is repeated.",
    )
    REQUEST_ROTATION = "request_rotation", "Somebody asked for a rotation; the request is in the state document."
    REQUEST_UNDO = "request_undo", "Somebody asked for an undo; the request is in the state document."
    PAUSE = (
        "pause",
        "Somebody paused what rotator changes by schedule: `scope`, until `until`; `holds` says what is held.",
    )
    RESUME = "resume", "Somebody ended the pause of `scope` before its time."
    REQUEST_RETIREMENT = "request_retirement", "Somebody ended a target: what it published is withdrawn, then retired."
    GIVE_UP = (
        "give_up",
        "Somebody gave up credentials that may stay accepted; `detail` names them.",
    )
    RETIRE_ORPHAN = (
        "retire_orphan",
        "Somebody put a credential into the ledger of the target that it was created for: no document named it.",
    )
    RENAME = "rename", "Everything that was known of `renamed_from` was moved to this target's state document."
    ADOPT = "adopt", "A credential that is in use and that the state document did not know was taken up as published."
    REPORT = "report", "A report was made; `sha256` is that of its file."
    LOAD_CONFIGURATION = "load_configuration", "The daemon read its configuration, at start or on SIGHUP."
    CHECK_PROVIDER = (
        "check_provider",
        "`rotator check-provider` worked on a scratch or expendable credential; `effect` says how, or that it ended.",
    )
    CLOCK_JUMP = "clock_jump", "The wall clock was set, by `seconds`."
    START = "start", "The first record of a process: who it is to Vault, and its user on the machine."
    LINES_LOST = (
        "lines_lost",
        "One destination could not be written for so long that it lacks the records `first` to `last` of this chain.",
    )
    REMOVE_RECORDS = "remove_records", "Records up to the day `until` are older than `audit.keep`, and leave Vault."


class AuditOutcome(_DescribedWord):
    """The word for the outcome of an effect."""

    DONE = "done", "It was done; the provider or Vault confirmed it."
    REFUSED = "refused", "It was definitely not done; `detail` or `reason` says why."
    RETRY = "retry", "It was not done, or not completely, and will be repeated; `detail` says why."
    UNKNOWN = "unknown", "It may have been done: the answer was lost. The next step finds out."
    NOTICED = "noticed", "It happened by itself and was noticed."
    INTENDED = (
        "intended",
        "It is about to be done (`audit.required`); if the process is killed, no record of the result follows.",
    )


def outcome_of(answer: Answer[object]) -> AuditOutcome:
    """Returns the word for a provider's answer."""
    match answer:
        case Done():
            return AuditOutcome.DONE
        case Refused():
            return AuditOutcome.REFUSED
        case Retry():
            return AuditOutcome.RETRY
        case Unknown():
            return AuditOutcome.UNKNOWN
        case _:
            assert_never(answer)
