/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `pool`: which connection is taken, how many there are, and what that makes of a link. */
#include "tests/unit/target_lab.h"

#define MS NS_PER_MS

static struct {
    uint64_t share; /* the last gauges */
    uint64_t share_max;
    uint64_t connections;
    uint64_t connections_max;
} seen;

static void on_seen(void *context, const struct sq_seen *what)
{
    (void)context;
    if (what->what != SQ_SEE_GAUGE || what->text == NULL) {
        return;
    }
    if (strcmp(what->text, "pool.busiest-link-share") == 0) {
        seen.share = what->a;
        seen.share_max = what->a > seen.share_max ? what->a : seen.share_max;
    } else if (strcmp(what->text, "pool.connections") == 0) {
        seen.connections = what->a;
        seen.connections_max = what->a > seen.connections_max ? what->a : seen.connections_max;
    }
}

static const struct sq_observer observer = {.on_seen = on_seen};

static void play(struct lab *lab, struct target_run run)
{
    run.model = "pool";
    memset(&seen, 0, sizeof(seen));
    if (!target_play(lab, run, &observer)) {
        CHECK(!"the scenario is right");
    }
}

TEST(pool, opens_no_more_connections_than_are_in_use_together)
{
    struct lab lab;
    targets_reset();
    targets.delay[0] = 15 * MS;
    targets.delay[1] = 15 * MS;
    play(&lab, (struct target_run){
                   .front = "selection: mru", .nodes = 2, .rate = "100/s", .limit_s = 10});
    CHECK_EQUAL(seen.connections_max, 2);
    CHECK_EQUAL(targets.count, lab.count);
    CHECK(lab_goodput(&lab, 0, 9.9) == 1);
    lab_free(&lab);
}

/* Five connections and 100 ms: fifty queries a second, in order of arrival. */
TEST(pool, queries_wait_for_a_connection_when_there_are_no_more)
{
    struct lab lab;
    targets_reset();
    targets.delay[0] = 100 * MS;
    play(&lab, (struct target_run){.front = "connections: 5, maxWaiting: 20",
                                   .nodes = 1,
                                   .rate = "100/s",
                                   .limit_s = 10});
    CHECK_EQUAL(seen.connections_max, 5);
    CHECK(targets.count >= 490);
    CHECK(targets.count <= 505);
    CHECK(fabs(lab_goodput(&lab, 1, 9) - 0.5) < 0.02); /* the rest is turned away */
    lab_free(&lab);
}

/* One request after the other, each of eight queries: mru needs eight connections for ever. */
TEST(pool, mru_closes_what_it_does_not_need_and_lru_keeps_all)
{
    static const char *const fronts[] = {
        "selection: mru, queries: 8, idleTimeout: 1s",
        "selection: lru, queries: 8, idleTimeout: 1s",
    };
    for (uint32_t i = 0; i < 2; i++) {
        struct lab lab;
        targets_reset();
        for (uint32_t node = 0; node < 4; node++) {
            targets.delay[node] = 5 * MS;
        }
        /* A pause of the pool gathers requests: they are sent together afterwards. */
        play(&lab, (struct target_run){.front = fronts[i],
                                       .nodes = 4,
                                       .rate = "50/s",
                                       .limit_s = 10,
                                       .faults = "  - {name: stall, kind: NodeChaos, action: "
                                                 "pause, mode: all, selector: {group: front}, at: "
                                                 "3s, duration: 100ms}\n"});
        CHECK(seen.connections_max >= 40);
        CHECK_EQUAL(seen.connections, i == 0 ? 8 : seen.connections_max);
        CHECK_EQUAL(targets.count, 8 * lab.count);
        lab_free(&lab);
    }
}

/* All links stand for a while, so that many connections are opened, and one of them longer. Gives
 * the busiest link's share of the queries in the end. */
static double share_of_busiest(const char *front)
{
    struct lab lab;
    char host[256];
    char groups[1024];
    snprintf(host, sizeof(host), LAB_HOST, 1);
    snprintf(groups, sizeof(groups),
             "system:\n  %s\n  groups:\n"
             "    - {name: app, model: pool, nodes: 1, options: {target: links, queries: 8, "
             "idleTimeout: 2s, %s}, client: {target: links, timeout: 10s, route: first}}\n"
             "    - {name: links, model: server, nodes: 4, options: {serviceTime: 1ms, serviceLaw: "
             "deterministic}}\n",
             host, front);
    memset(&seen, 0, sizeof(seen));
    const bool is_fine = lab_run(
        &lab,
        (struct lab_options){
            .groups = groups,
            .load = "{executor: constant-arrival-rate, rate: 50/s, arrivals: uniform, target: app, "
                    "workload: {recordCount: 10, readProportion: 100%, updateProportion: 0%}}",
            .limit_s = 20,
            .timeout_s = 10,
            .seed = 1,
            .faults = "  - {name: burst, kind: NodeChaos, action: pause, mode: all, selector: "
                      "{group: links}, at: 3s, duration: 500ms}\n"
                      "  - {name: congestion, kind: NodeChaos, action: pause, mode: all, selector: "
                      "{node: links-3}, at: 3s, duration: 700ms}\n"},
        &observer);
    CHECK(is_fine);
    lab_free(&lab);
    return (double)seen.share / 1000;
}

TEST(pool, with_mru_the_link_that_was_congested_gets_everything_for_good)
{
    CHECK(share_of_busiest("selection: mru") == 1);
    const double lru = share_of_busiest("selection: lru");
    CHECK(lru > 0.2);
    CHECK(lru < 0.5);
    const double any = share_of_busiest("selection: random");
    CHECK(any > 0.2);
    CHECK(any < 0.5);
}

TEST(pool, a_time_out_closes_the_connection_and_an_error_does_not)
{
    struct lab lab;
    targets_reset();
    targets.status[0] = SQ_E_UNAVAILABLE;
    play(&lab,
         (struct target_run){.front = "connections: 1", .nodes = 1, .rate = "200/s", .limit_s = 5});
    CHECK_EQUAL(targets.count, lab.count);
    CHECK_EQUAL(seen.connections_max, 1);
    CHECK(lab_goodput(&lab, 0, 5) == 0);
    lab_free(&lab);
    targets_reset();
    targets.is_silent[0] = true;
    play(&lab, (struct target_run){.front = "connections: 2",
                                   .nodes = 1,
                                   .rate = "20/s",
                                   .limit_s = 10,
                                   .target_timeout_s = 0.2});
    CHECK(targets.count >= 90); /* two at a time, five times a second */
    CHECK(targets.count <= 102);
    lab_free(&lab);
}
