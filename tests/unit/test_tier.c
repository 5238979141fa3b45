/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Models `proxy`, `cache`, `look-aside` and `memcache` in a world of three or four groups: a driver
 * that plays a script of calls, the tier under test, a store of the test's own that counts what
 * reaches it, and a memcache. The last tests put a load in place of the driver and let the judge
 * say whether the keys are linearizable. What load does to these tiers is in test_cache.c. */
#include "analysis/judge.h"
#include "models/models.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/node.h"
#include "tests/unit/harness.h"

#include <stdlib.h>

#define MS        NS_PER_MS
#define S         NS_PER_S
#define STEPS_MAX 40
#define KEYS      16
#define LATE      99

/* ---------------------------------------------------------------------------------- the script */

enum step_kind { STEP_READ, STEP_UPDATE, STEP_WAIT, STEP_NONSENSE };

struct step {
    enum step_kind kind;
    uint64_t key;
    uint64_t value;   /* UPDATE; WAIT: ns */
    bool is_parallel; /* the next step does not wait for its answer */
    /* answer */
    enum sq_status status;
    uint64_t got;
    bool is_done;
};

/* What the test wants, and what it sees. */
static struct stage {
    struct step steps[STEPS_MAX];
    uint32_t step_count;
    const char *target;          /* of the driver's calls */
    enum sq_status store_status; /* what the store answers with */
    bool store_is_silent;        /* it never answers */
    sq_time store_delay;         /* before it looks at the key */
    sq_time update_delay;        /* on top, for updates */
    sq_time reply_delay;         /* after it has looked; reads only */
    uint32_t prompt_from; /* this read of a key, and later ones, are answered at once; 0: none */
    uint32_t change_at;   /* this read of a key finds it changed to LATE, as by an update whose
                             outcome was unknown; 0: none */
    uint32_t store_reads[KEYS]; /* requests that came */
    uint32_t store_updates[KEYS];
    uint64_t last_session;
    uint64_t last_sequence;
} stage;

static void driver_answer(struct sq_env *env, void *argument, enum sq_status status,
                          const void *data, size_t size)
{
    struct step *step = argument;
    sq_fiber *driver = env->state;
    step->status = status;
    step->is_done = true;
    if (size == sizeof(struct sq_kv_reply)) {
        memcpy(&step->got, data, size);
    }
    env->fiber->unpark(env, *driver);
}

static void driver_step(struct sq_env *env, struct step *step, uint32_t index)
{
    if (step->kind == STEP_WAIT) {
        env->clock->sleep(env, (sq_time)step->value);
        step->is_done = true;
        return;
    }
    struct sq_kv_request request = {
        .kind = step->kind == STEP_READ ? SQ_KV_READ : SQ_KV_UPDATE,
        .key = step->key,
        .value = step->value,
        .session = 7,
        .sequence = index + 1,
    };
    size_t size = step->kind == STEP_NONSENSE ? 3 : sizeof(request);
    env->call->call(env, stage.target, &request, size, driver_answer, step);
    while (!step->is_parallel && !step->is_done) {
        env->fiber->park(env);
    }
}

static void driver_main(struct sq_env *env, void *argument)
{
    (void)argument;
    for (uint32_t i = 0; i < stage.step_count; i++) {
        driver_step(env, &stage.steps[i], i);
    }
}

static enum sq_status driver_boot(struct sq_env *env)
{
    sq_fiber *driver = env->mem->alloc(env, sizeof(*driver));
    env->state = driver;
    *driver = env->fiber->spawn(env, driver_main, NULL);
    return SQ_OK;
}

static const struct sq_model driver = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "driver",
    .version = "test",
    .description = "plays a script",
    .boot = driver_boot,
};

/* ----------------------------------------------------------------------------------- the store */

static enum sq_status store_boot(struct sq_env *env)
{
    uint64_t *values = env->mem->alloc(env, KEYS * sizeof(*values));
    memset(values, 0, KEYS * sizeof(*values));
    env->state = values;
    return SQ_OK;
}

/* Handles one request on a fiber of its own, so that slow answers overlap. */
struct job {
    struct sq_reply_to reply_to;
    struct sq_kv_request kv;
    uint32_t ordinal; /* of the reads, or of the updates, of this key, from 1 */
};

static void store_work(struct sq_env *env, void *argument)
{
    struct job *job = argument;
    uint64_t *value = (uint64_t *)env->state + job->kv.key;
    bool is_read = job->kv.kind == SQ_KV_READ;
    env->clock->sleep(env, stage.store_delay + (is_read ? 0 : stage.update_delay));
    if (!is_read && stage.store_status == SQ_OK) {
        *value = job->kv.value;
    }
    if (is_read && job->ordinal == stage.change_at) {
        *value = LATE;
    }
    struct sq_kv_reply reply = {*value};
    bool is_prompt = stage.prompt_from != 0 && job->ordinal >= stage.prompt_from;
    env->clock->sleep(env, is_read && !is_prompt ? stage.reply_delay : 0);
    env->call->reply(env, job->reply_to, stage.store_status, SQ_NODE_NONE, &reply,
                     stage.store_status == SQ_OK ? sizeof(reply) : 0);
}

static void store_request(struct sq_env *env, const struct sq_request *request)
{
    struct job *job = env->mem->alloc(env, sizeof(*job));
    job->reply_to = request->reply_to;
    if (!sq_kv_decode(request->data, request->size, &job->kv) || job->kv.key >= KEYS) {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    bool is_read = job->kv.kind == SQ_KV_READ;
    job->ordinal = ++(is_read ? stage.store_reads : stage.store_updates)[job->kv.key];
    stage.last_session = job->kv.session;
    stage.last_sequence = job->kv.sequence;
    if (!stage.store_is_silent) {
        env->fiber->spawn(env, store_work, job);
    }
}

static const struct sq_model store = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "store",
    .version = "test",
    .description = "counts what reaches it",
    .boot = store_boot,
    .request = store_request,
};

