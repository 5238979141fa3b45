#!/bin/sh
# Planted bugs: every check must find the bug that is there for it.
#   bugs.sh SQUALL [NAME...]
# Each tests/bugs/NAME.yaml names, among its labels, the bug to plant (tests/bugs/plants.h) and the
# check that must find it. The scenario runs with the plug-in that has the bug, seed by seed from 1
# on, until the check is violated: at most as many seeds as the file says. Then it runs with the
# product's own model, without the bug, on the same seeds (ten at least): nothing may be violated.
# A plug-in without a bug must do, event by event, what the product's model does. Without NAMEs, a
# check that no bug is there for is a failure, too; a bug that only another version of a library lets
# out is skipped. Prints a line for each test when it is done and a table at the end; the last line
# is `N passed, N failed`.
set -u
squall=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
cd "$(dirname "$0")/../.."
mode=$(dirname "$squall")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
trap 'exit 1' HUP INT TERM

# label FILE KEY: what the scenario says under labels.
label()
{
    sed -n "s/^labels: .*[{ ]$2: \([^,}]*\).*/\1/p" "$1"
}

# model_of FILE: the product's model that the bug is planted in.
model_of()
{
    own=$(sed -n 's/^  model: //p' "$1")
    echo "${own:-raft}"
}

# run_seeds FILE SEEDS ARGUMENT...: the runs; their text is in $work/text.
run_seeds()
{
    run_file=$1
    run_range=$2
    shift 2
    rm -rf "$work/results"
    "$squall" run "$run_file" --seed "$run_range" --jobs 1 --recheck 0 --keep-series none --quiet \
        --out "$work/results" "$@" >"$work/text" 2>&1
}

# finish STATUS SEEDS: notes the result of the bug $name.
finish()
{
    echo "$1|$name|$check|$2" >"$out/$name.row"
    if [ "$1" = ok ]; then
        echo "ok    $name: $check after $2 of $bound seeds"
    elif [ "$1" = skip ]; then
        echo "skip  $(cat "$work/text")"
    else
        echo "FAIL  $name: $check: $1"
        sed 's/^/      /' "$work/text"
    fi
}

# has_found: the last run violated $check, and not by having compared nothing. (What model.always
# watches is reported under the names that the models give their invariants; there the scenario's
# expectation is enough.)
has_found()
{
    [ "$check" = model.always ] ||
        { grep -Eq "^ +[^ ]+ +(always|eventually) +$check [. ]*0 of 1( |\$)" "$work/text" &&
            ! grep -q "$check: compared nothing" "$work/text"; }
}

# find_bug FILE: the whole test of one bug. A run that shows only consequences of the bug, which the
# scenario allows besides, has not found it.
find_bug()
{
    name=$(basename "$1" .yaml)
    plant=$(label "$1" plant)
    check=$(label "$1" check)
    bound=$(sed -n 's/^seeds: 1\.\.\([0-9]*\)$/\1/p' "$1")
    plugin=$mode/planted-$(model_of "$1").so
    work=$out/$name
    mkdir "$work"
    seed=0
    is_found=0
    while [ "$is_found" -eq 0 ] && [ "$seed" -lt "$bound" ]; do
        seed=$((seed + 1))
        if run_seeds "$1" "$seed" --set "system.model=$plugin" --set "system.options.plant=$plant"; then
            if grep -q ': skipped: ' "$work/text"; then
                finish skip -
                return
            fi
            has_found && is_found=1
        elif ! grep -q 'expected violation.*seen in 0 of 1 runs' "$work/text"; then
            finish 'something else went wrong' "> $seed"
            return
        fi
    done
    if [ "$is_found" -eq 0 ]; then
        finish 'not found' "> $seed"
    elif run_seeds "$1" "1..$((seed < 10 ? 10 : seed))" --set expect=pass; then
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
    for file in "$@"; do
        [ "$index" -ne 0 ] || find_bug "$file"
        index=$(((index + count - 1) % count))
    done
}

# same_as_product MODEL FILE: the plug-in without a bug has the product's digest.
same_as_product()
{
    ours=$("$squall" replay "$2" --seed 1 2>&1 | grep ' digest ')
    theirs=$("$squall" replay "$2" --seed 1 --set "system.model=$mode/planted-$1.so" 2>&1 | grep ' digest ')
    if [ -n "$ours" ] && [ "$ours" = "$theirs" ]; then
        passed=$((passed + 1))
        echo "ok    planted-$1.so without a bug does what $1 does"
    else
        failed=$((failed + 1))
        echo "FAIL  planted-$1.so without a bug differs from $1: '$theirs', '$ours'"
    fi
}

if ! make --no-print-directory MODE="$(basename "$mode")" BUILD="$(dirname "$mode")" planted \
    >"$out/make" 2>&1; then
    cat "$out/make"
    echo '0 passed, 1 failed'
    exit 1
fi
passed=0
failed=0
is_whole=$((!$#))
if [ "$is_whole" -eq 1 ]; then
    for file in tests/bugs/*.yaml; do
        model=$(model_of "$file")
        if [ -e "$mode/planted-$model.so" ]; then
            set -- "$@" "$file"
            [ -e "$out/$model.same" ] || same_as_product "$model" "$file"
            : >"$out/$model.same"
        else
            echo "skip  $(basename "$file" .yaml): this build has no model $model"
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

printf '\n%-28s %-26s %s\n' BUG CHECK 'SEEDS TO DETECTION'
for file in "$@"; do
    row=$out/$(basename "$file" .yaml).row
    [ -e "$row" ] || echo "lost|$(basename "$file" .yaml)|$(label "$file" check)|?" >"$row"
    IFS='|' read -r status name check seeds <"$row"
    printf '%-28s %-26s %s\n' "$name" "$check" "$seeds"
    case $status in
    ok) passed=$((passed + 1)) ;;
    skip) ;;
    *) failed=$((failed + 1)) ;;
    esac
    case $status in
    ok | skip) echo "$check" >>"$out/found" ;;
    esac
done
# The verdicts of the four arms are no planted bugs: loads that deserve each of them, and only that.
if [ "$is_whole" -eq 1 ]; then
    for file in tests/bugs/verdicts/*.yaml; do
        if "$squall" run "$file" --quiet --out "$out/verdict-$(basename "$file" .yaml)" >"$out/verdict" 2>&1; then
            passed=$((passed + 1))
            basename "$file" .yaml >>"$out/found"
            printf '%-28s %-26s %s\n' "$(basename "$file" .yaml)" "$(label "$file" check)" 1
        else
            failed=$((failed + 1))
            echo "FAIL  $file"
            cat "$out/verdict"
        fi
    done
fi
if [ "$is_whole" -eq 1 ] && [ -e "$mode/planted-raft.so" ]; then
    for check in $("$squall" list checks | cut -d' ' -f1); do
        if ! grep -qx "$check" "$out/found"; then
            failed=$((failed + 1))
            echo "FAIL  no planted bug was found by $check"
        fi
    done
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
