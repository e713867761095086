# Sourced by test-container.sh: finds or starts a Docker engine, finds compose, finds or makes the base image.
# shellcheck shell=bash disable=SC2034,SC2154
# Reads cache, work, say, skip, fail. Sets docker, compose, engine_pid (of a private engine), base.

engine_pid=

# apt-get, so that a bare Debian machine can run the test: compose 1 of Debian 12 is too old, Debian 13's is one static binary.
install_tools() {
    [ "$(id -u)" = 0 ] || skip "CONTAINER_TOOLS=install needs root"
    command -v apt-get >/dev/null || skip "CONTAINER_TOOLS=install needs apt-get"
    if ! command -v dockerd >/dev/null || ! command -v debootstrap >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends docker.io debootstrap
    fi
    find_compose && return
    local apt=$work/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$cache"
    # The mirror is the one that this machine already uses.
    apt-get indextargets --format "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \$(REPO_URI) trixie main" \
        'Created-By: Packages' 'Label: Debian' 'Component: main' | head -n 1 >"$apt/sources.list"
    local options=(-qq -o "Dir::State::lists=$apt/lists" -o "Dir::Etc::sourcelist=$apt/sources.list"
        -o Dir::Etc::sourceparts=/dev/null -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update
    (cd "$apt" && apt-get "${options[@]}" download docker-compose && dpkg -x docker-compose_*.deb unpacked)
    install -m 755 "$apt/unpacked/usr/libexec/docker/cli-plugins/docker-compose" "$cache/docker-compose"
}

# A client builds with BuildKit through buildx, or by itself before version 23.
find_docker_client() {
    local candidate
    while read -r candidate; do
        docker=$candidate
        "$docker" buildx version >/dev/null 2>&1 && return
        [ "$("$docker" version --format '{{.Client.Version}}' 2>/dev/null | cut -d. -f1)" -lt 23 ] && return
    done < <(type -ap docker | sort -u)
    return 1
}

image_build() {
    if "$docker" buildx version >/dev/null 2>&1; then "$docker" buildx build --load "$@"; else DOCKER_BUILDKIT=1 "$docker" build "$@"; fi
}

find_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    elif docker-compose version --short 2>/dev/null | grep -q '^2'; then
        compose=(docker-compose)
    elif [ -x "$cache/docker-compose" ]; then
        compose=("$cache/docker-compose")
    else
        return 1
    fi
}

find_engine() {
    find_docker_client || skip "no docker client that builds with BuildKit"
    if "$docker" version >/dev/null 2>&1; then
        say "using the engine that answers"
        return
    fi
    [ "$(id -u)" = 0 ] || skip "no Docker engine answers, and only root may start one"
    command -v dockerd >/dev/null || skip "no Docker engine answers, and dockerd is not installed"
    mkdir -p "$cache/engine"
    exec 9>"$cache/engine/lock"
    flock --nonblock 9 || skip "another run uses $cache/engine"
    # Nothing of the host's network is touched: published ports go through docker's user-land proxy.
    dockerd --data-root "$cache/engine/data" --exec-root "$work/exec" --pidfile "$work/pid" \
        --host "unix://$work/docker.sock" --bridge=none --iptables=false --ip6tables=false --ip-forward=false \
        >"$cache/engine/dockerd.log" 2>&1 9>&- &
    engine_pid=$!
    export DOCKER_HOST=unix://$work/docker.sock
    local _
    for _ in $(seq 120); do
        if "$docker" version >/dev/null 2>&1; then
            say "started a private engine"
            return
        fi
        kill -0 "$engine_pid" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 5 "$cache/engine/dockerd.log"
    skip "dockerd does not start here"
}

stop_engine() {
    kill "$engine_pid" 2>/dev/null || true
    wait "$engine_pid" || true
}

# The Dockerfile's base where a registry has it; else a Debian of the same Python, made with debootstrap and kept by the engine.
find_base() {
    local wanted made=equiserve-base:bookworm
    wanted=$(sed -n 's/^ARG BASE=//p' deploy/Dockerfile)
    base=${EQUISERVE_BASE:-}
    [ -z "$base" ] || return 0
    for base in "$wanted" "$made"; do
        if "$docker" image inspect "$base" >/dev/null 2>&1; then return; fi
    done
    base=$wanted
    if timeout 120 "$docker" pull --quiet "$base" 2>/dev/null; then return; fi
    say "$base cannot be pulled"
    [ "$(id -u)" = 0 ] || skip "no base image, and only root can make one"
    command -v debootstrap >/dev/null || skip "no base image, and debootstrap is not installed"
    base=$made
    say "making $base with debootstrap (some minutes, once)"
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/root" >"$work/debootstrap.log" 2>&1 ||
        { tail -n 5 "$work/debootstrap.log"; fail "debootstrap"; }
    (cd "$work/root" && rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/{doc,man,info,locale}/*)
    tar -C "$work/root" -c . | "$docker" import - "$base" >/dev/null
    rm -rf "$work/root"
}
