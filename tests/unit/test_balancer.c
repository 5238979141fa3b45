/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `balancer`: who gets a request, who is taken out, when all are used all the same. */
#include "tests/unit/target_lab.h"

#define MS NS_PER_MS

static struct {
    uint64_t available; /* the last gauge; UINT64_MAX: none */
    uint64_t available_min;
    uint64_t removed;
    sq_time first; /* when the first was taken out */
} seen;

static void on_seen(void *context, const struct sq_seen *what)
{
    (void)context;
    if (what->text == NULL) {
        return;
    }
    if (what->what == SQ_SEE_GAUGE && strcmp(what->text, "balancer.available") == 0) {
        seen.available = what->a;
        seen.available_min = what->a < seen.available_min ? what->a : seen.available_min;
    } else if (what->what == SQ_SEE_COUNTER && strcmp(what->text, "balancer.removed") == 0) {
        seen.first = seen.removed == 0 ? what->time : seen.first;
        seen.removed += what->a;
    }
}

static const struct sq_observer observer = {.on_seen = on_seen};

static void play(struct lab *lab, struct target_run run)
{
    run.model = "balancer";
    seen.available = UINT64_MAX;
    seen.available_min = UINT64_MAX;
    seen.removed = 0;
    seen.first = 0;
    if (!target_play(lab, run, &observer)) {
        CHECK(!"the scenario is right");
    }
}

TEST(balancer, round_robin_gives_each_in_turn)
{
    struct lab lab;
    targets_reset();
    play(&lab, (struct target_run){
                   .front = "checkInterval: 0s", .nodes = 3, .rate = "100/s", .limit_s = 3});
    CHECK_EQUAL(targets.count, lab.count);
    for (uint32_t i = 0; i < targets.count && i < ORDER_MAX; i++) {
        CHECK_EQUAL(targets.order[i], i % 3);
    }
    lab_free(&lab);
}

TEST(balancer, random_gives_all_about_the_same)
{
    struct lab lab;
    targets_reset();
    play(&lab, (struct target_run){.front = "policy: random, checkInterval: 0s",
                                   .nodes = 4,
                                   .rate = "1000/s",
                                   .limit_s = 4});
    for (uint32_t node = 0; node < 4; node++) {
        CHECK(targets.requests[node] > 870);
        CHECK(targets.requests[node] < 1130);
    }
    lab_free(&lab);
}

/* Node 0 takes 1 s and the others 10 ms: it gets a new request when all have none or it has the
 * fewest. */
TEST(balancer, least_requests_leaves_the_slow_one_alone)
{
    struct lab lab;
    targets_reset();
    targets.delay[0] = 1000 * MS;
    targets.delay[1] = 10 * MS;
    targets.delay[2] = 10 * MS;
    play(&lab, (struct target_run){.front = "policy: least-requests, checkInterval: 0s",
                                   .nodes = 3,
                                   .rate = "50/s",
                                   .limit_s = 10});
    CHECK(targets.requests[0] <= 11);
    CHECK(targets.requests[1] + targets.requests[2] >= 485);
    lab_free(&lab);
}

TEST(balancer, takes_a_node_out_after_failed_checks_and_puts_it_back_after_good_ones)
{
    struct lab lab;
    targets_reset();
    play(&lab, (struct target_run){
                   .front = "checkInterval: 1s, checkTimeout: 200ms, unhealthyThreshold: 3, "
                            "healthyThreshold: 2",
                   .nodes = 2,
                   .rate = "100/s",
                   .limit_s = 20,
                   .target_timeout_s = 0.3,
                   .faults = "  - {name: stall, kind: NodeChaos, action: pause, mode: all, "
                             "selector: {node: target-1}, at: 4700ms, duration: 5s}\n"});
    CHECK_EQUAL(seen.removed, 1);
    CHECK_EQUAL(seen.available_min, 1);
    CHECK_EQUAL(seen.available, 2);
    /* Checks of the first of two nodes are at 0.5 s, 1.5 s, ...: 5.5, 6.5, 7.5 s and 200 ms. */
    CHECK_EQUAL(seen.first, 7700 * MS);
    CHECK(lab_goodput(&lab, 8, 9.6) == 1); /* all on the other one */
    CHECK(lab_goodput(&lab, 5, 7.5) < 0.6);
    CHECK(lab_goodput(&lab, 12, 19) == 1);
    lab_free(&lab);
}

