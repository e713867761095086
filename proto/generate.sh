#!/bin/sh
# Generates service/equiserve/rpc/generated from the .proto files; with --check only says whether it is up to date.
# The generator lives in a throw-away environment: it needs another protobuf than the server (pyproject.toml, `proto`).
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
generated=$here/../service/equiserve/rpc/generated
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case ${1-} in
'') out=$generated ;;
--check) out=$work/generated ;;
*) echo "usage: $0 [--check]" >&2 && exit 2 ;;
esac

"${PYTHON:-python3}" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
"$work/tools/bin/python" -m pip install --quiet --group "$here/../pyproject.toml:proto"

protoc() { "$work/tools/bin/python" -m grpc_tools.protoc --proto_path="$here" "$@"; }

# equiserve.v1: ordinary stubs. One flat package, hence relative imports.
mkdir "$work/stubs"
protoc --python_out="$work/stubs" --pyi_out="$work/stubs" --grpc_python_out="$work/stubs" "$here"/equiserve/v1/*.proto
mkdir -p "$out"
rm -f "$out"/*_pb2*.py "$out"/*_pb2.pyi
for file in "$work"/stubs/equiserve/v1/*; do
    sed 's/^from equiserve\.v1 import /from . import /' "$file" >"$out/$(basename "$file")"
done
# A file without services has an empty _pb2_grpc.
rm "$out/picture_pb2_grpc.py"

# The v2 protocol: descriptors only, for the private pool of rpc/protocol.py.
protoc --descriptor_set_out="$out/inference.binpb" \
    "$here/inference/model_config.proto" "$here/inference/grpc_service.proto"

if [ "$out" != "$generated" ]; then
    diff -r --exclude=__pycache__ --exclude=__init__.py "$out" "$generated" ||
        { echo "the stubs do not fit the .proto files: run make proto" >&2 && exit 1; }
fi
