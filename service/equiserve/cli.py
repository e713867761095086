"""The command `equiserve`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from equiserve import __version__
from equiserve.errors import EquiServeError
from equiserve.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    given = {key: value for key, value in vars(options).items() if value is not None and key != "command"}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        for item in error.errors():
            print(f"equiserve: {'.'.join(str(part) for part in item['loc'])}: {item['msg']}", file=sys.stderr)
        return 2
    from equiserve.server import run

    try:
        run(settings, _announce)
    except (EquiServeError, OSError) as error:
        print(f"equiserve: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiserve", description="Serve models whose outputs must move with their inputs, and prove it."
    )
    parser.add_argument("--version", action="version", version=f"equiserve {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser(
        "serve",
        help="serve a folder of models over HTTP and gRPC",
        description="Serve a folder of models. Every option can also be set as EQUISERVE_<NAME> or in --config-file.",
    )
    for name, field in Settings.model_fields.items():
        if name in ("token", "admin_token"):
            continue  # a secret on the command line is visible to every user of the machine
        flag = f"--{name.replace('_', '-')}"
        extra: dict[str, Any] = {}
        if field.annotation is bool:
            extra = {"action": argparse.BooleanOptionalAction}
        elif name == "load":
            extra = {"action": "append", "metavar": "MODEL"}
        else:
            extra = {"metavar": name.rsplit("_", 1)[-1].upper()}
        default = "" if field.default is None else f" (default: {field.default})"
        serve.add_argument(flag, dest=name, default=None, help=f"{field.description or ''}{default}", **extra)
    return parser


def _announce(host: str, http_port: int, grpc_port: int | None) -> None:
    """Tell the person who started it where to look; a line to paste shows that it works."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    url = f"http://{shown}:{http_port}"
    print(f"\nEquiServe {__version__} is ready.")
    print(f"  HTTP    {url}   (docs: {url}/docs, metrics: {url}/metrics)")
    if grpc_port is not None:
        print(f"  gRPC    {shown}:{grpc_port}")
    sample = Path("tests/data/ankle_boot.png")
    if sample.is_file():
        model = f"{url}/v2/models/fashion-mnist-vit-apa"
        print("\nClassify a picture, and prove that no shift of it changes the answer:")
        print(f"  curl -s -F file=@{sample} {model}/classify")
        print(f"  curl -s -F file=@{sample} {model}/equivariance")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
