/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The model `fleet` in front of the model `server`: batch work against its laws, which are exact
 * for a deterministic service, first come first served, whose stale work is done all the same, and
 * a time-out of a whole number of services. Unless said otherwise a service takes 10 ms of one
 * worker. The time-out is 6 s and a nanosecond, so that what is done at 6 s is in time. */
#include "analysis/predict_laws.h"
#include "sim/node.h"
#include "tests/unit/harness.h"
#include "tests/unit/server_lab.h"

#define FLEET_HOST                                                                                 \
    "host: {cores: 1, queue: {limit: 100000000}, cpu: {perMessage: 0s, perByte: 0ns, "             \
    "perOperation: 0s, perTimer: 0s}}"

struct batch {
    uint32_t members;
    uint32_t nodes;      /* 0: 1 */
    const char *fleet;   /* further options: ", grantTime: 1m" */
    const char *service; /* NULL: "10ms" */
    const char *manager; /* ", queueLimit: 300" */
    const char *retry;   /* NULL: at once, for ever */
    const char *faults;  /* NULL: none */
    double limit_s;
    void (*strike)(struct world *world);
};

#define STRIKE_AT_S 40

/* What the fleet said of itself. */
struct seen {
    uint64_t held[4]; /* of each node */
    uint64_t granted;
    uint64_t lapsed;
    int64_t last_grant_ns;
};

static void on_seen(void *context, const struct sq_seen *what)
{
    struct seen *seen = context;
    if (what->what == SQ_SEE_GAUGE && strcmp(what->text, "lease.held") == 0) {
        seen->held[what->node] = what->a;
    } else if (what->what == SQ_SEE_COUNTER && strcmp(what->text, "lease.granted") == 0) {
        seen->granted += what->a;
        seen->last_grant_ns = what->time;
    } else if (what->what == SQ_SEE_COUNTER && strcmp(what->text, "lease.lapsed") == 0) {
        seen->lapsed += what->a;
    }
}

static struct lab_options batch_options(const struct batch *batch, char *groups, size_t size)
{
    snprintf(
        groups, size,
        "system:\n  groups:\n"
        "    - {name: fleet, model: fleet, nodes: %u, options: {members: %u, retryDelay: 1s%s}, "
        "client: {target: manager, timeout: 6000000001ns, deadline: none, lateAnswers: ignore, "
        "retry: {%s, retryOn: [timeout]}}, " FLEET_HOST "}\n"
        "    - {name: manager, model: server, nodes: 1, options: {serviceTime: %s, "
        "serviceLaw: deterministic%s}, " FLEET_HOST "}\n%s",
        batch->nodes > 0 ? batch->nodes : 1, batch->members,
        batch->fleet != NULL ? batch->fleet : "",
        batch->retry != NULL ? batch->retry : "maxAttempts: 1000000, backoff: none",
        batch->service != NULL ? batch->service : "10ms",
        batch->manager != NULL ? batch->manager : "", batch->faults != NULL ? batch->faults : "");
    return (struct lab_options){
        .groups = groups,
        .rate = "1/s",
        .limit_s = batch->limit_s,
        .seed = 1,
        .strike = batch->strike,
        .strike_s = STRIKE_AT_S,
    };
}

/* Runs it; what the operations of one client a second were, in `lab`. */
static struct seen batch_run(struct lab *lab, struct batch batch)
{
    struct seen seen = {{0}, 0, 0, 0};
    const struct sq_observer observer = {.context = &seen, .on_seen = on_seen};
    char groups[2048];
    lab_run(lab, batch_options(&batch, groups, sizeof(groups)), &observer);
    return seen;
}

/* ------------------------------------------------------------------------------------------ batch
 */

static uint64_t held_of(struct batch batch)
{
    struct lab lab;
    const struct seen seen = batch_run(&lab, batch);
    lab_free(&lab);
    return seen.held[0];
}

/* The law is exact at its integer: what is done at 6 s is in time, so 600 of 1200 get a lease in
 * the first round, and nobody else ever; of 1199 all. */
TEST(fleet, a_batch_collapses_exactly_when_its_work_is_two_time_outs)
{
    CHECK_EQUAL(law_batch_items_max((struct law_batch){1, .01, 1, 6}), 1199);
    CHECK_EQUAL(held_of((struct batch){.members = 1199, .limit_s = 200}), 1199);
    CHECK_EQUAL(held_of((struct batch){.members = 1200, .limit_s = 1000}), 600);
}

/* Other services and several workers: the largest batch that drains is the one that the law says,
 * and one more does not. */
