"""What the status says beside the state documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rotator.core.holding import Hold
from rotator.core.model import Capabilities, Credential
from rotator.core.pauses import Pauses
from rotator.observe.audit import AuditStatus
from rotator.observe.ledger_status import JsonObject


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The facts that are not in the state documents."""

    holder: str
    version: str
    kinds: Mapping[str, str]  # provider account: its type, such as `vobiz`
    capabilities: Mapping[str, Capabilities]  # by provider account
    holds: Mapping[str, Hold] = field(default_factory=dict)  # by target: the result of its last look
    audit: AuditStatus | None = None
    vault_now: datetime | None = None
    pauses: Pauses = field(default_factory=Pauses)
    selections: JsonObject = field(default_factory=dict)  # by provider account: what its last listing showed
    accounts: JsonObject = field(default_factory=dict)  # by provider account: see `account_status`
    left_by_checks: Mapping[str, Sequence[Credential]] = field(default_factory=dict)  # by the record that names them
