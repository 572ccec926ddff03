"""What an operator sees: logs, the audit, metrics, health and status. None of it ever holds a secret."""