TEST(fleet, the_largest_batch_is_that_of_the_law)
{
    static const struct {
        struct law_batch law;
        const char *service;
        const char *manager;
    } rows[] = {
        {{1, .04, 4, 6}, "40ms", ", servers: 4, uses: time"},
        {{1, .03, 1, 6}, "30ms", ""},
        {{1, .06, 1, 6}, "60ms", ""},
        {{1, .5, 7, 6}, "500ms", ", servers: 7, uses: time"},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const uint32_t most = (uint32_t)law_batch_items_max(rows[i].law);
        struct batch batch = {.members = most,
                              .service = rows[i].service,
                              .manager = rows[i].manager,
                              .limit_s = 300};
        CHECK_EQUAL(held_of(batch), most);
        batch.members = most + 1;
        CHECK(held_of(batch) < most + 1);
    }
}

/* Spread evenly over a little more than work - time-out nobody waits too long, so the last grant
 * comes when the work is done; over less some do, and their stale work is done as well. */
TEST(fleet, a_spread_start_needs_no_more_than_the_work_less_a_time_out)
{
    CHECK(law_batch_ramp((struct law_batch){1200, .01, 1, 6}) == 6);
    struct lab lab;
    struct seen seen = batch_run(
        &lab, (struct batch){.members = 1200, .fleet = ", joinTime: 6006ms", .limit_s = 60});
    CHECK_EQUAL(seen.held[0], 1200);
    CHECK_EQUAL(seen.last_grant_ns, 12 * NS_PER_S);
    lab_free(&lab);
    seen = batch_run(&lab,
                     (struct batch){.members = 1200, .fleet = ", joinTime: 5900ms", .limit_s = 60});
    CHECK_EQUAL(seen.held[0], 1200);
    CHECK(seen.last_grant_ns > 12 * NS_PER_S);
    lab_free(&lab);
}

#define STALL                                                                                      \
    "faults:\n  - {name: stall, kind: NodeChaos, action: %s, mode: all, selector: {group: "        \
    "manager}, at: 1ms, duration: 60s}\n"

/* A manager that stood still for a minute has ten rounds of stale work before it. With a
 * full-jitter delay of up to M every member asks once in T + M / 2; the backlog shrinks if that is
 * less than the manager can do, M > 2 (W - T) = 36 s, and grows otherwise. */
TEST(fleet, full_jitter_drains_a_backlog_from_the_cap_of_the_law_on)
{
    static const char policy[] = "maxAttempts: unlimited, backoff: fixed, initialBackoff: %ds, "
                                 "maxBackoff: %ds, jitter: full";
    CHECK(law_batch_jitter((struct law_batch){2400, .01, 1, 6}) == 36);
    for (int cap_s = 33; cap_s <= 39; cap_s += 6) {
        char retry[160];
        char stall[256];
        snprintf(retry, sizeof(retry), policy, cap_s, cap_s);
        snprintf(stall, sizeof(stall), STALL, "pause");
        const uint64_t held = held_of(
            (struct batch){.members = 2400, .retry = retry, .faults = stall, .limit_s = 1500});
        if (cap_s < 36) {
            CHECK(held < 100);
        } else {
            CHECK_EQUAL(held, 2400);
        }
    }
}

/* W = 9 s is between one time-out and two: from an empty queue the batch drains, from a backlog it
 * never does. A pause leaves the backlog in the queue; a crash drops it. */
TEST(fleet, between_one_time_out_and_two_it_is_the_backlog_that_decides)
{
    char pause[256];
    char kill[256];
    snprintf(pause, sizeof(pause), STALL, "pause");
    snprintf(kill, sizeof(kill), STALL, "kill");
    CHECK_EQUAL(held_of((struct batch){.members = 900, .limit_s = 100}), 900);
    CHECK_EQUAL(held_of((struct batch){.members = 900, .faults = kill, .limit_s = 200}), 900);
    CHECK(held_of((struct batch){.members = 900, .faults = pause, .limit_s = 1000}) < 10);
}

/* What a manager turns away comes again a second later, and what it accepts is done in time: any
 * batch drains, after any stall. So it does when stale work is dropped. */
TEST(fleet, a_limit_on_the_queue_or_cancelled_work_drains_any_batch)
{
    char pause[256];
    snprintf(pause, sizeof(pause), STALL, "pause");
    CHECK_EQUAL(held_of((struct batch){.members = 3000,
                                       .manager = ", queueLimit: 500, onFull: reject",
                                       .faults = pause,
                                       .limit_s = 200}),
                3000);
    CHECK_EQUAL(
        held_of((struct batch){
            .members = 3000, .manager = ", cancellation: client", .faults = pause, .limit_s = 200}),
        3000);
}

/* ----------------------------------------------------------------------------------------- leases
 */

TEST(fleet, leases_are_renewed_before_they_end)
{
    struct lab lab;
    const struct seen seen =
        batch_run(&lab, (struct batch){.members = 1200,
                                       .fleet = ", joinTime: 40s, grantTime: 60s, renewBefore: 20s",
                                       .limit_s = 400});
    CHECK_EQUAL(seen.held[0], 1200);
    CHECK_EQUAL(seen.lapsed, 0);
    /* The first in the first 40 s, and the next ones after 40 s and a little. */
    CHECK(seen.granted > 1200 * 9);
    CHECK(seen.granted < 1200 * 10);
    lab_free(&lab);
}

