"""The command `equiserve`."""

from __future__ import annotations

import argparse
import sys
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from equiserve import __version__
from equiserve.check_command.arguments import add_arguments
from equiserve.errors import EquiServeError
from equiserve.settings import Settings

#: Settings that no command line and no message may show.
_SECRETS = ("token", "admin_token")
_SAMPLE_MODEL = "fashion-mnist-vit-apa"
_SAMPLE_PICTURE = Path("tests/data/ankle_boot.png")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: of `check` its own, of `serve` 0, or 1 where serving failed.

    A wrong command line or setting is 2.
    """
    parser, commands = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        return _complain(_unknown_option(unknown, options.command, commands[options.command]), 2)
    if options.command == "check":
        return _check(options)
    given = {key: value for key, value in vars(options).items() if value is not None and key != "command"}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        return _complain("\n".join(_wrong_setting(item) for item in error.errors()), 2)
    except EquiServeError as error:
        return _complain(error.message, 2)
    from equiserve.server import run

    try:
        run(settings, partial(_announce, settings))
    except (EquiServeError, OSError) as error:
        return _complain(str(error), 1)
    return 0


def _check(options: argparse.Namespace) -> int:
    from equiserve.check_command.command import run

    try:
        return run(options)
    except ValidationError as error:
        return _complain("\n".join(_wrong_setting(item) for item in error.errors()), 2)
    except (EquiServeError, OSError) as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return 130


def _complain(sentences: str, code: int) -> int:
    for sentence in sentences.splitlines():
        print(f"equiserve: {sentence}", file=sys.stderr)
    return code


def _unknown_option(unknown: list[str], command: str, parser: argparse.ArgumentParser) -> str:
    options = [argument.partition("=")[0] for argument in unknown if argument.startswith("-")]
    wrong = f"there is no option {options[0]}" if options else f"unexpected argument {unknown[0]!r}"
    known = [option for action in parser._actions for option in action.option_strings]
    near = get_close_matches(options[0], known, n=2) if options else []
    guess = f"; did you mean {' or '.join(near)}?" if near else ";"
    return f"{wrong}{guess} `equiserve {command} --help` lists the options"


def _wrong_setting(item: ErrorDetails) -> str:
    name = str(item["loc"][0])
    if item["type"] == "extra_forbidden":
        near = get_close_matches(name, Settings.model_fields, n=2)
        return f"there is no setting {name}" + (f"; did you mean {' or '.join(near)}?" if near else "")
    came = "" if name in _SECRETS else f"got {item['input']!r}, "
    expected = item["msg"].removeprefix("Input should be ").partition(", unable to parse")[0]
    if item["type"] == "too_short":
        expected = "at least one character"
    return f"{name}: {came}expected {expected}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Return the parser, and that of each command."""
    parser = argparse.ArgumentParser(
        prog="equiserve", description="Serve models whose outputs must move with their inputs, and prove it."
    )
    parser.add_argument("--version", action="version", version=f"equiserve {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser(
        "serve",
        help="serve a folder of models over HTTP and gRPC",
        description="Serve a folder of models. Every option can also be set as EQUISERVE_<NAME> or in --config-file.",
        allow_abbrev=False,
    )
    for name, field in Settings.model_fields.items():
        if name in _SECRETS:
            continue  # a secret on the command line is visible to every user of the machine
        extra: dict[str, Any] = {}
        if field.annotation is bool:
            extra = {"action": argparse.BooleanOptionalAction}
        elif name == "load":
            extra = {"action": "append", "metavar": "MODEL"}
        else:
            extra = {"metavar": name.rsplit("_", 1)[-1].upper()}
        default = "" if field.default is None else f" (default: {field.default})"
        serve.add_argument(_flag(name), dest=name, default=None, help=f"{field.description or ''}{default}", **extra)
    check = commands.add_parser(
        "check",
        help="check how a model's answers move with its inputs",
        description="Check a server's model, or a model file, on pictures. Exit code: 0 pass, 1 fail, 2 the check "
        "could not be run, 3 inconclusive or not informative.",
        allow_abbrev=False,
    )
    add_arguments(check)
    return parser, {"serve": serve, "check": check}


def _announce(settings: Settings, host: str, http_port: int, grpc_port: int | None) -> None:
    """Tell the person who started it where to look; a line to paste shows that it works."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    shown = f"[{shown}]" if ":" in shown else shown
    url = f"http://{shown}:{http_port}"
    print(f"\nEquiServe {__version__} is ready.")
    print(f"  HTTP    {url}   (docs: {url}/docs, metrics: {url}/metrics)")
    if grpc_port is not None:
        print(f"  gRPC    {shown}:{grpc_port}")
    served = (settings.models / _SAMPLE_MODEL).is_dir() and (settings.load is None or _SAMPLE_MODEL in settings.load)
    if served and _SAMPLE_PICTURE.is_file():
        model = f"{url}/v2/models/{_SAMPLE_MODEL}"
        print("\nClassify a picture, and prove that no shift of it changes the answer:")
        print(f"  curl -s -F file=@{_SAMPLE_PICTURE} {model}/classify")
        print(f"  curl -s -F file=@{_SAMPLE_PICTURE} {model}/equivariance")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
