/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Laws beside simulation: each law that a model server can show is run with the law's own numbers,
 * and that of full copies with a primary and a replica. What the laws of caches speak of is no
 * single server; their scenarios are under scenarios/. */
#include "sim/cli/predict.h"

#include "analysis/experiment.h"
#include "analysis/predict_beside.h"
#include "analysis/predict_laws.h"
#include "sim/base/base.h"
#include "sim/base/vec.h"
#include "sim/cli/stand.h"

#include <inttypes.h>
#include <string.h>

#define SEEDS            4
#define ERLANG_ARRIVALS  150000
#define OFFERED_CAPACITY 1000.0
#define OFFERED_LONGEST  3000.0 /* s */
#define BATCH_MAX        100000
#define BATCH_ROUNDS     50
#define VULNERABLE       0.93 /* of the capacity: a load that sticks with one retry */
#define FREEZE_TIMES     10
#define WATCH_TIMES      200
#define COPY_WRITES      50.0    /* a second, at the rate of the law */
#define COPY_STEP        0.005   /* of that rate: what the bisection tells apart ... */
#define COPY_STEPS       41      /* ... around it */
#define COPY_LONGEST     20000.0 /* s */
#define COPY_BLIP        60      /* s: the link is cut then, for five seconds */

static struct predict_request request_of(double capacity_per_s, double timeout_s, double load_per_s)
{
    return (struct predict_request){
        .system = {.capacity_per_s = capacity_per_s,
                   .servers = 1,
                   .timeout_s = timeout_s,
                   .budget = -1,
                   .service = PREDICT_CONSTANT},
        .load_per_s = load_per_s,
        .trigger = {0, 1, 0},
    };
}

static void add(struct text *text, const char *name, enum beside_unit unit, double predicted,
                double simulated)
{
    struct beside_figure figure = {.name = name,
                                   .unit = unit,
                                   .predicted = predicted,
                                   .simulated = simulated,
                                   .range = {__builtin_nan(""), __builtin_nan("")},
                                   .note = ""};
    beside_add_figure(text, &figure);
}

/* ---------------------------------------------------------------------------------- queue-bound */

static enum bisection_answer ask_queue(double capacity_per_s, double timeout_s, uint32_t limit,
                                       struct err *err)
{
    struct predict_request request =
        request_of(capacity_per_s, timeout_s, VULNERABLE * capacity_per_s);
    request.system.retries = 1;
    request.system.queue_limit = limit;
    struct stand stand;
    if (!stand_open_system(&stand, &request, "onFull: drop", err)) {
        return BISECTION_TELLS_NOTHING;
    }
    double freeze_s = FREEZE_TIMES * timeout_s;
    double end_s = (STAND_BEFORE + WATCH_TIMES) * timeout_s + freeze_s;
    struct stand_run run = {
        .load_per_s = request.load_per_s,
        .has_trigger = true,
        .trigger = {0, 1, freeze_s},
        .limit_s = end_s,
        .seed = 1,
    };
    bool is_whole = stand_run(&stand, &run);
    double share = stand_goodput(&stand, end_s - FREEZE_TIMES * timeout_s, end_s);
    stand_close(&stand);
    return !is_whole       ? BISECTION_TELLS_NOTHING
           : share >= 0.95 ? BISECTION_RECOVERS
                           : BISECTION_STICKS;
}

static bool simulate_queue_bound(const double *values, struct text *text, struct err *err)
{
    double bound = law_queue_bound(values[0], values[1]);
    uint32_t low = (uint32_t)(bound / 2);
    uint32_t count = (uint32_t)bound + 2;
    if (bound < 4 || bound > 1e6) {
        return err_set(err, ERR_INPUT, "--simulate: a queue of %.6g is not simulated", bound);
    }
    struct bisection bisection;
    uint32_t index;
    bisection_init(&bisection, count);
    while (bisection_next(&bisection, &index)) {
        bisection_tell(&bisection, ask_queue(values[0], values[1], low + index, err));
    }
    bool is_found = bisection.end == BISECTION_FOUND;
    add(text, "longest that recovers", BESIDE_COUNT, (double)(uint64_t)bound,
        is_found ? low + bisection.low : __builtin_nan(""));
    return bisection.end != BISECTION_FAILED;
}

/* --------------------------------------------------------------------------------------- erlang */

static int compare_times(const void *left, const void *right)
{
    const sq_time a = *(const sq_time *)left;
    const sq_time b = *(const sq_time *)right;
    return a < b ? -1 : a > b;
}

struct waiting {
    double share;     /* of arrivals that find all servers busy */
    double sojourn_s; /* mean */
};

