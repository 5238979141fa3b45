#!/bin/sh
# The command line as a stranger meets it: every command with good and bad input, campaigns that are interrupted,
# resumed, out of disk or hit by crashing code, plug-ins that cannot be loaded, damaged results. Each case checks the exit
# status and the text. The last line is `N passed, N failed`.
#   cli.sh SQUALL MINE_SO
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
squall_path=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
mine=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
work=$(mktemp -d)
trap 'umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
log=$work/log
passed=0
failed=0
export LC_ALL=C.UTF-8
unset SQUALL_KEEP_ASLR
mkdir "$work/bin"
ln -s "$squall_path" "$work/bin/squall"
PATH=$work/bin:$PATH
cd "$work" || exit 2

good()
{
    passed=$((passed + 1))
}

bad()
{
    failed=$((failed + 1))
    echo "FAIL $*"
    sed 's/^/     /' "$log" | tail -n 30
}

# expect STATUS PATTERN... -- COMMAND...: exit status, and lines of the output (both streams) that must be there, as
# extended regular expressions; `!pattern` must not be there.
expect()
{
    wanted=$1
    shift
    : >patterns
    while [ "$1" != -- ]; do
        printf '%s\n' "$1" >>patterns
        shift
    done
    shift
    "$@" >"$log" 2>&1
    status=$?
    if [ "$status" -ne "$wanted" ]; then
        bad "$*: exit status $status, expected $wanted"
        return
    fi
    while IFS= read -r pattern; do
        case $pattern in
        '!'*)
            if grep -Eq -e "${pattern#!}" "$log"; then
                bad "$*: '${pattern#!}' is there"
                return
            fi
            ;;
        *)
            if ! grep -Eq -e "$pattern" "$log"; then
                bad "$*: no '$pattern'"
                return
            fi
            ;;
        esac
    done <patterns
    good
}

# holds TEXT COMMAND...: the command succeeds.
holds()
{
    text=$1
    shift
    if "$@" >"$log" 2>&1; then
        good
    else
        bad "$text"
    fi
}

# scenario FILE: stdin becomes a scenario; the head that all share comes first.
scenario()
{
    {
        echo 'squall: 1'
        echo "name: $(basename "$1" .yaml)"
        cat
    } >"$1"
}

plugin()
{
    ${CC:-cc} -std=c17 -O1 -fPIC -shared -I"$root/sim/include" "$@" || exit 2
}

digest_of()
{
    sed -n 's/.*results\.sqlite  digest \([0-9a-f]*\) .*/\1/p' "$1"
}

rows()
{
    python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])' "$1" "$2"
}

# ---------------------------------------------------------------------------------------------- files for all that follows
scenario tiny.yaml <<'END'
time: {warmup: 0s, limit: 2s, window: 100ms}
system: {model: sqlite-single, nodes: 1}
load:
  steady: {rate: 50/s, workload: {recordCount: 20}}
client: {count: 4, deadline: 1s, timeout: 500ms}
checks:
  - always: {invariant: no-lost-acked-write}
  - always: {consistency: linearizable}
seeds: 1..4
END
cp "$mine" mine.so
scenario echo.yaml <<'END'
time: {warmup: 0s, limit: 3s, window: 100ms}
system: {model: ./mine.so, nodes: 1}
load:
  steady: {rate: 50/s, workload: {recordCount: 20}}
client: {count: 4, deadline: 1s, timeout: 500ms}
faults:
  - {name: kill, kind: NodeChaos, action: kill, mode: one, at: 1s, duration: 200ms}
checks:
  - always: {invariant: no-lost-acked-write}
seeds: 1..4
END
scenario broken.yaml <<'END'
time: {warmup: 0s, limit: 2s, cpuLimit: 1s, window: 100ms}
system: {model: ./broken.so, nodes: 1, options: {how: segfault, key: 3}}
load:
  steady: {rate: 20/s, workload: {recordCount: 400, requestDistribution: uniform}}
client: {count: 4, deadline: 1s, timeout: 500ms}
checks:
  - always: {consistency: linearizable}
seeds: 1..10
END
sed 's/broken/leaky/; s/how: segfault, key: 3/what: nothing/' broken.yaml >leaky.yaml
plugin -o broken.so "$root/tests/plugins/broken.c"
plugin -o leaky.so "$root/tests/plugins/leaky.c"
plugin -o foreign.so "$root/tests/plugins/foreign.c"
plugin -o symbol.so -DWITHOUT_SYMBOL "$root/tests/plugins/foreign.c"
plugin -o shorter.so -DSHORTER "$root/tests/plugins/foreign.c"
plugin -o boot.so -DWITHOUT_BOOT "$root/tests/plugins/foreign.c"
plugin -o nothing.so -DNOTHING "$root/tests/plugins/foreign.c"

