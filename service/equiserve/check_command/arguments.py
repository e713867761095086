"""The arguments of `equiserve check`; nothing heavy is imported, so that every other command starts fast."""

from __future__ import annotations

import argparse
from pathlib import Path

DEFAULT_URL = "http://127.0.0.1:8000"
#: The endings of a report's file, as `checks.formats` has them.
SUFFIXES = (".html", ".json", ".csv", ".svg", ".png", ".xml", ".vl.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("model", metavar="MODEL_OR_FILE", help="a model of the server at --url, or a model file")
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        required=True,
        metavar="PATH",
        help="pictures: PNG, JPEG or WebP files, .npy or .npz files of uint8 pixels; clouds for a body fitter: PLY, "
        "OBJ, XYZ or CSV files; folders of either; or an .npz of the model's inputs by name, a row an input",
    )
    parser.add_argument("--inputs", type=_positive, metavar="N", help="take at most N of them, evenly spread")
    parser.add_argument(
        "--group", help="CyclicShift, C4, D4, SO2, ...; the first symmetry that the model declares by default"
    )
    parser.add_argument(
        "--candidates",
        action="store_true",
        help="check every symmetry that the manifest declares against what it declares; --data is then one .npz file "
        "with an array for each input of the model",
    )
    parser.add_argument("--elements", type=_positive, metavar="N", help="how many, spread over the group")
    parser.add_argument(
        "--reference",
        choices=("consensus", "identity"),
        help="what each answer is compared with: that of the whole orbit (default for pictures), or of the input as it "
        "came (default for tensors)",
    )
    parser.add_argument(
        "--search", action="store_true", help="look for the worst element of pictures: rotations and shifts"
    )
    parser.add_argument(
        "--gate",
        action="append",
        default=[],
        metavar="METRIC=LIMIT",
        help="what must be reached, e.g. orbit_consistency=0.95; may be given several times",
    )
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help=f"write the report; its ending says how: {', '.join(SUFFIXES)}",
    )
    parser.add_argument(
        "--url", help=f"a running server (default: {DEFAULT_URL}); its token is read from EQUISERVE_TOKEN"
    )
    parser.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="for each input (default: 600)")
    parser.add_argument(
        "--unit-range", action="store_true", help="a file without manifest takes pixels from 0 to 1, not from 0 to 255"
    )
    parser.add_argument(
        "--unit", choices=("auto", "m", "cm", "mm"), default="auto", help="of the points of clouds (default: guessed)"
    )
    parser.add_argument(
        "--input-fit",
        choices=("reject", "resize", "pad"),
        help="what a file does with pictures of another size (default: its manifest's word, or reject)",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number >= 1")
    return int(text)
