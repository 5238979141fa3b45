/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The small things that happen millions of times in a run: switches of fibers and draws. */
#include "sim/base/dist.h"
#include "sim/base/rng.h"
#include "sim/fiber.h"
#include "tests/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#define REPETITIONS 5
#define DRAWS       4000000

/* Round trips. */

struct pair {
    struct fiber_pool pool;
    struct fiber **fibers;
    uint32_t count;
    struct rng rng;
};

static void yield_forever(void *argument)
{
    struct fiber **self = argument;
    for (;;) {
        fiber_yield(*self);
    }
}

static void work_fiber(void *context, uint64_t operations)
{
    struct pair *pair = context;
    for (uint64_t i = 0; i < operations; i++) {
        fiber_resume(pair->fibers[0]);
    }
}

static void work_fiber_random(void *context, uint64_t operations)
{
    struct pair *pair = context;
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t draw = rng_u64(&pair->rng);
        fiber_resume(pair->fibers[((draw >> 32) * pair->count) >> 32]);
    }
}

static void work_fiber_life(void *context, uint64_t operations)
{
    struct pair *pair = context;
    for (uint64_t i = 0; i < operations; i++) {
        struct fiber *fiber = fiber_new(&pair->pool, yield_forever, &fiber);
        fiber_resume(fiber);
        fiber_free(&pair->pool, fiber);
    }
}

static void pair_init(struct pair *pair, uint32_t count)
{
    fiber_pool_init(&pair->pool, (size_t)64 << 10);
    pair->count = count;
    pair->fibers = calloc(count, sizeof(struct fiber *));
    pair->rng = rng_keyed(1, 2, 0, 3);
    for (uint32_t i = 0; i < count; i++) {
        pair->fibers[i] = fiber_new(&pair->pool, yield_forever, &pair->fibers[i]);
        fiber_resume(pair->fibers[i]);
    }
}

static void pair_release(struct pair *pair)
{
    fiber_pool_release(&pair->pool);
    free(pair->fibers);
}

static ucontext_t context_of_main;
static ucontext_t context_of_other;

static void swap_forever(void)
{
    for (;;) {
        (void)swapcontext(&context_of_other, &context_of_main);
    }
}

static void work_context(void *context, uint64_t operations)
{
    (void)context;
    for (uint64_t i = 0; i < operations; i++) {
        (void)swapcontext(&context_of_main, &context_of_other);
    }
}

static double context_measure(void)
{
    static char stack[64 << 10];
    (void)getcontext(&context_of_other);
    context_of_other.uc_stack.ss_sp = stack;
    context_of_other.uc_stack.ss_size = sizeof(stack);
    makecontext(&context_of_other, swap_forever, 0);
    return bench_least(REPETITIONS, 200000, NULL, work_context);
}

void bench_fiber(const struct bench *bench)
{
    struct pair pair;
    double context_ns = context_measure();
    pair_init(&pair, 1);
    double ns = bench_least(REPETITIONS, DRAWS, &pair, work_fiber);
    double life_ns = bench_least(REPETITIONS, DRAWS / 4, &pair, work_fiber_life);
    pair_release(&pair);
    bench_print(&(struct bench_row){.name = bench->name,
                                    .what = "trip",
                                    .ns = ns,
                                    .reference = "swapcontext",
                                    .reference_ns = context_ns});
    bench_print(
        &(struct bench_row){.name = "fiber new,resume,free", .what = "fiber", .ns = life_ns});
    static const uint32_t counts[] = {100, 10000};
    for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "fiber any of %u", counts[i]);
        pair_init(&pair, counts[i]);
        ns = bench_least(REPETITIONS, 1000000, &pair, work_fiber_random);
        pair_release(&pair);
        bench_print(&(struct bench_row){.name = name, .what = "trip", .ns = ns});
    }
}

/* Draws. */

static void work_rng(void *context, uint64_t operations)
{
    struct rng *rng = context;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        sum += rng_u64(rng);
    }
    bench_keep(sum);
}

static void work_below(void *context, uint64_t operations)
{
    struct rng *rng = context;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        sum += rng_below(rng, 1000);
    }
    bench_keep(sum);
}

static void work_at(void *context, uint64_t operations)
{
    (void)context;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        sum += rng_at(12345, i);
    }
    bench_keep(sum);
}

static void work_key(void *context, uint64_t operations)
{
    (void)context;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        struct rng rng = rng_keyed(i, 2, 0, 3);
        sum += rng_u64(&rng);
    }
    bench_keep(sum);
}

void bench_rng(const struct bench *bench)
{
    struct rng rng = rng_keyed(1, 2, 0, 3);
    static const struct {
        const char *name;
        void (*work)(void *context, uint64_t operations);
    } rows[] = {
        {"rng u64", work_rng},
        {"rng below", work_below},
        {"rng at", work_at},
        {"rng new stream", work_key},
    };
    (void)bench;
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double ns = bench_least(REPETITIONS, DRAWS, &rng, rows[i].work);
        bench_print(&(struct bench_row){.name = rows[i].name, .what = "draw", .ns = ns});
    }
}

struct draws {
    struct dist dist;
    struct rng rng;
};

static void work_dist(void *context, uint64_t operations)
{
    struct draws *draws = context;
    int64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        sum += dist_sample(&draws->dist, &draws->rng);
    }
    bench_keep((uint64_t)sum);
}

/* What libm would cost, and what differs between processors. */
static void work_log(void *context, uint64_t operations)
{
    struct draws *draws = context;
    int64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        double uniform = ((double)(rng_u64(&draws->rng) >> 11) + 0.5) * 0x1p-53;
        sum += (int64_t)(-1e6 * log(uniform));
    }
    bench_keep((uint64_t)sum);
}

static void work_zipf(void *context, uint64_t operations)
{
    struct draws *draws = context;
    struct zipf zipf;
    zipf_init(&zipf, 10000, 990);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        sum += zipf_sample(&zipf, &draws->rng);
    }
    zipf_release(&zipf);
    bench_keep(sum);
}

void bench_dist(const struct bench *bench)
{
    static const struct {
        const char *name;
        struct dist dist;
    } rows[] = {
        {"dist uniform", {.kind = DIST_UNIFORM, .a = 1000, .b = 2000000}},
        {"dist exponential", {.kind = DIST_EXPONENTIAL, .a = 1000000}},
        {"dist lognormal", {.kind = DIST_LOGNORMAL, .a = 1000000, .b = 9000000}},
        {"dist pareto", {.kind = DIST_PARETO, .a = 1000000, .c = 1500}},
    };
    (void)bench;
    struct draws draws = {.rng = rng_keyed(1, 2, 0, 3)};
    double log_ns = bench_least(REPETITIONS, DRAWS, &draws, work_log);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        draws.dist = rows[i].dist;
        double ns = bench_least(REPETITIONS, DRAWS, &draws, work_dist);
        bench_print(&(struct bench_row){.name = rows[i].name,
                                        .what = "draw",
                                        .ns = ns,
                                        .reference = "libm -log(u)",
                                        .reference_ns = log_ns});
    }
    double ns = bench_least(REPETITIONS, DRAWS, &draws, work_zipf);
    bench_print(&(struct bench_row){.name = "dist zipf 10000", .what = "draw", .ns = ns});
}
