"""The operator's views: logs, audit, metrics, health and status. None of them shows a secret."""
