"""The simulated providers, a folder for each. New folders are found automatically."""

from importlib import import_module
from pkgutil import iter_modules

from rotator_simulator.simulation import Simulation


def simulations() -> tuple[Simulation, ...]:
    """Returns the simulations of every provider."""
    modules = [import_module(f"{__name__}.{module.name}.simulation") for module in iter_modules(__path__)]
    return tuple(simulation for module in modules for simulation in module.SIMULATIONS)
