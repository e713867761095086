"""EquiServe: an inference server for models whose outputs must move with their inputs."""

from importlib.metadata import version

__version__ = version("equiserve")
