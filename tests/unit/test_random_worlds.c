/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Random scenarios: faults of every kind, action and mode over small random systems, of a model
 * that does everything that an env offers, and of the real ones. Whatever comes out, no assertion
 * fails, the run ends, and its digest is the same when it is run again, and when it is run in
 * pieces. */
#include "sim/base/base.h"
#include "sim/base/rng.h"
#include "sim/base/units.h"
#include "sim/world.h"
#include "tests/unit/harness.h"
#include "tests/unit/planned.h"

#include <stdarg.h>
#include <stdio.h>

#ifndef SCRIPTED_WORLDS
#define SCRIPTED_WORLDS 200
#endif
#ifndef REAL_WORLDS
#define REAL_WORLDS 4 /* of each model */
#endif
#define FILES 3

/* --------------------------------------------------------------------------- a model of everything
 */

struct chaos {
    sq_fiber parked;
    uint64_t table[64];
    void *blocks[8];
    sq_timer timer;
    uint32_t answers;
};

static void send_some(struct sq_env *env)
{
    uint8_t bytes[600];
    size_t size = (size_t)env->rand->below(env, sizeof(bytes));
    env->rand->fill(env, bytes, size);
    struct sq_buffer buffers[2] = {{bytes, size / 2}, {bytes + size / 2, size - size / 2}};
    sq_node to = env->group_first + (sq_node)env->rand->below(env, env->group_size);
    env->net->send(env, to, buffers, 2);
}

static void use_disk(struct sq_env *env)
{
    char name[8];
    char data[900] = {0};
    sq_file file;
    size_t got;
    snprintf(name, sizeof(name), "f%u", (unsigned)env->rand->below(env, FILES));
    uint64_t what = env->rand->below(env, 8);
    if (what == 0) {
        (void)env->disk->rename(env, name, "g");
    } else if (what == 1) {
        (void)env->disk->remove(env, name);
    } else if (what == 2) {
        (void)env->disk->sync_dir(env);
    }
    if (env->disk->open(env, name, SQ_OPEN_CREATE, &file) != SQ_OK) {
        return;
    }
    uint64_t offset = env->rand->below(env, 5000);
    (void)env->disk->write(env, file, data, (size_t)env->rand->below(env, sizeof(data)), offset);
    if (env->rand->below(env, 2) == 0) {
        (void)env->disk->sync(env, file);
    }
    (void)env->disk->read(env, file, data, sizeof(data), offset / 2, &got);
    if (env->rand->below(env, 8) == 0) {
        (void)env->disk->truncate(env, file, offset / 3);
    }
    env->disk->close(env, file);
}

static void on_answer(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                      size_t size)
{
    (void)argument;
    (void)data;
    struct chaos *state = env->state;
    state->answers += (uint32_t)(status == SQ_OK) + (uint32_t)size;
}

static void background(struct sq_env *env, void *argument)
{
    (void)argument;
    for (;;) {
        env->fiber->park(env);
        use_disk(env);
        env->cpu->charge(env, 3, 500);
    }
}

static void brief(struct sq_env *env, void *argument)
{
    struct chaos *state = argument;
    env->clock->sleep(env, (sq_time)env->rand->below(env, 5 * NS_PER_MS));
    state->answers++;
    use_disk(env);
}

static void posted(struct sq_env *env, void *argument)
{
    (void)argument;
    env->cpu->work(env, (sq_time)env->rand->below(env, 200000));
    env->cpu->pass(env, (sq_time)env->rand->below(env, 300000));
}

static enum sq_status chaos_boot(struct sq_env *env)
{
    if (env->rand->below(env, 20) == 0) {
        use_disk(env);
    }
    if (env->incarnation > 1 && env->rand->below(env, 30) == 0) {
        return SQ_E_IO;
    }
    struct chaos *state = env->mem->alloc(env, sizeof(*state));
    memset(state, 0, sizeof(*state));
    env->state = state;
    state->parked = env->fiber->spawn(env, background, NULL);
    state->timer = env->clock->start(env, NS_PER_MS, 0);
    env->clock->start(env, INT64_MAX, 1);
    return SQ_OK;
}

