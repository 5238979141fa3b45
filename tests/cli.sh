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

# ---------------------------------------------------------------------------------------------- usage
expect 2 '^Usage: squall COMMAND' 'Exit status: 0 held' -- squall
expect 0 '^Usage: squall COMMAND' '  run ' '  doctor ' -- squall --help
expect 0 '^squall [0-9]+\.[0-9]+\.[0-9]+$' -- squall --version
expect 2 "unknown command 'rum'; did you mean 'run'\?" -- squall rum
expect 2 "unknown command 'frobnicate'" '!did you mean' -- squall frobnicate
for command in run replay report map tip hysteresis recovery predict check list explain doctor; do
    expect 0 "^Usage: squall $command" '--help' -- squall $command --help
    expect 2 "squall $command: unrecognized option '--bogus'" -- squall $command --bogus
done
for command in run replay map tip hysteresis recovery check doctor; do
    expect 2 'no scenario given' -- squall $command
    expect 2 'nowhere.yaml: error: cannot open the file' '1 error' -- squall $command nowhere.yaml
done
expect 2 "'0' is not in 1 \.\. 256" -- squall run tiny.yaml --jobs 0
expect 2 "'101' is not a percentage" -- squall run tiny.yaml --recheck 101
expect 2 '--time-budget: duration .5. has no unit' -- squall run tiny.yaml --time-budget 5
expect 2 "not 'some'" -- squall run tiny.yaml --keep-series some
expect 2 '--seed: error: .*not a list of seeds' -- squall run tiny.yaml --seed 1..x
expect 2 "no scenario has the label 'tier=none'" -- squall run tiny.yaml --label tier=none

# ---------------------------------------------------------------------------------------------- check
# wrong PATTERN: stdin is the body of a scenario that squall must refuse with that text.
wrong()
{
    scenario bad.yaml
    expect 2 "$1" '^[0-9]+ errors?$' -- squall check bad.yaml
}
expect 0 'tiny.yaml: sound; 1 cell, 4 seeds each' -- squall check tiny.yaml
expect 0 'sound' '!error' -- squall check tiny echo
for name in hello-raft hello-raft.yaml start/hello-raft scenarios/start/hello-raft.yaml; do
    expect 0 "^$name: sound" -- sh -c "cd '$root' && squall check $name"
done
mkdir -p installed/bin installed/share/squall
cp "$squall_path" installed/bin/squall
ln -s "$root/scenarios" installed/share/squall/scenarios
expect 0 '^three-tiers: sound; 2 cells' -- installed/bin/squall check three-tiers
expect 0 'installed/share/squall/scenarios/start/hello-raft.yaml$' -- installed/bin/squall list scenarios
wrong "^bad.yaml:3:32: error: unknown key 'nods' in 'system'; did you mean 'nodes'\?" <<'END'
system: {model: sqlite-single, nods: 5}
END
wrong "^bad.yaml:4:1: error: key 'system' is already in line 3" <<'END'
system: {model: sqlite-single}
system: {model: sqlite-single}
END
wrong "^bad.yaml:4:15: error: limit: duration '5' has no unit: write the unit: '5ms'" <<'END'
system: {model: sqlite-single}
time: {limit: 5}
END
wrong "^bad.yaml:4:15: error: limit: duration '5mbit' has the unknown unit 'mbit'" <<'END'
system: {model: sqlite-single}
time: {limit: 5mbit}
END
wrong "^bad.yaml:4:27: error: loss: percentage '1' has no unit: write the unit: '1%'" <<'END'
system: {model: sqlite-single}
network: {default: {loss: 1}}
END
wrong "^bad.yaml:3:17: error: unknown model 'sqlite-singel'; did you mean 'sqlite-single'\?" <<'END'
system: {model: sqlite-singel}
END
wrong "^bad.yaml:4:31: error: unknown check 'raft.log-macthing'; did you mean 'raft.log-matching'\?" <<'END'
system: {model: sqlite-single}
checks: [{always: {invariant: raft.log-macthing}}]
END
wrong "^bad.yaml:4:[0-9]+: error: .*journal.*'wall'" <<'END'
system: {model: sqlite-single,
  options: {journal: wall}}
END
wrong '^2 errors$' <<'END'
system: {model: sqlite-single, nods: 5}
tmie: {limit: 5s}
END
: >bad.yaml
expect 2 '^bad.yaml: error: the file is empty' -- squall check bad.yaml
head -c 3000 "$squall_path" >bad.yaml
expect 2 '^bad.yaml:1:1: error: the control character 0x7f' -- squall check bad.yaml
python3 -c "print('a: ' + '[' * 3000 + ']' * 3000)" >bad.yaml
expect 2 '^bad.yaml:1:[0-9]+: error: nested too deeply' -- squall check bad.yaml
expect 2 'error: cannot read the file: Is a directory' -- squall check "$work/bin"
printf 'squall: 1\n\tname: a\n' >bad.yaml
expect 2 '^bad.yaml:2:1: error: not YAML' -- squall check bad.yaml
expect 2 'tiny.yaml: sound' 'bad.yaml' 'echo.yaml: sound' -- squall check tiny.yaml bad.yaml echo.yaml
expect 0 'sound' -- squall check tiny.yaml --set system.options.journal=delete
expect 2 '^--set system.options.jornal=delete:1:[0-9]+: error: .*did you mean .journal.' -- squall check tiny.yaml \
    --set system.options.jornal=delete
expect 2 'is no override: write PATH=VALUE' -- squall check tiny.yaml --set system
squall check --schema >schema.json
holds 'the JSON Schema is JSON' python3 -m json.tool schema.json
if python3 -c 'import jsonschema, yaml' 2>/dev/null; then
    holds 'the scenarios validate' python3 -c 'import glob, json, sys, jsonschema, yaml
schema = json.load(open("schema.json"))
files = glob.glob(sys.argv[1] + "/scenarios/*/*.yaml")
assert files
for file in files:
    jsonschema.validate(yaml.safe_load(open(file)), schema)
try:
    jsonschema.validate({"squall": 1, "name": "a", "system": {"model": "raft", "nods": 1}}, schema)
except jsonschema.ValidationError:
    sys.exit(0)
