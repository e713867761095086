"""Which networks the table of the shift family compares, and where their files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from equiserve.artifact import read_manifest
from equiserve_models.shift import twins, vit
from equiserve_models.shift.ablation import onnx_path
from equiserve_models.shift.recipes import ABLATION_SEEDS, ALIAS_FREE, RECIPES, WAYS


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Args:
        title: As it is printed.
        recipes: Keys of `RECIPES`: a shipped model, or one way of the ablation with each of its seeds.
        ablation: Whether the files are the ablation's.
        origin_when_served: Whether pictures are rolled to their canonical origin in front of the unchanged file, as the
            server's option ``symmetrize: canonical_origin`` does.
    """

    title: str
    recipes: tuple[str, ...]
    ablation: bool = False
    origin_when_served: bool = False

    @property
    def dataset(self) -> str:
        """Key of `equiserve_models.data.datasets.SOURCES`."""
        return RECIPES[self.recipes[0]].dataset

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        config = (vit.CONFIGS | twins.CONFIGS)[RECIPES[self.recipes[0]].network]
        return config.channels, config.size, config.size

    @property
    def lone_rows(self) -> int:
        """Rows to which the server pads a lone picture: batch size 1 runs other kernels than every larger one."""
        config = (vit.CONFIGS | twins.CONFIGS)[RECIPES[self.recipes[0]].network]
        return 2 if config.canonical else 1

    def files(self, zoo: Path, exports: Path) -> dict[str, Path]:
        """Return the files that are there, by recipe; of a shipped model the latest version."""
        found = {}
        for name in self.recipes:
            manifest = zoo / name / "model.yaml"
            if self.ablation:
                path = onnx_path(exports, name)
            elif manifest.is_file():
                path = zoo / name / max(read_manifest(manifest).versions, key=int) / "model.onnx"
            else:
                continue
            if path.is_file():
                found[name] = path
        return found

    def how_to_make(self) -> str:
        """Return the command that makes the files."""
        if self.ablation:
            return "python -m equiserve_models.shift.ablation"
        (name,) = self.recipes
        return f"python -m equiserve_models.train {name} && python -m equiserve_models.export {name}"


@dataclass(frozen=True)
class Difference:
    """A row of differences: accuracy of one row less that of another, by their titles."""

    title: str
    row: str
    less: str


def _shipped(name: str) -> Row:
    return Row(f"`{name}`", (name,))


def _with_origin(name: str) -> Row:
    return Row(f"`{name}`, origin when served", (name,), origin_when_served=True)


def _ablation(network: str, way: str) -> Row:
    recipes = tuple(f"ablation-{network}{way.replace('_', '-')}-{seed}" for seed in ABLATION_SEEDS)
    return Row(f"{FAMILIES[network]}: {(WAYS | ALIAS_FREE)[way]}", recipes, ablation=True)


FAMILIES = {"vit28": "ViT", "twins28": "Twins"}

SECTIONS = {
    "Fashion-MNIST, shipped": [
        _shipped("fashion-mnist-vit"),
        _with_origin("fashion-mnist-vit"),
        _shipped("fashion-mnist-vit-apa"),
        _shipped("fashion-mnist-twins"),
        _with_origin("fashion-mnist-twins"),
        _shipped("fashion-mnist-twins-apa"),
    ],
    "Fashion-MNIST, ablation (2 epochs, 3 seeds)": [
        _ablation(network, way)
        for network, ways in (("vit28", WAYS | ALIAS_FREE), ("twins28", WAYS))
        for way in ways
    ],
    "MNIST, shipped": [_shipped("mnist-vit-apa")],
    "CIFAR-10 (JPEG copy), shipped": [_shipped("cifar10-twins-apa")],
}  # fmt: skip

DIFFERENCES = {
    "Fashion-MNIST, shipped": [
        Difference(f"`{plain}{suffix}`{words}", f"`{plain}{suffix}`{row}", f"`{plain}`")
        for plain in ("fashion-mnist-vit", "fashion-mnist-twins")
        for suffix, words, row in (
            ("-apa", ", to its plain twin", ""),
            ("", ", what the origin when served changes", ", origin when served"),
        )
    ],
    "Fashion-MNIST, ablation (2 epochs, 3 seeds)": [
        *(
            Difference(f"{family}: {words}", f"{family}: {WAYS[way]}", f"{family}: {WAYS[less]}")
            for family in FAMILIES.values()
            for words, way, less in (
                ("the origin, given plain layers", "_origin", ""),
                ("anchored layers, given no origin", "_published", ""),
                ("both, to plain layers", "_apa", ""),
                ("anchored layers, given the origin", "_apa", "_origin"),
                ("the origin, given anchored layers", "_apa", "_published"),
            )
        ),
        Difference("ViT: alias-free, given both", f"ViT: {ALIAS_FREE['_alias_free']}", f"ViT: {WAYS['_apa']}"),
    ],
}