static void chaos_timer(struct sq_env *env, uint64_t tag)
{
    struct chaos *state = env->state;
    if (tag != 0) {
        return;
    }
    state->timer =
        env->clock->start(env, NS_PER_MS + (sq_time)env->rand->below(env, 15 * NS_PER_MS), 0);
    if (env->rand->below(env, 10) == 0) {
        CHECK(env->clock->rearm(env, state->timer, 2 * NS_PER_MS));
    }
    uint64_t slot = env->rand->below(env, 8);
    env->mem->free(env, state->blocks[slot]);
    state->blocks[slot] = env->mem->alloc(env, (size_t)env->rand->below(env, 3000));
    env->trace->see(env, SQ_SEE_APPLY, state->answers, slot, 0, NULL);
    switch (env->rand->below(env, 8)) {
    case 0:
        env->fiber->unpark(env, state->parked);
        break;
    case 1:
        env->fiber->spawn(env, brief, state);
        break;
    case 2:
        env->fiber->post(env, posted, NULL);
        break;
    case 3:
        env->trace->role(env, env->rand->below(env, 3) == 0 ? SQ_ROLE_LEADER : SQ_ROLE_FOLLOWER);
        break;
    case 4:
        env->call->call(env, "back", "hello", 5, on_answer, NULL);
        break;
    default:
        send_some(env);
        break;
    }
}

static void chaos_deliver(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t before = size > 0 ? bytes[size - 1] : 0;
    if (env->rand->below(env, 4) == 0) {
        env->clock->sleep(env, (sq_time)env->rand->below(env, 3 * NS_PER_MS));
        CHECK_EQUAL(size > 0 ? bytes[size - 1] : 0, before);
    }
    if (env->rand->below(env, 3) == 0) {
        struct sq_buffer buffer = {&before, 1};
        env->net->send(env, from, &buffer, 1);
    }
}

static void chaos_request(struct sq_env *env, const struct sq_request *request)
{
    struct chaos *state = env->state;
    struct sq_kv_request kv;
    struct sq_kv_reply reply = {0};
    enum sq_status status = SQ_OK;
    sq_node leader = SQ_NODE_NONE;
    if (sq_kv_decode(request->data, request->size, &kv)) {
        uint64_t *value = &state->table[kv.key % 64];
        *value = kv.kind == SQ_KV_UPDATE ? kv.value : *value;
        reply.value = *value;
    }
    switch (env->rand->below(env, 12)) {
    case 0:
        return; /* never answers */
    case 1:
        status = (enum sq_status)env->rand->below(env, SQ_STATUS_COUNT);
        leader = env->group_first + (sq_node)env->rand->below(env, env->group_size + 1);
        break;
    case 2:
        use_disk(env);
        break;
    case 3: /* answers twice */
        env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
        break;
    case 4:
        env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, 3);
        return;
    default:
        break;
    }
    env->call->reply(env, request->reply_to, status, leader, &reply, sizeof(reply));
}

static void chaos_signal(struct sq_env *env, const char *name, int64_t value)
{
    struct chaos *state = env->state;
    CHECK_TEXT(name, "jolt");
    state->answers += (uint32_t)value;
    if (env->rand->below(env, 2) == 0) {
        env->cpu->pass(env, (sq_time)env->rand->below(env, 5 * NS_PER_MS));
    } else {
        use_disk(env);
    }
}

static const struct sq_model chaos_model = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(chaos_model),
    .name = "chaos",
    .version = "test",
    .description = "does everything that an env offers, at random",
    .boot = chaos_boot,
    .deliver = chaos_deliver,
    .request = chaos_request,
    .timer = chaos_timer,
    .signal = chaos_signal,
};

/* -------------------------------------------------------------------------------- random scenarios
 */

struct writer {
    struct rng rng;
    char text[32768];
    size_t length;
    bool is_gentle; /* libraft: no disk that loses or fails */
    bool takes_signals;
};

__attribute__((format(printf, 2, 3))) static void add(struct writer *writer, const char *format,
                                                      ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(writer->text + writer->length, sizeof(writer->text) - writer->length,
                           format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);
    writer->length += (size_t)length;
    ASSERT(writer->length < sizeof(writer->text));
}

static uint32_t below(struct writer *writer, uint32_t bound)
{
    return (uint32_t)rng_below(&writer->rng, bound);
}

static bool chance(struct writer *writer, uint32_t percent)
{
    return below(writer, 100) < percent;
}

static const char *any(struct writer *writer, const char *const *words, uint32_t count)
{
    return words[below(writer, count)];
}

#define ANY(writer, ...)                                                                           \
    any((writer), (const char *const[]){__VA_ARGS__},                                              \
        (uint32_t)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)))

static void add_selector(struct writer *writer, const char *key, uint32_t nodes)
{
    switch (below(writer, 4)) {
    case 0:
        add(writer, ", %s: {role: %s}", key, ANY(writer, "leader", "follower"));
        break;
    case 1:
        add(writer, ", %s: {node: %s%u}", key, nodes > 9 ? "front-" : "n",
            1 + below(writer, nodes % 10));
        break;
    default:
        break;
    }
}

