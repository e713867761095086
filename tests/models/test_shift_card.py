from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from equiserve.artifact import Manifest, read_manifest, write_manifest
from equiserve_models.data import datasets
from equiserve_models.shift import card

ZOO = Path(__file__).parents[2] / "models" / "zoo"
# The other families write their own cards.
COMMITTED = [
    path.parent.name
    for path in sorted(ZOO.glob("*/CARD.md"))
    if read_manifest(path.parent / "model.yaml").task == "classify"
]


def colour_manifest() -> Manifest:
    """The committed anchored network's manifest, as that of a network for colour pictures of 32x32 pixels."""
    manifest = read_manifest(ZOO / "fashion-mnist-vit-apa" / "model.yaml")
    source = datasets.SOURCES["cifar10-jpeg"]
    (picture,) = manifest.inputs
    entry = manifest.versions["1"]
    data = {"name": "cifar10-jpeg", "owner": source.owner, "licence": source.licence}
    return manifest.model_copy(
        update={
            "name": "cifar10-twins-apa",
            "inputs": [picture.model_copy(update={"shape": (-1, 3, 32, 32)})],
            "labels": list(source.labels),
            "versions": {"1": entry.model_copy(update={"training": entry.training | {"data": data}})},
        }
    )


@pytest.mark.parametrize("model", COMMITTED)
def test_committed_card_is_the_one_that_its_manifest_gives(model: str, tmp_path: Path) -> None:
    manifest = read_manifest(ZOO / model / "model.yaml")
    card.write_card(manifest, int(max(manifest.versions, key=int)), tmp_path / "CARD.md")
    assert (tmp_path / "CARD.md").read_text() == (ZOO / model / "CARD.md").read_text()


def test_card_of_a_colour_network_speaks_of_its_own_data(tmp_path: Path) -> None:
    card.write_card(colour_manifest(), 1, tmp_path / "CARD.md")
    text = (tmp_path / "CARD.md").read_text()
    for fact in (
        "[batch, 3, 32, 32]",
        "CIFAR-10 (JPEG copy), 50,000 training",
        "every circular shift (1,024)",
        "truck",
    ):
        assert fact in text
    assert "*not* a\ncircular shift" in text
    for stranger in ("garment", "28x28", "784", "60,000", "black"):
        assert stranger not in text.split("## Limits")[1] + text.split("| output |")[1].split("| training |")[0]


def test_card_of_a_network_that_resizes_nothing_says_so(tmp_path: Path) -> None:
    card.write_card(colour_manifest().model_copy(update={"input_fit": "reject"}), 1, tmp_path / "CARD.md")
    assert "| pictures of another size | refused by the server |" in (tmp_path / "CARD.md").read_text()


def test_plain_twin_promises_nothing() -> None:
    text = (ZOO / "fashion-mnist-vit" / "CARD.md").read_text()
    assert "No guarantee" in text
    assert "absolute positions" in text
    assert "bit for\nbit" not in text


@pytest.mark.parametrize("name", card.ABOUT)
def test_number_of_training_pictures_is_that_of_the_data(name: str) -> None:
    if datasets.data_root() is None:
        pytest.skip("EQUISERVE_DATA is unset: no data set to count")
    assert len(datasets.load(name, "train").labels) == card.ABOUT[name].training_pictures


def test_every_data_set_has_a_text() -> None:
    assert card.ABOUT.keys() == datasets.SOURCES.keys()


def test_command_writes_the_cards_of_what_was_evaluated(tmp_path: Path) -> None:
    manifest = read_manifest(ZOO / "fashion-mnist-vit" / "model.yaml")
    unmeasured = {"1": manifest.versions["1"].model_copy(update={"metrics": {}})}
    write_manifest(manifest, tmp_path / "evaluated" / "model.yaml")
    write_manifest(manifest.model_copy(update={"versions": unmeasured}), tmp_path / "exported" / "model.yaml")
    card.main(["--zoo", str(tmp_path)])
    assert (tmp_path / "evaluated" / "CARD.md").is_file()
    assert not (tmp_path / "exported" / "CARD.md").exists()