sys.exit("an unknown key is valid")' "$root"
fi
for file in tiny.yaml echo.yaml "$root"/scenarios/*/*.yaml; do
    squall check --normalise "$file" >"normal.yaml" 2>"$log"
    squall check --normalise normal.yaml >again.yaml 2>>"$log"
    [ -s normal.yaml ] || echo "nothing" >again.yaml
    holds "normalised $file is a fixed point" diff normal.yaml again.yaml
done

# ---------------------------------------------------------------------------------------------- explain, list
expect 0 '^time.limit: duration' 'default: 1m' -- squall explain time.limit
expect 0 '^client.retry.budget.capacity: whole number' -- squall explain client.retry
expect 0 'journal' 'default: wal' 'batch' -- squall explain model.sqlite-single
expect 0 '^squall: whole number \(required\)' 'thresholds' -- squall explain
expect 2 "unknown key 'retyr'; did you mean 'retry'" -- squall explain client.retyr
expect 2 "unknown model" -- squall explain model.nothing
expect 0 '^preset.aws-adaptive$' '^preset.resilience4j$' -- squall explain preset
expect 0 'source: .*circuit_breaker.proto' '^    client.limits.maxRequests: 1024$' -- squall explain preset.envoy
expect 2 "unknown preset 'naiv'; did you mean 'naive'" -- squall explain preset.naiv
expect 0 '^sqlite-single ' '^primary-backup ' '^proxy ' '^cache ' -- squall list models
expect 0 '^linearizable ' '^no-lost-acked-write ' '^recovers ' -- squall list checks
expect 0 'raft.leader-changed' '^client.breaker-opened ' '^client.operation-dropped ' -- squall list probes
expect 2 "cannot list 'model'; did you mean 'models'\?" -- squall list model
expect 2 'squall list' -- squall list
holds 'list scenarios' sh -c "cd '$root' && squall list scenarios | grep -q '^scenarios/start/hello-raft.yaml$'"
if [ -w /dev/full ]; then
    expect 5 'cannot write the output: No space left' -- sh -c 'squall list models >/dev/full'
fi

# ---------------------------------------------------------------------------------------------- predict
expect 0 '^hidden capacity +150.00/s' '^saddle-node +292.46/s' '^load +280.00/s +vulnerable' 'tipping duration +1.0051s' \
    'after 10s +stuck' 'is too large' -- \
    squall predict --capacity 300/s --servers 30 --timeout 1s --retries 1 --load 280/s --duration 10s
expect 0 'recovers +nothing is late or lost any more from 33s' -- \
    squall predict --capacity 300/s --timeout 1s --retries 1 --load 120/s --duration 10s
expect 0 'collapses by itself' 'unstable' '>1e12s' -- squall predict --capacity 10/s --timeout 3s --retries 4 --load 9.5/s
expect 0 'capacity / \(1 \+ budget\)' '272.73/s' 'vulnerable .* never$' -- \
    squall predict --capacity 300/s --timeout 1s --retries 3 --budget 10% --duration 10s
expect 0 'tipping duration +9\.[0-9]+s' -- squall predict --capacity 1000/s --servers 2 --timeout 3s --retries 4 \
    --load 380/s --trigger capacity --factor 20%
expect 0 'in the end +collapses' 'largest batch +1199' -- squall predict --law batch items=1200 service=10ms workers=2 timeout=3s
expect 0 'hidden capacity +145.4' 'falls behind above +62.8' -- squall predict --law gc heap=170 service=690us pause=380ms \
    pausePerRequest=530us workers=100 load=220/s
expect 0 'falls behind +never' -- squall predict --law gc heap=170 service=690us pause=380ms workers=100 load=140/s
expect 0 'falls behind +always' -- squall predict --law gc heap=170 service=690us pause=380ms workers=100 load=900/s
expect 0 'longest wait +2.89[0-9]*s' 'hidden capacity +303' -- squall predict --law refill keys=5000 database=100/s load=300/s timeout=3s
expect 0 '9\.850600e-06' '5\.181 min' '34544\.4 h' '0\.02088413 a month' -- squall predict --law fleet machines=5 needed=3 life=99h repair=1h
expect 0 'unavailability +5\.994483e-05' -- squall predict --law fleet machines=5 needed=3 life=99h repair=1h crews=1
expect 0 'unavailable +1\.207652e-04   1 h after all was up' -- \
    squall predict --law fleet machines=3 needed=2 life=99h repair=1h at=1h
expect 0 'unavailable +8\.384301e-06   24 h after' -- squall predict --law fleet machines=7 needed=4 life=99h repair=1h crews=1
expect 2 'no more needed than there are' -- squall predict --law fleet machines=5 needed=6 life=99h repair=1h
expect 0 'random in a window +19\.09%' 'copyset replication +0\.7814%' -- squall predict --law copysets nodes=5000 trials=1000
expect 2 'at least as many as replicas' -- squall predict --law copysets nodes=100
expect 0 '27051' -- squall predict --law offered load=10100/s capacity=10000/s attempts=10
expect 0 'no load is answered in time' -- squall predict --capacity 10/s --servers 30 --timeout 1s --service constant
expect 2 "unknown law 'bath'; there are batch, " -- squall predict --law bath
for law in batch error-path gc cache refill resync offered queue-bound erlang fleet copysets; do
    expect 2 'such as: --law' -- squall predict --law $law
    example=$(sed -n 's/.*such as: //p' "$log")
    # shellcheck disable=SC2086
    expect 0 'holds |too much there' -- squall predict $example
done
expect 2 "needs service=" -- squall predict --law batch items=3
expect 2 "'x=1' is no parameter" -- squall predict --law cache x=1
expect 2 "hit: percentage '90' has no unit" -- squall predict --law cache database=1/s hit=90
expect 2 '--capacity is missing' -- squall predict --timeout 1s
expect 2 '--timeout is missing' -- squall predict --capacity 1/s
expect 2 "--capacity: .*unit" -- squall predict --capacity 300 --timeout 1s
expect 2 "'65' is not between 0 and 64" -- squall predict --capacity 1/s --timeout 1s --retries 65
expect 2 "needs a --factor above 100%" -- squall predict --capacity 1/s --timeout 1s --trigger load
expect 2 "needs a --factor below 100%" -- squall predict --capacity 1/s --timeout 1s --trigger capacity --factor 300%
expect 2 "'frost' is none of freeze, capacity, load" -- squall predict --capacity 1/s --timeout 1s --trigger frost
expect 2 'more than one scenario' -- squall predict tiny.yaml echo.yaml
expect 2 'cannot open the file' -- squall predict nowhere.yaml
expect 2 'sqlite-single states no service time' '--capacity is missing' -- squall predict tiny.yaml
scenario frozen.yaml <<'END'
system: {model: server, nodes: 1, options: {serviceTime: 100ms, servers: 30, discipline: lifo, queueLimit: 1000, gcHeap: 50},
  host: {cores: 30, cpu: {perMessage: 0s}}}
load: {steady: {executor: constant-arrival-rate, rate: 280/s}}
client: {timeout: 1s, deadline: none, retry: {preset: naive, maxAttempts: 2, backoff: none}}
faults: [{name: freeze, kind: NodeChaos, action: pause, mode: all, at: 10s, duration: 10s}]
END
expect 0 '^300/s by 30 servers .*1 retry, queue of 1000' '292.46/s' 'load +280.00/s +vulnerable' 'after 10s +stuck' \
    'taken to be served in order' 'gcHeap is not considered' 'late answers' -- squall predict frozen.yaml
expect 0 'load +100.00/s +stable' 'after 3s +recovers' -- squall predict frozen.yaml --load 100/s --duration 3s
expect 0 ', 9 retries' 'capacity x 0.5' -- squall predict frozen.yaml --set client.retry.maxAttempts=10 --trigger capacity --factor 50%
expect 0 'how the scenario was read' 'hidden capacity' -- squall predict tiny.yaml --capacity 500/s

# What a simulation of the same server gives, found by bisection: 1218 ms comes back, 1219 ms does not.
scenario clockwork.yaml <<'END'
time: {warmup: 5s, limit: 120s}
system: {model: server, nodes: 1, options: {serviceTime: 3333us, serviceLaw: deterministic},
  host: {queue: {limit: 1000000}, cpu: {perMessage: 0s, perByte: 0ns, perTimer: 0s}}}
network: {default: {latency: 0s, bandwidth: unlimited}, clients: {latency: 0s, bandwidth: unlimited}}
load: {steady: {executor: constant-arrival-rate, rate: 200/s, arrivals: uniform, workload: {readProportion: 100%, updateProportion: 0%}}}
client: {timeout: 1s, deadline: none, lateAnswers: ignore, retry: {preset: naive, maxAttempts: 2, backoff: none, jitter: none}}
faults: [{name: freeze, kind: NodeChaos, action: pause, mode: all, at: 10s, duration: 1.2s}]
checks: [{eventually: {predicate: "goodput >= 0.9 * baseline", after: last-fault, within: 60s, for: 20s}}]
seeds: 1..1
END
expect 0 '^hidden capacity +150.02/s +149\.[0-9]+/s +-0\.[0-9]+%' '^saddle-node +300.03/s +30[01]\.?[0-9]*/s' \
    '^class of 200/s +vulnerable +vulnerable +agree' '^sends when stuck +2 +2 ' '^tipping trigger +1.21[89].* of T$' \
    '^back after 1.2s +[a-z0-9.]+ ' 'one seed is all' -- squall predict clockwork.yaml --simulate
expect 0 '^class of 120/s +stable +stable +agree' '^tipping trigger +never +never +agree' '^back after 10s +33s +33.[0-9]+s' -- \
    squall predict --capacity 300/s --timeout 1s --retries 1 --service constant --load 120/s --duration 10s --simulate
expect 0 '^saddle-node .* over|tips below it by chance' '2 [a-z]* ?seeds|median over the seeds' -- \
    squall predict --capacity 10/s --timeout 4s --retries 3 --queue 100 --simulate --seeds 2
expect 2 'change the rest by --set' -- squall predict clockwork.yaml --simulate --retries 3
expect 2 "--seeds: '0' is not between 1 and 100" -- squall predict clockwork.yaml --simulate --seeds 0
expect 0 '^longest that recovers +300 +300 +\+0$' -- squall predict --law queue-bound capacity=300/s timeout=1s --simulate
expect 0 '^batch of 1200 +collapses +collapses +agree' '^done of 1199 +1199 +1199 +\+0' -- \
    squall predict --law batch items=1200 service=10ms timeout=6s --simulate
expect 0 '^answered well +20/s +(19.9|20)[0-9.]*/s' -- \
    squall predict --law error-path capacity=100/s cost=80% load=120/s --simulate
expect 0 'wait +47.14%' '^share that waits +0.4714 +0.4[67]' -- \
    squall predict --law erlang capacity=300/s servers=30 load=270/s --simulate
expect 0 '^offered in equilibrium +146.08/s +14[4-9]' -- \
    squall predict --law offered load=101/s capacity=100/s attempts=4 --simulate
