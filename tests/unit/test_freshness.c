/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the judge works out when a threshold asks for it: stale reads, and how long elections took.
 */
#include "tests/unit/judge_fixture.h"

#include "analysis/elections.h"
#include "analysis/freshness.h"
#include "analysis/visibility.h"

#include <math.h>

static struct spec_threshold threshold_of(const char *metric, const char *name, const char *text,
                                          const char *expression)
{
    return (struct spec_threshold){.metric = metric,
                                   .text = text,
                                   .gauge = {.name = name, .until_ns = INT64_MAX},
                                   .expression = expression};
}

static double metric_of(const struct fixture *f, const char *name)
{
    for (uint32_t i = 0; i < f->result.metrics.count; i++) {
        const struct result_metric *metric = vec_at(&f->result.metrics, i);
        if (strcmp(metric->name, name) == 0) {
            return metric->value;
        }
    }
    return (double)NAN;
}

static void begin_with(struct fixture *f, struct spec_threshold *thresholds, uint32_t count)
{
    fixture_init(f, 3);
    f->spec.thresholds = thresholds;
    f->spec.threshold_count = count;
    fixture_begin(f);
}

TEST(freshness, a_read_is_stale_when_it_misses_what_was_acknowledged_before_it)
{
    struct spec_threshold stale = threshold_of("gauge", "client.stale", "stale", "avg < 1");
    struct fixture f;
    begin_with(&f, &stale, 1);
    fixture_read(&f, 1, 0); /* nothing was acknowledged yet: not judged */
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_read(&f, 1, 10);
    fixture_write(&f, 1, 11, SQ_OUTCOME_OK);
    fixture_read(&f, 1, 10); /* stale */
    fixture_read(&f, 1, 0);  /* stale */
    fixture_read(&f, 2, 0);  /* another key */
    fixture_finish(&f);
    CHECK(fabs(metric_of(&f, "stale avg") - 2.0 / 3) < 1e-9);
    fixture_release(&f);
}

TEST(freshness, what_is_under_way_or_of_unknown_outcome_may_be_seen_or_not)
{
    struct spec_threshold stale = threshold_of("gauge", "client.stale", "stale", "max < 1");
    struct fixture f;
    begin_with(&f, &stale, 1);
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_write(&f, 1, 11, SQ_OUTCOME_INFO);
    uint64_t open = fixture_invoke(&f, SQ_KV_UPDATE, 1, 12);
    fixture_read(&f, 1, 10);
    fixture_read(&f, 1, 11);
    fixture_read(&f, 1, 12);
    uint64_t read = fixture_invoke(&f, SQ_KV_READ, 1, 0);
    fixture_complete(&f, open, SQ_OUTCOME_OK, 0);
    fixture_complete(&f, read, SQ_OUTCOME_OK, 10); /* invoked before the acknowledgement */
    fixture_finish(&f);
    CHECK(metric_of(&f, "stale max") == 0);
    fixture_release(&f);
}

TEST(freshness, nobody_asks_and_nothing_is_shown)
{
    struct fixture f;
    begin_with(&f, NULL, 0);
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_read(&f, 1, 10);
    fixture_finish(&f);
    CHECK_EQUAL(f.result.gauges.count, 0);
    fixture_release(&f);
}

static struct spec_threshold *asked_of_elections(void)
{
    static struct spec_threshold thresholds[3];
    thresholds[0] = threshold_of("gauge", "raft.election-time-us", "time", "max < 1");
    thresholds[1] = threshold_of("gauge", "raft.election-time-us", "time", "avg < 1");
    thresholds[2] = threshold_of("counter", "raft.split-votes", "split", "count < 1");
    return thresholds;
}

