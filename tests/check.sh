#!/bin/sh
# Every test of squall: builds with both compilers and with sanitizers, unit tests, tidiness, golden digests in every
# build, planted bugs, scenarios with their expectations, the command line with good and bad input. The last line is
# `N passed, N failed`; the exit status is 0 only when something ran and nothing failed.
set -u
cd "$(dirname "$0")/.."
passed=0
failed=0
make_quiet='make --no-print-directory'
jobs=$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# step NAME COMMAND...: one test.
step()
{
    name=$1
    shift
    started=$(date +%s)
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $name ($(($(date +%s) - started)) s)"
    else
        failed=$((failed + 1))
        echo "FAIL  $name: $*"
        tail -n 60 "$log" | sed 's/^/      /'
    fi
}

# counted NAME COMMAND...: a runner whose last line counts its own tests.
counted()
{
    name=$1
    shift
    started=$(date +%s)
    "$@" >"$log" 2>&1
    status=$?
    last=$(tail -n 1 "$log")
    if echo "$last" | grep -Eq '^[0-9]+ passed, [0-9]+ failed$'; then
        good=$(echo "$last" | cut -d' ' -f1)
        bad=$(echo "$last" | cut -d' ' -f3)
    else
        good=0
        bad=1
    fi
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good))
    failed=$((failed + bad))
    if [ "$bad" -eq 0 ] && [ "$good" -gt 0 ]; then
        echo "ok    $name: $last ($(($(date +%s) - started)) s)"
    else
        echo "FAIL  $name: $*"
        grep -v '^ok' "$log" | tail -n 80 | sed 's/^/      /'
    fi
}

step 'release build, gcc -O2, no warnings' $make_quiet -j"$jobs" WERROR=1 all build/release/unit build/release/bench
step 'debug build, ASan and UBSan' $make_quiet -j"$jobs" MODE=debug WERROR=1 all build/debug/unit build/debug/fuzz
step 'build with clang -O2' $make_quiet -j"$jobs" CC=clang BUILD=build/clang WERROR=1 build/clang/release/squall
step 'build with gcc -O0' $make_quiet -j"$jobs" MODE=plain WERROR=1 build/plain/squall
counted 'unit tests' tests/units.sh build/release/unit
counted 'unit tests with sanitizers' tests/units.sh build/debug/unit
counted 'tidiness' tests/tidy/tidy.sh build/release
counted 'golden digests in every build' tests/golden/golden.sh check \
    build/release/squall build/clang/release/squall build/plain/squall build/debug/squall
counted 'planted bugs are found' tests/bugs/bugs.sh build/release/squall
counted 'as many collapse by chance as theory says' python3 tests/theory/collapse.py build/release/squall light
counted 'scenarios meet their expectations' tests/scenarios.sh build/release/squall
counted 'command line' tests/cli.sh build/release/squall build/release/mine.so
step 'parser under mutation' build/debug/fuzz 3000 1 scenarios
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
