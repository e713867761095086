"""What invariance costs at 224 px: ``python -m bench.anchoring`` (`make bench-anchoring`).

A plain net, its anchored twin and the canonical origin that the server computes in front of it take turns on the same
pictures, one at a time, on one thread. A window is a few pictures by each of them, in random order; a figure is
the median over windows of a share of the plain net's time in that window. Time is CPU time of the thread. Weights are
random: the work does not depend on them. "Anchored layers" is all that the anchored file does otherwise: anchors,
circular padding, position encoding.

The first run exports the four nets (minutes, needs the train extra).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from bench.bare import bare_session
from bench.cpu import cores_used_by_others
from bench.report import Figure, median_interval
from PIL import Image
from tqdm import tqdm

from equiserve.engine.calibration import cpu_name
from equiserve.numerics.canonical_origin import canonical_origin

SIDE = 224
#: Plain net -> patch of its twin, in pixels.
NETS = {"vit_s16_224": 16, "twins_svt_s_224": 4}
BAR_PERCENT = 5.0
PICTURES_A_WINDOW = 2


def photographs() -> np.ndarray | None:
    """Return the centre crops of the Kodak photographs, halved, uint8 [24, 3, 224, 224]; None where they are absent."""
    root = os.environ.get("EQUISERVE_DATA")
    files = sorted((Path(root) / "natural-images" / "kodak").glob("*.webp")) if root else []
    if not files:
        return None
    crops = []
    for file in files:
        picture = Image.open(file).convert("RGB").reduce(2)
        left, top = (picture.width - SIDE) // 2, (picture.height - SIDE) // 2
        crops.append(np.asarray(picture.crop((left, top, left + SIDE, top + SIDE))).transpose(2, 0, 1))
    return np.stack(crops)


def structured_noise() -> np.ndarray:
    """Return 24 pictures of smooth blobs under noise, uint8 [24, 3, 224, 224]."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 192, (24, 3, 14, 14), np.uint8)
    blobs = [
        [Image.fromarray(channel).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for channel in one] for one in coarse
    ]
    return np.array(blobs, np.uint8) + random.integers(0, 64, (24, 3, SIDE, SIDE), np.uint8)


def tie() -> np.ndarray:
    """Return a picture on which the keys of all patches tie, so that the origin needs its hash."""
    picture = np.zeros((1, 3, SIDE, SIDE), np.uint8)
    picture[:, :, 3, 5] = picture[:, :, 116, 119] = 255
    return picture


def net(folder: Path, name: str) -> Callable[[np.ndarray], object]:
    """Return a net on one thread as a function of pictures, exported with random weights where there is no file."""
    path = folder / f"{name}.onnx"
    if not path.is_file():
        from equiserve_models import export
        from equiserve_models.shift import published

        print(f"exporting {path}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        export.write_onnx(export.trace(published.build(name), (3, SIDE, SIDE)), path, "image", "logits")
    session = bare_session(path)
    return lambda pictures: session.run(None, {"image": pictures})


def windows(parts: list[Callable[[np.ndarray], object]], pictures: np.ndarray, count: int, title: str) -> np.ndarray:
    """Return the CPU milliseconds a picture of each part in each window, [count, parts]; the parts take turns."""
    random = np.random.default_rng(0)
    for part in parts:
        part(pictures[:1])
    spent = np.empty((count, len(parts)))
    for window in tqdm(range(count), title):
        chosen = random.choice(len(pictures), PICTURES_A_WINDOW, replace=False)
        for part in random.permutation(len(parts)):
            began = time.thread_time()
            for picture in chosen:
                parts[part](pictures[picture : picture + 1])
            spent[window, part] = (time.thread_time() - began) * 1e3 / PICTURES_A_WINDOW
    return spent


def rows(name: str, folder: Path, pictures: np.ndarray, count: int) -> list[tuple[str, Figure]]:
    """Measure one net and return its figures, each with what it is of."""
    patch = NETS[name]
    parts = [
        net(folder, name),
        net(folder, f"{name}_apa"),
        lambda picture: canonical_origin(picture, patch),
        lambda _: canonical_origin(tie(), patch),
    ]
    plain, anchored, origin, tied = windows(parts, pictures, count, name).T
    share = 100 / plain
    return [
        ("plain net, one picture", Figure(name, median_interval(plain), "ms")),
        ("anchored layers", Figure(name, median_interval((anchored - plain) * share), "%")),
        ("canonical origin, outside the graph", Figure(name, median_interval(origin * share), "%")),
        ("both", Figure(name, median_interval((anchored - plain + origin) * share), "%", BAR_PERCENT)),
        ("canonical origin of a tie picture", Figure(name, median_interval(tied * share), "%")),
    ]


def main() -> None:
    """Measure both nets and print the table; exit with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.anchoring", description=__doc__)
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-anchoring"), help="where the exported nets lie")
    options = parser.parse_args()
    pictures = photographs()
    kind = (
        "Kodak photographs" if pictures is not None else "smooth blobs under noise (EQUISERVE_DATA has no photographs)"
    )
    if pictures is None:
        pictures = structured_noise()
    others = cores_used_by_others()
    measured = [row for name in NETS for row in rows(name, options.folder, pictures, options.windows)]
    print(
        f"\n{cpu_name()}, ONNX Runtime {onnxruntime.__version__}, one thread; other programs used {others:.2f} cores."
    )
    print(f"{options.windows} windows of {PICTURES_A_WINDOW} of {len(pictures)} {kind}; median [95 % interval].\n")
    print("| net | what | CPU time, or share of the plain net's |\n| --- | --- | --- |")
    for what, figure in measured:
        print(f"| `{figure.name}` | {what} | {figure.text()} |")
    raise SystemExit(any(figure.missed for _, figure in measured))


if __name__ == "__main__":
    main()