/* ----------------------------------------------------------------------------------- the world */

enum { GROUP_DRIVER, GROUP_TIER, GROUP_STORE, GROUP_MEMCACHE, GROUP_COUNT };

struct field {
    struct spec_group groups[GROUP_COUNT];
    struct spec_client clients[3]; /* of the driver, and two of the tier */
    struct sq_value options[8];
    struct sq_value memcache_options[2];
    struct spec_load load;
    struct spec_check check;
    struct spec_fault fault;
    struct run_spec spec;
};

static struct spec_client client_of(const char *target, uint32_t group, uint32_t attempts)
{
    return (struct spec_client){
        .target = target,
        .target_group = group,
        .count = 4,
        .deadline_ns = INT64_MAX,
        .timeout_ns = 100 * MS,
        .route = SPEC_ROUTE_RANDOM,
        .attempts_max = attempts,
        .backoff = SPEC_BACKOFF_FIXED,
        .backoff_initial_ns = 1 * MS,
        .backoff_max_ns = 1 * MS,
        .backoff_multiplier_milli = 1000,
        .retry_on = ~UINT64_C(1),
    };
}

static void field_init(struct field *field, const struct sq_model *tier)
{
    static const struct spec_host host = {
        .cores = 1, .queue_limit = 1000, .per_operation_ns = 1000};
    *field = (struct field){0};
    stage = (struct stage){.target = "tier"};
    field->options[0] = (struct sq_value){0, "store"};
    field->clients[0] = client_of("tier", GROUP_TIER, 1);
    field->clients[1] = client_of("store", GROUP_STORE, 1);
    field->groups[GROUP_DRIVER] = (struct spec_group){.name = "driver",
                                                      .model = &driver,
                                                      .model_name = "driver",
                                                      .first = 0,
                                                      .count = 1,
                                                      .nodes_per_host = 1,
                                                      .host = host,
                                                      .clients = &field->clients[0],
                                                      .client_count = 1};
    field->groups[GROUP_TIER] = (struct spec_group){.name = "tier",
                                                    .model = tier,
                                                    .model_name = tier->name,
                                                    .options = field->options,
                                                    .first = 1,
                                                    .count = 1,
                                                    .nodes_per_host = 1,
                                                    .host = host,
                                                    .clients = &field->clients[1],
                                                    .client_count = 1};
    field->groups[GROUP_STORE] = (struct spec_group){.name = "store",
                                                     .model = &store,
                                                     .model_name = "store",
                                                     .first = 2,
                                                     .count = 1,
                                                     .nodes_per_host = 1,
                                                     .host = host};
    field->spec = (struct run_spec){
        .name = "tier",
        .limit_ns = 20 * S,
        .event_limit = UINT64_MAX,
        .window_ns = S,
        .groups = field->groups,
        .group_count = GROUP_STORE + 1,
        .node_count = GROUP_STORE + 1,
        .link_default = {.latency_ns = MS, .is_fifo = true},
        .link_clients = {.latency_ns = MS, .is_fifo = true},
        .disk = {.capacity_bytes = INT64_MAX, .sector_bytes = 512},
        .faults = &field->fault,
        .checks = &field->check,
        .loads = &field->load,
    };
}

static void proxy_init(struct field *field)
{
    field_init(field, &model_proxy);
    field->options[1].number = 10000;
}

static void cache_init(struct field *field, int64_t capacity, bool has_lease)
{
    field_init(field, &model_cache);
    field->options[1].number = capacity;
    field->options[2].number = has_lease;
    field->options[3].number = 10000;
    field->options[5].number = true;
}

/* The tier is an application between a memcache of `memcaches` nodes and the store. */
static void look_aside_init(struct field *field, uint32_t memcaches)
{
    field_init(field, &model_look_aside);
    field->options[0].text = "memcache";
    field->options[1].text = "store";
    field->options[2].number = 1;
    field->options[6].number = 10000;
    field->clients[1] = client_of("memcache", GROUP_MEMCACHE, 1);
    field->clients[2] = client_of("store", GROUP_STORE, 1);
    field->clients[0].timeout_ns = S;
    field->groups[GROUP_TIER].client_count = 2;
    field->groups[GROUP_MEMCACHE] = field->groups[GROUP_STORE];
    field->groups[GROUP_MEMCACHE].name = "memcache";
    field->groups[GROUP_MEMCACHE].model = &model_memcache;
    field->groups[GROUP_MEMCACHE].options = field->memcache_options;
    field->groups[GROUP_MEMCACHE].first = 3;
    field->groups[GROUP_MEMCACHE].count = memcaches;
    field->memcache_options[0].number = 10;
    field->spec.group_count = GROUP_COUNT;
    field->spec.node_count = 3 + memcaches;
}

/* All nodes of the mask are told to forget the keys below `value`. */
static void flush_at(struct field *field, uint64_t nodes, int64_t value, int64_t at_ns)
{
    field->fault = (struct spec_fault){
        .name = "flush",
        .kind = SPEC_APP_CHAOS,
        .action = SPEC_ACTION_SIGNAL,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = nodes},
        .has_at = true,
        .at_ns = at_ns,
        .signal = "flush",
        .signal_value = value,
        .probability = RNG_ALWAYS,
    };
    field->spec.fault_count = 1;
}

/* The first node of a group dies for good. */
static struct spec_fault kill_at(sq_node node, int64_t at_ns)
{
    return (struct spec_fault){
        .name = "kill",
        .kind = SPEC_NODE_CHAOS,
        .action = SPEC_ACTION_KILL,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = UINT64_C(1) << node},
        .has_at = true,
        .at_ns = at_ns,
        .has_no_end = true,
        .probability = RNG_ALWAYS,
    };
}

