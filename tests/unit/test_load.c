/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loads against a real world of one node that answers every request in a way that the test chooses.
 * Times of arrival are compared with the integral of the rate, computed here by other means. */
#include "sim/load.h"

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/base/vec.h"
#include "sim/world.h"
#include "tests/unit/harness.h"

#include <stdlib.h>

#define MS         NS_PER_MS
#define SEEN_MAX   4096
#define STAGES_MAX 4

typedef unsigned __int128 wide;

/* ------------------------------------------------------------------------------------ the model */

enum mode {
    MODE_OK,
    MODE_SILENT,
    MODE_REFUSE,   /* definite */
    MODE_CRASH,    /* indefinite */
    MODE_SHORT,    /* SQ_OK without a value */
    MODE_ODD_KEYS, /* silent for odd keys */
};

struct seen {
    struct sq_kv_request request;
    uint64_t padding_digest;
    uint32_t attempt;
    bool is_valid;
};

/* What arrived at the model, of the test that runs. */
static struct seen seen[SEEN_MAX];
static uint32_t seen_count;

static enum sq_status answering_boot(struct sq_env *env)
{
    env->state = env;
    return SQ_OK;
}

static void answer(struct sq_env *env, struct sq_reply_to to, uint64_t key)
{
    struct sq_kv_reply reply = {.value = 1000 + key};
    switch ((enum mode)env->options[0].number) {
    case MODE_OK:
        env->call->reply(env, to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
        return;
    case MODE_SILENT:
        return;
    case MODE_REFUSE:
        env->call->reply(env, to, SQ_E_UNAVAILABLE, SQ_NODE_NONE, NULL, 0);
        return;
    case MODE_CRASH:
        env->call->reply(env, to, SQ_E_CRASH, SQ_NODE_NONE, NULL, 0);
        return;
    case MODE_SHORT:
        env->call->reply(env, to, SQ_OK, SQ_NODE_NONE, &reply, 3);
        return;
    case MODE_ODD_KEYS:
        if (key % 2 == 0) {
            env->call->reply(env, to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
        }
        return;
    }
    UNREACHABLE();
}

struct waiting {
    struct sq_reply_to to;
    uint64_t key;
};

static void answering_request(struct sq_env *env, const struct sq_request *request)
{
    struct seen entry = {.attempt = request->reply_to.attempt};
    entry.is_valid = sq_kv_decode(request->data, request->size, &entry.request);
    entry.padding_digest =
        hash_bytes((const char *)request->data + sizeof(entry.request), entry.request.padding);
    if (seen_count < SEEN_MAX) {
        seen[seen_count] = entry;
        seen_count++;
    }
    if (env->options[1].number == 0) {
        answer(env, request->reply_to, entry.request.key);
        return;
    }
    struct waiting *waiting = env->mem->alloc(env, sizeof(*waiting));
    *waiting = (struct waiting){request->reply_to, entry.request.key};
    env->clock->start(env, env->options[1].number, (uint64_t)(uintptr_t)waiting);
}

static void answering_timer(struct sq_env *env, uint64_t tag)
{
    struct waiting *waiting = (struct waiting *)(uintptr_t)tag;
    answer(env, waiting->to, waiting->key);
    env->mem->free(env, waiting);
}

static const struct sq_option answering_options[] = {
    {"mode", SQ_OPTION_COUNT, "0", NULL, "enum mode"},
    {"delay", SQ_OPTION_DURATION, "0", NULL, "before the answer"},
};

static const struct sq_model answering = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "answering",
    .options = answering_options,
    .option_count = 2,
    .boot = answering_boot,
    .request = answering_request,
    .timer = answering_timer,
};

/* ------------------------------------------------------------------------------------ the bench */

struct bench {
    struct run_spec spec;       /* tests change this one */
    struct run_spec running[2]; /* copies: the world reads the last one until it has the next */
    uint32_t run_count;
    struct spec_group group;
    struct spec_load loads[2];
    struct spec_stage stages[STAGES_MAX];
    struct sq_value options[2];
    struct sq_observer observer;
    struct world *world;
    uint32_t open;
    uint32_t open_max;
};

static void on_invoke(void *context, const struct sq_operation *operation)
{
    struct bench *bench = context;
    (void)operation;
    bench->open++;
    bench->open_max = bench->open > bench->open_max ? bench->open : bench->open_max;
}

static void on_complete(void *context, const struct sq_operation *operation)
{
    struct bench *bench = context;
    (void)operation;
    bench->open--;
}

/* 100 evenly spaced reads a second for one second, over 10 keys, answered at once; one attempt of
 * 100 ms. */
static struct bench *bench_new(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ASSERT(bench != NULL);
    bench->group = (struct spec_group){
        .name = "store",
        .model = &answering,
        .model_name = "answering",
        .options = bench->options,
        .count = 1,
        .nodes_per_host = 1,
        .host = {.cores = 1, .queue_limit = 1000000},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(bench->loads); i++) {
        bench->loads[i] = (struct spec_load){
            .name = i == 0 ? "first" : "second",
            .executor = SPEC_CONSTANT_ARRIVAL_RATE,
            .arrivals = SPEC_ARRIVALS_UNIFORM,
            .duration_ns = NS_PER_S,
            .rate_per_1000s = 100000,
            .stages = bench->stages,
            .record_count = 10,
            .client = {.count = 3,
                       .deadline_ns = INT64_MAX,
                       .timeout_ns = 100 * MS,
                       .attempts_max = 1},
        };
    }
    bench->spec = (struct run_spec){
        .name = "load",
        .disk = {.capacity_bytes = INT64_MAX, .sector_bytes = 4096},
        .limit_ns = 100 * NS_PER_S,
        .event_limit = UINT64_MAX,
        .groups = &bench->group,
        .group_count = 1,
        .node_count = 1,
        .loads = bench->loads,
        .load_count = 1,
    };
    bench->observer =
        (struct sq_observer){.context = bench, .on_invoke = on_invoke, .on_complete = on_complete};
    bench->world = world_new();
    return bench;
}

static void bench_free(struct bench *bench)
{
    world_free(bench->world);
    free(bench);
}

static void bench_run(struct bench *bench, uint64_t seed)
{
    seen_count = 0;
    bench->open = 0;
    bench->open_max = 0;
    struct run_spec *spec = &bench->running[bench->run_count % 2];
    *spec = bench->spec;
    bench->run_count++;
    world_reset(bench->world, spec, seed, &bench->observer);
    world_run(bench->world, INT64_MAX, UINT64_MAX);
    world_finish(bench->world);
}

static uint32_t bench_count(const struct bench *bench)
{
    return bench->world->history.operations.count;
}

static const struct sq_operation *bench_at(const struct bench *bench, uint32_t at)
{
    return vec_at(&bench->world->history.operations, at);
}

/* -------------------------------------------------------------------------------- constant rate */

TEST(load, evenly_spaced_arrivals_are_exact)
{
    struct bench *bench = bench_new();
    bench->loads[0].rate_per_1000s = 7001; /* 7.001 a second */
    bench->loads[0].start_ns = 250 * MS;
    bench->loads[0].duration_ns = 20 * NS_PER_S;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 141); /* 0 .. 140: 140.02 intervals fit */
    for (uint32_t k = 0; k < bench_count(bench); k++) {
        int64_t due = (int64_t)(((wide)k * 1000000000000 + 7000) / 7001);
        CHECK_EQUAL(bench_at(bench, k)->intended, 250 * MS + due);
        CHECK_EQUAL(bench_at(bench, k)->invoked, 250 * MS + due);
    }
    bench_free(bench);
}