static struct waiting observe(const struct stand *stand, uint32_t servers)
{
    const struct vec *operations = &stand->runner.world->history.operations;
    struct waiting seen = {0, 0};
    struct vec ends; /* sq_time */
    vec_init(&ends, sizeof(sq_time), UINT32_MAX);
    for (uint32_t i = 0; i < operations->count; i++) {
        const struct sq_operation *operation = vec_at(operations, i);
        vec_append(&ends, &operation->completed);
    }
    sort_stable(ends.items, ends.count, sizeof(sq_time), compare_times);
    uint32_t ended = 0;
    uint32_t counted = 0;
    for (uint32_t i = 0; i < operations->count; i++) {
        const struct sq_operation *operation = vec_at(operations, i);
        while (ended < ends.count &&
               *(const sq_time *)vec_at(&ends, ended) <= operation->intended) {
            ended++;
        }
        if (operation->outcome == SQ_OUTCOME_OK) {
            seen.share += i - ended >= servers ? 1 : 0;
            seen.sojourn_s += (double)(operation->completed - operation->intended) / 1e9;
            counted++;
        }
    }
    vec_release(&ends);
    seen.share /= counted;
    seen.sojourn_s /= counted;
    return seen;
}

static bool simulate_erlang(const double *values, struct text *text, struct err *err)
{
    uint32_t servers = (uint32_t)values[1];
    double service_s = servers / values[0];
    struct predict_request request = request_of(values[0], 1e4 * service_s, values[2]);
    request.system.servers = servers;
    request.system.service = PREDICT_EXPONENTIAL;
    struct stand stand;
    if (!stand_open_system(&stand, &request, "onFull: drop", err)) {
        return false;
    }
    double shares[SEEDS];
    double sojourns[SEEDS];
    for (uint32_t i = 0; i < SEEDS; i++) {
        struct stand_run run = {
            .load_per_s = values[2], .limit_s = ERLANG_ARRIVALS / values[2], .seed = i + 1};
        bool is_whole = stand_run(&stand, &run);
        struct waiting seen = observe(&stand, servers);
        shares[i] = is_whole ? seen.share : __builtin_nan("");
        sojourns[i] = is_whole ? seen.sojourn_s : __builtin_nan("");
    }
    stand_close(&stand);
    double wait = mean_field_erlang_c(servers, values[2] / values[0]);
    struct beside_figure figure = {
        .name = "share that waits", .unit = BESIDE_NUMBER, .predicted = wait, .note = ""};
    beside_summarise(&figure, shares, SEEDS);
    beside_add_figure(text, &figure);
    figure = (struct beside_figure){.name = "mean time",
                                    .unit = BESIDE_TIME,
                                    .predicted = service_s + wait / (values[0] - values[2]),
                                    .note = ""};
    beside_summarise(&figure, sojourns, SEEDS);
    beside_add_figure(text, &figure);
    return true;
}

/* ---------------------------------------------------------------------------------------- batch */

/* How many of the items are ever done; the time-out is a nanosecond longer, so that an answer at
 * the last instant is in time. */
static bool run_batch(struct law_batch batch, uint32_t items, double *done, struct err *err)
{
    struct stand stand;
    struct text text;
    text_init(&text);
    uint32_t workers = (uint32_t)batch.workers;
    int64_t timeout_ns = (int64_t)(batch.timeout_s * 1e9 + 0.5);
    text_printf(
        &text,
        "squall: 1\nname: batch\ntime: {warmup: 0s, limit: %" PRId64 "ns, eventLimit: 100000000}\n"
        "system:\n  model: server\n  nodes: 1\n"
        "  options: {serviceTime: %.0fns, serviceLaw: deterministic, servers: %u}\n"
        "  host: {cores: %u, queue: {limit: 100000000}, cpu: {perMessage: 0s, perByte: 0ns, "
        "perTimer: 0s}}\n"
        "network: {default: {latency: 0s, bandwidth: unlimited}, clients: {latency: 0s, bandwidth: "
        "unlimited}}\n"
        "load: {items: {executor: constant-vus, vus: %u, thinkTime: 1d, workload: {recordCount: 1, "
        "readProportion: 100%%, updateProportion: 0%%}}}\n"
        "client: {deadline: none, timeout: %" PRId64 "ns, lateAnswers: ignore, retry: "
        "{maxAttempts: 1000, backoff: none, retryOn: [timeout]}}\nseeds: 1..1\n",
        BATCH_ROUNDS * timeout_ns, batch.service_s * 1e9, workers, workers, items, timeout_ns + 1);
    bool is_open = stand_open_text(&stand, text_of(&text), err);
    text_release(&text);
    if (is_open) {
        *done = stand_run_as_is(&stand, 1) ? (double)stand.result.ok : __builtin_nan("");
        stand_close(&stand);
    }
    return is_open;
}