TEST(elections, are_timed_from_the_crash_and_count_the_terms_that_nobody_won)
{
    struct fixture f;
    begin_with(&f, asked_of_elections(), 3);
    f.now = 100 * NS_PER_MS - NS_PER_MS;
    fixture_see(&f, 0, SQ_SEE_LEADER, 2, 0, 0); /* at 100 ms, the first term after the founding */
    f.now = NS_PER_S - NS_PER_MS;
    fixture_life(&f, 1, SQ_LIFE_CRASH); /* a follower */
    fixture_life(&f, 0, SQ_LIFE_POWER); /* at 1001 ms */
    f.now = NS_PER_S + 300 * NS_PER_MS;
    fixture_see(&f, 2, SQ_SEE_LEADER, 5, 0, 0); /* at 1301 ms; terms 3 and 4 were split */
    fixture_finish(&f);
    CHECK(metric_of(&f, "time max") == 300000);
    CHECK(metric_of(&f, "time avg") == 200000);
    CHECK(metric_of(&f, "split count") == 2);
    fixture_release(&f);
}

TEST(elections, a_leader_that_is_only_deposed_begins_none)
{
    struct fixture f;
    begin_with(&f, asked_of_elections(), 3);
    f.now = 100 * NS_PER_MS - NS_PER_MS;
    fixture_see(&f, 0, SQ_SEE_LEADER, 2, 0, 0);
    fixture_see(&f, 1, SQ_SEE_LEADER, 7, 0, 0);
    fixture_life(&f, 0, SQ_LIFE_CRASH); /* no longer the leader */
    fixture_see(&f, 2, SQ_SEE_LEADER, 9, 0, 0);
    fixture_finish(&f);
    CHECK(metric_of(&f, "time max") == 100000);
    CHECK(metric_of(&f, "split count") == 0);
    fixture_release(&f);
}

/* ------------------------------------------------------------------------------------ visibility
 */

struct sight {
    struct visibility visibility;
    struct freshness freshness;
    struct kv_history history;
    struct run_spec spec;
    struct sq_node_info nodes[3];
    uint64_t next;
    uint64_t order;
};

static void sight_begin(struct sight *sight)
{
    *sight = (struct sight){0};
    for (uint32_t i = 0; i < 3; i++) {
        sight->nodes[i] = (struct sq_node_info){.name = "n", .group_size = 3};
    }
    visibility_init(&sight->visibility);
    visibility_begin(&sight->visibility);
    freshness_init(&sight->freshness);
    freshness_begin(&sight->freshness);
    kv_history_init(&sight->history);
    kv_history_begin(&sight->history, &sight->spec);
}

static void sight_end(struct sight *sight)
{
    visibility_release(&sight->visibility);
    freshness_release(&sight->freshness);
    kv_history_release(&sight->history);
}

/* An acknowledged update of key 1. */
static void update(struct sight *sight, uint64_t value)
{
    struct sq_operation operation = {.id = sight->next++,
                                     .kind = SQ_KV_UPDATE,
                                     .key = 1,
                                     .argument = value,
                                     .invoke_order = sight->order++};
    kv_history_on_invoke(&sight->history, &operation);
    freshness_on_invoke(&sight->freshness, &sight->history, operation.id);
    operation.outcome = SQ_OUTCOME_OK;
    operation.complete_order = sight->order++;
    kv_history_on_complete(&sight->history, &operation);
    freshness_on_complete(&sight->freshness, &sight->history, operation.id);
}

static void see(struct sight *sight, sq_time time, sq_node node, enum sq_see what,
                const uint64_t words[3])
{
    const struct sq_seen seen = {
        .time = time, .node = node, .what = what, .a = words[0], .b = words[1], .c = words[2]};
    visibility_on_seen(&sight->visibility, &sight->freshness, &sight->history, sight->nodes, &seen);
}

#define SEE(sight, time, node, what, a, b, c)                                                      \
    see(sight, time, node, what, (const uint64_t[3]){a, b, c})

TEST(visibility, a_read_is_too_early_by_the_least_of_the_replicas_it_used)
{
    struct sight sight;
    sight_begin(&sight);
    update(&sight, 10);
    SEE(&sight, 100, 0, SQ_SEE_READ, 7, 1, 0);
    SEE(&sight, 110, 1, SQ_SEE_VISITED, 7, 1, 0);
    SEE(&sight, 115, 2, SQ_SEE_VISITED, 7, 1, 0);
    SEE(&sight, 120, 0, SQ_SEE_READ, 7, 1, 6);    /* nodes 1 and 2 */
    SEE(&sight, 121, 0, SQ_SEE_VISITED, 7, 1, 0); /* after the answer: does not count */
    SEE(&sight, 122, 0, SQ_SEE_STORED, 1, 10, 1);
    SEE(&sight, 130, 1, SQ_SEE_STORED, 1, 10, 1); /* 20 after the visit */
    CHECK_EQUAL(sight.visibility.too_early.count, 0);
    SEE(&sight, 133, 2, SQ_SEE_STORED, 1, 10, 1); /* 18 */
    CHECK_EQUAL(sight.visibility.too_early.count, 1);
    CHECK_EQUAL(sight.visibility.too_early.minimum, 18);
    sight_end(&sight);
}