expect 0 '^writes at most, MB/s +0.5053 +0.50[45][0-9]* ' -- \
    squall predict --law resync size=8GB save=120MB/s send=200MB/s load=100MB/s --simulate
expect 2 'copies of 10 s to 20000 s' -- squall predict --law resync size=8MB save=120MB/s send=200MB/s load=100MB/s --simulate
expect 2 "'cache' is not of a single server" -- squall predict --law cache database=300/s hit=90% --simulate
expect 2 'more than 100000 items' -- squall predict --law batch items=1200000 service=10ms timeout=6s --simulate
expect 0 'tipping duration +1.2223s' 'with own service +1.2190?s' -- squall predict clockwork.yaml
expect 0 '^PASS' -- squall run clockwork.yaml --set faults.freeze.duration=1210ms --out cw1
expect 1 '^FAIL' -- squall run clockwork.yaml --set faults.freeze.duration=1228ms --out cw2

# ---------------------------------------------------------------------------------------------- run
expect 0 'tiny  sqlite-single \(sqlite [0-9.]+\)  1 cell × 4 seeds' '✓ always +linearizable \.+ 4 of 4 ' \
    'results  out/tiny/results.sqlite  digest [0-9a-f]{16} ' '^PASS \(exit 0\)$' -- squall run tiny.yaml
cp out/tiny/results.sqlite before.sqlite
expect 0 '4 of the runs were done before' '✓ always +linearizable \.+ 4 of 4 ' '^PASS' -- squall run tiny
holds 'a second call runs nothing' [ "$(rows out/tiny/results.sqlite 'SELECT sum(runs) FROM shard')" = 4 ]
expect 0 '4 of 4' '!done before' -- squall run tiny --restart
expect 0 '6 of 6' '4 of the runs were done before' -- squall run tiny --seed 1..6
expect 0 '3 of 3' -- squall run tiny --seed 3@10 --out o1
expect 0 '3 of 3' -- squall run tiny --seed 0x2a,7,9 --out o2
expect 0 '1 of 1' -- squall run tiny -s 18446744073709551615 --out o3
expect 0 '10 of 10' -- squall run tiny --quick --seed 1..500 --out o4
expect 0 '^tiny: PASS \(exit 0\)$' '!CHECKS' '!results' -- squall run tiny -q --out o4 --seed 1
expect 0 'ok   always' '!✓' -- env LC_ALL=C squall run tiny --out o4
sed 's/name: tiny/name: second/' tiny.yaml >second.yaml
expect 0 '2 of 2 scenarios held: PASS \(exit 0\)' -- squall run tiny.yaml second.yaml -q
expect 1 '1 of 2 scenarios held: FAIL \(exit 1\)' -- squall run echo.yaml tiny.yaml -q
expect 2 'tiny: PASS' 'WRONG INPUT \(exit 2\)' -- squall run bad.yaml tiny.yaml -q
expect 3 '4 runs were not started \(time budget\)' '\? always +linearizable \.+ 0 of 0' '^UNKNOWN \(exit 3\)' -- \
    squall run tiny.yaml --time-budget 0s --out o5
expect 0 '^PASS' -- squall run tiny.yaml --time-budget 1h --out o5
expect 2 "cannot make folder|cannot open" '!PASS' -- sh -c 'squall run tiny.yaml --out tiny.yaml; [ $? -eq 5 ] && exit 2'

# jobs: the same results
squall run tiny.yaml --seed 1..60 --jobs 1 --out j1 >j1.log
squall run tiny.yaml --seed 1..60 --jobs 2 --out j2 >j2.log
squall run tiny.yaml --seed 1..30 --jobs 3 --out j3 >/dev/null
squall run tiny.yaml --seed 1..60 --jobs 4 --recheck 100 --out j3 >j3.log
holds 'jobs give the same digest' [ "$(digest_of j1.log)" = "$(digest_of j2.log)" ]
holds 'so does a campaign in two parts' [ "$(digest_of j1.log)" = "$(digest_of j3.log)" ]
holds 'which is a digest' [ -n "$(digest_of j1.log)" ]

# a failing run, and the command that repeats it
expect 1 '✗ always +no-lost-acked-write \.+ 0 of 4' '4 runs do not pass' '^FAIL \(exit 1\)$' -- squall run echo.yaml
line=$(sed -n 's/^ *\(squall replay .*\)/\1/p' "$log" | head -n 1)
expect 1 'echo seed 0x0000.*: fail, no-lost-acked-write' 'digest is the stored one' -- sh -c "$line"
expect 1 'digest is the stored one' -- sh -c "$line"
squall run echo.yaml --out 'a folder' --set 'system.options.think=20us' --set "description=it's" >"$log" 2>&1
line=$(sed -n 's/^ *\(squall replay .*\)/\1/p' "$log" | head -n 1)
expect 1 'digest is the stored one' -- sh -c "$line"
expect 1 '!stored' -- squall replay echo.yaml --seed 1 --set system.options.think=30us
expect 1 '1 of the runs|runs? (was|were) not started \(fail-fast\)' -- \
    squall run echo.yaml --seed 1..200 --jobs 1 --fail-fast --out ff
holds 'fail-fast stops soon' [ "$(rows ff/results.sqlite 'SELECT count(*) FROM run')" -lt 50 ]
expect 1 'echo: FAIL' '!tiny' -- squall run echo.yaml tiny.yaml -q --fail-fast --seed 1..30 --out ff2

# expectations, probes, limits, thresholds
{ cat echo.yaml; echo 'expect: {violated: [no-lost-acked-write]}'; } | sed 's/name: echo/name: expected/' >expected.yaml
expect 0 'expected violation: seen in 4 of 4 runs' '^PASS' -- squall run expected.yaml
sed 's/\[no-lost-acked-write\]/[linearizable]/; s/name: expected/name: another/' expected.yaml >another.yaml
echo '  - always: {consistency: linearizable}' >>another.yaml
sed -i 's/^expect:.*//; s/^seeds: .*//' another.yaml
echo 'expect: {violated: [linearizable]}' >>another.yaml
expect 1 'another check, which nobody expected' '^FAIL' -- squall run another.yaml
{ cat tiny.yaml; echo 'expect: {violated: [linearizable]}'; } | sed 's/name: tiny/name: missed/' >missed.yaml
expect 1 'expected violation: seen in 0 of 4 runs' '^FAIL' -- squall run missed.yaml
expect 3 ' 4      0      0      4      0 ' 'event-limit' '^UNKNOWN \(exit 3\)' -- squall run tiny.yaml --set time.eventLimit=200 --out ev
expect 3 'event-limit' -- squall replay tiny.yaml --set time.eventLimit=200
sed 's/name: tiny/name: probe/; s/^checks:/checks:\n  - sometimes: {probe: raft.leader-changed}/' tiny.yaml >probe.yaml
expect 3 '\? sometimes  raft.leader-changed \.+ never hit' '^UNKNOWN' -- squall run probe.yaml
expect 3 'never hit' '^probe: UNKNOWN' '!linearizable' -- squall run probe.yaml -q
sed 's/name: tiny/name: thresholds/' tiny.yaml >thresholds.yaml
cat >>thresholds.yaml <<'END'
thresholds:
  latency: ["p(99) < 250ms", "p(50) < 1us"]
  goodput: ["rate > 10/s"]
sweep: {load.steady.rate: [40/s, 60/s]}
END
expect 99 '✓ latency +p\(99\) < 250ms' '✗ latency +p\(50\) < 1us .*rate=60/s' '✓ goodput' 'CROSSED \(exit 99\)' -- \
    squall run thresholds.yaml
holds 'thresholds are stored' [ "$(rows out/thresholds/results.sqlite 'SELECT count(*) FROM threshold WHERE ok=0')" = 2 ]
expect 3 '\? failures .* runs would settle it' -- squall run thresholds.yaml --out th \
    --set 'thresholds.latency=["p(99) < 250ms"]' --set 'thresholds.failures=["rate < 0.1% @ 95%"]'
expect 99 '✗ availability\{than:rate=60/s\} rate > 50% .* rate=40/s less rate=60/s$' '✓ .* rate > -50%' -- \
    squall run thresholds.yaml --out th4 \
    --set 'thresholds={"availability{cell:rate=40/s,than:rate=60/s}": ["rate > 50%", "rate > -50%"]}'
expect 2 'latency is not compared between cells' -- squall run thresholds.yaml --out th5 \
    --set 'thresholds={"latency{cell:rate=40/s,than:rate=60/s}": ["avg < 1s"]}'
