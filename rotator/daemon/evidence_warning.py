"""Says at the start, and after a reload, which strategies were not shown to work at their accounts."""

from collections.abc import Iterator

import structlog

from rotator.core.holds import evidence_in_words
from rotator.core.model import Target
from rotator.core.strategy_evidence import Standing, StrategyEvidence
from rotator.daemon.components import Components

_log = structlog.stdlib.get_logger("rotator.daemon")


def known_strategies(components: Components) -> Iterator[tuple[Target, StrategyEvidence]]:
    """Yields a target of each account and strategy, with what checks have shown of it. Never raises for Vault."""
    first = {(target.account, target.strategy): target for target in reversed(components.targets)}
    for target in first.values():
        known = components.engine.evidence(target)
        if known is not None:
            yield target, known


def warn_of_strategies(components: Components) -> None:
    """Logs a warning for each account and strategy that no check has proved. Never raises for a failure of Vault."""
    for target, known in known_strategies(components):
        if known.standing is not Standing.PROVED:
            _log.warning("strategy not proved at the account", detail=evidence_in_words(target, known))