static void script(const struct step *steps, uint32_t count)
{
    ASSERT(count <= STEPS_MAX);
    memcpy(stage.steps, steps, count * sizeof(*steps));
    stage.step_count = count;
}

#define READ(key_)           ((struct step){.kind = STEP_READ, .key = (key_)})
#define READ_ASIDE(key_)     ((struct step){.kind = STEP_READ, .key = (key_), .is_parallel = true})
#define UPDATE(key_, value_) ((struct step){.kind = STEP_UPDATE, .key = (key_), .value = (value_)})
#define WAIT(ns_)            ((struct step){.kind = STEP_WAIT, .value = (ns_)})
#define NONSENSE             ((struct step){.kind = STEP_NONSENSE})

/* Plays the steps until the time limit. */
#define PLAY(field, ...)                                                                           \
    play(field, (const struct step[]){__VA_ARGS__},                                                \
         sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step))

static void play(struct field *field, const struct step *steps, size_t count)
{
    script(steps, (uint32_t)count);
    struct world *world = world_new();
    world_reset(world, &field->spec, 1, NULL);
    world_run(world, INT64_MAX, UINT64_MAX);
    world_finish(world);
    for (uint32_t i = 0; i < stage.step_count; i++) {
        CHECK(stage.steps[i].is_done);
    }
    world_free(world);
}

/* --------------------------------------------------------------------------------------- proxy */

/* ---------------------------------------------------------------------------- calls to one node */

static struct {
    uint32_t size;
    uint32_t size_unknown;
    enum sq_status status[4]; /* node 0, node 1, no such node, no such group */
    uint64_t value[4];        /* the stores answer with their number */
} pins;

static void pin_answer(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                       size_t size)
{
    (void)env;
    uint32_t index = (uint32_t)(uintptr_t)argument;
    pins.status[index] = status;
    if (size == sizeof(pins.value[0])) {
        memcpy(&pins.value[index], data, size);
    }
}

static enum sq_status pin_boot(struct sq_env *env)
{
    pins.size = env->call->group_size(env, "tier");
    pins.size_unknown = env->call->group_size(env, "store");
    for (uint32_t i = 0; i < 4; i++) {
        env->call->call_with(env, &(struct sq_call_options){.group = i == 3 ? "nobody" : "tier",
                                                            .data = "x",
                                                            .size = 1,
                                                            .on_reply = pin_answer,
                                                            .argument = (void *)(uintptr_t)i,
                                                            .has_index = true,
                                                            .index = i});
    }
    return SQ_OK;
}

static void number_request(struct sq_env *env, const struct sq_request *request)
{
    uint64_t number = env->self - env->group_first;
    bool is_refused = request->reply_to.attempt < 2; /* so that it is sent again */
    env->call->reply(env, request->reply_to, is_refused ? SQ_E_UNAVAILABLE : SQ_OK, SQ_NODE_NONE,
                     &number, sizeof(number));
}

TEST(tier, a_call_to_one_node_stays_with_it)
{
    static const struct sq_model pinner = {.abi_version = SQ_ABI_VERSION,
                                           .size = sizeof(struct sq_model),
                                           .name = "pinner",
                                           .boot = pin_boot};
    static const struct sq_model number = {.abi_version = SQ_ABI_VERSION,
                                           .size = sizeof(struct sq_model),
                                           .name = "number",
                                           .boot = store_boot,
                                           .request = number_request};
    struct field field;
    field_init(&field, &number);
    memset(&pins, 0, sizeof(pins));
    field.groups[GROUP_DRIVER].model = &pinner;
    field.groups[GROUP_TIER].count = 2;
    field.groups[GROUP_STORE].first = 3;
    field.spec.node_count = 4;
    field.clients[0].attempts_max = 3;
    struct world *world = world_new();
    world_reset(world, &field.spec, 1, NULL);
    world_run(world, INT64_MAX, UINT64_MAX);
    world_finish(world);
    world_free(world);
    CHECK_EQUAL(pins.size, 2);
    CHECK_EQUAL(pins.size_unknown, 0);
    CHECK_EQUAL(pins.status[0], SQ_OK);
    CHECK_EQUAL(pins.status[1], SQ_OK);
    CHECK_EQUAL(pins.value[0], 0);
    CHECK_EQUAL(pins.value[1], 1);
    CHECK_EQUAL(pins.status[2], SQ_E_NODE_NOT_FOUND);
    CHECK_EQUAL(pins.status[3], SQ_E_NODE_NOT_FOUND);
}

/* Calls in turn to one group and, where there is a policy for it, to the other. */
static struct {
    uint64_t nodes[2][20]; /* that answered */
    uint32_t counts[2];
} picks;

static void pick_answer(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                        size_t size)
{
    (void)env;
    const uint32_t group = (uint32_t)(uintptr_t)argument;
    if (status == SQ_OK && size == sizeof(uint64_t) && picks.counts[group] < 20) {
        memcpy(&picks.nodes[group][picks.counts[group]], data, size);
        picks.counts[group]++;
    }
}

static enum sq_status pick_boot(struct sq_env *env)
{
    for (uint32_t i = 0; i < 20; i++) {
        env->call->call(env, "tier", "x", 1, pick_answer, (void *)(uintptr_t)0);
        env->call->call(env, "store", "x", 1, pick_answer, (void *)(uintptr_t)1);
    }
    return SQ_OK;
}

static void number_answer(struct sq_env *env, const struct sq_request *request)
{
    uint64_t number = env->self - env->group_first;
    env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &number, sizeof(number));
}