expect 0 '2 cells × 4 seeds' 'rate=60/s +4 +4' -- squall run thresholds.yaml --out th2 --set 'thresholds={}'
sed 's/^sweep: .*/sweep: {client.retry.pushback: [ignore, exact]}/' thresholds.yaml >same.yaml
expect 0 'no difference: pushback=exact ran as pushback=ignore did' -- squall run same.yaml --set 'thresholds={}' --out th6
expect 0 '!no difference' -- squall run thresholds.yaml --out th2 --set 'thresholds={}'
expect 0 '1 cell × 4 seeds' -- squall run thresholds.yaml --out th3 --set 'thresholds={}' --set load.steady.rate=60/s

# ---------------------------------------------------------------------------------------------- replay
squall replay tiny.yaml --seed 2 --out nowhere >"$log" 2>&1
digest=$(sed -n 's/^  digest \([0-9a-f]*\),.*/\1/p' "$log")
expect 0 'tiny seed 0x0000000000000002: pass' 'digest is the stored one' -- squall replay tiny.yaml --seed 2
expect 0 'digest is the expected one' '!stored' -- squall replay tiny --seed 0x2 --out nowhere --expect-hash "$digest"
expect 4 'NONDETERMINISM: the expected digest is 0123456789abcdef' -- \
    squall replay tiny.yaml --seed 2 --expect-hash 0123456789abcdef
expect 2 'takes 16 hexadecimal digits' -- squall replay tiny.yaml --expect-hash 12
cp -r out/tiny changed
python3 -c 'import sqlite3
db = sqlite3.connect("changed/results.sqlite")
db.execute("UPDATE run SET trace_hash=?", ("00000000deadbeef",))
db.commit()'
expect 4 'NONDETERMINISM: the stored digest is 00000000deadbeef' -- squall replay tiny.yaml --seed 2 --out changed
expect 0 'stopped' 'until 9[0-9]{8}ns' -- squall replay tiny.yaml --until 1s
expect 0 'stopped' ' 100 events' -- squall replay tiny.yaml --until 100
expect 4 'expected digest' -- squall replay tiny.yaml --until 100 --expect-hash 0123456789abcdef
expect 0 'n1 +life +boot' 'steady +send' 'digest' -- squall replay tiny.yaml --until 500ms --trace text
expect 0 '^   1\.[0-9]+ ' '!^   0\.' -- squall replay tiny.yaml --trace text --from 1s
expect 0 '!n1 ' -- squall replay tiny.yaml --trace none
expect 2 "not 'xml'" -- squall replay tiny.yaml --trace xml
expect 0 'first violation: no-lost-acked-write' 'n1 +(deliver|send|cpu)' 'stopped' -- \
    squall replay echo.yaml --seed 1 --stop-before-failure
expect 0 'nothing to stop before: no check fails' 'pass' -- squall replay tiny.yaml --stop-before-failure
expect 0 'sweeps over 2 cells' 'pass' -- squall replay thresholds.yaml
expect 0 'digest is the stored one' -- squall replay thresholds.yaml --cell rate=60/s
expect 2 "no cell 'rate=1/s'" 'rate=40/s' -- squall replay thresholds.yaml --cell rate=1/s

