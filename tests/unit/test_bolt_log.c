/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Models `bolt-log` and `publisher` in real worlds made from a scenario's text: what they answer,
 * what they show of themselves, and what their signals do. */
#include "tests/unit/server_lab.h"

#include "squall_check.h"
#include "tests/unit/harness.h"

#define GAUGES_MAX 16

/* All samples of a gauge, and those of each tenth of the run. */
struct gauge {
    char name[64];
    uint64_t count;
    uint64_t least[10];
    uint64_t most[10];
};

static struct gauge gauges[GAUGES_MAX];
static double slice_s;

static struct gauge *gauge_of(const char *name)
{
    for (uint32_t i = 0; i < GAUGES_MAX; i++) {
        if (gauges[i].name[0] == '\0') {
            snprintf(gauges[i].name, sizeof(gauges[i].name), "%s", name);
            memset(gauges[i].least, 0xFF, sizeof(gauges[i].least));
        }
        if (strcmp(gauges[i].name, name) == 0) {
            return &gauges[i];
        }
    }
    ASSERT(!"few gauges");
    return NULL;
}

static void on_seen(void *context, const struct sq_seen *seen)
{
    (void)context;
    if (seen->what != SQ_SEE_GAUGE) {
        return;
    }
    struct gauge *gauge = gauge_of(seen->text);
    double slice = (double)seen->time / 1e9 / slice_s;
    uint32_t at = slice < 10 ? (uint32_t)slice : 9;
    gauge->count++;
    gauge->least[at] = seen->a < gauge->least[at] ? seen->a : gauge->least[at];
    gauge->most[at] = seen->a > gauge->most[at] ? seen->a : gauge->most[at];
}

/* Runs it for ten slices. */
static void run(struct lab *lab, const char *groups, const char *rate, const char *load,
                double limit_s)
{
    static const struct sq_observer observer = {.on_seen = on_seen};
    memset(gauges, 0, sizeof(gauges));
    slice_s = limit_s / 10;
    REQUIRE(lab_run(lab,
                    (struct lab_options){.groups = groups,
                                         .rate = rate,
                                         .load = load,
                                         .limit_s = limit_s,
                                         .timeout_s = 5,
                                         .attempts = 20,
                                         .seed = 1},
                    &observer));
}

#define BOLT_LOG(options, faults)                                                                  \
    "system:\n  model: bolt-log\n  nodes: 1\n  options: {" options "}\n"                           \
    "  host: {cores: 2, cpu: {perMessage: 0s, perByte: 0ns, perOperation: 0s, perTimer: 0s}}\n"    \
    "disk: {default: {fsync: {latency: 100us}, write: 1us}}\n" faults

#define SIGNAL(signal, value, at)                                                                  \
    "  - {name: " signal value ", kind: AppChaos, action: signal, signal: " signal                 \
    ", value: " value ", mode: one, at: " at "}\n"

#define UPDATES                                                                                    \
    "{executor: constant-arrival-rate, rate: 100/s, arrivals: uniform, workload: {recordCount: "   \
    "20, readProportion: 0%, updateProportion: 100%}}"
#define MIXTURE                                                                                    \
    "{executor: constant-arrival-rate, rate: 200/s, arrivals: poisson, workload: {recordCount: "   \
    "20, readProportion: 50%, updateProportion: 50%}}"

TEST(bolt_log, truncates_when_it_is_long_and_not_while_that_is_suspended)
{
    struct lab lab;
    run(&lab,
        BOLT_LOG("entriesPerRequest: 2, entryBytes: 1000B, keep: 50, truncateAt: 100",
                 "faults:\n" SIGNAL("truncation", "0", "4s") SIGNAL("truncation", "1", "7s")),
        "0/s", UPDATES, 10);
    CHECK(lab_goodput(&lab, 0.1, 9.9) == 1.0);
    const struct gauge *length = gauge_of("bolt.log-entries");
    const struct gauge *list = gauge_of("bolt.free-pages");
    CHECK(length->most[3] < 104);
    CHECK(length->least[3] >= 50);
    CHECK(length->most[6] > 600); /* 2 entries, 100 times a second, for three seconds */
    CHECK(list->most[6] < 40);
    CHECK(length->most[8] < 104);
    CHECK(list->least[8] > 80); /* four entries to a leaf */
    lab_free(&lab);
}

