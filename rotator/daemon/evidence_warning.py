"""Says at the start, and after a reload, which strategies were not shown to work at their accounts."""

import structlog

from rotator.core.holds import evidence_in_words
from rotator.core.strategy_evidence import Standing
from rotator.daemon.components import Components

_log = structlog.stdlib.get_logger("rotator.daemon")


def warn_of_strategies(components: Components) -> None:
    """Logs a warning for each account and strategy that no check has proved. Never raises for a failure of Vault."""
    first = {(target.account, target.strategy): target for target in reversed(components.targets)}
    for target in first.values():
        known = components.engine.evidence(target)
        if known is not None and known.standing is not Standing.PROVED:
            _log.warning("strategy not proved at the account", detail=evidence_in_words(target, known))
