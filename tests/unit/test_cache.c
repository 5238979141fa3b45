/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Caches under load, against the closed forms of analysis/predict_laws.h: what a database behind an
 * empty cache survives, and what it bears while the cache is warm. */
#include "analysis/predict_laws.h"
#include "tests/unit/harness.h"
#include "tests/unit/server_lab.h"

#define HOST LAB_HOST

/* An application between a memcache and a database of 300 queries a second that is at most two
 * seconds late; requests may take one. */
struct bench {
    const char *app;   /* options */
    const char *cache; /* options */
    double rate_per_s;
    uint32_t keys;
    const char *law; /* "uniform", "zipfian" */
    double limit_s;
    const char *faults;
};

static void print_groups(char *text, size_t size, const struct bench *bench)
{
    char host[256];
    snprintf(host, sizeof(host), HOST, 1);
    snprintf(text, size,
             "system:\n  %s\n  groups:\n"
             "    - name: app\n      model: look-aside\n      nodes: 1\n"
             "      options: {database: store, timeLimit: 1s, %s}\n"
             "      clients:\n"
             "        - {target: cache, timeout: 10s, deadline: none, route: first}\n"
             "        - {target: store, timeout: 10s, deadline: none, route: first}\n"
             "    - {name: cache, model: memcache, nodes: 1, options: {%s}}\n"
             "    - {name: store, model: server, nodes: 1, options: {serviceTime: 3333333ns, "
             "serviceLaw: deterministic, queueLimit: 600}}\n",
             host, bench->app, bench->cache);
}

/* Goodput from `from_s` to `to_s`; -1: the scenario is wrong. */
static double goodput(const struct bench *bench, double from_s, double to_s)
{
    char groups[2048];
    char load[512];
    print_groups(groups, sizeof(groups), bench);
    snprintf(load, sizeof(load),
             "{executor: constant-arrival-rate, rate: %.3f/s, arrivals: uniform, target: app, "
             "workload: {recordCount: %u, requestDistribution: %s, readProportion: 100%%, "
             "updateProportion: 0%%}}",
             bench->rate_per_s, bench->keys, bench->law);
    struct lab lab;
    double result = -1;
    if (lab_run(&lab,
                (struct lab_options){.groups = groups,
                                     .load = load,
                                     .limit_s = bench->limit_s,
                                     .timeout_s = 1.5,
                                     .faults = bench->faults,
                                     .seed = 1},
                NULL)) {
        result = lab_goodput(&lab, from_s, to_s);
    }
    lab_free(&lab);
    return result;
}

/* So many keys that none is asked for twice: the refill helps nobody. */
TEST(cache, an_empty_one_is_survived_up_to_the_capacity_of_the_database)
{
    static const char *const apps[] = {"queriesPerMiss: 1", "queriesPerMiss: 3"};
    static const double fan_outs[] = {1, 3};
    for (uint32_t i = 0; i < 2; i++) {
        const double hidden = law_cache_hidden(300, fan_outs[i]);
        struct bench bench = {.app = apps[i],
                              .cache = "capacity: 100000",
                              .keys = 16000000,
                              .law = "uniform",
                              .limit_s = 120};
        bench.rate_per_s = hidden * 0.99;
        CHECK(goodput(&bench, 0, 118) == 1);
        bench.rate_per_s = hidden * 1.02;
        CHECK(goodput(&bench, 0, 20) > 0.9);
        CHECK(goodput(&bench, 100, 118) < 0.05);
    }
}

/* Nine of ten keys are in memory, all are as popular, and a miss that comes in makes room for
 * itself: the share of hits stays at 90 %. Beyond it every miss is late, and hits are all there
 * is. */
TEST(cache, a_warm_one_bears_what_the_hit_rate_promises)
{
    const double advertised = law_cache_advertised(300, 0.9, 1);
    CHECK(fabs(advertised - 3000) < 1e-6);
    struct bench bench = {.app = "queriesPerMiss: 1",
                          .cache = "capacity: 9000, warm: 9000",
                          .keys = 10000,
                          .law = "uniform",
                          .limit_s = 60};
    bench.rate_per_s = advertised * 0.97;
    CHECK(goodput(&bench, 0, 58) > 0.999);
    bench.rate_per_s = advertised * 1.04;
    const double late = goodput(&bench, 50, 58);
    CHECK(late < 0.91);
    CHECK(late > 0.89);
}

/* With N keys that are all as popular, 300 of them are refilled a second until a query takes a
 * second: the queue is (load - 300) t - 300 load t^2 / (2 N), at most (load - 300)^2 N / (600
 * load), and 300 queries are a second. */
