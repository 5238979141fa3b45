#!/bin/sh
# Planted bugs: every check must find the bug that is there for it.
#   bugs.sh SQUALL [NAME...]
# Each tests/bugs/NAME.yaml names, among its labels, the model, the bug to plant in it (tests/bugs/plants.h) and the check
# that must find it. The scenario runs with the plug-in that has the bug, seed by seed from 1 on, until the check is violated: at most
# as many seeds as the file says. Then it runs with the product's own model, without the bug, on the same seeds (three at
# least): nothing may be violated. A check without a bug is a failure, too. Prints a line for each bug when it is done
# and a table at the end; the last line is `N passed, N failed`.
set -u
squall=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
cd "$(dirname "$0")/../.."
mode=$(dirname "$squall")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# label FILE KEY: what the scenario says under labels.
label()
{
    sed -n "s/^labels: .*[{ ]$2: \([^,}]*\).*/\1/p" "$1"
}

# run_seed FILE SEEDS ARGUMENT...: the runs; their text is in $work/text.
run_seed()
{
    run_file=$1
    run_seeds=$2
    shift 2
    rm -rf "$work/results"
    "$squall" run "$run_file" --seed "$run_seeds" --jobs 1 --recheck 0 --keep-series none --quiet --out "$work/results" "$@" \
        >"$work/text" 2>&1
}

# finish STATUS SEEDS SECONDS: notes the result of $name.
finish()
{
    echo "$1|$name|$check|$2" >"$out/$name.row"
    if [ "$1" = ok ]; then
        echo "ok    $name: $check after $2 of $bound seeds"
    else
        echo "FAIL  $name: $check: $1"
        sed 's/^/      /' "$work/text"
    fi
}

# find_bug FILE: the whole test of one bug.
find_bug()
{
    name=$(basename "$1" .yaml)
    plant=$(label "$1" plant)
    check=$(label "$1" check)
    bound=$(sed -n 's/^seeds: 1\.\.\([0-9]*\)$/\1/p' "$1")
    model=$(label "$1" model)
    work=$out/$name
    mkdir "$work"
    seed=1
    while ! run_seed "$1" "$seed" --set "system.model=$mode/planted-$model.so" --set "system.options.plant=$plant"; do
        if ! grep -q 'expected violation.*seen in 0 of 1 runs' "$work/text" || [ "$seed" -ge "$bound" ]; then
            finish "not found in $seed of $bound seeds" "> $seed"
            return
        fi
        seed=$((seed + 1))
    done
    if ! grep -Eq "^ +[^ ]+ +(always|eventually) +$check [. ]*0 of 1( |\$)" "$work/text" && [ "$check" != model.always ]; then
        finish 'another check was violated' "$seed"
        return
    fi
    if run_seed "$1" "1..$((seed < 3 ? 3 : seed))" --set "system.model=$model" --set expect=pass; then
        finish ok "$seed"
    else
        finish 'violated without the bug' "$seed"
    fi
}

# worker INDEX COUNT FILE...: every COUNT-th file, starting with the INDEX-th.
worker()
{
    index=$1
    count=$2
    shift 2
    while [ "$#" -ge 1 ]; do
        [ "$index" -ne 0 ] || find_bug "$1"
        index=$(((index + count - 1) % count))
        shift
    done
}

make --no-print-directory MODE="$(basename "$mode")" BUILD="$(dirname "$mode")" planted || {
    echo '0 passed, 1 failed'
    exit 1
}
if [ "$#" -eq 0 ]; then
    for file in tests/bugs/*.yaml; do
        if [ -e "$mode/planted-$(label "$file" model).so" ]; then
            set -- "$@" "$file"
        else
            echo "skip  $(basename "$file" .yaml): no model $(label "$file" model) in this build"
        fi
    done
else
    names=$*
    set --
    for name in $names; do
        set -- "$@" "tests/bugs/$name.yaml"
    done
fi
jobs=$(nproc 2>/dev/null || echo 1)
index=0
while [ "$index" -lt "$jobs" ]; do
    worker "$index" "$jobs" "$@" &
    index=$((index + 1))
done
wait

passed=0
failed=0
printf '\n%-28s %-26s %s\n' BUG CHECK 'SEEDS TO DETECTION'
for file in "$@"; do
    IFS='|' read -r status name check seeds <"$out/$(basename "$file" .yaml).row"
    printf '%-28s %-26s %s\n' "$name" "$check" "$seeds"
    if [ "$status" = ok ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
