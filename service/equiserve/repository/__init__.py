"""The model repository: which model versions are in memory, and how they get there."""

from equiserve.repository.repository import Repository

__all__ = ["Repository"]