static void play_picks(uint32_t clients)
{
    static const struct sq_model picker = {.abi_version = SQ_ABI_VERSION,
                                           .size = sizeof(struct sq_model),
                                           .name = "picker",
                                           .boot = pick_boot};
    static const struct sq_model number = {.abi_version = SQ_ABI_VERSION,
                                           .size = sizeof(struct sq_model),
                                           .name = "number",
                                           .boot = store_boot,
                                           .request = number_answer};
    struct field field;
    field_init(&field, &number);
    memset(&picks, 0, sizeof(picks));
    field.groups[GROUP_DRIVER].model = &picker;
    field.groups[GROUP_DRIVER].client_count = clients;
    field.clients[1] = client_of("store", GROUP_STORE, 1);
    field.groups[GROUP_TIER].client_count = 0;
    field.groups[GROUP_TIER].count = 4;
    field.groups[GROUP_STORE].model = &number;
    field.groups[GROUP_STORE].first = 5;
    field.groups[GROUP_STORE].count = 4;
    field.spec.node_count = 9;
    struct world *world = world_new();
    world_reset(world, &field.spec, 1, NULL);
    world_run(world, INT64_MAX, UINT64_MAX);
    world_finish(world);
    world_free(world);
}

TEST(tier, a_further_policy_moves_no_draw_of_the_first)
{
    uint64_t alone[20];
    play_picks(1);
    CHECK_EQUAL(picks.counts[0], 20);
    CHECK_EQUAL(picks.counts[1], 0);
    memcpy(alone, picks.nodes[0], sizeof(alone));
    play_picks(2);
    CHECK_EQUAL(picks.counts[0], 20);
    CHECK_EQUAL(picks.counts[1], 20);
    CHECK(memcmp(alone, picks.nodes[0], sizeof(alone)) == 0);
    CHECK(memcmp(alone, picks.nodes[1], sizeof(alone)) != 0); /* streams of its own */
}

TEST(tier, proxy_passes_requests_and_answers_unchanged)
{
    struct field field;
    proxy_init(&field);
    PLAY(&field, UPDATE(3, 42), READ(3), READ(4));
    CHECK_EQUAL(stage.steps[0].status, SQ_OK);
    CHECK_EQUAL(stage.steps[1].status, SQ_OK);
    CHECK_EQUAL(stage.steps[1].got, 42);
    CHECK_EQUAL(stage.steps[2].got, 0);
    CHECK_EQUAL(stage.store_updates[3], 1);
    CHECK_EQUAL(stage.last_session, 7);
    CHECK_EQUAL(stage.last_sequence, 3);
}

TEST(tier, proxy_keeps_definite_errors_definite)
{
    static const enum sq_status statuses[][2] = {
        {SQ_E_OVERLOADED, SQ_E_OVERLOADED},       {SQ_E_ABORT, SQ_E_ABORT},
        {SQ_E_UNAVAILABLE, SQ_E_UNAVAILABLE},     {SQ_E_PRECONDITION, SQ_E_PRECONDITION},
        {SQ_E_NOT_LEADER, SQ_E_UNAVAILABLE},      {SQ_E_REFUSED, SQ_E_UNAVAILABLE},
        {SQ_E_KEY_NOT_FOUND, SQ_E_KEY_NOT_FOUND},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(statuses); i++) {
        struct field field;
        proxy_init(&field);
        stage.store_status = statuses[i][0];
        PLAY(&field, UPDATE(1, 5));
        CHECK_EQUAL(stage.steps[0].status, statuses[i][1]);
    }
}

TEST(tier, proxy_keeps_indefinite_errors_indefinite)
{
    static const enum sq_status statuses[] = {SQ_E_TIMEOUT, SQ_E_CRASH, SQ_E_IO};
    for (uint32_t i = 0; i < ARRAY_COUNT(statuses); i++) {
        struct field field;
        proxy_init(&field);
        stage.store_status = statuses[i];
        PLAY(&field, UPDATE(1, 5));
        CHECK_EQUAL(stage.steps[0].status, SQ_E_TIMEOUT);
    }
}

/* The last attempt is refused for certain, but an earlier one may have taken effect. */
TEST(tier, proxy_tells_a_time_out_when_any_attempt_is_open)
{
    struct field field;
    proxy_init(&field);
    field.clients[1].attempts_max = 2;
    field.clients[0].timeout_ns = 10 * S;
    stage.store_is_silent = true;
    PLAY(&field, UPDATE(1, 5));
    CHECK_EQUAL(stage.steps[0].status, SQ_E_TIMEOUT);
    CHECK_EQUAL(stage.store_updates[1], 2);
}

TEST(tier, attempts_of_tiers_multiply)
{
    struct field field;
    proxy_init(&field);
    field.clients[0].attempts_max = 3;
    field.clients[0].timeout_ns = 500 * MS; /* longer than the proxy's three attempts */
    field.clients[1].attempts_max = 3;
    stage.store_is_silent = true;
    PLAY(&field, READ(2));
    CHECK_EQUAL(stage.store_reads[2], 9);
}

TEST(tier, proxy_answers_overloaded_beyond_its_limit)
{
    struct field field;
    proxy_init(&field);
    field.options[1].number = 2;
    stage.store_delay = 10 * MS;
    PLAY(&field, READ_ASIDE(1), READ_ASIDE(2), READ(3), WAIT(50 * MS), READ(4));
    CHECK_EQUAL(stage.steps[0].status, SQ_OK);
    CHECK_EQUAL(stage.steps[1].status, SQ_OK);
    CHECK_EQUAL(stage.steps[2].status, SQ_E_OVERLOADED);
    CHECK_EQUAL(stage.steps[4].status, SQ_OK);
    CHECK_EQUAL(stage.store_reads[3], 0);
}