TEST(bolt_log, has_a_small_file_again_after_a_compaction)
{
    struct lab lab;
    run(&lab,
        BOLT_LOG("entryBytes: 4000B, keep: 50, truncateAt: 100",
                 "faults:\n" SIGNAL("truncation", "0", "1s") SIGNAL("truncation", "1", "5s")
                     SIGNAL("compact", "1", "7s")),
        "0/s", UPDATES, 10);
    CHECK(lab_goodput(&lab, 0.1, 9.9) == 1.0);
    const struct gauge *pages = gauge_of("bolt.file-bytes");
    const struct gauge *bytes = gauge_of("bolt.bytes-per-commit");
    const struct gauge *list = gauge_of("bolt.freelist-bytes");
    CHECK(pages->least[6] > 1500 * 4096);
    CHECK(list->least[6] > 8 * 1400);
    CHECK(bytes->least[6] > list->least[6]);
    CHECK(pages->most[8] < 400 * 4096);
    CHECK(bytes->least[8] + list->least[6] < bytes->least[6] + 4096);
    lab_free(&lab);
}

/* Every read that follows an answered update sees it, or a later one. */
static uint32_t stale_reads(const struct lab *lab)
{
    uint32_t stale = 0;
    for (uint32_t i = 0; i < lab->count; i++) {
        const struct sq_operation *read = &lab->operations[i];
        if (read->kind != SQ_KV_READ || read->outcome != SQ_OUTCOME_OK) {
            continue;
        }
        bool is_found = read->result == 0;
        sq_time newest = 0; /* latest start of an update that was answered before the read began */
        sq_time found = 0;
        for (uint32_t j = 0; j < lab->count; j++) {
            const struct sq_operation *update = &lab->operations[j];
            if (update->kind != SQ_KV_UPDATE || update->key != read->key) {
                continue;
            }
            if (update->argument == read->result) {
                is_found = true;
                found = update->outcome == SQ_OUTCOME_OK ? update->completed : INT64_MAX;
            }
            if (update->outcome == SQ_OUTCOME_OK && update->completed < read->invoked &&
                update->invoked > newest) {
                newest = update->invoked;
            }
        }
        stale += !is_found || found < newest;
    }
    return stale;
}

TEST(bolt_log, keeps_what_it_answered_through_power_losses)
{
    struct lab lab;
    run(&lab,
        BOLT_LOG(
            "entryBytes: 500B, truncateAt: 0",
            "faults:\n  - {name: power, kind: NodeChaos, action: power-loss, mode: all, every: 1s, "
            "between: [1s, 8s], duration: 100ms}\n"),
        "0/s", MIXTURE, 10);
    CHECK(lab_goodput(&lab, 0, 9) > 0.9);
    CHECK_EQUAL(stale_reads(&lab), 0);
    CHECK(lab.count > 1500);
    lab_free(&lab);
}

TEST(bolt_log, does_not_start_with_options_that_make_no_sense)
{
    struct lab lab;
    run(&lab, BOLT_LOG("keep: 100, truncateAt: 50", ""), "0/s", UPDATES, 1);
    CHECK(lab_goodput(&lab, 0, 1) == 0.0);
    lab_free(&lab);
    run(&lab, BOLT_LOG("entryBytes: 8B", ""), "0/s", UPDATES, 1);
    CHECK(lab_goodput(&lab, 0, 1) == 0.0);
    lab_free(&lab);
}

/* ----------------------------------------------------------------------------------- publisher */

