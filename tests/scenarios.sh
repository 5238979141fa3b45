#!/bin/sh
# Runs every shipped scenario with a few seeds; each one's own expectation is the test. Those of the tier `soak` take too
# long for that: tests/soak.sh runs them.
#   scenarios.sh SQUALL
set -u
cd "$(dirname "$0")/.."
squall=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0
failed=0
for scenario in scenarios/*/*.yaml; do
    ! grep -q '^labels:.*tier: soak' "$scenario" || continue
    case $scenario in
    scenarios/metastable/roblox-s*) seeds='' ;; # each seed elects somebody else
    scenarios/metastable/*) seeds=1..2 ;;
    scenarios/availability/pbs-ssd.yaml) seeds=1 ;;
    # Percentiles of long tails need a million trials, and shares of split votes a thousand seeds: `make soak` has them.
    scenarios/availability/four-stories.yaml | scenarios/availability/pbs-disk.yaml | scenarios/availability/pbs-ymmr.yaml | scenarios/availability/pbs-wan.yaml | \
        scenarios/availability/election-timeouts.yaml) continue ;;
    scenarios/availability/pbs-sweeps.yaml | scenarios/availability/election-after-crash.yaml) seeds='' ;;
    scenarios/availability/replicas.yaml) seeds=1..3 ;;
    scenarios/availability/*) seeds='' ;;
    scenarios/defects/*) seeds='' ;;
    *) seeds=1..10 ;;
    esac
    if "$squall" run "$scenario" ${seeds:+--seed "$seeds"} --quiet --out "$out/$(basename "$scenario" .yaml)" \
        >"$out/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $scenario"
        cat "$out/log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