TEST(tier, proxy_without_its_target_says_node_not_found)
{
    struct field field;
    proxy_init(&field);
    field.options[0].text = "elsewhere";
    PLAY(&field, READ(1));
    CHECK_EQUAL(stage.steps[0].status, SQ_E_NODE_NOT_FOUND);
    CHECK_EQUAL(stage.store_reads[1], 0);
}

/* --------------------------------------------------------------------------------------- cache */

TEST(tier, cache_answers_from_memory_until_an_update)
{
    struct field field;
    cache_init(&field, 10, true);
    PLAY(&field, UPDATE(1, 11), READ(1), READ(1), READ(1), UPDATE(1, 12), READ(1), READ(1));
    CHECK_EQUAL(stage.store_reads[1], 2);
    CHECK_EQUAL(stage.store_updates[1], 2);
    CHECK_EQUAL(stage.steps[1].got, 11);
    CHECK_EQUAL(stage.steps[3].got, 11);
    CHECK_EQUAL(stage.steps[5].got, 12);
    CHECK_EQUAL(stage.steps[6].got, 12);
}

TEST(tier, cache_keeps_absent_keys_too)
{
    struct field field;
    cache_init(&field, 10, true);
    PLAY(&field, READ(5), READ(5));
    CHECK_EQUAL(stage.store_reads[5], 1);
    CHECK_EQUAL(stage.steps[1].status, SQ_OK);
    CHECK_EQUAL(stage.steps[1].got, 0);
}

TEST(tier, cache_evicts_the_least_recently_used_key)
{
    struct field field;
    cache_init(&field, 2, true);
    PLAY(&field, READ(1), READ(2), READ(1), READ(3), READ(1), READ(2));
    CHECK_EQUAL(stage.store_reads[1], 1);
    CHECK_EQUAL(stage.store_reads[2], 2);
    CHECK_EQUAL(stage.store_reads[3], 1);
}

TEST(tier, cache_of_capacity_zero_keeps_nothing)
{
    struct field field;
    cache_init(&field, 0, true);
    PLAY(&field, READ(1), READ(1));
    CHECK_EQUAL(stage.store_reads[1], 2);
}

TEST(tier, cache_keeps_nothing_of_failed_reads)
{
    struct field field;
    cache_init(&field, 10, true);
    stage.store_status = SQ_E_UNAVAILABLE;
    PLAY(&field, READ(1), READ(1), NONSENSE);
    CHECK_EQUAL(stage.store_reads[1], 2);
    CHECK_EQUAL(stage.steps[1].status, SQ_E_UNAVAILABLE);
    CHECK_EQUAL(stage.steps[2].status, SQ_E_MALFORMED);
}

/* The store has read the old value, but its answer comes after an update of the key is done. */
static void play_overtaken(bool has_lease)
{
    struct field field;
    cache_init(&field, 10, has_lease);
    stage.reply_delay = 20 * MS;
    PLAY(&field, UPDATE(1, 11), READ_ASIDE(1), WAIT(5 * MS), UPDATE(1, 12), WAIT(50 * MS), READ(1));
    CHECK_EQUAL(stage.steps[1].got, 11);
}

TEST(tier, cache_with_leases_does_not_keep_a_read_that_was_overtaken)
{
    play_overtaken(true);
    CHECK_EQUAL(stage.steps[5].got, 12);
    CHECK_EQUAL(stage.store_reads[1], 2);
}

TEST(tier, cache_without_leases_stays_stale)
{
    play_overtaken(false);
    CHECK_EQUAL(stage.steps[5].got, 11);
    CHECK_EQUAL(stage.store_reads[1], 1);
}

TEST(tier, cache_keeps_only_the_first_of_several_reads_under_way)
{
    struct field field;
    cache_init(&field, 10, true);
    stage.reply_delay = 20 * MS;
    PLAY(&field, READ_ASIDE(1), WAIT(5 * MS), READ_ASIDE(1), WAIT(50 * MS), READ(1));
    CHECK_EQUAL(stage.store_reads[1], 2);
    CHECK_EQUAL(stage.steps[4].status, SQ_OK);
}

TEST(tier, cache_does_not_keep_a_read_that_began_during_an_update)
{
    struct field field;
    cache_init(&field, 10, true);
    stage.update_delay = 20 * MS;
    stage.reply_delay = 40 * MS;
    stage.prompt_from = 2;
    PLAY(&field, ((struct step){.kind = STEP_UPDATE, .key = 1, .value = 12, .is_parallel = true}),
         WAIT(5 * MS), READ(1), READ(1));
    CHECK_EQUAL(stage.steps[2].got, 0);
    CHECK_EQUAL(stage.steps[3].got, 12);
}

TEST(tier, cache_drops_a_key_when_two_reads_differ)
{
    struct field field;
    cache_init(&field, 10, true);
    stage.reply_delay = 20 * MS;
    stage.change_at = 2;
    PLAY(&field, READ_ASIDE(1), WAIT(5 * MS), READ(1), READ(1));
    CHECK_EQUAL(stage.steps[0].got, 0);
    CHECK_EQUAL(stage.steps[2].got, LATE);
    CHECK_EQUAL(stage.steps[3].got, LATE);
    CHECK_EQUAL(stage.store_reads[1], 3);
}

/* The second read is answered first, and what was kept of it is evicted before the first one comes
 * with the older value. */
TEST(tier, cache_keeps_nothing_older_than_what_it_has_answered)
{
    struct field field;
    cache_init(&field, 1, true);
    stage.reply_delay = 60 * MS;
    stage.prompt_from = 2;
    stage.change_at = 2;
    stage.store_reads[2] = 2; /* key 2 is answered at once as well */
    PLAY(&field, READ_ASIDE(1), WAIT(5 * MS), READ(1), READ(2), WAIT(100 * MS), READ(1));
    CHECK_EQUAL(stage.steps[0].got, 0);
    CHECK_EQUAL(stage.steps[2].got, LATE);
    CHECK_EQUAL(stage.steps[5].got, LATE);
}