TEST(cache, a_refill_in_time_shifts_the_boundary_by_what_the_fluid_says)
{
    static const uint32_t keys[] = {20000, 100000};
    for (uint32_t i = 0; i < 2; i++) {
        const double half = 300 + 90000.0 / keys[i];
        const double boundary = half + sqrt(half * half - 90000);
        struct bench bench = {.app = "queriesPerMiss: 1",
                              .cache = "capacity: 100000",
                              .keys = keys[i],
                              .law = "uniform",
                              .limit_s = 120};
        bench.rate_per_s = boundary * 0.97;
        CHECK(goodput(&bench, 100, 118) > 0.99);
        bench.rate_per_s = boundary * 1.03;
        CHECK(goodput(&bench, 100, 118) < 0.5);
    }
}

TEST(cache, popular_keys_are_back_first_so_zipf_bears_more)
{
    struct bench bench = {.app = "queriesPerMiss: 1",
                          .cache = "capacity: 100000",
                          .rate_per_s = 500,
                          .keys = 100000,
                          .limit_s = 60};
    bench.law = "uniform";
    CHECK(goodput(&bench, 40, 58) < 0.2);
    bench.law = "zipfian";
    CHECK(goodput(&bench, 40, 58) > 0.99);
}

TEST(cache, filling_after_the_time_out_brings_it_back)
{
    struct bench bench = {.cache = "capacity: 10000",
                          .rate_per_s = 900,
                          .keys = 10000,
                          .law = "uniform",
                          .limit_s = 90};
    bench.app = "fillAfterTimeout: false";
    CHECK(goodput(&bench, 70, 88) < 0.2);
    bench.app = "fillAfterTimeout: true";
    CHECK(goodput(&bench, 70, 88) > 0.99);
}

TEST(cache, a_flush_sticks_where_the_same_load_was_served)
{
    struct bench bench = {.app = "queriesPerMiss: 1",
                          .cache = "capacity: 20000, warm: 20000",
                          .rate_per_s = 900,
                          .keys = 20000,
                          .law = "uniform",
                          .limit_s = 60,
                          .faults = "  - {name: flush, kind: AppChaos, action: signal, signal: "
                                    "flush, value: 20000, mode: all, selector: {group: cache}, "
                                    "at: 20s}\n"};
    CHECK(goodput(&bench, 0, 20) == 1);
    CHECK(goodput(&bench, 40, 58) < 0.2);
    bench.faults = "  - {name: flush, kind: AppChaos, action: signal, signal: flush, value: 2000, "
                   "mode: all, selector: {group: cache}, at: 20s}\n";
    CHECK(goodput(&bench, 40, 58) == 1);
}

/* ------------------------------------------------------------------------------------ the meter */

static struct {
    uint64_t hits;
    uint64_t misses;
    uint64_t rate_last;
    uint32_t rates;
} seen;

static void on_seen(void *context, const struct sq_seen *what)
{
    (void)context;
    if (what->text == NULL) {
        return;
    }
    if (what->what == SQ_SEE_COUNTER && strcmp(what->text, "cache.hits") == 0) {
        seen.hits += what->a;
    } else if (what->what == SQ_SEE_COUNTER && strcmp(what->text, "cache.misses") == 0) {
        seen.misses += what->a;
    } else if (what->what == SQ_SEE_GAUGE && strcmp(what->text, "cache.hit-rate") == 0) {
        seen.rate_last = what->a;
        seen.rates++;
    }
}

/* Half of the keys are there; a memcache that is only read fills nothing. */
TEST(cache, what_it_shows_is_what_it_did)
{
    static const struct sq_observer observer = {.on_seen = on_seen};
    memset(&seen, 0, sizeof(seen));
    struct lab lab;
    char groups[1024];
    char host[256];
    snprintf(host, sizeof(host), HOST, 1);
    snprintf(groups, sizeof(groups),
             "system:\n  model: memcache\n  nodes: 1\n  options: {capacity: 500, warm: 1000}\n"
             "  %s\n",
             host);
    REQUIRE(lab_run(
        &lab,
        (struct lab_options){.groups = groups,
                             .load = "{executor: constant-arrival-rate, rate: 1000/s, workload: "
                                     "{recordCount: 1000, requestDistribution: uniform, "
                                     "readProportion: 100%, updateProportion: 0%}}",
                             .limit_s = 20,
                             .seed = 1},
        &observer));
    CHECK(lab.count >= 19990);
    CHECK_EQUAL(seen.hits + seen.misses, lab.count / 100 * 100);
    CHECK(seen.hits > 9600);
    CHECK(seen.hits < 10400);
    CHECK_EQUAL(seen.rates, lab.count / 100);
    CHECK(seen.rate_last > 300);
    CHECK(seen.rate_last < 700);
    lab_free(&lab);
}