TEST(load, a_load_ends_before_its_end)
{
    struct bench *bench = bench_new();
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 100); /* 0 .. 990 ms, not 1000 ms */
    CHECK_EQUAL(bench_at(bench, 99)->intended, 990 * MS);
    bench->loads[0].duration_ns = NS_PER_S + 1;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 101);
    bench_free(bench);
}

TEST(load, without_a_duration_it_lasts_to_the_end_of_the_run)
{
    struct bench *bench = bench_new();
    bench->loads[0].duration_ns = INT64_MAX;
    bench->loads[0].start_ns = NS_PER_S;
    bench->spec.limit_ns = 3 * NS_PER_S;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 201); /* 1 s .. 3 s, both included */
    bench_free(bench);
}

TEST(load, nothing_comes_at_rate_zero_or_in_no_time)
{
    struct bench *bench = bench_new();
    bench->loads[0].rate_per_1000s = 0;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 0);
    bench->loads[0].arrivals = SPEC_ARRIVALS_POISSON;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 0);
    bench->loads[0].rate_per_1000s = 1000;
    bench->loads[0].duration_ns = 0;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 0);
    bench_free(bench);
}

TEST(load, poisson_intervals_have_the_mean_and_the_spread_of_an_exponential)
{
    struct bench *bench = bench_new();
    bench->loads[0].arrivals = SPEC_ARRIVALS_POISSON;
    bench->loads[0].rate_per_1000s = 1000000;
    bench->loads[0].duration_ns = 20 * NS_PER_S;
    bench_run(bench, 1);
    uint32_t count = bench_count(bench);
    CHECK(count > 20000 - 500); /* 3.5 standard deviations */
    CHECK(count < 20000 + 500);
    int64_t sum_us = 0;
    int64_t squares_us = 0;
    uint32_t longer = 0;
    for (uint32_t i = 1; i < count; i++) {
        int64_t gap_us = (bench_at(bench, i)->intended - bench_at(bench, i - 1)->intended) / 1000;
        sum_us += gap_us;
        squares_us += gap_us * gap_us;
        longer += gap_us > 1000 ? 1 : 0;
    }
    int64_t mean_us = sum_us / (count - 1);
    int64_t variance = squares_us / (count - 1) - mean_us * mean_us;
    CHECK(mean_us > 975);
    CHECK(mean_us < 1025);
    CHECK(variance > 930000);
    CHECK(variance < 1070000);
    CHECK(longer > count * 355 / 1000); /* 1/e = 0.3679 */
    CHECK(longer < count * 381 / 1000);
    bench_free(bench);
}

TEST(load, poisson_counts_of_windows_have_the_variance_of_their_mean)
{
    struct bench *bench = bench_new();
    bench->loads[0].arrivals = SPEC_ARRIVALS_POISSON;
    bench->loads[0].rate_per_1000s = 1000000;
    bench->loads[0].duration_ns = 20 * NS_PER_S;
    bench_run(bench, 2);
    uint32_t counts[1000] = {0}; /* of 20 ms, 20 arrivals each */
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        counts[bench_at(bench, i)->intended / (20 * MS)]++;
    }
    int64_t sum = 0;
    int64_t squares = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        sum += counts[i];
        squares += (int64_t)counts[i] * counts[i];
    }
    /* 1000 times the variance over the mean; its standard deviation is about 45. */
    int64_t dispersion = (squares - sum * sum / 1000) * 1000 / sum;
    CHECK(dispersion > 850);
    CHECK(dispersion < 1150);
    bench_free(bench);
}

TEST(load, a_higher_rate_moves_poisson_arrivals_and_keeps_their_order_of_draws)
{
    struct bench *bench = bench_new();
    bench->loads[0].arrivals = SPEC_ARRIVALS_POISSON;
    bench_run(bench, 3);
    int64_t times_ns[50];
    for (uint32_t i = 0; i < 50; i++) {
        times_ns[i] = bench_at(bench, i)->intended;
    }
    bench->loads[0].rate_per_1000s *= 2;
    bench_run(bench, 3);
    for (uint32_t i = 0; i < 50; i++) {
        CHECK_EQUAL(bench_at(bench, i)->intended, (times_ns[i] + 1) / 2);
    }
    bench_free(bench);
}

/* ---------------------------------------------------------------------------------------- ramps */

/* Arrivals due in the first t ns of a stage, in units of 1 / (2 * 10^12), rounded down; by long
 * division of the exact numerator 2aDt + (b - a)t^2. */
