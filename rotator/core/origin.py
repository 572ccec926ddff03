"""Who asked for something, and why: what each effect that follows from it names in the audit."""

from dataclasses import dataclass

SCHEDULED_BY = "schedule"
"""Who asks for what is due."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that something follows from."""

    requested_by: str  # `schedule`, a signal, or whom Vault knows the caller as
    reason: str
    stated: str = ""  # what the caller says of itself (`--by`, `--ticket`): nobody has checked it
    attempt: str = ""  # the id of the attempt that carried the request out

    @property
    def facts(self) -> dict[str, str]:
        """The facts of a record; only what applies."""
        facts = {"requested_by": self.requested_by, "reason": self.reason}
        return facts | {name: value for name, value in (("stated", self.stated), ("attempt", self.attempt)) if value}
