"""Carries out what the core decided; the only package that orders effects."""

from rotator.engine.effects import Limits
from rotator.engine.loop import Engine, Look, Outcome

__all__ = ["Engine", "Limits", "Look", "Outcome"]
