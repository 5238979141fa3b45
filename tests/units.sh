#!/bin/sh
# Runs the unit tests of one build, a process for each module and as many at once as there are processors. The last line
# counts all of them; what a module that fails has printed comes before.
#   units.sh UNIT
set -u
unit=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$unit" --list | cut -d. -f1 | sort -u >"$out/modules"
mkdir "$out/logs"
# A module that dies has no count, which is seen below.
xargs -P "$(nproc)" -I '{}' sh -c '"$1" "$2" >"$3/$2" 2>&1; echo $? >"$3/$2.status"' units "$unit" '{}' "$out/logs" <"$out/modules"
passed=0
failed=0
while read -r module; do
    log=$out/logs/$module
    last=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
    good=$(echo "${last:-0 passed, 1 failed}" | cut -d' ' -f1)
    bad=$(echo "${last:-0 passed, 1 failed}" | cut -d' ' -f3)
    [ "$(cat "$log.status")" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good))
    failed=$((failed + bad))
    if [ "$bad" -gt 0 ]; then
        echo "FAIL $module"
        cat "$log"
    fi
done <"$out/modules"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