static wide stage_integral(int64_t from, int64_t to, int64_t duration_ns, int64_t t_ns)
{
    wide numerator = (wide)(2 * from) * (wide)duration_ns * (wide)t_ns;
    wide curve = (wide)(to > from ? to - from : from - to) * (wide)t_ns * (wide)t_ns;
    numerator = to > from ? numerator + curve : numerator - curve;
    return numerator / (wide)duration_ns;
}

/* The same since the load's start. */
static wide integral(const struct spec_load *load, int64_t t_ns)
{
    wide sum = 0;
    int64_t from = load->rate_per_1000s;
    for (uint32_t i = 0; i < load->stage_count; i++) {
        const struct spec_stage *stage = &load->stages[i];
        int64_t part = t_ns < stage->duration_ns ? t_ns : stage->duration_ns;
        sum += stage->duration_ns > 0
                   ? stage_integral(from, stage->target_per_1000s, stage->duration_ns, part)
                   : 0;
        from = stage->target_per_1000s;
        t_ns -= part;
    }
    return sum;
}

static struct bench *bench_ramp(int64_t start_rate, uint32_t count, const struct spec_stage *stages)
{
    struct bench *bench = bench_new();
    ASSERT(count <= STAGES_MAX);
    memcpy(bench->stages, stages, count * sizeof(*stages));
    bench->loads[0].executor = SPEC_RAMPING_ARRIVAL_RATE;
    bench->loads[0].rate_per_1000s = start_rate;
    bench->loads[0].stage_count = count;
    bench->loads[0].duration_ns = INT64_MAX;
    return bench;
}

/* Arrival k (from 1) is at the first ns at which k operations are due; `count` of them. */
static void check_ramp(struct bench *bench, uint32_t count)
{
    const wide event = (wide)2 * 1000000000000;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), count);
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        int64_t time_ns = bench_at(bench, i)->intended;
        CHECK(integral(&bench->loads[0], time_ns) >= event * (i + 1));
        CHECK(time_ns == 0 || integral(&bench->loads[0], time_ns - 1) < event * (i + 1));
    }
}

TEST(load, a_ramp_from_zero_follows_the_square_root)
{
    struct bench *bench = bench_ramp(0, 1, (struct spec_stage[]){{10 * NS_PER_S, 200000}});
    check_ramp(bench, 1000); /* half of 10 s at 200/s */
    /* k = 10 t^2: arrival 10 after 1 s, 1000 after 10 s */
    CHECK_EQUAL(bench_at(bench, 9)->intended, NS_PER_S);
    CHECK_EQUAL(bench_at(bench, 999)->intended, 10 * NS_PER_S);
    bench_free(bench);
}

TEST(load, a_ramp_to_zero_is_the_mirror_of_one_from_zero)
{
    struct bench *bench = bench_ramp(200000, 1, (struct spec_stage[]){{10 * NS_PER_S, 0}});
    check_ramp(bench, 1000);
    CHECK_EQUAL(bench_at(bench, 989)->intended, 9 * NS_PER_S);
    CHECK_EQUAL(bench_at(bench, 999)->intended, 10 * NS_PER_S);
    bench_free(bench);
}

TEST(load, stages_join_without_losing_a_fraction)
{
    /* 0.1/s to 31.7/s, hold, a jump, down: 0.3 * 31.8 / 2 + 0.7 * 31.7 + 2 * 56.05 = 139.06 */
    struct bench *bench = bench_ramp(100, 4,
                                     (struct spec_stage[]){
                                         {300 * MS, 31700},
                                         {700 * MS, 31700},
                                         {0, 99999},
                                         {2 * NS_PER_S + 7, 12101},
                                     });
    check_ramp(bench, 139);
    bench_free(bench);
}

TEST(load, a_ramp_goes_through_stages_of_rate_zero)
{
    struct bench *bench = bench_ramp(0, 3,
                                     (struct spec_stage[]){
                                         {NS_PER_S, 0},
                                         {NS_PER_S, 3000},
                                         {NS_PER_S, 3000},
                                     });
    check_ramp(bench, 4); /* 1.5 + 3 */
    CHECK(bench_at(bench, 0)->intended > NS_PER_S);
    bench_free(bench);
}

TEST(load, very_slow_and_very_long_ramps_are_exact)
{
    const int64_t day_ns = 86400 * NS_PER_S;
    struct bench *bench = bench_ramp(0, 2, (struct spec_stage[]){{10 * day_ns, 1}, {day_ns, 0}});
    bench->spec.limit_ns = 20 * day_ns;
    check_ramp(bench, 475); /* 432 + 43.2 */
    bench_free(bench);
}

TEST(load, a_ramp_to_the_highest_rate_is_exact)
{
    struct bench *bench = bench_ramp(0, 1, (struct spec_stage[]){{20 * NS_PER_US, LOAD_RATE_MAX}});
    check_ramp(bench, 687);
    bench_free(bench);
}

TEST(load, the_duration_cuts_a_ramp)
{
    struct bench *bench = bench_ramp(0, 1, (struct spec_stage[]){{10 * NS_PER_S, 200000}});
    bench->loads[0].duration_ns = 5 * NS_PER_S;
    bench->loads[0].start_ns = NS_PER_S;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 249); /* number 250 is due at 5 s */
    CHECK_EQUAL(bench_at(bench, 9)->intended, 2 * NS_PER_S);
    bench_free(bench);
}

TEST(load, a_poisson_ramp_has_the_right_share_in_each_part)
{
    struct bench *bench = bench_ramp(0, 1, (struct spec_stage[]){{10 * NS_PER_S, 4000000}});
    bench->loads[0].arrivals = SPEC_ARRIVALS_POISSON;
    bench_run(bench, 4);
    uint32_t early = 0;
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        early += bench_at(bench, i)->intended < 5 * NS_PER_S ? 1 : 0;
    }
    CHECK(early > 5000 - 250);
    CHECK(early < 5000 + 250);
    CHECK(bench_count(bench) > 20000 - 500);
    CHECK(bench_count(bench) < 20000 + 500);
    bench_free(bench);
}

/* --------------------------------------------------------------------------------- independence */

