"""What the targets that are rotated first show about the others."""

from dataclasses import dataclass
from enum import Enum


class CanaryResult(Enum):
    """What the canaries say."""

    PASSED = "passed"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CanaryVerdict:
    """What the canaries of a target's account and policy say of a first rotation."""

    result: CanaryResult
    canary: str = ""  # the one that is waited for, or that failed
    why: str = ""