#define PUBLISHED(options, faults)                                                                 \
    "system:\n  groups:\n"                                                                         \
    "    - {name: front, model: publisher, nodes: 1, options: {target: back, " options "}, "       \
    "host: {cores: 2, cpu: {perMessage: 0s, perByte: 0ns, perOperation: 0s, perTimer: 0s}}, "      \
    "client: {target: back, deadline: none, timeout: 5s}}\n"                                       \
    "    - {name: back, model: server, nodes: 1, options: {servers: 64, serviceTime: 1ms, "        \
    "serviceLaw: deterministic}, host: {cores: 64, cpu: {perMessage: 0s, perByte: 0ns, "           \
    "perOperation: 0s, perTimer: 0s}}}\n" faults

#define STREAMING(value, at)                                                                       \
    "  - {name: streaming" value                                                                   \
    ", kind: AppChaos, action: signal, signal: streaming, value: " value                           \
    ", mode: one, selector: {group: front}, at: " at "}\n"

#define CLOSED(vus, kind)                                                                          \
    "{executor: constant-vus, vus: " vus ", target: front, workload: {recordCount: 10, "           \
    "readProportion: " kind "}}"

static uint32_t answered(const struct lab *lab, double from_s, double to_s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < lab->count; i++) {
        double at_s = (double)lab->operations[i].completed / 1e9;
        count += lab->operations[i].outcome == SQ_OUTCOME_OK && at_s >= from_s && at_s < to_s;
    }
    return count;
}

/* A serial server: 1/(a + b*S) writes a second, however many wait. */
TEST(publisher, publishes_one_write_after_another)
{
    struct lab lab;
    run(&lab, PUBLISHED("publishCost: 1ms, subscriberCost: 90us, subscribers: 100", ""), "0/s",
        CLOSED("50", "0%, updateProportion: 100%"), 5);
    CHECK_EQUAL(answered(&lab, 1, 5), 400);
    CHECK(gauge_of("publisher.waiting")->most[8] >= 49);
    lab_free(&lab);
    run(&lab, PUBLISHED("publishCost: 1ms, subscriberCost: 90us, subscribers: 100", ""), "0/s",
        CLOSED("50", "100%, updateProportion: 0%"), 1);
    CHECK(answered(&lab, 0.5, 1) > 20000); /* reads are not published */
    lab_free(&lab);
}

/* With n writers in line each write costs n - 1 times the price of contention more. */
TEST(publisher, slows_down_with_the_writers_that_wait)
{
    struct lab lab;
    run(&lab, PUBLISHED("publishCost: 1ms, subscribers: 0, contentionCost: 1ms", ""), "0/s",
        CLOSED("10", "0%, updateProportion: 100%"), 10);
    uint32_t ten = answered(&lab, 2, 10);
    lab_free(&lab);
    run(&lab, PUBLISHED("publishCost: 1ms, subscribers: 0, contentionCost: 1ms", ""), "0/s",
        CLOSED("20", "0%, updateProportion: 100%"), 10);
    uint32_t twenty = answered(&lab, 2, 10);
    lab_free(&lab);
    CHECK(ten >= 800 && ten <= 900); /* 9 or 10 in line: 9 to 10 ms each */
    CHECK(twenty >= 400 && twenty <= 430);
}

TEST(publisher, switches_streaming_while_writes_wait)
{
    struct lab lab;
    run(&lab,
        PUBLISHED("publishCost: 20ms, subscribers: 0",
                  "faults:\n" STREAMING("0", "5s") STREAMING("1", "8s")),
        "0/s", CLOSED("20", "0%, updateProportion: 100%"), 10);
    CHECK_EQUAL(answered(&lab, 1, 5), 200);
    CHECK(answered(&lab, 6, 7) > 5000);
    CHECK(answered(&lab, 9, 10) <= 51);
    CHECK(gauge_of("publisher.publish-us")->least[3] > 300000);
    CHECK_EQUAL(gauge_of("publisher.publish-us")->most[6], 0);
    lab_free(&lab);
}