/* What a load wanted, as one number. */
static uint64_t intentions(const struct bench *bench, uint32_t load)
{
    uint64_t digest = 0;
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        const struct sq_operation *operation = bench_at(bench, i);
        if (operation->load == load) {
            digest = hash_mix(digest, (uint64_t)operation->intended);
            digest = hash_mix(digest, operation->key * 4 + operation->kind);
            digest = hash_mix(digest, operation->argument);
        }
    }
    return digest;
}

static struct bench *bench_mixed(void)
{
    struct bench *bench = bench_new();
    bench->loads[0].arrivals = SPEC_ARRIVALS_POISSON;
    bench->loads[0].update_proportion = RNG_ALWAYS / 2;
    bench->loads[0].record_count = 100;
    bench->loads[0].zipf_theta_milli = 990;
    return bench;
}

TEST(load, intentions_do_not_depend_on_the_answers)
{
    struct bench *bench = bench_mixed();
    bench_run(bench, 5);
    const uint64_t expected = intentions(bench, 0);
    const enum mode modes[] = {MODE_SILENT, MODE_REFUSE, MODE_CRASH};
    for (uint32_t i = 0; i < ARRAY_COUNT(modes); i++) {
        bench->options[0].number = modes[i];
        bench->loads[0].client.attempts_max = 5;
        bench->loads[0].client.retry_on = UINT64_MAX;
        bench_run(bench, 5);
        CHECK(intentions(bench, 0) == expected);
    }
    bench_run(bench, 6);
    CHECK(intentions(bench, 0) != expected);
    bench_free(bench);
}

TEST(load, another_load_changes_nothing)
{
    struct bench *bench = bench_mixed();
    bench_run(bench, 5);
    const uint64_t expected = intentions(bench, 0);
    bench->spec.load_count = 2;
    bench->loads[1] = bench->loads[0];
    bench->loads[1].name = "second";
    bench_run(bench, 5);
    CHECK(intentions(bench, 0) == expected);
    CHECK(intentions(bench, 1) != expected);
    bench_free(bench);
}

TEST(load, a_change_of_mix_moves_neither_arrivals_nor_keys)
{
    struct bench *bench = bench_mixed();
    bench_run(bench, 5);
    uint64_t keys[50];
    int64_t times_ns[50];
    for (uint32_t i = 0; i < 50; i++) {
        keys[i] = bench_at(bench, i)->key;
        times_ns[i] = bench_at(bench, i)->intended;
    }
    bench->loads[0].update_proportion = 0;
    bench_run(bench, 5);
    for (uint32_t i = 0; i < 50; i++) {
        CHECK_EQUAL(bench_at(bench, i)->key, keys[i]);
        CHECK_EQUAL(bench_at(bench, i)->intended, times_ns[i]);
        CHECK_EQUAL(bench_at(bench, i)->kind, SQ_KV_READ);
    }
    bench_free(bench);
}

TEST(load, a_run_is_a_function_of_its_seed)
{
    struct bench *bench = bench_mixed();
    bench_run(bench, 5);
    const uint64_t first = world_digest(bench->world);
    bench_run(bench, 6);
    CHECK(world_digest(bench->world) != first);
    bench_run(bench, 5);
    CHECK(world_digest(bench->world) == first);
    bench_free(bench);
}

/* ----------------------------------------------------------------------------------- operations */

TEST(load, updates_have_their_share_and_values_are_unique_and_never_zero)
{
    struct bench *bench = bench_mixed();
    bench->spec.load_count = 2;
    bench->loads[0].update_proportion = RNG_ALWAYS / 4;
    bench->loads[1].update_proportion = RNG_ALWAYS;
    bench->loads[0].rate_per_1000s = bench->loads[1].rate_per_1000s = 2000000;
    bench_run(bench, 7);
    uint64_t last[2] = {0, 0};
    uint32_t updates[2] = {0, 0};
    uint32_t counts[2] = {0, 0};
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        const struct sq_operation *operation = bench_at(bench, i);
        counts[operation->load]++;
        if (operation->kind == SQ_KV_UPDATE) {
            updates[operation->load]++;
            CHECK(operation->argument > last[operation->load]);
            CHECK_EQUAL(operation->argument >> 40, operation->load);
            last[operation->load] = operation->argument;
        } else {
            CHECK_EQUAL(operation->argument, 0);
        }
    }
    CHECK(counts[0] > 1800);
    CHECK_EQUAL(counts[1], 2000);
    CHECK_EQUAL(updates[1], 2000);
    CHECK(updates[0] > counts[0] * 22 / 100);
    CHECK(updates[0] < counts[0] * 28 / 100);
    bench_free(bench);
}

TEST(load, keys_are_uniform_or_zipf)
{
    struct bench *bench = bench_new();
    bench->loads[0].rate_per_1000s = 10000000;
    bench_run(bench, 8);
    uint32_t uniform[10] = {0};
    uint32_t zipf[10] = {0};
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        REQUIRE(bench_at(bench, i)->key < 10);
        uniform[bench_at(bench, i)->key]++;
    }
    bench->loads[0].zipf_theta_milli = 1000;
    bench_run(bench, 8);
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        REQUIRE(bench_at(bench, i)->key < 10);
        zipf[bench_at(bench, i)->key]++;
    }
    CHECK(uniform[0] > 880);
    CHECK(uniform[0] < 1120);
    CHECK(uniform[9] > 880);
    CHECK(zipf[0] > 3200); /* 1 / H(10) = 0.3414 */
    CHECK(zipf[0] < 3630);
    CHECK(zipf[9] > 260); /* 0.0341 */
    CHECK(zipf[9] < 430);
    bench_free(bench);
}

TEST(load, the_wire_carries_what_the_history_says)
{
    struct bench *bench = bench_mixed();
    bench->loads[0].value_bytes = 37;
    bench_run(bench, 9);
    REQUIRE(seen_count == bench_count(bench));
    for (uint32_t i = 0; i < seen_count; i++) {
        const struct sq_operation *operation = bench_at(bench, i);
        const struct sq_kv_request *request = &seen[i].request;
        CHECK(seen[i].is_valid);
        CHECK_EQUAL(request->kind, operation->kind);
        CHECK_EQUAL(request->key, operation->key);
        CHECK_EQUAL(request->value, operation->argument);
        CHECK_EQUAL(request->session, operation->process + 1);
        CHECK_EQUAL(request->padding, operation->kind == SQ_KV_UPDATE ? 37 : 0);
    }
    bench_free(bench);
}