struct drawn {
    bool is_instant;
    bool is_partition;
    bool may_roll;
    bool is_of_callers;
};

static struct drawn add_action(struct writer *writer, uint32_t nodes)
{
    static const char *const actions[] = {
        "kind: NodeChaos, action: kill",
        "kind: NodeChaos, action: pause",
        "kind: NodeChaos, action: restart",
        "kind: NodeChaos, action: power-loss",
        "kind: NetworkChaos, action: partition",
        "kind: NetworkChaos, action: delay, delay: {latency: 5ms, jitter: 9ms}",
        "kind: NetworkChaos, action: loss, loss: 30%",
        "kind: NetworkChaos, action: duplicate, duplicate: 40%",
        "kind: NetworkChaos, action: bandwidth, bandwidth: {rate: 100kbit}",
        "kind: IOChaos, action: latency, delay: {latency: 3ms}, percent: 50%",
        "kind: TimeChaos, timeOffset: -300ms, drift: -90000ppm",
        "kind: TimeChaos, drift: 100000ppm",
        "kind: StressChaos, slowdown: 3x",
        "kind: StressChaos, action: capacity, factor: 30%",
        "kind: StressChaos, action: capacity, factor: 0%",
        "kind: StressChaos, action: capacity, factor: 77.7777%",
        "kind: LoadChaos, factor: 40%",
        "kind: LoadChaos, factor: 333.3%, loads: [a]",
        "kind: ClientChaos, client: {timeout: 7ms, retry: {preset: aws-standard}}",
        ("kind: ClientChaos, loads: [a], client: {lateAnswers: ignore, retry: {maxAttempts: 9, "
         "jitter: equal, budget: {capacity: 4, successCredit: 100}}}"),
        /* libraft 0.15.0 crashes on these: what an error of its disk leaves behind is freed. */
        "kind: NodeChaos, action: wipe",
        "kind: IOChaos, action: fault, percent: 20%, methods: [open, write, fsync, directory]",
        "kind: IOChaos, action: fault, errno: ENOSPC, path: \"f1*\"",
        "kind: IOChaos, action: lostFsync",
        "kind: IOChaos, action: bitRot, percent: 5%",
        /* For models that take signals. */
        "kind: AppChaos, signal: jolt, value: 3",
        "kind: AppChaos, signal: jolt, endValue: 9",
    };
    uint32_t count = ARRAY_COUNT(actions) - (writer->is_gentle ? 7 : 0) -
                     (writer->takes_signals || writer->is_gentle ? 0 : 2);
    uint32_t action = below(writer, count);
    add(writer, "%s", actions[action]);
    if (strncmp(actions[action], "kind: NetworkChaos", 18) == 0) {
        if (chance(writer, 40)) {
            add_selector(writer, "target", nodes);
        }
        if (chance(writer, 50)) {
            add(writer, ", direction: %s", ANY(writer, "to", "from", "both"));
        }
        /* A single node can only be cut off from the clients. */
        bool is_lonely = nodes == 1 && strstr(actions[action], "partition") != NULL;
        if (chance(writer, 30) || is_lonely) {
            add(writer, ", clients: true");
        }
    }
    if (strstr(actions[action], "aws-standard") != NULL && nodes > 9) {
        add(writer, ", groups: [front]");
    }
    bool is_signal = strstr(actions[action], "signal") != NULL;
    return (struct drawn){
        .is_instant = action == 2,
        .is_partition = strstr(actions[action], "partition") != NULL,
        .may_roll = strncmp(actions[action], "kind: NodeChaos", 15) == 0 || is_signal,
        .is_of_callers = strncmp(actions[action], "kind: LoadChaos", 15) == 0 ||
                         strncmp(actions[action], "kind: ClientChaos", 17) == 0,
    };
}

/* With the number of the mode under `key`. */
static void add_mode(struct writer *writer, struct drawn drawn, const char *key)
{
    switch (below(writer, drawn.may_roll ? 5 : 4)) {
    case 0:
        add(writer, ", mode: %s",
            ANY(writer, "one", drawn.is_partition ? "one" : "all", "minority", "majority"));
        break;
    case 1:
        add(writer, ", mode: each");
        break;
    case 2:
        add(writer, ", mode: fixed, %s: 2", key);
        break;
    case 3:
        add(writer, ", mode: %s, %s: 60%%", ANY(writer, "fixed-percent", "random-max-percent"),
            key);
        break;
    case 4:
        add(writer, ", mode: rolling, interval: %s, batch: %s", ANY(writer, "0s", "1ms", "40ms"),
            ANY(writer, "1", "2", "40%"));
        break;
    }
}