TEST(visibility, one_replica_in_time_is_enough_and_a_later_write_is_none)
{
    struct sight sight;
    sight_begin(&sight);
    update(&sight, 10);
    SEE(&sight, 90, 2, SQ_SEE_STORED, 1, 10, 1);
    SEE(&sight, 100, 0, SQ_SEE_READ, 7, 1, 0);
    SEE(&sight, 110, 1, SQ_SEE_VISITED, 7, 1, 0);
    SEE(&sight, 115, 2, SQ_SEE_VISITED, 7, 1, 0);
    SEE(&sight, 120, 0, SQ_SEE_READ, 7, 1, 6);
    CHECK_EQUAL(sight.visibility.too_early.count, 1);
    CHECK_EQUAL(sight.visibility.too_early.maximum, 0);
    SEE(&sight, 200, 0, SQ_SEE_READ, 8, 1, 0);
    SEE(&sight, 210, 1, SQ_SEE_VISITED, 8, 1, 0);
    SEE(&sight, 220, 0, SQ_SEE_READ, 8, 1, 2);
    update(&sight, 11);
    SEE(&sight, 230, 1, SQ_SEE_STORED, 1, 11, 1); /* as if it had not come */
    CHECK_EQUAL(sight.visibility.too_early.count, 1);
    SEE(&sight, 250, 1, SQ_SEE_STORED, 1, 10, 0); /* late, behind a newer one */
    CHECK_EQUAL(sight.visibility.too_early.count, 2);
    CHECK_EQUAL(sight.visibility.too_early.maximum, 40);
    /* The replica still has the newer one. */
    SEE(&sight, 300, 0, SQ_SEE_READ, 9, 1, 0);
    SEE(&sight, 310, 1, SQ_SEE_VISITED, 9, 1, 0);
    SEE(&sight, 320, 0, SQ_SEE_READ, 9, 1, 2);
    CHECK_EQUAL(sight.visibility.too_early.count, 3);
    sight_end(&sight);
}

TEST(visibility, what_waits_for_a_lost_write_counts_with_what_it_has_waited)
{
    struct sight sight;
    sight_begin(&sight);
    SEE(&sight, 50, 0, SQ_SEE_READ, 6, 1, 0); /* nothing was written: not judged */
    SEE(&sight, 60, 0, SQ_SEE_READ, 6, 1, 1);
    update(&sight, 10);
    SEE(&sight, 100, 0, SQ_SEE_READ, 7, 1, 0);
    SEE(&sight, 110, 1, SQ_SEE_VISITED, 7, 1, 0);
    SEE(&sight, 120, 0, SQ_SEE_READ, 7, 1, 2);
    SEE(&sight, 130, 0, SQ_SEE_READ, 8, 1, 0); /* never answered */
    SEE(&sight, 131, 1, SQ_SEE_VISITED, 8, 1, 0);
    visibility_finish(&sight.visibility, 150);
    CHECK_EQUAL(sight.visibility.too_early.count, 1);
    CHECK_EQUAL(sight.visibility.too_early.minimum, 40);
    /* Thousands wait: the first are given up. */
    visibility_begin(&sight.visibility);
    for (uint64_t i = 0; i < 5000; i++) {
        SEE(&sight, 1000, 0, SQ_SEE_READ, 100 + i, 1, 0);
        SEE(&sight, 1000, 1, SQ_SEE_VISITED, 100 + i, 1, 0);
        SEE(&sight, 1000, 0, SQ_SEE_READ, 100 + i, 1, 2);
    }
    CHECK_EQUAL(sight.visibility.too_early.count, 5000 - 4096);
    sight_end(&sight);
}