TEST(load, padding_differs_between_values_and_not_between_attempts)
{
    struct bench *bench = bench_new();
    bench->loads[0].update_proportion = RNG_ALWAYS;
    bench->loads[0].value_bytes = 100;
    bench->loads[0].rate_per_1000s = 2000;
    bench->loads[0].client.attempts_max = 2;
    bench->loads[0].client.retry_on = UINT64_MAX;
    bench->options[0].number = MODE_REFUSE;
    bench_run(bench, 9);
    REQUIRE(seen_count == 4);
    CHECK_EQUAL(seen[0].attempt, 1);
    CHECK_EQUAL(seen[1].attempt, 2);
    CHECK(memcmp(&seen[0].request, &seen[1].request, sizeof(seen[0].request)) == 0);
    CHECK(seen[0].padding_digest == seen[1].padding_digest);
    CHECK(seen[0].padding_digest != seen[2].padding_digest);
    CHECK_EQUAL(seen[2].request.sequence, seen[0].request.sequence + 1);
    bench_free(bench);
}

TEST(load, outcomes_follow_the_answer)
{
    static const struct {
        enum mode mode;
        enum sq_outcome outcome;
        enum sq_status status;
        bool has_sender;
    } cases[] = {
        {MODE_OK, SQ_OUTCOME_OK, SQ_OK, true},
        {MODE_SILENT, SQ_OUTCOME_INFO, SQ_E_TIMEOUT, false},
        {MODE_REFUSE, SQ_OUTCOME_FAIL, SQ_E_UNAVAILABLE, true},
        {MODE_CRASH, SQ_OUTCOME_INFO, SQ_E_CRASH, true},
        {MODE_SHORT, SQ_OUTCOME_FAIL, SQ_E_MALFORMED, true},
    };
    struct bench *bench = bench_new();
    for (uint32_t i = 0; i < ARRAY_COUNT(cases); i++) {
        bench->options[0].number = cases[i].mode;
        bench_run(bench, 1);
        REQUIRE(bench_count(bench) == 100);
        for (uint32_t at = 0; at < 100; at++) {
            const struct sq_operation *operation = bench_at(bench, at);
            CHECK_EQUAL(operation->outcome, cases[i].outcome);
            CHECK_EQUAL(operation->status, cases[i].status);
            CHECK_EQUAL(operation->replied_by, cases[i].has_sender ? 0 : SQ_NODE_NONE);
            CHECK_EQUAL(operation->result, cases[i].mode == MODE_OK ? 1000 + operation->key : 0);
            CHECK_EQUAL(operation->attempts, 1);
        }
    }
    bench_free(bench);
}

TEST(load, an_update_has_no_result)
{
    struct bench *bench = bench_new();
    bench->loads[0].update_proportion = RNG_ALWAYS;
    bench->options[0].number = MODE_SHORT; /* SQ_OK without a value is all right for an update */
    bench_run(bench, 1);
    CHECK_EQUAL(bench_at(bench, 0)->outcome, SQ_OUTCOME_OK);
    CHECK_EQUAL(bench_at(bench, 0)->result, 0);
    bench_free(bench);
}

TEST(load, attempts_are_counted)
{
    struct bench *bench = bench_new();
    bench->options[0].number = MODE_REFUSE;
    bench->loads[0].client.attempts_max = 4;
    bench->loads[0].client.retry_on = UINT64_MAX;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_at(bench, 50)->attempts, 4);
    CHECK_EQUAL(seen_count, 400);
    bench_free(bench);
}

/* ----------------------------------------------------------------------------------- identities */

TEST(load, an_idle_identity_is_used_again_last_one_first)
{
    struct bench *bench = bench_new();
    bench_run(bench, 1);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK_EQUAL(bench_at(bench, i)->process, 0);
        CHECK_EQUAL(seen[i].request.sequence, i + 1);
    }
    bench->options[1].number = 25 * MS; /* three or four at once, 10 ms apart */
    bench_run(bench, 1);
    uint32_t highest = 0;
    for (uint32_t i = 0; i < 100; i++) {
        highest = bench_at(bench, i)->process > highest ? bench_at(bench, i)->process : highest;
    }
    CHECK_EQUAL(highest, 2);
    bench_free(bench);
}

TEST(load, identities_grow_without_bound_when_all_are_busy)
{
    struct bench *bench = bench_new();
    bench->options[1].number = 95 * MS;
    bench_run(bench, 1);
    CHECK_EQUAL(bench->open_max, 10);
    uint32_t highest = 0;
    for (uint32_t i = 0; i < 100; i++) {
        highest = bench_at(bench, i)->process > highest ? bench_at(bench, i)->process : highest;
    }
    CHECK_EQUAL(highest, 9);
    bench_free(bench);
}

TEST(load, a_process_is_never_used_again_after_info)
{
    struct bench *bench = bench_mixed();
    bench->spec.load_count = 2;
    bench->loads[1] = bench->loads[0];
    bench->loads[1].name = "second";
    bench->loads[0].duration_ns = 5 * NS_PER_S;
    bench->options[0].number = MODE_ODD_KEYS;
    bench_run(bench, 3);
    uint32_t infos = 0;
    uint32_t again = 0;
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        const struct sq_operation *first = bench_at(bench, i);
        infos += first->outcome == SQ_OUTCOME_INFO ? 1 : 0;
        for (uint32_t j = i + 1; j < bench_count(bench); j++) {
            const struct sq_operation *second = bench_at(bench, j);
            if (second->process == first->process) {
                again++;
                CHECK_EQUAL(first->outcome, SQ_OUTCOME_OK);
                CHECK_EQUAL(first->load, second->load);
                CHECK(second->invoke_order > first->complete_order); /* one at a time */
            }
        }
    }
    CHECK(infos > 100);
    CHECK(again > 100);
    bench_free(bench);
}

