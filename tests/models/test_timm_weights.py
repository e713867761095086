from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import Tensor

from equiserve.errors import InvalidRequest, NotFound
from equiserve_models.shift import published, timm_weights
from equiserve_models.shift.timm_weights import convert, read_weights

# Names and shapes of the state dicts of timm 1.0.31, one weight a line.
LAYOUTS = Path(__file__).parent.parent / "data" / "timm_layouts"
MODELS = {"vit_s16_224": "vit_small_patch16_224", "twins_svt_s_224": "twins_svt_small"}


def timm_weights_of(model: str) -> dict[str, Tensor]:
    """Weights of timm's names and shapes, each filled with a number of its own."""
    lines = (LAYOUTS / f"{model}.txt").read_text().splitlines()
    weights = {}
    for number, (name, shape) in enumerate(line.split(" ", 1) for line in lines):
        weights[name] = torch.full([int(size) for size in shape.strip("()").split(",") if size], float(number))
    return weights


# Conversion reads a network and never writes to it.
network_of = functools.cache(published.build)


@pytest.fixture(scope="module")
def vit() -> dict[str, Tensor]:
    return timm_weights_of("vit_small_patch16_224")


@pytest.fixture(scope="module")
def twins() -> dict[str, Tensor]:
    return timm_weights_of("twins_svt_small")


@pytest.mark.parametrize("name", ["vit_s16_224", "twins_svt_s_224", "twins_svt_s_224_apa"])
def test_plain_networks_and_anchored_twins_take_every_weight_of_timm_once(name: str) -> None:
    weights = timm_weights_of(MODELS[name.removesuffix("_apa")])
    network = network_of(name)
    conversion = convert(weights, network)
    assert (conversion.left_out, conversion.initialised) == ([], [])
    taken = sorted(float(weight.flatten()[0]) for weight in conversion.state.values())
    assert taken == [float(number) for number in range(len(weights))]
    network.load_state_dict(conversion.state)


def test_anchored_vit_says_which_weights_are_left_out_and_which_are_new(vit: dict[str, Tensor]) -> None:
    network = network_of("vit_s16_224_apa")
    start = network.state_dict()
    conversion = convert(vit, network)
    assert conversion.left_out == ["pos_embed"]
    new = {"embedding.norm.weight", "embedding.norm.bias", "position.conv.conv.weight", "position.conv.conv.bias"}
    assert set(conversion.initialised) == new
    assert all(torch.equal(conversion.state[name], start[name]) for name in new)
    assert len(conversion.state) - len(new) == len(vit) - 1
    network.load_state_dict(conversion.state)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("class_token", "cls_token"),
        ("positions", "pos_embed"),
        ("embedding.bias", "patch_embed.proj.bias"),
        ("blocks.11.norm2.weight", "blocks.11.norm2.weight"),
        ("blocks.3.attention.qkv.bias", "blocks.3.attn.qkv.bias"),
        ("blocks.3.attention.out.bias", "blocks.3.attn.proj.bias"),
        ("blocks.3.mlp.2.bias", "blocks.3.mlp.fc2.bias"),
    ],
)
def test_weights_of_the_vit_land_where_they_belong(vit: dict[str, Tensor], ours: str, theirs: str) -> None:
    assert torch.equal(convert(vit, network_of("vit_s16_224")).state[ours], vit[theirs])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("embedding.conv.weight", "patch_embeds.0.proj.weight"),
        ("embedding.norm.bias", "patch_embeds.0.norm.bias"),
        ("stages.3.conv.bias", "patch_embeds.2.proj.bias"),
        ("stages.5.norm.weight", "patch_embeds.3.norm.weight"),
        ("stages.4.position.conv.bias", "pos_block.2.proj.0.bias"),
        ("stages.0.first.attention.attention.qkv.bias", "blocks.0.0.attn.qkv.bias"),
        ("stages.2.others.0.attention.sampling.bias", "blocks.1.1.attn.sr.bias"),
        ("stages.2.others.0.attention.norm.bias", "blocks.1.1.attn.norm.bias"),
        ("stages.4.others.4.attention.query.bias", "blocks.2.5.attn.q.bias"),
        ("stages.4.others.4.attention.key_value.bias", "blocks.2.5.attn.kv.bias"),
        ("stages.4.others.7.attention.attention.out.bias", "blocks.2.8.attn.proj.bias"),
        ("stages.6.others.2.attention.out.bias", "blocks.3.3.attn.proj.bias"),
        ("stages.6.others.2.norm1.bias", "blocks.3.3.norm1.bias"),
        ("stages.6.others.1.mlp.0.bias", "blocks.3.2.mlp.fc1.bias"),
    ],
)
def test_weights_of_twins_land_where_they_belong(twins: dict[str, Tensor], ours: str, theirs: str) -> None:
    assert torch.equal(convert(twins, network_of("twins_svt_s_224_apa")).state[ours], twins[theirs])