/* Three of four nodes never answer their checks in time, but they do answer. */
TEST(balancer, uses_all_below_the_panic_threshold)
{
    static const struct {
        const char *front;
        bool uses_all;
    } cases[] = {
        {"checkInterval: 1s, checkTimeout: 50ms, panicThreshold: 50%", true},
        {"checkInterval: 1s, checkTimeout: 50ms, panicThreshold: 20%", false},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct lab lab;
        targets_reset();
        for (uint32_t node = 1; node < 4; node++) {
            targets.delay[node] = 100 * MS;
        }
        play(&lab, (struct target_run){
                       .front = cases[i].front, .nodes = 4, .rate = "100/s", .limit_s = 14});
        CHECK_EQUAL(seen.available, 1);
        /* All are used for some four seconds; the checks are 14 or so for each node. */
        CHECK(cases[i].uses_all ? targets.requests[2] > 340 : targets.requests[2] < 130);
        CHECK(lab_goodput(&lab, 0, 13) == 1);
        lab_free(&lab);
    }
}

TEST(balancer, turns_requests_away_when_nobody_is_available_and_there_is_no_panic)
{
    struct lab lab;
    targets_reset();
    targets.is_silent[0] = true;
    targets.is_silent[1] = true;
    play(&lab, (struct target_run){
                   .front = "checkInterval: 1s, checkTimeout: 100ms, unhealthyThreshold: 1, "
                            "panicThreshold: 0%",
                   .nodes = 2,
                   .rate = "100/s",
                   .limit_s = 10,
                   .target_timeout_s = 0.3});
    CHECK_EQUAL(seen.available, 0);
    CHECK(targets.count < 150); /* a second of requests, and checks */
    const struct sq_operation *last = &lab.operations[lab.count - 10];
    CHECK_EQUAL(last->status, SQ_E_UNAVAILABLE);
    lab_free(&lab);
}

TEST(balancer, ejects_who_fails_requests_but_not_more_than_it_may)
{
    static const struct {
        const char *front;
        uint64_t available;
    } cases[] = {
        {"checkInterval: 0s, ejectErrors: 5, ejectTime: 100s, ejectMax: 50%", 2},
        {"checkInterval: 0s, ejectErrors: 5, ejectTime: 100s, ejectMax: 1%", 3},
        {"checkInterval: 0s, ejectErrors: 0", UINT64_MAX},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct lab lab;
        targets_reset();
        for (uint32_t node = 1; node < 4; node++) {
            targets.status[node] = SQ_E_UNAVAILABLE;
        }
        play(&lab, (struct target_run){
                       .front = cases[i].front, .nodes = 4, .rate = "100/s", .limit_s = 10});
        CHECK_EQUAL(seen.available, cases[i].available);
        lab_free(&lab);
    }
}

TEST(balancer, an_ejection_ends)
{
    struct lab lab;
    targets_reset();
    targets.status[1] = SQ_E_UNAVAILABLE;
    play(&lab, (struct target_run){
                   .front = "checkInterval: 0s, ejectErrors: 2, ejectTime: 1s, ejectMax: 50%",
                   .nodes = 2,
                   .rate = "100/s",
                   .limit_s = 10});
    /* Two errors within some 30 ms, then a second of peace. */
    CHECK(seen.removed >= 8);
    CHECK(seen.removed <= 10);
    CHECK(targets.requests[1] <= 20);
    lab_free(&lab);
}

TEST(balancer, is_overloaded_beyond_its_limit)
{
    struct lab lab;
    targets_reset();
    targets.is_silent[0] = true;
    play(&lab, (struct target_run){.front = "checkInterval: 0s, maxInFlight: 7",
                                   .nodes = 1,
                                   .rate = "100/s",
                                   .limit_s = 2,
                                   .target_timeout_s = 60});
    CHECK_EQUAL(targets.count, 7);
    CHECK_EQUAL(lab.operations[20].status, SQ_E_OVERLOADED);
    lab_free(&lab);
}