TEST(load, sequences_of_a_session_count_from_one)
{
    struct bench *bench = bench_mixed();
    bench->options[0].number = MODE_ODD_KEYS;
    bench_run(bench, 3);
    uint64_t sequences[200] = {0};
    for (uint32_t i = 0; i < seen_count; i++) {
        uint64_t session = seen[i].request.session;
        REQUIRE(session >= 1);
        REQUIRE(session < 200);
        sequences[session]++;
        CHECK_EQUAL(seen[i].request.sequence, sequences[session]);
    }
    bench_free(bench);
}

/* ---------------------------------------------------------------------------------- closed loop */

static struct bench *bench_users(uint32_t users, int64_t think_ns, int64_t delay_ns)
{
    struct bench *bench = bench_new();
    bench->loads[0].executor = SPEC_CONSTANT_VUS;
    bench->loads[0].vus = users;
    bench->loads[0].think = (struct dist){.kind = DIST_CONSTANT, .a = think_ns};
    bench->options[1].number = delay_ns;
    return bench;
}

TEST(load, a_virtual_user_works_and_thinks_in_turn)
{
    struct bench *bench = bench_users(1, 30 * MS, 20 * MS);
    bench->loads[0].start_ns = 10 * MS;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 20);
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        CHECK_EQUAL(bench_at(bench, i)->intended, 10 * MS + i * 50 * MS);
        CHECK_EQUAL(bench_at(bench, i)->completed, 30 * MS + i * 50 * MS);
    }
    bench_free(bench);
}

TEST(load, a_pair_is_an_update_and_then_a_read_of_the_same_key)
{
    struct bench *bench = bench_users(1, 7 * MS, 1 * MS);
    uint32_t changes = 0;
    bench->loads[0].record_count = 1000;
    bench->loads[0].update_proportion = 0; /* does not count */
    bench->loads[0].is_paired = true;
    bench_run(bench, 1);
    CHECK(bench_count(bench) > 100);
    for (uint32_t i = 1; i < bench_count(bench); i++) {
        bool is_read = i % 2 == 1;
        bool is_same = bench_at(bench, i)->key == bench_at(bench, i - 1)->key;
        CHECK_EQUAL(bench_at(bench, i)->kind, is_read ? SQ_KV_READ : SQ_KV_UPDATE);
        CHECK(is_same || !is_read);
        changes += !is_same;
    }
    CHECK(changes > bench_count(bench) / 3); /* each pair draws its key */
    bench_free(bench);
}

TEST(load, there_are_never_more_operations_than_virtual_users)
{
    struct bench *bench = bench_users(7, 0, 10 * MS);
    bench_run(bench, 1);
    CHECK_EQUAL(bench->open_max, 7);
    CHECK_EQUAL(bench_count(bench), 700);
    bench_free(bench);
}

TEST(load, a_virtual_user_goes_on_under_a_new_identity_after_info)
{
    struct bench *bench = bench_users(1, 0, 0);
    bench->options[0].number = MODE_SILENT;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 10); /* 100 ms each */
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        CHECK_EQUAL(bench_at(bench, i)->process, i);
        CHECK_EQUAL(bench_at(bench, i)->intended, i * 100 * MS);
    }
    bench_free(bench);
}

TEST(load, virtual_users_draw_different_keys_and_kinds)
{
    struct bench *bench = bench_users(2, 0, 10 * MS);
    bench->loads[0].record_count = 1000;
    bench->loads[0].update_proportion = RNG_ALWAYS / 2;
    bench_run(bench, 4);
    REQUIRE(bench_count(bench) == 200);
    uint32_t keys = 0;
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < 200; i += 2) {
        keys += bench_at(bench, i)->key == bench_at(bench, i + 1)->key ? 1 : 0;
        kinds += bench_at(bench, i)->kind == bench_at(bench, i + 1)->kind ? 1 : 0;
    }
    CHECK(keys < 5);
    CHECK(kinds > 25);
    CHECK(kinds < 75);
    bench_free(bench);
}

TEST(load, what_a_virtual_user_draws_does_not_depend_on_the_others)
{
    struct bench *bench = bench_users(1, 0, 10 * MS);
    bench->loads[0].think = (struct dist){.kind = DIST_EXPONENTIAL, .a = 20 * MS};
    bench_run(bench, 4);
    uint32_t count = bench_count(bench);
    REQUIRE(count >= 20);
    int64_t times_ns[20];
    uint64_t keys[20];
    for (uint32_t i = 0; i < 20; i++) {
        times_ns[i] = bench_at(bench, i)->intended;
        keys[i] = bench_at(bench, i)->key;
    }
    bench->loads[0].vus = 2;
    bench_run(bench, 4);
    uint32_t at = 0;
    for (uint32_t i = 0; i < bench_count(bench) && at < 20; i++) {
        const struct sq_operation *operation = bench_at(bench, i);
        at += operation->intended == times_ns[at] && operation->key == keys[at] ? 1 : 0;
    }
    CHECK_EQUAL(at, 20); /* all of the first user's operations are among those of both */
    bench_free(bench);
}

/* A line of stages: users start and stop when the line has reached a whole number. */
static struct bench *bench_users_ramp(uint32_t start, uint32_t count,
                                      const struct spec_stage *stages)
{
    struct bench *bench = bench_users(start, 0, 10 * MS);
    memcpy(bench->stages, stages, count * sizeof(*stages));
    bench->loads[0].executor = SPEC_RAMPING_VUS;
    bench->loads[0].stage_count = count;
    bench->loads[0].duration_ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        bench->loads[0].duration_ns += stages[i].duration_ns;
    }
    return bench;
}

/* Operations intended in [from, until). */
static uint32_t intended_in(const struct bench *bench, int64_t from_ns, int64_t until_ns)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        int64_t at_ns = bench_at(bench, i)->intended;
        count += at_ns >= from_ns && at_ns < until_ns ? 1 : 0;
    }
    return count;
}