/* Without the manager each lease ends a minute after it was granted, and reads of its member fail
 * from then on; while it is held they are answered. */
TEST(fleet, a_lease_that_is_not_renewed_lapses)
{
    struct lab lab;
    const struct seen seen = batch_run(
        &lab, (struct batch){.members = 100,
                             .fleet = ", grantTime: 60s, renewBefore: 20s",
                             .faults = "faults:\n  - {name: gone, kind: NodeChaos, action: "
                                       "kill, mode: all, selector: {group: manager}, at: "
                                       "30s, duration: 1h}\n",
                             .limit_s = 100});
    CHECK_EQUAL(seen.held[0], 0);
    CHECK_EQUAL(seen.lapsed, 100);
    CHECK_EQUAL(seen.granted, 100);
    CHECK(lab_goodput(&lab, 2, 60) == 1);
    CHECK(lab_goodput(&lab, 61, 99) == 0);
    CHECK_EQUAL(lab.operations[90].status, SQ_E_UNAVAILABLE);
    lab_free(&lab);
}

/* The fleet restarts at 40 s: it has no leases, and asks anew over its rejoinTime. */
TEST(fleet, a_restart_forgets_and_asks_over_the_rejoin_time)
{
    static const char faults[] =
        "faults:\n  - {name: again, kind: NodeChaos, action: restart, mode: "
        "all, selector: {group: fleet}, at: 40s}\n";
    struct lab lab;
    struct seen seen = batch_run(&lab, (struct batch){.members = 1000,
                                                      .fleet = ", joinTime: 2s, rejoinTime: 20s",
                                                      .faults = faults,
                                                      .limit_s = 80});
    CHECK_EQUAL(seen.granted, 2000);
    CHECK(seen.last_grant_ns > 59 * NS_PER_S);
    CHECK(seen.last_grant_ns < 61 * NS_PER_S);
    lab_free(&lab);
    /* All at once it is 14 s of work: a batch that collapses, though the first start did not. */
    seen = batch_run(
        &lab, (struct batch){
                  .members = 1400, .fleet = ", joinTime: 20s", .faults = faults, .limit_s = 500});
    CHECK_EQUAL(seen.granted, 1400 + 600);
    lab_free(&lab);
}

/* A share of two racks loses its leases by a signal and asks at once. */
static void lapse_a_quarter(struct world *world)
{
    node_signal(&world->nodes[0], "lapse", 500000);
    node_signal(&world->nodes[1], "no-such-signal", 500000);
}

TEST(fleet, a_signal_lets_a_share_of_the_leases_lapse)
{
    struct lab lab;
    const struct seen seen = batch_run(
        &lab, (struct batch){.members = 300, .nodes = 2, .strike = lapse_a_quarter, .limit_s = 60});
    CHECK_EQUAL(seen.lapsed, 150);
    CHECK_EQUAL(seen.granted, 600 + 150);
    CHECK_EQUAL(seen.held[0] + seen.held[1], 600);
    CHECK_EQUAL(seen.last_grant_ns, STRIKE_AT_S * NS_PER_S + 1500 * NS_PER_MS);
    lab_free(&lab);
}

TEST(fleet, an_option_out_of_range_is_refused_at_boot)
{
    struct lab lab;
    batch_run(&lab, (struct batch){.members = 0, .limit_s = 3});
    CHECK_EQUAL(lab.operations[1].status, SQ_E_REFUSED);
    lab_free(&lab);
    batch_run(&lab, (struct batch){
                        .members = 5, .fleet = ", grantTime: 10s, renewBefore: 10s", .limit_s = 3});
    CHECK_EQUAL(lab.operations[1].status, SQ_E_REFUSED);
    lab_free(&lab);
}

TEST(fleet, crashes_and_pauses_leave_it_consistent_and_repeatable)
{
    static const char faults[] =
        "faults:\n"
        "  - {name: kill, kind: NodeChaos, action: kill, mode: one, every: 7s, duration: 500ms}\n"
        "  - {name: stall, kind: NodeChaos, action: pause, mode: one, every: 5s, duration: 2s}\n"
        "  - {name: cut, kind: NetworkChaos, action: partition, mode: one, every: 11s, duration: "
        "1s}\n";
    uint64_t digests[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct lab lab;
        const struct seen seen =
            batch_run(&lab, (struct batch){.members = 200,
                                           .nodes = 3,
                                           .fleet = ", grantTime: 5s, renewBefore: 2s",
                                           .retry = "maxAttempts: 2, backoff: none",
                                           .faults = faults,
                                           .limit_s = 200});
        digests[i] = world_digest(lab.world);
        CHECK(seen.lapsed > 0);
        CHECK(seen.granted > 1000);
        CHECK(seen.held[0] <= 200);
        lab_free(&lab);
    }
    CHECK(digests[0] == digests[1]);
}