def test_missing_misshapen_and_foreign_weights_are_refused_by_name(vit: dict[str, Tensor]) -> None:
    network = network_of("vit_s16_224")
    with pytest.raises(InvalidRequest, match=r"norm\.bias: got nothing, expected shape \(384,\)"):
        convert({name: weight for name, weight in vit.items() if name != "norm.bias"}, network)
    with pytest.raises(InvalidRequest, match=r"pos_embed: got shape \(1, 577, 384\), expected shape \(1, 197, 384\)"):
        convert(vit | {"pos_embed": torch.zeros(1, 577, 384)}, network)
    with pytest.raises(InvalidRequest, match=r"dist_token: not weights of timm's vit_small_patch16_224"):
        convert(vit | {"dist_token": torch.zeros(1, 1, 384)}, network)
    with pytest.raises(InvalidRequest, match=r"dist_token, pos_embed: not weights"):
        convert(vit | {"dist_token": torch.zeros(1, 1, 384)}, network_of("vit_s16_224_apa"))


def test_weights_of_another_model_are_refused(twins: dict[str, Tensor]) -> None:
    with pytest.raises(InvalidRequest, match=r"expected shape .* of timm's vit_small_patch16_224"):
        convert(twins, network_of("vit_s16_224"))


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


def test_files_that_are_no_state_dict_are_refused_and_their_code_is_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotFound, match="no such file"):
        read_weights(tmp_path / "absent.pth")
    torch.save(Code(), tmp_path / "code.pth")
    (tmp_path / "model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    torch.save({"model": {"norm.bias": torch.zeros(2)}}, tmp_path / "nested.pth")
    for name in ("code.pth", "model.safetensors", "nested.pth"):
        with pytest.raises(InvalidRequest, match="expected a state dict"):
            read_weights(tmp_path / name)
    assert "run" not in capsys.readouterr().out


def test_command_converts_a_file_says_what_is_new_and_exports(
    vit: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exported: dict[str, Any] = {}

    def record(name: str, network: Any, zoo: Path, provenance: dict[str, Any]) -> Path:
        exported.update(name=name, head=network.head.bias.detach(), zoo=zoo, provenance=provenance)
        return zoo / name

    monkeypatch.setattr(timm_weights, "export_published", record)
    torch.save(vit, tmp_path / "pytorch_model.bin")
    arguments = [str(tmp_path / "pytorch_model.bin"), "--config", "vit_s16_224_apa", "--out", str(tmp_path / "zoo")]
    timm_weights.main(arguments)
    assert torch.equal(exported["head"], vit["head.bias"])
    assert (exported["name"], exported["zoo"]) == ("vit_s16_224_apa", tmp_path / "zoo")
    assert exported["provenance"]["left_out"] == ["pos_embed"]
    printed = capsys.readouterr().out
    assert "left out: pos_embed\n" in printed
    assert "random start: " in printed
    assert "position.conv.conv.weight" in printed
    assert set(published.PUBLISHED) >= {exported["name"]}