static void add_fault(struct writer *writer, uint32_t index, uint32_t nodes)
{
    add(writer, "  - {name: fault%u, ", index);
    size_t start = writer->length;
    struct drawn drawn = add_action(writer, nodes);
    bool is_signal = strstr(writer->text + start, "signal:") != NULL;
    if (!drawn.is_of_callers) {
        add_mode(writer, drawn, is_signal ? "count" : "value");
        add_selector(writer, "selector", nodes);
    }
    bool is_rolling = strstr(writer->text + start, "rolling") != NULL;
    uint32_t when = below(writer, drawn.is_instant || is_rolling ? 2 : 3);
    if (when == 0) {
        add(writer, ", at: %ums", below(writer, 900));
    } else if (when == 1) {
        add(writer, ", every: %s",
            ANY(writer, "{mean: 100ms, distribution: exponential}", "50ms",
                "{min: 1ms, max: 80ms}"));
        if (chance(writer, 30)) {
            add(writer, ", between: [100ms, 700ms]");
        }
    } else {
        add(writer, ", between: [200ms, 600ms]");
    }
    if (!drawn.is_instant && when != 2) {
        add(writer, ", duration: %s",
            ANY(writer, "100ms", "0s", "1ms", is_rolling ? "2ms" : "forever",
                "{mean: 100ms, distribution: exponential}"));
    }
    add(writer, "}\n");
}

static void add_system(struct writer *writer, const char *model, uint32_t *nodes)
{
    const char *host = ANY(
        writer, "{cores: 1}", "{cores: 2, cpu: {perMessage: 50us, perOperation: 20us}}",
        "{cores: 1, cpu: {perMessage: 100us, perTimer: 50us, perByte: 10ns}, queue: {limit: 5}}",
        "{cores: 1, queue: {limit: 3, onFull: reject}, clock: {offset: 5ms, drift: 1000ppm}}");
    *nodes = 1 + below(writer, 5);
    if (strcmp(model, "chaos") != 0 || chance(writer, 60)) {
        add(writer, "system: {model: %s, nodes: %u, host: %s%s}\n", model, *nodes, host,
            writer->is_gentle ? ", options: {electionTimeout: 100ms, heartbeatTimeout: 20ms}" : "");
        return;
    }
    add(writer,
        "system:\n  groups:\n"
        "    - {name: front, model: chaos, nodes: %u, host: %s, client: {target: back, timeout: "
        "20ms,"
        " deadline: 200ms, retry: {maxAttempts: 4, backoff: fixed, initialBackoff: 5ms}}}\n"
        "    - {name: back, model: chaos, nodes: 2, host: %s}\n",
        *nodes, host, host);
    *nodes += 10;
}

static const char *write_scenario(struct writer *writer, const char *model, uint64_t seed)
{
    uint32_t nodes;
    writer->rng = rng_keyed(seed, 0, 0, 0);
    writer->length = 0;
    writer->is_gentle = strncmp(model, "raft", 4) == 0;
    writer->takes_signals = strcmp(model, chaos_model.name) == 0;
    add(writer, "squall: 1\nname: random\ntime: {warmup: 0s, limit: %s, eventLimit: 300000}\n",
        ANY(writer, "1s", "1500ms"));
    add_system(writer, model, &nodes);
    add(writer, "network: {default: %s%s}\n",
        ANY(writer, "{latency: 300us, jitter: 200us, distribution: exponential, order: any}",
            "{latency: 1ms}", "{latency: 0s, loss: 2%, duplicate: 3%}",
            "{latency: 100us, bandwidth: 10mbit}"),
        chance(writer, 50) ? ", queue: {limit: 4}" : "");
    add(writer, "disk: {default: {fsync: %s, directory: %s}}\n",
        ANY(writer, "0s", "{latency: 800us, p99: 4ms}"), ANY(writer, "strict", "ordered"));
    add(writer, "load:\n  a: {executor: constant-arrival-rate, rate: 60/s%s%s}\n",
        nodes > 9 ? ", target: front" : "", ", workload: {recordCount: 20}");
    if (chance(writer, 50)) {
        add(writer,
            "  b: {executor: constant-vus, vus: 3, thinkTime: 10ms, startTime: 200ms, duration: "
            "300ms%s,"
            " workload: {recordCount: 20}}\n",
            nodes > 9 ? ", target: back" : "");
    }
    if (chance(writer, 30)) {
        add(writer,
            "  c: {executor: ramping-vus, startVUs: %s, stages: [{target: 4, duration: 300ms}, "
            "{target: 0, duration: 200ms}, {target: 2, duration: 1s}], workload: {recordCount: "
            "20}}\n",
            ANY(writer, "0", "3"));
    }
    add(writer,
        "client: {deadline: 500ms, timeout: 50ms, retry: {maxAttempts: 5, backoff: exponential,"
        " initialBackoff: 5ms, maxBackoff: 50ms, jitter: %s}}\n",
        ANY(writer, "none", "full", "decorrelated"));
    uint32_t faults = below(writer, 9);
    if (faults > 0) {
        add(writer, "faults:\n");
    }
    for (uint32_t i = 0; i < faults; i++) {
        add_fault(writer, i, nodes);
    }
    add(writer, "swarm: %s\n", ANY(writer, "true", "false"));
    add(writer, "checks: [{always: {invariant: no-lost-acked-write}}]\n");
    return writer->text;
}