for command in run replay report map tip predict check list explain doctor; do
    expect 0 "^Usage: squall $command" '--help' -- squall $command --help
    expect 2 "squall $command: unrecognized option '--bogus'" -- squall $command --bogus
done
for command in run replay map tip check doctor; do
    expect 2 'no scenario given' -- squall $command
    expect 2 'nowhere.yaml: error: cannot open the file' '1 error' -- squall $command nowhere.yaml
done
cat >storm.yaml <<'EOF'
squall: 1
name: storm
time: {warmup: 5s, limit: 60s, window: 500ms}
system:
  model: server
  nodes: 1
  options: {serviceTime: 10ms, serviceLaw: deterministic, queueLimit: 0}
  host: {queue: {limit: 1000000}, cpu: {perMessage: 0s, perByte: 0ns, perTimer: 0s}}
network: {default: {latency: 0s}, clients: {latency: 200us, jitter: 100us}}
load:
  steady: {rate: 60/s, workload: {recordCount: 100}}
  spike: {rate: 300/s, startTime: 15s, duration: 4s, workload: {recordCount: 100}}
client: {deadline: none, timeout: 500ms, retry: {maxAttempts: 2, backoff: none}}
metastability: {probe: {kind: shed, to: 25%, for: 60s}, within: 20s}
expect: {violated: metastable, cells: [maxAttempts=2]}
sweep: {client.retry.maxAttempts: [1, 2]}
EOF
# ---------------------------------------------------------------------------------------------- experiments
scenario clock.yaml <<'END'
time: {warmup: 5s, limit: 40s, window: 500ms}
system:
  model: server
  nodes: 1
  options: {serviceTime: 3333333ns, serviceLaw: deterministic, queueLimit: 0}
  host: {queue: {limit: 1000000}, cpu: {perMessage: 0s, perByte: 0ns, perTimer: 0s}}
network: {default: {latency: 0s, bandwidth: unlimited}, clients: {latency: 0s, bandwidth: unlimited}}
load:
  web: {rate: 200/s, arrivals: uniform, workload: {recordCount: 100, readProportion: 100%, updateProportion: 0%}}
client: {deadline: none, timeout: 1s, lateAnswers: ignore, retry: {maxAttempts: 2, backoff: none, retryOn: [timeout]}}
faults:
  - {name: freeze, kind: NodeChaos, action: pause, mode: all, at: 10s, duration: 2s}
metastability: {trigger: [freeze], probe: {kind: shed, to: 10%, for: 45s}, within: 20s, for: 3s}
seeds: 1..2
END
expect 2 'tiny.yaml. has no .metastability. block' -- squall map tiny.yaml
expect 2 "scenario sweeps 'client.retry.maxAttempts', which is no axis here" -- squall map storm.yaml --trigger 1s..2s/2
expect 2 '--trigger: no range is known|there is nothing' -- squall map storm.yaml --set client.retry.maxAttempts=2 --set 'metastability.trigger=spike' --set load.spike.duration=4s --set system.options.serviceLaw=uniform --load 1..2
expect 2 "--load: '2s' has another unit" -- squall map clock.yaml --load 1/s..2s
expect 2 "--load: '9/s' is above '1/s'" -- squall map clock.yaml --load 9/s..1/s
expect 2 '--trigger: there are no 9 different values' -- squall map clock.yaml --trigger faults.freeze.slowdown=1..3/9
expect 2 "unknown key 'frieze'|no fault" -- squall map clock.yaml --trigger faults.frieze.duration=1s..3s/2
expect 2 'there are more than 10000 cells' -- squall map clock.yaml --load 1/s..200/s/200 --trigger 1s..2s/100
expect 2 "'load.web.rate' is the axis --load already" -- squall map clock.yaml --trigger load.web.rate=1/s..3/s/3
expect 2 "--arms takes 'all' or 'stuck', not 'some'" -- squall map clock.yaml --arms some
expect 2 'a search needs a range' -- squall tip clock.yaml --trigger 1s
expect 2 'is too fine' -- squall tip clock.yaml --trigger 1s..2s --tolerance 1us
expect 2 "has another unit than the trigger" -- squall tip clock.yaml --trigger 1s..2s --tolerance 1/s
expect 2 'more than one scenario' -- squall tip clock.yaml tiny.yaml

expect 0 '^clock: 3 loads \(load.web.rate\) . 4 triggers \(faults.freeze.duration\), 2 seeds each' \
    '^ +140/s +\.\.\.\. +- +never +never +stable$' '^ +200/s +\.\.## +1.250s \[1.000, 1.500\] +1.222s +1.219s +vulnerable$' \
    '^  hidden capacity +simulated 140/s \.\. 200/s +theory 150/s  theory lies between' \
    '^  advertised capacity +simulated above 260/s' '^  report +out/clock-map/report/index.html' -- \
    squall map clock.yaml --load 140/s..260/s/3 --trigger 0.5s..2s/4 -j2