# ---------------------------------------------------------------------------------------------- code that breaks
for how in segfault:crash:SIGSEGV overflow:crash:SIGSEGV double-free:crash:SIGABRT exit:exit:7 loop:hang block:hang; do
    reason=${how#*:}
    how=${how%%:*}
    expect 1 '9 of 9' "^ *$reason\$" 'seed 0x0000000000000002$' '^FAIL \(exit 1\)' -- \
        squall run broken.yaml --set system.options.how=$how --out "b-$how"
    if [ $how != block ]; then
        line=$(sed -n 's/^ *\(squall replay .*\)/\1/p' "$log" | head -n 1)
        expect 1 "seed 0x0000000000000002: error, $reason" 'in the code of n1' 'what came before: squall replay' -- \
            sh -c "$line"
        before=$(sed -n 's/^  what came before: \(squall replay .*\)/\1/p' "$log")
    fi
done
expect 0 'n1 +cpu' 'stopped' -- sh -c "$before"
# What a checker saw before the crash is not lost with the process, nor with arms that crash after the run.
for how in segfault:crash:SIGSEGV exit:exit:7 loop:hang; do
    reason=${how#*:}
    how=${how%%:*}
    expect 1 '9 of 9' "^ *$reason, after broken.never: the key came\$" '✗ always +broken.never \.+ violated in 1' -- \
        squall run broken.yaml --set system.options.how=$how --set system.options.says=true --out "s-$how"
    line=$(sed -n 's/^ *\(squall replay .*\)/\1/p' "$log" | head -n 1)
    expect 1 "error, $reason" 'FAIL   broken.never at .*, event [0-9]+, n1: the key came' -- sh -c "$line"
done
expect 1 '✗ always +broken.never \.+ violated in 1' 'broken.never: the key came' -- \
    squall run broken.yaml --set system.options.how=always --out b-always

# ---------------------------------------------------------------------------------------------- plug-ins
# refused MODEL PATTERN
refused()
{
    expect 2 "^echo.yaml|--set" "$2" '^[0-9]+ error' -- squall run echo.yaml --set "system.model=$1" --out refused
}
refused ./gone.so "cannot read plug-in '.*gone.so'"
refused ./tiny.yaml 'cannot load plug-in .*invalid ELF header'
refused ./symbol.so 'symbol.so. exports no squall_plugin_v1'
refused ./foreign.so 'was built for ABI version 44, this squall has version 3; rebuild it'
refused ./shorter.so 'its struct sq_model has 16 bytes, expected [0-9]+; rebuild it'
refused ./boot.so 'the model needs at least a name and a boot function'
refused ./nothing.so 'squall_plugin_v1\(\) returned nothing'
expect 0 'echo  ./mine.so \(1\)' '^PASS' -- squall run echo.yaml --set 'faults=[]' --out plain
mkdir deeper
cp echo.yaml mine.so deeper
expect 1 'no-lost-acked-write' -- squall run deeper/echo.yaml --out deeper/out

# ---------------------------------------------------------------------------------------------- results that are not ours
# untouched FILE STATUS PATTERN: the file stays as it is.
untouched()
{
    mkdir -p kept
    cp "$1" kept/results.sqlite
    expect "$2" "$3" '!PASS' -- squall run tiny.yaml --out kept
    holds "'$1' is left as it was" cmp "$1" kept/results.sqlite
}
head -c 5000 j1/results.sqlite >cut
untouched cut 2 'damaged or cut short'
untouched tiny.yaml 2 'not a SQLite database'
python3 -c 'import sqlite3
sqlite3.connect("foreign.db").execute("CREATE TABLE a(b)")'
untouched foreign.db 2 'a SQLite database of another program'
cp foreign.db kept/results.sqlite
expect 2 'no results file of squall: remove it yourself' -- squall run tiny.yaml --out kept --restart
holds 'restart spares what is not ours' cmp foreign.db kept/results.sqlite
cp j1/results.sqlite newer
python3 -c 'import sqlite3
sqlite3.connect("newer").execute("PRAGMA user_version=99")'
untouched newer 2 'written by a newer squall \(schema 99'
expect 0 'nothing to compare with: .*newer squall' 'pass' -- squall replay tiny.yaml --out kept
cp cut kept/results.sqlite
echo garbage >kept/results.sqlite-journal
expect 0 '4 of 4' '^PASS' -- squall run tiny.yaml --out kept --restart
expect 2 "no results for 'nowhere'" -- squall report nowhere

# ---------------------------------------------------------------------------------------------- a full disk
squall run tiny.yaml --out full -q >/dev/null
expect 5 "cannot write 'full/results.sqlite': the (system could not|disk is full)" 'run the same command again' '!PASS' -- \
    sh -c 'ulimit -f 400; squall run tiny.yaml --out full --seed 1..3000'
holds 'what was done before is kept' [ "$(rows full/results.sqlite 'SELECT count(*) FROM run')" -ge 4 ]
holds 'and sound' [ "$(rows full/results.sqlite 'PRAGMA integrity_check')" = ok ]
expect 0 'of the runs were done before' '^PASS' -- squall run tiny.yaml --out full --seed 1..300
mkdir small
if mount -t tmpfs -o size=300k none small 2>/dev/null; then
    expect 5 'the disk is full: free some space' '!PASS' -- squall run tiny.yaml --out small/out --seed 1..3000
    holds 'what fitted is kept' [ "$(rows small/out/results.sqlite 'SELECT count(*) FROM run')" -ge 100 ]
    umount small
fi

# ---------------------------------------------------------------------------------------------- Ctrl-C
squall run tiny.yaml --seed 1..1500 --set load.steady.rate=200/s --recheck 0 --out whole >whole.log
(
    trap - INT
    exec squall run tiny.yaml --seed 1..1500 --set load.steady.rate=200/s --recheck 0 --out halves
) >interrupted.log 2>&1 &
pid=$!
sleep 1
kill -INT $pid
wait $pid
status=$?
holds 'Ctrl-C: status 130' [ $status -eq 130 ]
holds 'Ctrl-C: it says so' grep -Eq 'interrupted: [0-9]+ runs are missing; the same command goes on' interrupted.log
done_before=$(rows halves/results.sqlite 'SELECT count(*) FROM run')
holds 'Ctrl-C: results are kept' [ "$done_before" -gt 0 ]
holds 'Ctrl-C: it was in the middle' [ "$done_before" -lt 1500 ]
expect 0 "$done_before of the runs were done before" '1500 of 1500' '^PASS' -- \
    squall run tiny.yaml --seed 1..1500 --set load.steady.rate=200/s --recheck 0 --out halves
holds 'Ctrl-C: the whole is the same' [ "$(digest_of whole.log)" = "$(digest_of "$log")" ]
dump='import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute("SELECT * FROM run ORDER BY run_id"):
    print(row)'
python3 -c "$dump" whole/results.sqlite >whole.rows
python3 -c "$dump" halves/results.sqlite >halves.rows
holds 'Ctrl-C: so is every row' cmp whole.rows halves.rows
(exec squall run tiny.yaml second.yaml --seed 1..20000 --out term) >terminated.log 2>&1 &
pid=$!
sleep 0.5
kill -TERM $pid
wait $pid
status=$?
holds 'SIGTERM: status 130' [ $status -eq 130 ]
holds 'SIGTERM: the second scenario does not start' sh -c "! grep -q '^second' terminated.log"
holds 'SIGTERM: it says so' grep -q '^0 of 2 scenarios held: INTERRUPTED (exit 130)' terminated.log

# ---------------------------------------------------------------------------------------------- four arms
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
sed -e '/^expect:/d' -e '/^sweep:/d' storm.yaml >table.yaml
cat >>table.yaml <<'EOF'
expect: {verdicts: {metastable: rate=60/s maxAttempts=2, unstable: rate=120/s, stable: all}}
sweep: {load.steady.rate: [60/s, 120/s], client.retry.maxAttempts: [1, 2]}
EOF
sed 's/verdicts: {metastable: rate=60/verdicts: {metastable: rate=6/' table.yaml >table-wrong.yaml
expect 0 'maxAttempts=1 +5 +0 +0 +0 +0 +0.00 \[0.00, 0.43\] .*open, 44 more seeds' \
    'maxAttempts=2 +0 +5 +0 +0 +0 +1.00 \[0.57, 1.00\] .*> +101s +rejected' 'always +metastable .* violated in 5' \
    'expected violation in maxAttempts=2: seen in 5 of 5' -- squall run storm.yaml --seed 1..5 -j1 --out storm1
storm_digest=$(digest_of "$log")
expect 0 "$storm_digest" -- squall run storm.yaml --seed 1..5 -j3 --out storm3
expect 1 'arm control +held +100.0%' 'arm probe +recovered' '^  verdict metastable' 'digest is the stored one' -- \
    squall replay storm.yaml --out storm1 --cell maxAttempts=2 --seed 4
for arm in trigger control doubled probe; do
    expect 0 "arm $arm: pass" 'digest is the stored one' -- \
        squall replay storm.yaml --out storm1 --cell maxAttempts=2 --seed 4 --arm $arm
done
expect 1 'always +metastable .* violated in 2' '^FAIL' -- squall run storm.yaml --seed 1..2 --set expect=pass --out storm-pass
expect 1 'always +unstable .* violated in 2' 'collapses by itself' -- \
    squall run storm.yaml --seed 1..2 --set load.steady.rate=120/s --set client.retry.maxAttempts=2 --out storm-unstable
expect 0 'expected violation in maxAttempts=2: seen in 2 of 2' -- squall run storm.yaml --seed 1..2 --set load.steady.rate=120/s \
    --set client.retry.maxAttempts=2 --set 'expect={violated: [unstable]}' --out storm-meant
expect 0 'expected verdicts in 2 of 2 cells' -- squall run storm.yaml --seed 1..2 --out storm-verdicts \
    --set 'expect={verdicts: {metastable: maxAttempts=2, stable: all}}'
expect 1 'always +verdict .* violated in 4' 'maxAttempts=1: expected verdict metastable or unstable: 0 of 2 runs' \
    'stable, and metastable or unstable was expected: goodput is back' -- squall run storm.yaml --seed 1..2 \
    --out storm-wrong --set 'expect={verdicts: {metastable: maxAttempts=1, unstable: maxAttempts=1, stable: all}}'
expect 0 'expected verdicts in 4 of 4 cells' '^    rate=60/s +stable 1 +metastable 1 *$' '^    rate=120/s +unstable 1 +unstable 1' -- \
    squall run table.yaml --seed 1 --out storm-table
expect 2 "no cell of the sweep has 'rate=6/s" -- squall check table-wrong.yaml
expect 2 "did you mean 'spike'" -- squall check storm.yaml --set 'metastability.trigger=spik'
expect 2 'has no arms' -- squall replay tiny.yaml --arm control
expect 2 "'sideways'" -- squall replay storm.yaml --arm sideways
expect 0 '^metastable ' '^permanent ' '^unstable ' '^verdict ' -- squall list checks

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
expect 2 '--load: no range is known for this scenario' -- \
    squall map clock.yaml --set system.model=sqlite-single --set system.options={} --trigger 1s..2s/2
expect 2 "--load: '2s' has another unit" -- squall map clock.yaml --load 1/s..2s
expect 2 "--load: '9/s' is above '1/s'" -- squall map clock.yaml --load 9/s..1/s
expect 2 '--trigger: there are no 9 different values' -- squall map clock.yaml --trigger faults.freeze.slowdown=1..3/9
expect 2 "unknown key 'frieze'|no fault" -- squall map clock.yaml --trigger faults.frieze.duration=1s..3s/2
expect 2 'there are more than 10000 cells' -- squall map clock.yaml --load 1/s..200/s/200 --trigger 1s..2s/100
expect 2 "'load.web.rate' is the axis --load already" -- squall map clock.yaml --trigger load.web.rate=1/s..3/s/3
expect 2 "'load.web.rate' is the axis --load; give it one value" -- squall map clock.yaml --set load.web.rate=9/s
expect 2 "--arms takes 'all' or 'stuck', not 'some'" -- squall map clock.yaml --arms some
sed 's/^name: .*/name: c2/; s/limit: 40s/limit: 60s/; s/{name: freeze, .*/{name: freeze, kind: LoadChaos, action: scale, factor: 250%, at: 20s, duration: 5s}/' \
    clock.yaml >factor.yaml
expect 0 'c2: smallest faults.freeze.factor that sticks, between 110% and 250% within [0-9.]+%' 'seed 1 +[0-9]+\.[0-9]+%' -- \
    squall tip factor.yaml --trigger faults.freeze.factor=110%..250% --tolerance 10% --seed 1 --out tip-factor
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
expect 0 '^ +520/s +1 of 1' '^ +950/s +1 of 1' -- squall tip clock.yaml --set system.options.serviceTime=1ms \
    --load 520/s,660/s,950/s --trigger 0.9s..1.6s --tolerance 2ms --seeds 1 --out tips
closed='import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
assert len(rows) == 3
for row in rows:
    rho = float(row["load"]) / 1000
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

# A gate asks for seeds until the share of stuck runs is known to be small, or large.
expect 0 'gate accepted: 0 of 49 runs are stuck' '151 runs were not needed: metastability.gate has decided' \
    'P.stuck. <= 1% against >= 10%, wrong with a chance of 1%; it decides' -- \
    squall run clock.yaml --set metastability.gate={} --set load.web.rate=140/s --seed 1..200 --out gate1
gate_digest=$(sed -n 's/.*results\.sqlite  digest \([0-9a-f]*\) .*/\1/p' "$log")
expect 3 'gate open, 29 more seeds: 0 of 20 runs are stuck' '!not needed' -- \
    squall run clock.yaml --set metastability.gate={} --set load.web.rate=140/s --seed 1..20 --out gate2
expect 0 "digest $gate_digest" '20 of the runs were done before' -- \
    squall run clock.yaml --set metastability.gate={} --set load.web.rate=140/s --seed 1..200 --out gate2 -j1
{ cat clock.yaml; echo 'sweep: {metastability.gate.accept: [1%, 2%]}'; } | sed 's/^name: .*/name: gates/' >gates.yaml
expect 1 'gate, as each cell has it' "each cell's own metastability.gate" '!gate 1%/10%' 'counts as stuck for the gate' -- \
    squall run gates.yaml --seeds 1..2 --out gates
expect 1 'gate rejected: 2 of 2 runs are stuck' '192 runs were not needed' -- \
    squall run clock.yaml --set metastability.gate={} --seed 1..200 --out gate3
expect 1 'gate rejected: 2 of 2 runs are stuck' ' 1.00 .0.68, 1.00. ' -- \
    squall run clock.yaml --set metastability.gate={} --set metastability.probe=none --seed 1..200 --out gate4
expect 1 'gate open, 49 more seeds: 0 of 0' '12 of 12 runs are unstable' -- \
    squall run clock.yaml --set metastability.gate={} --set load.web.rate=320/s --seed 1..12 --out gate5
expect 0 'expected verdicts in 1 of 1 cell' '!not needed' '!gate rejected' -- \
    squall run clock.yaml --set metastability.gate={} --set 'expect={verdicts: {metastable: all}}' --seed 1..12 --out gate6
expect 0 index.html -- squall report gate4
holds 'report: P(stuck) of runs without a probe' grep -q '1\.00  \[0\.68, 1\.00\]' gate4/report/index.html
holds 'arms: what was sent is drawn' grep -q "'data/arms-1-1-doubled.csv' using 1:3" gate4/report/plot/arms-1-1.gp
holds 'arms: and cut off at the upper end' grep -q 'using 1:(\$4 < \([0-9]*\) ? \$4 : \1) with lines' gate4/report/plot/arms-1-1.gp
expect 0 index.html -- squall report gate5
holds 'arms: a control that fails' grep -q 'failed, without any trigger' gate5/report/plot/arms-1-1.gp
expect 1 'verdict|metastable|permanent' -- squall run clock.yaml --set metastability.probe=restart --seed 1 --out restart
expect 0 index.html -- squall report restart
holds 'arms: a restart is marked' grep -q 'set arrow from first 40, graph 0' restart/report/plot/arms-1-1.gp
expect 0 index.html -- squall report gate6
holds 'report: what is expected, on one line' grep -q 'expects: <code>verdicts: metastable: .all.' gate6/report/index.html
expect 0 'metastability.gate lets it decide' '!not needed' -- \
    squall run clock.yaml --set load.web.rate=140/s --seed 1..2 --out gate7
expect 0 '2 triggers .*, 12 seeds each' '!not needed' -- \
    squall map clock.yaml --set metastability.gate={} --load 100/s,200/s --trigger 0.5s..2s/2 --seeds 1..12 --out gate8
expect 2 '0% < accept < reject < 100%' -- squall check clock.yaml --set metastability.gate.accept=20%

# A shipped scenario may expect something of cells that a search does not have.
expect 0 'seed 1 +1\.2[12]' -- squall tip "$root/scenarios/metastable/dd1-retries.yaml" --trigger 0.9s..1.6s --seeds 1 --out tip4

# A loop: beyond the capacity it goes, below half of it or a third of it it comes back.
loop=$root/scenarios/metastable/hysteresis.yaml
expect 0 '5 levels, 85/s to 310/s and back, 65s each  2 cells × 1 seed' '^ +tips at +310/s$' '^ +returns at 135/s$' '^ +returns at 85/s$' \
    'returns at 135/s \(hidden capacity 150/s\)' 'difference 0 levels' '^ +135 +135 +135 +1 +1 +0 +-$' -- \
    squall hysteresis "$loop" --load 85/s,100/s,135/s,200/s,310/s --seeds 1 --table
loop_digest=$(sed -n 's/.*results\.sqlite  digest \([0-9a-f]*\)$/\1/p' "$log")
loop_run=$(sed -n 's/^  a run     //p' "$log")
expect 0 'digest is the stored one' -- sh -c "$loop_run"
expect 0 '2 of the runs were done before' "digest $loop_digest" -- \
    squall hysteresis "$loop" --load 85/s,100/s,135/s,200/s,310/s --seeds 1 -j1
holds 'hysteresis: a picture for each cell' [ "$(ls out/hysteresis-hysteresis/report/img | grep -c hysteresis-)" -eq 2 ]
holds 'hysteresis: its data' grep -q '^310,0,0,' out/hysteresis-hysteresis/report/data/hysteresis-1-up.csv
cp -r out/hysteresis-hysteresis/report first-loop
expect 0 'index.html' -- squall report out/hysteresis-hysteresis
holds 'hysteresis: the report is the same again' diff -r first-loop out/hysteresis-hysteresis/report
expect 0 'warning: in half a dwell of 10s' '--dwell 65s is enough' -- \
    squall hysteresis "$loop" --load 100/s,310/s --seeds 1 --dwell 10s --out loop1
expect 0 'warning: the queue has no limit' 'returns at none' '1 of 1 seeds were not back' -- \
    squall hysteresis clock.yaml --load 100/s,310/s --seeds 1 --out loop2
expect 0 'theory     says nothing of this scenario' 'tips at +none' '!returns at' -- \
    squall hysteresis storm.yaml --set system.model=sqlite-single --set system.options={} --set system.nodes=1 \
    --load 5/s,10/s --seeds 1 --set client.retry.maxAttempts=1 --out loop3
expect 3 '1 run has no whole series' -- \
    squall hysteresis clock.yaml --load 100/s,310/s --seeds 1 --dwell 20s --set time.eventLimit=1000 --out loop4
expect 2 'give --load FROM' -- squall hysteresis tiny.yaml
expect 2 'rates, such as 50/s' -- squall hysteresis clock.yaml --load 50/s
expect 2 'rates, such as 50/s' -- squall hysteresis clock.yaml --load 5s..10s
expect 2 "the ramp is of 'load.web.rate', not of 'load.app.rate'" -- squall hysteresis clock.yaml --load load.app.rate=5/s..9/s
expect 2 '--dwell: duration .5. has no unit' -- squall hysteresis clock.yaml --dwell 5
expect 2 'is shorter than 1ms' -- squall hysteresis clock.yaml --dwell 5us
expect 2 'is not above 0% and at most 100%' -- squall hysteresis clock.yaml --ratio 101%
expect 2 'more than one scenario' -- squall hysteresis clock.yaml tiny.yaml

# Recovery takes [rho (2D - T) - T] / (1 - 2 rho), and a window or two.
expect 0 '^ +120/s +1 of 1 +3[3-5][.5]*s +33s +\+[012]\.' '^ +135/s +1 of 1 +7[5-7][.5]*s +75.5s +\+[012]\.' \
    '^ +160/s +0 of 1 +> 250s +never +as expected' 'largest difference to theory [0-2]\.?[0-9]*s, over 2 points' -- \
    squall recovery clock.yaml --load 120/s,135/s,160/s --trigger 10s --seeds 1 --set time.limit=135s
recovery_digest=$(sed -n 's/.*results\.sqlite  digest \([0-9a-f]*\)$/\1/p' "$log")
expect 0 '3 of the runs were done before' "digest $recovery_digest" -- \
    squall recovery clock.yaml --load 120/s,135/s,160/s --trigger 10s --seeds 1 --set time.limit=135s -j1
holds 'recovery: its data' grep -q '^120,3[345]' out/clock-recovery/report/data/recovery-median-1.csv
holds 'recovery: what is not back' grep -q '^160,250,' out/clock-recovery/report/data/recovery-censored-1.csv
expect 0 '^ +60/s +2s +1 of 1' '^ +60/s +4s +1 of 1' -- squall recovery clock.yaml --load 60/s --trigger 2s,4s --seeds 1 --out recovery2
expect 0 'unstable without a trigger' -- squall recovery clock.yaml --load 320/s --seeds 1 --out recovery3
expect 2 'has no .metastability. block' -- squall recovery tiny.yaml
expect 2 'at most 6 sizes' -- squall recovery clock.yaml --load 60/s --trigger 1s..7s/7
expect 2 "'load.web.rate' is the axis --load already" -- squall recovery clock.yaml --trigger load.web.rate=1/s

# ---------------------------------------------------------------------------------- estimates of a fleet
cat >fleet.yaml <<'EOF'
squall: 1
name: fleet
description: three machines that fail
system: {model: server, nodes: 3}
availability:
  life: {mean: 99h}
  repair: {mean: 1h}
  services: [{name: any-copy, needed: any}, {name: writes, needed: majority, failover: 10s}]
  estimator: is
seeds: 1..40
EOF
expect 0 'any-copy +1e-06 +exact +31.56 s +exact +0.0263 +40$' 'writes +0.0003269 +exact +2.865 h +exact' '!CELLS' '!CHECKS' '^PASS' -- \
    squall run fleet.yaml --set availability.estimator=exact --out f-exact
expect 0 'writes +0.00032[67][0-9]* +0.000326[0-9]* .. 0.0003[0-9]+ +2.8[0-9]+ h +is .* 40  [0-9]+ hits' '!longest outage' '!wider' -- \
    squall run fleet.yaml --out f-is
holds 'every number has what it was worked out from' [ "$(rows f-is/results.sqlite "SELECT estimator||method||interval_method||
    (events>1000)||(simulated_h>1000)||(hits>30)||(effective>30)||(weight_share<.05)||(abs(unavailability/3.27e-4-1)<.05)
    FROM v_estimate WHERE service='writes'")" = "isistwo means, t111111" ]
expect 0 '[0-9]+ events, [0-9.e+]+ h simulated, largest weight [0-9.]+ %, outages a year [0-9.]+ .. [0-9.]+ \(Poisson\); interval: ratio' \
    -- squall run fleet.yaml --set availability.estimator=crude --seed 1 --out f-crude
expect 0 'interval: batch means, t' '!auto is' -- squall run fleet.yaml --seed 1..6 --out f-batch --set availability.estimator=crude \
    --set 'availability.life={mean: 99h, distribution: weibull, shape: 0.7}'
expect 0 "auto is 'restart': some laws are not exponential" -- squall run fleet.yaml --seed 1 --out f-auto \
    --set availability.estimator=auto --set 'availability.life={mean: 99h, distribution: weibull, shape: 0.7}'
expect 0 "auto is 'exact': all laws are exponential" 'exact +0.0263' -- squall run fleet.yaml --seed 1 --out f-auto2 \
    --set availability.estimator=auto
expect 0 'any-copy .* 10  [0-9]+ hits' '!NONDETERMINISM' '^PASS' -- squall run fleet.yaml --quick --recheck 100% --out f-quick
expect 0 'any-copy +none seen +<= [0-9.e-]+ +<= [0-9.]+ (s|min|h) +crude +- +1$' 'no outage was seen: only the bound' '!fs' -- \
    squall run fleet.yaml --set system.nodes=8 --set availability.estimator=crude --seed 1 --out f-bound
# What an estimator cannot do is an error of the scenario, not of its runs.
expect 2 'fleet.yaml:[0-9]+:14: error: importance sampling needs exponential laws and no maintenance' '1 error' -- \
    squall check fleet.yaml --set 'availability.maintenance={every: 100h, duration: 1h}'
expect 2 'error: a correlation is a still picture' -- squall run fleet.yaml --set availability.correlation=5% --out f-no
expect 2 '99th percentile of a lognormal law is at most 14.96 times its mean, and not 100 times' -- \
    squall check fleet.yaml --set 'availability.repair={mean: 1h, p99: 100h}'
expect 2 '99th percentile of a lognormal law is 2h, which is below its mean, 2000h' -- \
    squall check fleet.yaml --set 'availability.life={mean: 2000h, p99: 2h}'
expect 2 "correlation: '100%' makes one machine of all" -- squall check fleet.yaml --set availability.correlation=100%
# The longest outage of a splitting comes with the path of its trajectory, which can be replayed from nothing.
expect 0 'longest outage [0-9.]+ h: squall replay fleet.yaml' -- \
    squall run fleet.yaml --set availability.estimator=restart --seed 1..3 --out f-restart
for name in any-copy writes; do
    line=$(sed -n "s/^ *longest outage .* h: \\(squall replay .* --service $name\\)\$/\\1/p" "$log" | head -n 1)
    cp "$log" split.log
    expect 0 'machine [0-2] fails' 'of 3 there  DOWN' 'longest outage' 'digest is the stored one' -- sh -c "$line"
    expect 4 'NONDETERMINISM: the expected digest is 0123456789abcdef' -- sh -c "$line --expect-hash 0123456789abcdef"
    cp split.log "$log"
done
expect 0 'digest [0-9a-f]{16}, [0-9]+ events, until' -- \
    squall replay fleet.yaml --set availability.estimator=restart --seed 0x2a/3 --trace text
expect 2 'is no path of a trajectory' -- squall replay fleet.yaml --set availability.estimator=restart --seed 42/x
expect 2 'branch 99999, number 2 of the path, is never made' -- squall replay fleet.yaml --set availability.estimator=restart --seed 42/3/99999
expect 2 "no service 'reads'" -- squall replay fleet.yaml --set availability.estimator=restart --seed 42/3 --service reads
expect 2 'has no fleet' -- squall replay tiny.yaml --seed 42/3
expect 2 '18/1/9 is the path of a trajectory of the estimator restart' -- \
    squall replay fleet.yaml --set availability.estimator=crude --seed 18/1/9
expect 0 'writes: unavailability 0.000[0-9]+' 'digest is the stored one' -- squall replay fleet.yaml --seed 3 --out f-is
for estimator in crude is restart; do
    expect 0 'same 1 records' '8 seeds with -j1 and -j4 +same results' '^deterministic: nothing leaked' -- \
        squall doctor fleet.yaml --seed 3 --set availability.estimator=$estimator
done
# Campaigns that stop when the estimate is precise enough stop at the same seed with any number of workers, and when
# they were interrupted; two cells are compared seed by seed.
cat >crews.yaml <<'EOF'
squall: 1
name: crews
description: one repair crew and two
system: {model: server, nodes: 3}
availability:
  life: {mean: 99h}
  repair: {mean: 1h}
  services: [{name: writes}]
  estimator: restart
  precision: {halfWidth: 4%, minRuns: 5}
seeds: 1..400
sweep: {availability.crews: [1, 2]}
EOF
scenario pairs.yaml <<'END'
system: {model: raft, nodes: 3}
time: {warmup: 1s, limit: 6s}
load: {steady: {rate: 50/s}}
client: {deadline: 1s, retry: {maxAttempts: 5, backoff: fixed, initialBackoff: 50ms}}
faults: [{name: kill, kind: NodeChaos, action: kill, mode: one, selector: {role: leader}, at: 2s, duration: 2s}]
sweep: {system.options.electionTimeout: [300ms, 1s], client.route: [random, leader]}
seeds: 1..3
END
cat >placement.yaml <<'END'
squall: 1
name: placement
system: {model: server, nodes: 3}
availability: {placement: {policy: copysets, nodes: 300, lost: 2%, scatter: 4, name: mine, trials: 1000}}
sweep: {availability.placement.policy: [copysets, random]}
seeds: 1..3
END
expect 0 'mine +-9[0-9.]+ points of loss' '!a year' -- squall run placement.yaml
expect 0 'mine: share of losses that cost data 0.9' -- squall replay placement.yaml --cell policy=random
expect 0 -- squall report placement
holds 'the page speaks of loss' grep -q 'difference of the chance of a loss' out/placement/report/index.html
expect 0 'crews=1 +writes .* (6|8|12|18|26|39|58|87|130)  [0-9]+ hits' 'for that it is 14 % wider' '[0-9]+ runs were not needed' \
    'DIFFERENCE +crews=1 less crews=2' 'writes +[0-9.]+ (h|min|s) a year \+- .*paired t' '!interrupted' -- \
    squall run crews.yaml -j1 --out p1
precise_digest=$(digest_of "$log")
expect 0 -- squall report p1
holds 'the report has the difference' grep -q 'writes,crews=1,crews=2' p1/report/data/differences.csv
# Clients of the real code are compared as well, and sweeps over more than one thing along each of them.
expect 0 'DIFFERENCE +electionTimeout=300ms route=random less electionTimeout=1s route=random' \
    '  clients +-?[0-9.e-]+ % of the time down \+- [0-9.e-]+ % \(paired t, 3 seeds' \
    'DIFFERENCE +electionTimeout=300ms route=random less electionTimeout=300ms route=leader' '!electionTimeout=300ms route=random less electionTimeout=1s route=leader' -- \
    squall run pairs.yaml --out pairs
# Placements lose data at once: their differences have no year in them.
cat >placed.yaml <<'EOF'
squall: 1
name: placed
description: two ways to scatter copysets
system: {model: raft, nodes: 3}
availability: {placement: {policy: copysets, nodes: 30, lost: 20%, trials: 100}}
sweep: {availability.placement.scatter: [10, 4]}
seeds: 1..3
EOF
expect 0 'DIFFERENCE +scatter=10 less scatter=4' '  copysets +-?[0-9.]+ points of loss \+- ' '!a year' -- \
    squall run placed.yaml --out placed
expect 0 -- squall report placed
holds 'differences of placements are of a chance' grep -q 'difference of the chance of a loss' placed/report/index.html
expect 0 "$precise_digest" -- squall run crews.yaml -j4 --out p4
expect 3 'runs were not started \(time budget\)' -- squall run crews.yaml -j2 --time-budget 0s --out p2
expect 0 '!were not needed' -- squall run crews.yaml -j2 --seed 1..3 --out p2
expect 0 "$precise_digest" '[0-9]+ runs were not needed' -- squall run crews.yaml -j2 --out p2
expect 0 "$precise_digest" 'of the runs were done before' '[0-9]+ runs were not needed' -- squall run crews.yaml -j3 --out p2
expect 0 'writes +0.000298 +exact .* 1$' '399 runs were not needed' -- \
    squall run crews.yaml --set availability.crews=unlimited --set availability.estimator=exact --out p-exact
expect 2 'minRuns' -- squall check crews.yaml --set availability.precision.minRuns=1

# ---------------------------------------------------------------------------------------------- decomposition
cat >parts.yaml <<'EOF'
squall: 1
name: parts
time: {warmup: 1s, limit: 3s}
system: {model: sqlite-single, nodes: 1}
load: {steady: {rate: 20/s, workload: {recordCount: 10, readProportion: 100%, updateProportion: 0%}}}
client: {deadline: 300ms, timeout: 100ms, retry: {maxAttempts: 3, backoff: fixed, initialBackoff: 20ms}}
availability:
  life: {mean: 99h, distribution: exponential}
  repair: {mean: 1h, distribution: exponential}
  services: [{name: store, needed: any}]
  estimator: decompose
  episodes: {settle: 2s, phase: 500ms, window: 4s, pilot: 4, count: 40}
  validate: {life: 60s, repair: 10s, duration: 20m}
EOF
expect 0 'store +0\.0[01][0-9]* .* decompose .*  80 episodes' 'WHERE THE DOWNTIME COMES FROM' 'no quorum +[0-9.]+ %' \
    'the quorum is back' '100 % of the downtime: the quorum is not there' 'nothing happens +none in 0\.[0-9]+ h' \
    'validated, with a life of 1m and a repair of 10s' \
    'what the decomposition says +0\.1[0-9]+' -- squall run parts.yaml --seed 1..2 -j1 --recheck 100 --out parts1
parts_digest=$(digest_of "$log")
expect 0 "$parts_digest" -- squall run parts.yaml --seed 1..2 -j2 --out parts2
expect 0 -- squall run parts.yaml --seed 1 --out parts3
expect 0 "$parts_digest" '1 of the runs were done before' -- squall run parts.yaml --seed 1..2 --out parts3
for episode in quorum-lost:1-0 quorum-lost:1-0#1 quorum-back:0-1#0; do
    expect 0 'digest is the stored one' "episode ${episode%#*}#[01]: transition at [0-9.]+s, outage -?[0-9.]+ s, recovered" -- \
        squall replay parts.yaml --out parts1 --seed 2 --episode $episode
done
expect 1 'always +metastable-candidate .* violated in 1' '! [0-9]+ of 40 episodes did not recover within 1ms' \
    'squall replay parts.yaml .* --episode quorum-back:0-1#0' -- \
    squall run parts.yaml --seed 1 --set availability.episodes.window=1ms --out parts-stuck
line=$(sed -n 's/^ *\(squall replay .* --episode .*\)/\1/p' "$log" | head -n 1)
expect 0 'digest is the stored one' 'NOT RECOVERED' -- sh -c "$line"
expect 3 'NOT VALIDATED: too few failures' -- \
    squall run parts.yaml --seed 1 --set availability.validate.duration=1m --out parts-short
# A disagreement is planted: the sum is that of episodes whose clients wait for 1 s, the clients of the long run wait 300 ms;
# and the other way round.
cp -R parts1 parts-planted
expect 0 'validated' -- squall run parts.yaml --seed 1..2 --out parts-patient \
    --set client.deadline=1s --set client.retry.maxAttempts=9
plant()
{
    python3 -c 'import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.execute("ATTACH ? AS other", (sys.argv[2],))
changed = file.execute("""UPDATE estimate SET down = (SELECT o.down FROM other.estimate o JOIN other.run r USING(run_id)
  WHERE r.seed = (SELECT seed FROM run WHERE run.run_id = estimate.run_id)
    AND (o.service, o.method) = (estimate.service, estimate.method))
  WHERE service = "store@fast" AND method = "decompose" """).rowcount
file.commit()
sys.exit(changed != 2)' "$1/results.sqlite" "$2/results.sqlite"
}
expect 0 -- plant parts-planted parts-patient
expect 0 -- plant parts-patient parts1
expect 99 'DISAGREES: clients saw what no sum of episodes explains' 'of the runs were done before' -- \
    squall run parts.yaml --seed 1..2 --out parts-planted
expect 99 'DISAGREES: ' -- squall run parts.yaml --seed 1..2 --out parts-patient \
    --set client.deadline=1s --set client.retry.maxAttempts=9
# A fleet that has to be simulated is simulated by each seed for itself.
maintenance='availability.maintenance={every: 720h, duration: 30m}'
expect 0 'no quorum .* RESTART' 'validated' -- squall run parts.yaml --seed 1..4 -j2 --out parts-maint --set "$maintenance"
parts_digest=$(digest_of "$log")
expect 0 "$parts_digest" -- squall run parts.yaml --seed 1..4 -j1 --out parts-maint1 --set "$maintenance"
[ "$(rows parts-maint/results.sqlite "SELECT count(DISTINCT down) FROM estimate WHERE service='store'")" = 4 ] && good ||
    bad "four seeds have one fleet"
expect 0 '!WHERE' '!validated' -- squall run -q parts.yaml --seed 1 --out parts-quiet
expect 2 'has no such episode: its estimator' -- squall replay tiny.yaml --episode quorum-lost:1-0
expect 2 'has no such episode: it has fewer machines' -- squall replay parts.yaml --episode leader-lost:3-2
expect 2 'goes with neither' -- squall replay parts.yaml --episode quorum-lost:1-0 --stop-before-failure
expect 2 "not 'leader-lost:2-3'" -- squall replay parts.yaml --episode leader-lost:2-3
expect 2 'goes with neither' -- squall replay parts.yaml --episode quorum-lost:1-0 --arm control
for other in '--episode quorum-lost:1-0' '--arm control' --stop-before-failure '--until 1s' '--until 5' '--record r'; do
    expect 2 "42/3/0/1 is the path of a trajectory of a fleet: ${other%% *} is about a run" -- \
        squall replay parts.yaml --seed 42/3/0/1 $other
done
expect 2 'first group must have a node for each of the 2 machines.* there are 1 nodes on 1 hosts' '1 error' -- \
    squall check parts.yaml --set availability.machines=2
sed 's/services: .*/services: [{name: a, needed: any}, {name: b, needed: all}]/' parts.yaml >two.yaml
expect 2 'two.yaml:10:13: error: decompose asks the clients, and they see one service: .* not 2' '1 error' -- squall check two.yaml

# ---------------------------------------------------------------------------------------------- doctor
expect 0 'same [0-9]+ records' '8 seeds with -j1 and -j4 +same results' '^deterministic: nothing leaked' -- \
    squall doctor tiny.yaml --seed 3
expect 0 'deterministic' -- squall doctor leaky.yaml
for what in stack heap counter environment memory; do
    expect 4 'DIFFERS at record 9:' 'as it is : at 203966773ns, node 0, send' '^NONDETERMINISM \(exit 4\)' \
        'look: squall replay leaky.yaml' -- squall doctor leaky.yaml --set system.options.what=$what
done
line=$(sed -n 's/^ *look: \(squall replay .*\)/\1/p' "$log" | head -n 1)
expect 0 'n1 +send +to n1, 8 bytes' -- sh -c "$line"
expect 4 'NONDETERMINISM: [0-9]+ runs? gave another digest' 'NONDETERMINISM \(exit 4\)' -- \
    squall run leaky.yaml --set system.options.what=counter --recheck 100% --out nd
expect 4 'NONDETERMINISM: [0-9]+ runs? gave another digest' '10 of the runs were done before' -- \
    squall run leaky.yaml --set system.options.what=counter --recheck 100% --out nd

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