static bool simulate_batch(const double *values, struct text *text, struct err *err)
{
    struct law_batch batch = {values[0], values[1], values[2], values[3]};
    double most = law_batch_items_max(batch);
    double given = 0;
    double below = 0;
    double above = 0;
    if (batch.items > BATCH_MAX || most >= BATCH_MAX) {
        return err_set(err, ERR_INPUT, "--simulate: more than %d items are not simulated",
                       BATCH_MAX);
    }
    if (!run_batch(batch, (uint32_t)batch.items, &given, err) ||
        !run_batch(batch, (uint32_t)most, &below, err) ||
        !run_batch(batch, (uint32_t)most + 1, &above, err)) {
        return false;
    }
    char name[64];
    snprintf(name, sizeof(name), "batch of %.6g", batch.items);
    beside_add_words(text, name, law_batch_collapses(batch) ? "collapses" : "all done",
                     given >= batch.items ? "all done" : "collapses", "");
    snprintf(name, sizeof(name), "done of %.6g", most);
    add(text, name, BESIDE_COUNT, most, below);
    snprintf(name, sizeof(name), "batch of %.6g", most + 1);
    beside_add_words(text, name, "collapses", above >= most + 1 ? "all done" : "collapses", "");
    return true;
}

/* ----------------------------------------------------------------------- error-path and offered */

/* A server with room for five, which says no at once and at a price. */
static bool simulate_error_path(const double *values, struct text *text, struct err *err)
{
    double service_s = 1 / values[0];
    struct predict_request request = request_of(values[0], 1000 * service_s, values[2]);
    char full[96];
    request.system.queue_limit = 5;
    snprintf(full, sizeof(full), "onFull: reject, errorCost: %.0fns", values[1] * service_s * 1e9);
    struct stand stand;
    if (!stand_open_system(&stand, &request, full, err)) {
        return false;
    }
    double timeout_s = request.system.timeout_s;
    struct stand_run run = {
        .load_per_s = values[2],
        .has_trigger = values[1] > 1, /* of its two states the worse one */
        .trigger = {0, 1, timeout_s},
        .limit_s = 100 * timeout_s,
        .seed = 1,
    };
    bool is_whole = stand_run(&stand, &run);
    double share = stand_goodput(&stand, 50 * timeout_s, 100 * timeout_s);
    add(text, "answered well", BESIDE_RATE, law_error_path_goodput(values[0], values[1], values[2]),
        is_whole ? share * values[2] : __builtin_nan(""));
    stand_close(&stand);
    return true;
}

/* Rejected at once, sent again about a second later. Only the ratio of load and capacity matters,
 * so the server is one of OFFERED_CAPACITY whatever the law was asked for. The law has every
 * attempt fail with the same chance: so arrivals are random and retries are spread, else a call
 * that is rejected would meet the same neighbours again. Pending retries gather no faster than what
 * is beyond the capacity, and one percent of that is little beside chance: it takes a long run. */
static bool simulate_offered(const double *values, struct text *text, struct err *err)
{
    double scale = OFFERED_CAPACITY / values[1];
    double load = values[0] * scale;
    double predicted = law_offered_load(values[0], values[1], (uint32_t)values[2]);
    struct predict_request request = request_of(OFFERED_CAPACITY, 1, load);
    request.system.retries = (uint32_t)values[2] - 1;
    request.system.retry_delay_s = 1;
    request.system.service = PREDICT_EXPONENTIAL;
    request.system.queue_limit = OFFERED_CAPACITY / 20;
    struct stand stand;
    if (!stand_open_system(&stand, &request, "onFull: reject", err)) {
        return false;
    }
    double surplus = load - OFFERED_CAPACITY;
    double end_s = 200 + (surplus > 0 ? 8 * (predicted * scale - load) / surplus : 0);
    end_s = end_s < OFFERED_LONGEST ? end_s : OFFERED_LONGEST;
    struct stand_run run = {.load_per_s = load, .limit_s = end_s, .is_jittered = true, .seed = 1};
    bool is_whole = stand_run(&stand, &run);
    double sends = stand_sends(&stand, end_s / 2, end_s);
    add(text, "offered in equilibrium", BESIDE_RATE, predicted,
        is_whole ? sends * values[0] : __builtin_nan(""));
    stand_close(&stand);
    return true;
}

/* --------------------------------------------------------------------------------------- resync */

/* A replica is cut off for five seconds and has lost its place; readers are not content with what
 * it has, so all is well again only when its copy is done. */
