/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the judge works out when a threshold asks for it: stale reads, and how long elections took.
 */
#include "tests/unit/judge_fixture.h"

#include "analysis/elections.h"
#include "analysis/freshness.h"

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
