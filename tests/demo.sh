#!/bin/sh
# The main job, as a stranger sees it: a five-node replicated SQL store under faults, a metastable failure in a shipped
# library, availability against replicas; a report for each; one seed replayed bit for bit.
set -eu
cd "$(dirname "$0")/.."
squall=$1
"$squall" run scenarios/start/leader-crash.yaml --seed 1..20
"$squall" run scenarios/storage/sync-off.yaml --seed 1..10
"$squall" run scenarios/metastable/libraft-commit-stall.yaml --seed 1..3
"$squall" run scenarios/metastable/retry-storm.yaml --seed 1..3
"$squall" run scenarios/metastable/retry-presets-small.yaml --seed 1
"$squall" run scenarios/availability/replicas.yaml --seed 1..10
for name in leader-crash sync-off libraft-commit-stall retry-storm retry-presets-small replicas; do
    "$squall" report "$name"
done
echo
echo 'One failing seed again, bit for bit:'
status=0
"$squall" replay scenarios/storage/sync-off.yaml --seed 2 || status=$?
[ "$status" -eq 1 ] || [ "$status" -eq 0 ]
echo
echo 'Open out/libraft-commit-stall/report/index.html, out/retry-presets-small/report/index.html and'
echo 'out/replicas/report/index.html.'
