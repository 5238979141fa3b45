#!/bin/sh
# Golden digests: one line a case in tests/golden/digests.txt: scenario, seed, until, digest.
#   golden.sh record SQUALL            writes the digests anew
#   golden.sh check SQUALL...          every build must give them, with and without FMA and AVX2
set -u
cd "$(dirname "$0")/../.."
file=tests/golden/digests.txt
action=$1
shift

# digest SQUALL SCENARIO SEED UNTIL: prints it.
digest()
{
    "$1" replay "$2" --out /nonexistent --seed "$3" --until "$4" 2>/dev/null | sed -n 's/^  digest \([0-9a-f]*\),.*/\1/p'
}

if [ "$action" = record ]; then
    grep '^#' "$file" >"$file.new"
    grep -v '^#' "$file" | while read -r scenario seed until old; do
        echo "$scenario $seed $until $(digest "$1" "$scenario" "$seed" "$until")" >>"$file.new"
    done
    mv "$file.new" "$file"
    git diff --stat -- "$file"
    exit 0
fi

passed=0
failed=0
expect()
{
    if [ "$1" = "$2" ] && [ -n "$1" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $3: expected $1, got $2"
    fi
}
while read -r scenario seed until golden; do
    case $scenario in '#'* | '') continue ;; esac
    for squall in "$@"; do
        expect "$golden" "$(digest "$squall" "$scenario" "$seed" "$until")" "$squall $scenario seed $seed"
    done
    export GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-AVX2
    expect "$golden" "$(digest "$1" "$scenario" "$seed" "$until")" "$1 $scenario seed $seed without FMA"
    unset GLIBC_TUNABLES
done <"$file"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
