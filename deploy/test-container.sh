#!/usr/bin/env bash
# Builds the CPU image, holds it to its size, brings compose up, classifies a picture, checks the confinement, takes compose down.
# It uses the Docker engine that answers, or starts a private one (root only). Where neither can be had it says so and exits 0.
#   EQUISERVE_CACHE_DIR  state of the private engine (default: below the user's cache folder)
#   EQUISERVE_BASE       base image (default: the Dockerfile's; where that cannot be pulled, one made with debootstrap)
#   CONTAINER_TOOLS      `install`: apt-get what is missing (default: skip instead)
#   PIP_CERT             CA bundle for the pip of the build, where a proxy needs one
set -euo pipefail
cd "$(dirname "$0")/.."

limit_mb=500
cache=${EQUISERVE_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/equiserve/container-test}
work=$(mktemp -d)
up=

say() { printf 'test-container: %s\n' "$*"; }
skip() { say "SKIPPED: $*"; exit 0; }
fail() { say "FAILED: $*"; exit 1; }

# shellcheck source=deploy/container-engine.sh
. deploy/container-engine.sh

in_project() { "${compose[@]}" --project-name equiserve-test-container "$@"; }

finish() {
    status=$?
    if [ -n "$up" ]; then
        [ "$status" = 0 ] || in_project logs --tail 60 || true
        in_project down --volumes || status=1
    fi
    [ -z "$engine_pid" ] || stop_engine
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT

[ "${CONTAINER_TOOLS:-}" != install ] || install_tools
find_compose || skip "no docker compose of version 2"
find_engine
find_base

say "building from $base"
arguments=(--file deploy/Dockerfile --target cpu --tag equiserve:cpu --build-arg "BASE=$base")
[ -z "$engine_pid" ] || arguments+=(--network host)
[ -z "${PIP_CERT:-}" ] || arguments+=(--secret "id=ca,src=$PIP_CERT")
image_build "${arguments[@]}" .

bytes=$("$docker" image inspect --format '{{.Size}}' equiserve:cpu)
say "image equiserve:cpu: $((bytes / 1000000)) MB without the zoo (limit $limit_mb MB)"
[ "$bytes" -le "${limit_mb}000000" ] || fail "the image has $bytes bytes, expected at most ${limit_mb}000000"

in_project --profile gpu config --quiet
read -r EQUISERVE_PUBLISH_HTTP EQUISERVE_PUBLISH_GRPC < <(python3 tests/container/free_ports.py)
export EQUISERVE_PUBLISH_HTTP EQUISERVE_PUBLISH_GRPC
up=yes
SECONDS=0
in_project up --detach --no-build --wait --wait-timeout 300 equiserve
say "healthy after $SECONDS s"

container=$(in_project ps --quiet equiserve)
"$docker" exec --interactive "$container" python3 - <tests/container/confinement.py
"$docker" exec --interactive "$container" python3 - <tests/container/grpc_ready.py
python3 tests/container/classify.py "http://127.0.0.1:$EQUISERVE_PUBLISH_HTTP" tests/data/ankle_boot.png

in_project stop
code=$("$docker" container inspect --format '{{.State.ExitCode}}' "$container")
[ "$code" = 0 ] || fail "the server left with code $code after SIGTERM, expected 0"
say "passed"
