#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# PHOLD on squall's scheduler and on the simulators that Debian packages: ns-3, SimGrid and SimPy, one after the other
# on this machine with the same parameters (delay 0.1 + Exp(0.9) s, uniform destination, one event in flight for each
# process). Installs the packages when they are missing (apt-get, with sudo when not root), builds the programs under
# tests/bench/peers/ and prints a table: the least CPU time of ROUNDS runs for each, and how many times squall's it is.
#
# Usage: peers.sh [BENCH]    BENCH is not needed; the Makefile passes its own benchmark program.
# Environment: OUT (where to build, a temporary folder by default), ROUNDS (3), CC, CXX, INSTALL=no (never install).
set -eu
cd "$(dirname "$0")/../.."
peers=tests/bench/peers
rounds=${ROUNDS:-3}
out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
[ -n "${OUT:-}" ] || trap 'rm -rf "$out"' EXIT

install_missing() {
    missing=
    for package in g++ libns3-dev libsimgrid-dev python3-simpy3; do
        dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    if [ -z "$missing" ] || [ "${INSTALL:-yes}" = no ]; then
        return 0
    fi
    echo "installing$missing"
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    # shellcheck disable=SC2086  # a list of words
    $as_root apt-get install -y -qq --no-install-recommends $missing >"$out/apt.log" 2>&1 ||
        echo "peers.sh: could not install$missing; what is there is measured (see $out/apt.log)"
}

# build NAME COMMAND...: a program that cannot be built is left out.
build() {
    name=$1
    shift
    if ! "$@" -o "$out/$name" 2>"$out/$name.log"; then
        echo "peers.sh: $name was not built, it is left out: $(head -n 1 "$out/$name.log")"
        rm -f "$out/$name"
    fi
}

build_all() {
    # shellcheck disable=SC2046  # file names without blanks
    build phold_squall "${CC:-cc}" -std=gnu17 -O2 -ffp-contract=off -iquote . \
        "$peers/phold_squall.c" $(ls sim/sched*.c) sim/base/base.c -lm
    build phold_ns3 "${CXX:-c++}" -std=gnu++17 -O2 -iquote . "$peers/phold_ns3.cc" -lns3-core
    build phold_simgrid "${CXX:-c++}" -std=gnu++17 -O2 -iquote . "$peers/phold_simgrid.cc" -lsimgrid
    # Debian's Python: another one on the path would not see Debian's SimPy.
    python=
    for candidate in /usr/bin/python3 python3; do
        if "$candidate" -c 'import simpy' >/dev/null 2>&1; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || echo "peers.sh: SimPy is not there, it is left out"
}

# measure COMMAND...: appends the line of the fastest of the rounds to the results.
measure() {
    [ -x "$1" ] || return 0
    : >"$out/rounds"
    round=0
    while [ "$round" -lt "$rounds" ]; do
        timeout 600 "$@" >>"$out/rounds" 2>>"$out/errors.log" || true
        round=$((round + 1))
    done
    sort -k3 -n "$out/rounds" | head -n 1 >>"$out/results"
}

# The slower an engine, the fewer events. SimGrid's actors stop at 1,024: each has a stack of its own.
measure_all() {
    for count in 1024 16384 65536 1000000; do
        echo "measuring with $count pending events ..." >&2
        measure "$out/phold_squall" "$count" 4000000
        for scheduler in PriorityQueue Map Heap; do
            measure "$out/phold_ns3" "$scheduler" "$count" 2000000
        done
        measure "$out/phold_simgrid" timers "$count" 1000000
        [ "$count" -gt 1024 ] || measure "$out/phold_simgrid" actors "$count" 200000
        [ "$count" = 16384 ] || [ -z "$python" ] ||
            measure "$python" "$peers/phold_simpy.py" "$count" 200000
    done
}

print_table() {
    awk 'BEGIN { printf "%-20s %10s %10s %10s %11s\n", "engine", "pending", "ns/event", "B/pending", "times ours" }
        $1 == "squall" { ours[$2] = $3 }
        { bytes = $2 >= 65536 ? $4 : "-"
          ratio = ($2 in ours) && ours[$2] > 0 ? sprintf("%.1f", $3 / ours[$2]) : "-"
          printf "%-20s %10d %10.1f %10s %11s\n", $1, $2, $3, bytes, ratio }' "$out/results"
}

install_missing
build_all
: >"$out/results"
measure_all
print_table