TEST(tier, cache_forgets_at_a_crash)
{
    struct field field;
    cache_init(&field, 10, true);
    field.fault = (struct spec_fault){
        .name = "kill",
        .kind = SPEC_NODE_CHAOS,
        .action = SPEC_ACTION_KILL,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = 1 << 1},
        .has_at = true,
        .at_ns = 1 * S,
        .duration = {.kind = DIST_CONSTANT, .a = 100 * MS},
        .probability = RNG_ALWAYS,
    };
    field.spec.fault_count = 1;
    PLAY(&field, READ(1), READ(1), WAIT(2 * S), READ(1));
    CHECK_EQUAL(stage.steps[3].status, SQ_OK);
    CHECK_EQUAL(stage.store_reads[1], 2);
}

static void gather(struct field *field)
{
    cache_init(field, 10, true);
    field->options[4].number = true;
    stage.store_delay = 20 * MS;
}

TEST(tier, cache_gathers_the_misses_of_a_key_into_one_query)
{
    struct field field;
    gather(&field);
    PLAY(&field, UPDATE(1, 11), READ_ASIDE(1), READ_ASIDE(2), READ_ASIDE(1), READ_ASIDE(1),
         WAIT(60 * MS), READ(1));
    CHECK_EQUAL(stage.store_reads[1], 1);
    CHECK_EQUAL(stage.store_reads[2], 1);
    for (uint32_t i = 1; i <= 4; i++) {
        CHECK_EQUAL(stage.steps[i].status, SQ_OK);
        CHECK_EQUAL(stage.steps[i].got, stage.steps[i].key == 1 ? 11 : 0);
    }
    field.options[4].number = false;
    stage.store_reads[1] = 0;
    PLAY(&field, READ_ASIDE(1), READ_ASIDE(1), READ_ASIDE(1), WAIT(60 * MS));
    CHECK_EQUAL(stage.store_reads[1], 3);
}

TEST(tier, cache_gives_all_who_wait_the_error_too)
{
    struct field field;
    gather(&field);
    stage.store_status = SQ_E_UNAVAILABLE;
    PLAY(&field, READ_ASIDE(1), READ_ASIDE(1), READ(1));
    CHECK_EQUAL(stage.store_reads[1], 1);
    CHECK_EQUAL(stage.steps[0].status, SQ_E_UNAVAILABLE);
    CHECK_EQUAL(stage.steps[2].status, SQ_E_UNAVAILABLE);
}

/* The read under way may come with the value before the update. */
TEST(tier, cache_lets_nobody_wait_for_a_read_that_was_overtaken)
{
    struct field field;
    gather(&field);
    stage.store_delay = 0;
    stage.reply_delay = 40 * MS;
    PLAY(&field, UPDATE(1, 11), READ_ASIDE(1), WAIT(5 * MS), UPDATE(1, 12), READ(1));
    CHECK_EQUAL(stage.steps[1].got, 11);
    CHECK_EQUAL(stage.steps[4].got, 12);
    CHECK_EQUAL(stage.store_reads[1], 2);
}

TEST(tier, cache_counts_who_waits_for_another_read_against_its_limit)
{
    struct field field;
    gather(&field);
    field.options[3].number = 2;
    PLAY(&field, READ_ASIDE(1), READ_ASIDE(1), READ(1), WAIT(50 * MS), READ_ASIDE(2), READ(2));
    CHECK_EQUAL(stage.steps[1].status, SQ_OK);
    CHECK_EQUAL(stage.steps[2].status, SQ_E_OVERLOADED);
    CHECK_EQUAL(stage.steps[5].status, SQ_OK);
}

/* The driver waits 100 ms, the store takes 150. */
TEST(tier, cache_fills_after_its_caller_gave_up_unless_told_not_to)
{
    for (int fills = 0; fills <= 1; fills++) {
        struct field field;
        cache_init(&field, 10, true);
        field.options[5].number = fills;
        field.clients[1].timeout_ns = S;
        stage.store_delay = 150 * MS;
        PLAY(&field, READ(1), WAIT(200 * MS), READ(1));
        CHECK_EQUAL(stage.steps[0].status, SQ_E_TIMEOUT);
        CHECK_EQUAL(stage.steps[2].status, fills ? SQ_OK : SQ_E_TIMEOUT);
        CHECK_EQUAL(stage.store_reads[1], fills ? 1 : 2);
    }
}

TEST(tier, cache_starts_warm_and_is_flushed_by_a_signal)
{
    struct field field;
    cache_init(&field, 10, true);
    field.options[6].number = 5;
    flush_at(&field, 1 << GROUP_TIER, 3, S);
    PLAY(&field, READ(1), READ(4), READ(5), WAIT(2 * S), READ(1), READ(4), READ(5));
    CHECK_EQUAL(stage.store_reads[1], 1);
    CHECK_EQUAL(stage.store_reads[4], 0);
    CHECK_EQUAL(stage.store_reads[5], 1);
}

/* ------------------------------------------------------------------------ look-aside, memcache */

TEST(tier, look_aside_fills_the_cache_with_what_it_misses)
{
    struct field field;
    look_aside_init(&field, 1);
    PLAY(&field, READ(1), READ(1), UPDATE(1, 11), READ(1), READ(1));
    CHECK_EQUAL(stage.store_reads[1], 2);
    CHECK_EQUAL(stage.store_updates[1], 1);
    CHECK_EQUAL(stage.steps[1].status, SQ_OK);
    CHECK_EQUAL(stage.steps[1].got, 0);
    CHECK_EQUAL(stage.steps[3].got, 11);
    CHECK_EQUAL(stage.steps[4].got, 11);
}