TEST(load, the_number_of_users_follows_its_stages)
{
    static const struct spec_stage stages[] = {
        {.duration_ns = 400 * MS, .target_per_1000s = 5},
        {.duration_ns = 0, .target_per_1000s = 8},
        {.duration_ns = 200 * MS, .target_per_1000s = 8},
        {.duration_ns = 400 * MS, .target_per_1000s = 0},
    };
    struct bench *bench = bench_users_ramp(1, 4, stages);
    bench->loads[0].start_ns = 50 * MS;
    bench_run(bench, 1);
    /* Each user starts an operation every 10 ms. */
    for (int64_t ms = 50; ms < 1050; ms += 10) {
        int64_t inside = ms - 50;
        int64_t users = inside < 400   ? 1 + inside / 100
                        : inside < 600 ? 8
                                       : 8 - (inside - 600) / 50;
        CHECK_EQUAL(intended_in(bench, ms * MS, (ms + 10) * MS), users);
    }
    CHECK_EQUAL(intended_in(bench, 1050 * MS, INT64_MAX), 0);
    bench_free(bench);
}

TEST(load, users_that_come_back_draw_on)
{
    static const struct spec_stage stages[] = {
        {.duration_ns = 300 * MS, .target_per_1000s = 2},
        {.duration_ns = 0, .target_per_1000s = 1},
        {.duration_ns = 300 * MS, .target_per_1000s = 1},
        {.duration_ns = 0, .target_per_1000s = 2},
    };
    struct bench *bench = bench_users_ramp(2, 4, stages);
    bench->loads[0].duration_ns = 900 * MS;
    bench->loads[0].record_count = 1000;
    bench_run(bench, 4);
    CHECK_EQUAL(bench_count(bench), 60 + 30 + 60);
    uint64_t keys[60];
    uint32_t count = 0;
    for (uint32_t i = 0; i < bench_count(bench); i++) {
        /* It comes back as the ramp says so, just before the answer that the other one awaits. */
        bool is_second = i < 60 ? i % 2 == 1 : i >= 90 && i % 2 == 0;
        if (is_second) {
            keys[count++] = bench_at(bench, i)->key;
        }
    }
    bench_free(bench);
    REQUIRE(count == 60);
    struct bench *steady = bench_users(2, 0, 10 * MS);
    steady->loads[0].duration_ns = 600 * MS;
    steady->loads[0].record_count = 1000;
    bench_run(steady, 4);
    for (uint32_t i = 0; i < 60; i++) {
        CHECK_EQUAL(bench_at(steady, 2 * i + 1)->key, keys[i]); /* as if there had been no rest */
    }
    bench_free(steady);
}

/* ---------------------------------------------------------------------------------------- scale */

struct scaled {
    struct bench *bench;
    struct spec_fault faults[2];
    bool loads[2];
};

static void scaled_open(struct scaled *scaled, struct bench *bench, uint32_t factor)
{
    *scaled = (struct scaled){.bench = bench, .loads = {true, false}};
    for (uint32_t i = 0; i < 2; i++) {
        scaled->faults[i] = (struct spec_fault){
            .name = i == 0 ? "scale" : "scale-more",
            .kind = SPEC_LOAD_CHAOS,
            .action = SPEC_ACTION_SCALE,
            .mode = SPEC_MODE_ONE,
            .has_at = true,
            .at_ns = 3 * NS_PER_S,
            .until_ns = INT64_MAX,
            .duration = {.kind = DIST_CONSTANT, .a = 4 * NS_PER_S},
            .factor = factor,
            .loads = scaled->loads,
        };
    }
    bench->loads[0].duration_ns = 10 * NS_PER_S;
    bench->spec.faults = scaled->faults;
    bench->spec.fault_count = 1;
}

struct intention {
    int64_t at_ns;
    uint64_t key;
    enum sq_kv_kind kind;
};

/* The operations of the first load in order; at most `most`. */
static uint32_t list_first_load(const struct bench *bench, struct intention *list, uint32_t most)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < bench_count(bench) && count < most; i++) {
        const struct sq_operation *operation = bench_at(bench, i);
        if (operation->load == 0) {
            list[count++] = (struct intention){operation->intended, operation->key,
                                               (enum sq_kv_kind)operation->kind};
        }
    }
    return count;
}

/* How many of `some` are among `all`, both in order of time. */
static uint32_t found_in(const struct intention *all, uint32_t all_count,
                         const struct intention *some, uint32_t some_count)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < all_count && found < some_count; i++) {
        found += all[i].at_ns == some[found].at_ns && all[i].key == some[found].key &&
                         all[i].kind == some[found].kind
                     ? 1
                     : 0;
    }
    return found;
}

#define INTENTIONS_MAX 8192
static struct intention plain[INTENTIONS_MAX];
static struct intention scaled_list[INTENTIONS_MAX];

static struct bench *bench_poisson(void)
{
    struct bench *bench = bench_new();
    bench->loads[0].arrivals = SPEC_ARRIVALS_POISSON;
    bench->loads[0].rate_per_1000s = 500000;
    bench->loads[0].record_count = 1000;
    bench->loads[0].update_proportion = RNG_ALWAYS / 3;
    bench->loads[1] = bench->loads[0];
    bench->loads[1].name = "second";
    bench->loads[1].duration_ns = 10 * NS_PER_S;
    bench->spec.load_count = 2;
    return bench;
}

/* Common random numbers: what arrives anyhow is the same with a scale and without. */
TEST(load, more_load_adds_arrivals_and_moves_none)
{
    struct bench *bench = bench_poisson();
    struct scaled scaled;
    scaled_open(&scaled, bench, 2500000);
    bench->spec.fault_count = 0;
    bench_run(bench, 5);
    uint32_t before = list_first_load(bench, plain, INTENTIONS_MAX);
    uint32_t others = bench_count(bench) - before;
    bench->spec.fault_count = 1;
    bench_run(bench, 5);
    uint32_t after = list_first_load(bench, scaled_list, INTENTIONS_MAX);
    CHECK_EQUAL(found_in(scaled_list, after, plain, before), before);
    CHECK_EQUAL(bench_count(bench) - after, others); /* the second load is not struck */
    /* 1.5 times 2000 more, in the span and nowhere else; 5 standard deviations. */
    CHECK(after - before > 3000 - 275);
    CHECK(after - before < 3000 + 275);
    uint32_t outside = 0;
    uint32_t outside_before = 0;
    for (uint32_t i = 0; i < after; i++) {
        int64_t at_ns = scaled_list[i].at_ns;
        outside += at_ns < 3 * NS_PER_S || at_ns >= 7 * NS_PER_S ? 1 : 0;
    }
    for (uint32_t i = 0; i < before; i++) {
        int64_t at_ns = plain[i].at_ns;
        outside_before += at_ns < 3 * NS_PER_S || at_ns >= 7 * NS_PER_S ? 1 : 0;
    }
    CHECK_EQUAL(outside, outside_before);
    bench_free(bench);
}