static const struct sq_model *find_model(void *context, const char *name, const char *base,
                                         struct err *err)
{
    if (strcmp(name, chaos_model.name) == 0) {
        return &chaos_model;
    }
    return planned_find_model(context, name, base, err);
}

static const char *const model_names[] = {"chaos", NULL};
static const char *const check_names[] = {"no-lost-acked-write", NULL};
static const struct catalog catalog = {NULL, find_model, model_names, check_names, threshold_check};

/* ----------------------------------------------------------------------------------------- running
 */

struct outcome {
    uint64_t digest;
    uint64_t events;
    enum world_end end;
};

static struct outcome finish(struct world *world)
{
    CHECK(world->end != WORLD_RUNNING);
    CHECK(world_now(world) <= 62 * NS_PER_S);
    world_finish(world);
    return (struct outcome){world_digest(world), world_event(world), world->end};
}

static struct outcome run_whole(struct world *world, const struct run_spec *spec, uint64_t seed)
{
    world_reset(world, spec, seed, NULL);
    world_run(world, INT64_MAX, UINT64_MAX);
    return finish(world);
}

/* Now by events, now by time. */
static struct outcome run_in_pieces(struct world *world, const struct run_spec *spec, uint64_t seed)
{
    struct rng rng = rng_keyed(seed, 1, 0, 0);
    world_reset(world, spec, seed, NULL);
    while (world->end == WORLD_RUNNING) {
        if (rng_below(&rng, 2) == 0) {
            world_run(world, INT64_MAX, world_event(world) + rng_below(&rng, 400));
        } else {
            int64_t step = (int64_t)rng_below(&rng, 300 * NS_PER_MS);
            world_run(world, world_now(world) + step, UINT64_MAX);
        }
    }
    return finish(world);
}

static bool is_same(struct outcome left, struct outcome right)
{
    return left.digest == right.digest && left.events == right.events && left.end == right.end;
}

/* `left` and `right` are used again and again. */
static void try_scenario(struct world *left, struct world *right, const char *model, uint64_t seed)
{
    static struct writer writer;
    const char *yaml = write_scenario(&writer, model, seed);
    struct planned planned;
    bool is_planned = planned_open(&planned, yaml, NULL, &catalog);
    CHECK(is_planned);
    if (is_planned) {
        const struct run_spec *spec = &planned.plan.cells[0].spec;
        struct outcome first = run_whole(left, spec, seed);
        bool is_fine = is_same(first, run_in_pieces(right, spec, seed)) &&
                       is_same(first, run_whole(right, spec, seed));
        CHECK(is_fine);
        if (!is_fine) {
            fprintf(stderr, "seed %llu:\n%s", (unsigned long long)seed, yaml);
        }
        planned_close(&planned);
    } else {
        fputs(yaml, stderr);
    }
}

static void try_scenarios(const char *model, uint64_t first, uint32_t count)
{
    struct world *left = world_new();
    struct world *right = world_new();
    right->heap_slot = 1;
    right->heap_fill = 0xa5;
    for (uint64_t seed = first; seed < first + count; seed++) {
        try_scenario(left, right, model, seed);
    }
    world_free(left);
    world_free(right);
}

TEST(random_worlds, of_a_model_that_does_everything_end_and_repeat)
{
    try_scenarios("chaos", 1, SCRIPTED_WORLDS);
}

TEST(random_worlds, of_sqlite_and_of_a_primary_with_backups_end_and_repeat)
{
    try_scenarios("sqlite-single", 1000, REAL_WORLDS);
    try_scenarios("primary-backup", 2000, REAL_WORLDS);
}

#ifdef HAVE_RAFT
TEST(random_worlds, of_libraft_end_and_repeat)
{
    try_scenarios("raft", 3000, REAL_WORLDS);
    try_scenarios("raft-sqlite", 4000, REAL_WORLDS);
}
#endif
