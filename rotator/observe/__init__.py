"""The views of an operator: logs, the audit, metrics, health and status. None of them ever shows a secret."""
