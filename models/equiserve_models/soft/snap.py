"""Snapping: a network that was trained softly becomes exactly equivariant under a symmetry that it has found."""

from __future__ import annotations

from equiserve.errors import InvalidRequest
from equiserve_models.soft.candidates import Candidate
from equiserve_models.soft.methods import predict
from equiserve_models.soft.network import TypedNetwork
from equiserve_models.soft.tasks import Task
from equiserve_models.soft.trial import equivariance_error, errors

#: Largest relative rise of the validation error that snapping may cost.
LARGEST_COST = 0.02


def snap(network: TypedNetwork, task: Task, candidate: Candidate, seed: int, *, force: bool = False) -> TypedNetwork:
    """Return the network with its weights projected onto the candidate's equivariant ones, and no swish residual.

    Args:
        network: One network, without members.
        task: Gives the validation data.
        candidate: What it shall hold exactly.
        seed: Of the validation data.
        force: Whether it may cost anything.

    Raises:
        InvalidRequest: The validation error rises by more than `LARGEST_COST` (`snap_costs_too_much`): the network has
            not found this symmetry.
    """
    snapped = network.snapped(candidate)
    source, target = task.draw("validation", (seed,))
    before, after = (float(errors(one, task, source, target)) for one in (network, snapped))
    cost = after / before - 1
    if cost > LARGEST_COST and not force:
        error = float(equivariance_error(lambda x: predict(network, task, x), task, source, candidate))
        raise InvalidRequest(
            f"snapping to {candidate.name} raises the validation error from {before:.3g} to {after:.3g} "
            f"({100 * cost:+.0f} %, at most {100 * LARGEST_COST:+.0f} % is allowed): the network violates it by "
            f"{error:.3g} (relative), so it has not found it; force it if you know better",
            code="snap_costs_too_much",
            field="candidate",
        )
    return snapped