map_digest=$(sed -n 's/.*results\.sqlite  digest \([0-9a-f]*\)$/\1/p' "$log")
line=$(sed -n 's/^  a point   //p' "$log" | sed 's/duration=[^ ]*/duration=2s/')
for arm in trigger control doubled probe; do
    expect 0 "arm $arm: pass" 'digest is the stored one' -- sh -c "$line --arm $arm"
done
expect 1 'verdict metastable' 'digest is the stored one' -- sh -c "$line"
holds 'map: its data' grep -q '^200,1.5,.*,1,NaN,NaN,2,0,2,0,2,0,0,1,' out/clock-map/report/data/map.csv
cp -r out/clock-map/report first-report
expect 0 'out/clock-map/report/index.html' -- squall report out/clock-map
holds 'map: the report is the same again' diff -r first-report out/clock-map/report
expect 0 '24 of the runs were done before' "digest $map_digest" -- \
    squall map clock.yaml --load 140/s..260/s/3 --trigger 0.5s..2s/4 -j1
expect 0 "digest $map_digest" -- squall map clock.yaml --load 140/s..260/s/3 --trigger 0.5s..2s/4 -j1 --out map1
expect 3 'the time budget is used up' 'points tell nothing' -- \
    squall map clock.yaml --load 140/s..260/s/3 --trigger 0.5s..2s/4 --time-budget 0s --out map0
expect 0 '200/s +\.# ' 'has no probe arm' -- sh -c 'squall map clock.yaml --load 200/s --trigger 1s,2s --arms stuck --out maps &&
    squall replay clock.yaml --set metastability.probe=none --arm probe 2>&1 | grep "has no probe arm"'
(exec squall map clock.yaml --load 140/s..290/s/12 --trigger 0.5s..4s/12 --seeds 1..40 --out half) >half.log 2>&1 &
pid=$!
sleep 1
kill -INT $pid
wait $pid
status=$?
holds 'map, Ctrl-C: status 130' [ $status -eq 130 ]
holds 'map, Ctrl-C: it says so' grep -q '^interrupted; the same command goes on' half.log
before=$(rows half/results.sqlite 'SELECT count(*) FROM run')
holds 'map, Ctrl-C: results are kept' [ "$before" -gt 0 ]
holds 'map, Ctrl-C: it was in the middle' [ "$before" -lt 5760 ]
expect 0 'runs were done before' -- squall map clock.yaml --load 140/s..290/s/2 --trigger 0.5s..4s/2 --seeds 1 --out half

# The closed form of the shortest freeze that sticks, R = 1: T [1 + rho (1 - rho)^2 / (3 rho^2 - 3 rho + 1)].
expect 0 '^ +156/s +1 of 1' '^ +285/s +1 of 1' -- squall tip clock.yaml --load 156/s,180/s,220/s,285/s \
    --trigger 0.9s..1.6s --tolerance 2ms --seeds 1 --out tips
closed='import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
assert len(rows) == 4
for row in rows:
    rho = float(row["load"]) / 300
    wanted = 1 + rho * (1 - rho) ** 2 / (3 * rho * rho - 3 * rho + 1)
    assert abs(float(row["size"]) - wanted) <= 0.005, (row, wanted)'
holds 'tip: the closed form' python3 -c "$closed" tips/report/data/tip.csv
expect 0 'seed 1 +1\.2[12]' 'seed 2 +1\.2[12]' '2 of 2 ' -- squall tip clock.yaml --trigger 0.9s..1.6s
tip_digest=$(sed -n 's/.*results\.sqlite  digest \([0-9a-f]*\)$/\1/p' "$log")
runs_before=$(rows out/clock-tip/results.sqlite 'SELECT count(*) FROM run')
expect 0 'of the runs were done before' "digest $tip_digest" -- squall tip clock.yaml --trigger 0.9s..1.6s -j1
holds 'tip: nothing is run again' [ "$(rows out/clock-tip/results.sqlite 'SELECT count(*) FROM run')" = "$runs_before" ]
holds 'tip: a search is short' [ "$runs_before" -le 22 ]
expect 3 'sticks at the smallest' -- squall tip clock.yaml --trigger 1.5s..2s --seeds 1 --out tip1
expect 3 'does not stick at the largest' -- squall tip clock.yaml --trigger 0.5s..1s --seeds 1 --out tip2
expect 3 'fails without the trigger' -- squall tip clock.yaml --trigger 0.5s..2s --set load.web.rate=320/s --seeds 1 --out tip3

echo "$passed passed, $failed failed"