TEST(load, less_load_leaves_arrivals_out_and_moves_none)
{
    struct bench *bench = bench_poisson();
    struct scaled scaled;
    scaled_open(&scaled, bench, 250000);
    bench->spec.fault_count = 0;
    bench_run(bench, 5);
    uint32_t before = list_first_load(bench, plain, INTENTIONS_MAX);
    bench->spec.fault_count = 1;
    bench_run(bench, 5);
    uint32_t after = list_first_load(bench, scaled_list, INTENTIONS_MAX);
    CHECK_EQUAL(found_in(plain, before, scaled_list, after), after);
    /* Three quarters of 2000; 5 standard deviations. */
    CHECK(before - after > 1500 - 270);
    CHECK(before - after < 1500 + 270);
    scaled.faults[0].factor = 0;
    bench_run(bench, 5);
    uint32_t struck = 0;
    uint32_t left = list_first_load(bench, scaled_list, INTENTIONS_MAX);
    for (uint32_t i = 0; i < left; i++) {
        struck += scaled_list[i].at_ns >= 3 * NS_PER_S && scaled_list[i].at_ns < 7 * NS_PER_S;
    }
    CHECK_EQUAL(struck, 0);
    bench_free(bench);
}

/* Evenly spaced, at rates that change: exactly the missing measure. */
TEST(load, a_scale_follows_the_rate_of_a_ramp)
{
    static const struct spec_stage stages[] = {
        {.duration_ns = 10 * NS_PER_S, .target_per_1000s = 200000},
    };
    struct bench *bench = bench_ramp(0, 1, stages);
    struct scaled scaled;
    scaled_open(&scaled, bench, 1500000);
    scaled.faults[0].at_ns = 5 * NS_PER_S;
    scaled.faults[0].duration.a = 5 * NS_PER_S;
    bench_run(bench, 1);
    /* 250 in the first half, 750 in the second, and half as many again there; the last falls on the
     * end, which is outside. */
    CHECK_EQUAL(intended_in(bench, 0, 5 * NS_PER_S), 249);
    CHECK_EQUAL(bench_count(bench), 999 + 374);
    bench_free(bench);
}

TEST(load, scales_multiply_and_each_ends_alone)
{
    struct bench *bench = bench_new();
    struct scaled scaled;
    scaled_open(&scaled, bench, 3000000);
    scaled.faults[1].factor = 500000;
    scaled.faults[1].at_ns = 5 * NS_PER_S;
    bench->spec.fault_count = 2;
    bench_run(bench, 1);
    CHECK_EQUAL(intended_in(bench, 0, 3 * NS_PER_S), 300);
    CHECK_EQUAL(intended_in(bench, 3 * NS_PER_S, 5 * NS_PER_S), 599); /* 5 ms to the first */
    CHECK_EQUAL(intended_in(bench, 5 * NS_PER_S, 7 * NS_PER_S), 299); /* times 1.5 */
    uint32_t half = intended_in(bench, 7 * NS_PER_S, 9 * NS_PER_S);
    CHECK(half > 65);
    CHECK(half < 135);
    CHECK_EQUAL(intended_in(bench, 9 * NS_PER_S, 10 * NS_PER_S), 100);
    bench_free(bench);
}

TEST(load, a_scale_changes_the_number_of_users)
{
    struct bench *bench = bench_users(4, 0, 10 * MS);
    struct scaled scaled;
    scaled_open(&scaled, bench, 1500000);
    bench_run(bench, 1);
    CHECK_EQUAL(intended_in(bench, 0, 3 * NS_PER_S), 1200);
    CHECK_EQUAL(intended_in(bench, 3 * NS_PER_S, 7 * NS_PER_S), 2400);
    CHECK_EQUAL(intended_in(bench, 7 * NS_PER_S, 10 * NS_PER_S), 1200);
    scaled.faults[0].factor = 250000;
    bench_run(bench, 1);
    CHECK_EQUAL(intended_in(bench, 3 * NS_PER_S, 7 * NS_PER_S), 400);
    CHECK_EQUAL(intended_in(bench, 7 * NS_PER_S, 10 * NS_PER_S), 1200);
    scaled.faults[0].factor = 100000000;
    scaled.faults[0].at_ns = 0; /* before they start */
    bench->loads[0].start_ns = NS_PER_S;
    bench->loads[0].duration_ns = 10 * MS;
    bench_run(bench, 1);
    CHECK_EQUAL(bench_count(bench), 400);
    bench_free(bench);
}

/* ----------------------------------------------------------------------------------- zipf cache */

TEST(load, zipf_tables_are_made_once)
{
    struct zipf_cache cache;
    zipf_cache_init(&cache);
    struct zipf first = zipf_cache_find(&cache, 100, 990);
    for (uint32_t count = 1; count < 20; count++) {
        CHECK_EQUAL(zipf_cache_find(&cache, count, 990).count, count);
    }
    struct zipf again = zipf_cache_find(&cache, 100, 990);
    struct zipf other = zipf_cache_find(&cache, 100, 500);
    CHECK(first.alias == again.alias);
    CHECK(first.alias != other.alias);
    CHECK_EQUAL(cache.count, 21);
    zipf_cache_release(&cache);
    CHECK_EQUAL(cache.count, 0);
    zipf_cache_release(&cache);
}

TEST(load, a_world_keeps_its_zipf_tables_from_run_to_run)
{
    struct bench *bench = bench_mixed();
    bench_run(bench, 1);
    bench_run(bench, 2);
    CHECK_EQUAL(bench->world->zipf.count, 1);
    bench_free(bench);
}
