#!/bin/sh
# Longer campaigns than `make check` has time for: a thousand seeds of the storm on the leader, every other scenario with
# all its seeds, how often servers collapse by chance, beside theory, and how often a decomposition agrees with brute force.
# What is there already is not run again. The last line is `N passed, N failed`.
#   soak.sh SQUALL
set -u
cd "$(dirname "$0")/.."
squall=$1
passed=0
failed=0
campaign()
{
    if "$squall" run "$@" --out "out/soak/$(basename "$1" .yaml)"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}
campaign scenarios/start/leader-crash.yaml --seed 1..1000
for scenario in scenarios/*/*.yaml; do
    [ "$scenario" = scenarios/start/leader-crash.yaml ] || campaign "$scenario"
done
if python3 tests/theory/collapse.py "$squall"; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
fi
# How often a decomposition agrees with brute force, in campaigns of other seeds.
if python3 tests/theory/decomposition.py "$squall"; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
fi
# How often the intervals of the estimators hold the exact answer, over 200 seeds each.
if "$(dirname "$squall")/bench" coverage; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