TEST(tier, look_aside_makes_all_queries_of_a_miss_one_after_the_other)
{
    struct field field;
    look_aside_init(&field, 1);
    field.options[2].number = 7;
    stage.store_delay = 20 * MS;
    PLAY(&field, UPDATE(2, 5), READ(2), READ(2));
    CHECK_EQUAL(stage.store_updates[2], 1);
    CHECK_EQUAL(stage.store_reads[2], 7);
    CHECK_EQUAL(stage.steps[1].got, 5);
}

/* Each of three queries takes 20 ms and the way there and back. */
TEST(tier, look_aside_stops_at_its_limit_unless_told_to_fill)
{
    for (int fills = 0; fills <= 1; fills++) {
        struct field field;
        look_aside_init(&field, 1);
        field.options[2].number = 3;
        field.options[3].number = 50 * MS;
        field.options[4].number = fills;
        stage.store_delay = 20 * MS;
        PLAY(&field, READ(1), WAIT(100 * MS), READ(1), WAIT(100 * MS));
        CHECK_EQUAL(stage.steps[0].status, SQ_E_TIMEOUT);
        CHECK_EQUAL(stage.steps[2].status, fills ? SQ_OK : SQ_E_TIMEOUT);
        CHECK_EQUAL(stage.store_reads[1], fills ? 3 : 6);
    }
}

TEST(tier, look_aside_gathers_the_misses_of_a_key_into_one_query)
{
    for (int gathers = 0; gathers <= 1; gathers++) {
        struct field field;
        look_aside_init(&field, 1);
        field.options[7].number = gathers;
        stage.store_delay = 20 * MS;
        PLAY(&field, UPDATE(1, 11), READ_ASIDE(1), READ_ASIDE(2), READ_ASIDE(1), READ_ASIDE(1),
             WAIT(60 * MS), READ(1));
        CHECK_EQUAL(stage.store_reads[1], gathers ? 1 : 3);
        CHECK_EQUAL(stage.store_reads[2], 1);
        for (uint32_t i = 1; i <= 4; i++) {
            CHECK_EQUAL(stage.steps[i].status, SQ_OK);
            CHECK_EQUAL(stage.steps[i].got, stage.steps[i].key == 1 ? 11 : 0);
        }
        CHECK_EQUAL(stage.steps[6].got, 11);
    }
}

/* The read makes three queries of 20 ms; the update is through after one, and then a read comes. */
TEST(tier, look_aside_lets_nobody_wait_for_a_read_that_was_overtaken)
{
    for (int updates = 0; updates <= 1; updates++) {
        struct field field;
        look_aside_init(&field, 1);
        field.options[2].number = 3;
        field.options[7].number = true;
        stage.store_delay = 20 * MS;
        PLAY(&field, READ_ASIDE(1), WAIT(5 * MS), UPDATE(updates ? 1 : 2, 12), READ(1));
        CHECK_EQUAL(stage.store_reads[1], updates ? 6 : 3);
        CHECK_EQUAL(stage.steps[3].got, updates ? 12 : 0);
    }
}

/* Three queries take more than 60 ms. Who waits is told at its limit, whether the one that it waits
 * for ends at its own or goes on and fills the cache. */
TEST(tier, look_aside_ends_who_waits_at_its_limit)
{
    for (int fills = 0; fills <= 1; fills++) {
        struct field field;
        look_aside_init(&field, 1);
        field.options[2].number = 3;
        field.options[3].number = 30 * MS;
        field.options[4].number = fills;
        field.options[7].number = true;
        stage.store_delay = 20 * MS;
        PLAY(&field, READ_ASIDE(1), WAIT(10 * MS), READ_ASIDE(1), WAIT(100 * MS), READ(1));
        CHECK_EQUAL(stage.steps[0].status, SQ_E_TIMEOUT);
        CHECK_EQUAL(stage.steps[2].status, SQ_E_TIMEOUT);
        CHECK_EQUAL(stage.steps[4].status, fills ? SQ_OK : SQ_E_TIMEOUT);
        CHECK_EQUAL(stage.store_reads[1], fills ? 3 : 4);
    }
}

/* The database dies on the query of the first. */
TEST(tier, look_aside_gives_all_who_wait_the_error_too)
{
    struct field field;
    look_aside_init(&field, 1);
    field.options[7].number = true;
    stage.store_delay = 20 * MS;
    field.fault = kill_at(GROUP_STORE, 15 * MS);
    field.spec.fault_count = 1;
    PLAY(&field, READ_ASIDE(1), WAIT(5 * MS), READ_ASIDE(1), READ_ASIDE(1), WAIT(500 * MS));
    CHECK_EQUAL(stage.store_reads[1], 1);
    CHECK_EQUAL(stage.steps[0].status, SQ_E_TIMEOUT);
    CHECK_EQUAL(stage.steps[2].status, SQ_E_TIMEOUT);
    CHECK_EQUAL(stage.steps[3].status, SQ_E_TIMEOUT);
}

TEST(tier, look_aside_does_without_its_cache)
{
    struct field field;
    look_aside_init(&field, 1);
    field.clients[1].timeout_ns = 10 * MS;
    field.fault = kill_at(GROUP_MEMCACHE, S);
    field.spec.fault_count = 1;
    PLAY(&field, READ(1), WAIT(2 * S), READ(1), UPDATE(1, 4), NONSENSE);
    CHECK_EQUAL(stage.steps[2].status, SQ_OK);
    CHECK_EQUAL(stage.steps[3].status, SQ_OK);
    CHECK_EQUAL(stage.steps[4].status, SQ_E_MALFORMED);
    CHECK_EQUAL(stage.store_reads[1], 2);
}

