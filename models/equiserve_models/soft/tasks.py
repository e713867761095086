"""The tasks: what goes in and comes out, which symmetries are candidates, and how long is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from equiserve_models.soft import cosine_similarity, inertia, walking
from equiserve_models.soft.candidates import Candidate, about, mirrors, of_space
from equiserve_models.soft.features import FeatureSpace
from equiserve_models.soft.network import Width

# A split's typed features and targets: [members, N, source], [members, N, target].
Data = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Task:
    """A regression between typed features.

    Args:
        title: What it is, in one line.
        source: Input features.
        target: Output features.
        draw: Split (``train``, ``validation``, ``test`` or of ``extra``) and seeds -> data.
        candidates: What the soft network chooses among, by name.
        largest: What holds at most; the bilinear layer keeps it.
        true: What holds exactly, where that is known or believed.
        reported: What is measured besides the candidates.
        truth: The noise-free function of the features, where it is known.
        base: What a network's answer is added to; exact under every candidate.
        extra: Further test splits.
        strength: lambda_0 of the paper's weighing.
        enforced: lambda of what holds, where errors weigh (see `Strengths`); None where only the paper's is used.
        power: k of the paper's weighing.
        enforced_power: k where errors weigh.
        width: Channels of the typed networks.
        plain_width: Width of the plain network.
        epochs: Passes over the training data.
        batch_size: Samples of a step.
        learning_rate: Peak.
        decay: Weight of 1/2 |theta|^2.
        plain_decay: The same of the plain networks, which a larger one makes collapse.
    """

    title: str
    source: FeatureSpace
    target: FeatureSpace
    draw: Callable[[str, tuple[int, ...]], Data]
    candidates: Mapping[str, Candidate]
    largest: Candidate
    true: Candidate
    reported: Mapping[str, Candidate] = field(default_factory=dict)
    truth: Callable[[Tensor], Tensor] | None = None
    base: Callable[[Tensor], Tensor] | None = None
    extra: tuple[str, ...] = ()
    strength: float = 10.0
    enforced: float | None = 100.0
    power: float = 2.0
    enforced_power: float = 2.0
    width: Width = field(default_factory=Width)
    plain_width: int = 128
    epochs: int = 600
    batch_size: int = 500
    learning_rate: float = 8e-3
    decay: float = 2e-4
    plain_decay: float = 2e-4


# The quotient of the cosine task has rare large values: fewer samples, or weights that decay faster, do not tell a
# network by how much rotations are broken (its error comes out 0.01 too small).
_SAMPLES, _COSINE_SAMPLES = 1000, 4000
_COSINE_DECAY = 2e-5
_SPLITS = ("train", "validation", "test", "subjects")
_AXES = {"O2 about x": about("x"), "O2 about y": about("y"), "O2 about z": about("z")}


def _drawn(
    features: Callable[[int, int], Tensor], truth: Callable[[Tensor], Tensor], samples: int
) -> Callable[..., Data]:
    def draw(split: str, seeds: tuple[int, ...]) -> Data:
        source = torch.stack([features(samples, 1000 * _SPLITS.index(split) + seed) for seed in seeds])
        return source, truth(source)

    return draw


def _inertia(diagonal: tuple[float, float, float], true: Candidate, title: str) -> Task:
    truth = partial(inertia.truth, diagonal=diagonal)
    return Task(
        title=title,
        source=inertia.SOURCE,
        target=inertia.TARGET,
        draw=_drawn(lambda n, seed: inertia.features(*inertia.draw(n, seed)), truth, _SAMPLES),
        candidates=_AXES,
        largest=of_space("O3"),
        true=true,
        reported={"O3": of_space("O3")},
        truth=truth,
    )


def _cosine(radius: float, ratio: float, true: Candidate, title: str) -> Task:
    truth = partial(cosine_similarity.truth, radius=radius, ratio=ratio)

    def features(n: int, seed: int) -> Tensor:
        return cosine_similarity.features(cosine_similarity.draw(n, seed))

    return Task(
        title=title,
        source=cosine_similarity.SOURCE,
        target=cosine_similarity.TARGET,
        draw=_drawn(features, truth, _COSINE_SAMPLES),
        candidates={"SO3": of_space("SO3"), "Scaling": Candidate(scaling=True)},
        largest=Candidate(of_space("SO3").group, scaling=True),
        true=true,
        truth=truth,
        strength=0.01,
        enforced=1.0,
        enforced_power=3.0,
        epochs=500,
        learning_rate=5e-3,
        decay=_COSINE_DECAY,
        plain_decay=_COSINE_DECAY,
    )


def _walking(title: str, turned: bool) -> Task:
    def draw(split: str, seeds: tuple[int, ...]) -> Data:
        found = walking.windows(split)
        members = [walking.turned(found, 1000 * _SPLITS.index(split) + seed) if turned else found for seed in seeds]
        source = torch.stack([walking.features(member.past) for member in members])
        return source, torch.stack([walking.displacement(member.past, member.future) for member in members])

    return Task(
        title=title,
        source=walking.SOURCE,
        target=walking.TARGET,
        draw=draw,
        candidates={f"SO2 about {axis}": about(axis, "SO2") for axis in "xyz"},
        largest=of_space("SO3"),
        true=about("y", "SO2"),
        reported={"O2 about y": about("y"), "SO3": of_space("SO3")},
        base=walking.carried_on,
        extra=("subjects",),
        strength=0.3,
        enforced=None,
        power=5.0,
        plain_width=256,
        epochs=120,
        batch_size=240,
        learning_rate=2e-3,
        decay=2e-3,
    )


TASKS = {
    "inertia-o3": _inertia((0.0, 0.0, 0.0), of_space("O3"), "inertia, a = 0: O(3) holds"),
    "inertia-o2z": _inertia((0.0, 0.0, 0.3), about("z"), "inertia, a = 0.3 along z: O(2) about z holds"),
    "inertia-o2z-strong": _inertia((0.0, 0.0, -1.0), about("z"), "inertia, a = -1 along z: O(2) about z holds"),
    "inertia-axes": _inertia((0.3, -0.3, 0.15), mirrors(), "inertia, three axes differ: only mirror images hold"),
    "walking": _walking("CMU walking, 0.27 s ahead, each clip at a random heading", True),
    "walking-laboratory": _walking("CMU walking, 0.27 s ahead, along the laboratory's z axis", False),
    "cosine-both": _cosine(0.0, 0.0, Candidate(of_space("SO3").group, True), "cosine similarity: SO(3) and scaling"),
    "cosine-so3": _cosine(1.0, 0.0, of_space("SO3"), "cosine similarity less the mean radius: SO(3) holds"),
    "cosine-scale": _cosine(0.0, 1.0, Candidate(scaling=True), "cosine similarity less a quotient: scaling holds"),
    "cosine-none": _cosine(1.0, 1.0, Candidate(mirrors().group), "cosine similarity less both: neither holds"),
}