static enum bisection_answer ask_copy(const double *values, double writes_per_s, double rate,
                                      struct err *err)
{
    struct law_resync copy = {values[0], values[1], values[2], values[3],
                              values[4], values[5], values[6]};
    double copy_s = law_resync_time(copy);
    double end_s = COPY_BLIP + 60 + 3 * copy_s;
    struct stand stand;
    struct text text;
    text_init(&text);
    text_printf(
        &text,
        "squall: 1\nname: resync\ntime: {warmup: 0s, limit: %.0fs, eventLimit: 100000000}\n"
        "system:\n  model: resync\n  nodes: 2\n"
        "  options: {stateSize: %.0fB, writeSize: %.0fB, saveRate: %.0fB, sendRate: %.0fB, "
        "loadRate: %.0fB, bufferHard: %.0fB, bufferSoft: %.0fB, bufferSoftTime: %.0fns, backlog: "
        "1B, serveStale: false, reads: replicas}\n"
        "  host: {queue: {limit: 1000000}, cpu: {perMessage: 0s, perByte: 0ns, perTimer: 0s}}\n"
        "network: {default: {latency: 200us, bandwidth: unlimited, order: fifo}}\n"
        "load:\n"
        "  writes: {rate: %.3f/s, arrivals: uniform, workload: {recordCount: 1, readProportion: "
        "0%%, updateProportion: 100%%}}\n"
        "  reads: {rate: 10/s, arrivals: uniform, workload: {recordCount: 1, readProportion: "
        "100%%, "
        "updateProportion: 0%%}}\n"
        "client: {deadline: none, timeout: 1s, retry: {maxAttempts: 1, redirects: 1}}\n"
        "faults:\n  - {name: blip, kind: NetworkChaos, action: partition, mode: one, selector: "
        "{node: n2}, target: {node: n1}, at: %ds, duration: 5s}\nseeds: 1..1\n",
        end_s, values[0], writes_per_s / COPY_WRITES, values[1], values[2], values[3], values[4],
        values[5], values[6] * 1e9, rate, COPY_BLIP);
    bool is_open = stand_open_text(&stand, text_of(&text), err);
    text_release(&text);
    if (!is_open) {
        return BISECTION_TELLS_NOTHING;
    }
    bool is_whole = stand_run_as_is(&stand, 1);
    double share = stand_goodput(&stand, end_s - copy_s, end_s - 1);
    stand_close(&stand);
    return !is_whole       ? BISECTION_TELLS_NOTHING
           : share >= 0.95 ? BISECTION_RECOVERS
                           : BISECTION_STICKS;
}

static bool simulate_resync(const double *values, struct text *text, struct err *err)
{
    struct law_resync copy = {values[0], values[1], values[2], values[3],
                              values[4], values[5], values[6]};
    double copy_s = law_resync_time(copy);
    double most = law_resync_writes_max(copy);
    if (!(copy_s >= 10 && copy_s <= COPY_LONGEST && most >= 1e3 && most <= 1e9)) {
        return err_set(err, ERR_INPUT,
                       "--simulate: copies of 10 s to %.0f s and 1 kB/s to 1 GB/s of writes, not "
                       "%.4g s and %.4g kB/s",
                       COPY_LONGEST, copy_s, most / 1e3);
    }
    double lowest = 1 - COPY_STEP * (COPY_STEPS / 2);
    struct bisection bisection;
    uint32_t index;
    bisection_init(&bisection, COPY_STEPS);
    while (bisection_next(&bisection, &index)) {
        double rate = COPY_WRITES * (lowest + COPY_STEP * index);
        bisection_tell(&bisection, ask_copy(values, most, rate, err));
    }
    bool is_found = bisection.end == BISECTION_FOUND;
    add(text, "writes at most, MB/s", BESIDE_NUMBER, most / 1e6,
        is_found ? most / 1e6 * (lowest + COPY_STEP * (bisection.low + 0.5)) : __builtin_nan(""));
    return bisection.end != BISECTION_FAILED;
}

bool predict_law_simulate(const char *name, const double *values, struct text *text,
                          struct err *err)
{
    static const struct {
        const char *name;
        bool (*simulate)(const double *values, struct text *text, struct err *err);
    } laws[] = {
        {"queue-bound", simulate_queue_bound},
        {"erlang", simulate_erlang},
        {"batch", simulate_batch},
        {"error-path", simulate_error_path},
        {"offered", simulate_offered},
        {"resync", simulate_resync},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(laws); i++) {
        if (strcmp(laws[i].name, name) == 0) {
            text_add(text, "\n");
            beside_add_head(text);
            return laws[i].simulate(values, text, err);
        }
    }
    return err_set(err, ERR_INPUT,
                   "--simulate: the law '%s' is not of a single server; look for a scenario", name);
}