TEST(tier, look_aside_answers_overloaded_beyond_its_limit)
{
    struct field field;
    look_aside_init(&field, 1);
    field.options[6].number = 1;
    stage.store_delay = 20 * MS;
    PLAY(&field, READ_ASIDE(1), READ(2), WAIT(100 * MS), READ(2));
    CHECK_EQUAL(stage.steps[0].status, SQ_OK);
    CHECK_EQUAL(stage.steps[1].status, SQ_E_OVERLOADED);
    CHECK_EQUAL(stage.steps[3].status, SQ_OK);
}

/* Both reads miss; the first has filled the cache when the database dies on the second. */
TEST(tier, look_aside_may_take_an_error_for_a_reason_to_invalidate)
{
    for (int invalidates = 0; invalidates <= 1; invalidates++) {
        struct field field;
        look_aside_init(&field, 1);
        field.options[5].number = invalidates;
        stage.store_delay = 20 * MS;
        field.fault = kill_at(GROUP_STORE, 30 * MS);
        field.spec.fault_count = 1;
        PLAY(&field, READ_ASIDE(1), WAIT(10 * MS), READ_ASIDE(1), WAIT(200 * MS), READ(1));
        CHECK_EQUAL(stage.steps[0].status, SQ_OK);
        CHECK_EQUAL(stage.steps[2].status, SQ_E_TIMEOUT);
        CHECK_EQUAL(stage.steps[4].status, invalidates ? SQ_E_UNAVAILABLE : SQ_OK);
    }
}

TEST(tier, memcache_nodes_share_the_keys_and_start_warm_once)
{
    struct field field;
    look_aside_init(&field, 2);
    field.memcache_options[1].number = KEYS;
    field.memcache_options[0].number = KEYS;
    field.spec.faults = &field.fault;
    field.fault = (struct spec_fault){
        .name = "restart",
        .kind = SPEC_NODE_CHAOS,
        .action = SPEC_ACTION_RESTART,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = 1 << 3},
        .has_at = true,
        .at_ns = S,
        .probability = RNG_ALWAYS,
    };
    field.spec.fault_count = 1;
    struct step steps[2 * KEYS + 1];
    for (uint32_t key = 0; key < KEYS; key++) {
        steps[key] = READ(key);
        steps[KEYS + 1 + key] = READ(key);
    }
    steps[KEYS] = WAIT(2 * S);
    play(&field, steps, STEPS_MAX < 2 * KEYS + 1 ? STEPS_MAX : 2 * KEYS + 1);
    uint32_t missed = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        missed += stage.store_reads[key];
    }
    CHECK(missed >= KEYS / 4); /* about half of the keys were on the node that restarted */
    CHECK(missed <= KEYS * 3 / 4);
}

TEST(tier, memcache_forgets_the_lowest_keys_at_a_signal)
{
    struct field field;
    look_aside_init(&field, 1);
    field.memcache_options[1].number = 8;
    flush_at(&field, 1 << GROUP_MEMCACHE, 3, S);
    PLAY(&field, READ(1), READ(7), READ(8), WAIT(2 * S), READ(2), READ(3), READ(8));
    CHECK_EQUAL(stage.store_reads[1], 0);
    CHECK_EQUAL(stage.store_reads[2], 1);
    CHECK_EQUAL(stage.store_reads[3], 0);
    CHECK_EQUAL(stage.store_reads[8], 1);
    flush_at(&field, 1 << GROUP_MEMCACHE, 0, S);
    PLAY(&field, WAIT(2 * S), READ(7));
    CHECK_EQUAL(stage.store_reads[7], 1);
}

/* ------------------------------------------------------------------------------ linearizability */

/* A load through `caches` cache nodes; true when every key is linearizable in all of `seeds` runs.
 */
static bool is_linearizable(uint32_t caches, bool has_lease, bool gathers, uint64_t seeds)
{
    struct field field;
    cache_init(&field, 4, has_lease);
    field.options[4].number = gathers;
    stage.store_delay = 1 * MS;
    stage.reply_delay = 2 * MS;
    field.groups[GROUP_TIER].count = caches;
    field.groups[GROUP_STORE].first = 1 + caches;
    field.spec.node_count = 2 + caches;
    field.spec.limit_ns = 5 * S;
    field.load = (struct spec_load){
        .name = "users",
        .arrivals = SPEC_ARRIVALS_POISSON,
        .duration_ns = INT64_MAX,
        .rate_per_1000s = 500000,
        .record_count = 6,
        .update_proportion = RNG_ALWAYS / 3,
        .client = client_of("tier", GROUP_TIER, 2),
    };
    field.spec.load_count = 1;
    field.check = (struct spec_check){.word = SPEC_ALWAYS, .name = "linearizable"};
    field.spec.check_count = 1;
    struct world *world = world_new();
    struct judge *judge = judge_new();
    struct run_result result;
    result_init(&result);
    bool is_fine = true;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        judge_begin(judge, &field.spec, seed);
        world_reset(world, &field.spec, seed, judge_observer(judge));
        world_run(world, INT64_MAX, UINT64_MAX);
        world_finish(world);
        struct judge_end end = {.events = world->sched.stats.fired, .sim_ns = world_now(world)};
        judge_finish(judge, &end, &result);
        CHECK(result.ok > 2000);
        is_fine = is_fine && result.verdict == VERDICT_PASS;
    }
    result_release(&result);
    judge_free(judge);
    world_free(world);
    return is_fine;
}

TEST(tier, one_cache_is_linearizable)
{
    CHECK(is_linearizable(1, true, false, 10));
    CHECK(is_linearizable(1, true, true, 10));
}

TEST(tier, two_caches_are_not_linearizable)
{
    CHECK(!is_linearizable(2, true, false, 1));
}

TEST(tier, a_cache_without_leases_is_not_linearizable)
{
    CHECK(!is_linearizable(1, false, false, 3));
}
