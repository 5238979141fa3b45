/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Both deciders against a brute force that tries every order of every subset of pending writes, on
 * thousands of small random histories with overlapping, pending and phantom operations. */
#include "analysis/linearizability.h"
#include "sim/base/rng.h"
#include "tests/unit/harness.h"

#define OPERATIONS_MAX 7

struct history {
    struct linear_operation operations[OPERATIONS_MAX];
    uint32_t count;
};

/* Is there an order of the operations in `left` (bits) that begins with the register at `value`? */
static bool is_possible(const struct history *history, uint32_t left, uint64_t value)
{
    bool is_done = true;
    for (uint32_t i = 0; i < history->count; i++) {
        is_done =
            is_done && ((left >> i & 1) == 0 || history->operations[i].finish == LINEAR_PENDING);
    }
    if (is_done) {
        return true;
    }
    for (uint32_t i = 0; i < history->count; i++) {
        const struct linear_operation *next = &history->operations[i];
        if ((left >> i & 1) == 0 || (!next->is_write && next->value != value)) {
            continue;
        }
        bool is_first = true;
        for (uint32_t j = 0; j < history->count; j++) {
            is_first = is_first && (j == i || (left >> j & 1) == 0 ||
                                    history->operations[j].finish > next->start);
        }
        if (is_first && is_possible(history, left & ~(1u << i), next->value)) {
            return true;
        }
    }
    return false;
}

/* Starts and finishes are a random shuffle of distinct instants; `values` bounds what is read and
 * written. */
static struct history random_history(struct rng *rng, bool is_unique, uint64_t values)
{
    struct history history = {.count = 1 + (uint32_t)rng_below(rng, OPERATIONS_MAX)};
    uint64_t instants[2 * OPERATIONS_MAX];
    for (uint32_t i = 0; i < 2 * history.count; i++) {
        instants[i] = i;
    }
    for (uint32_t i = 2 * history.count; i > 1; i--) {
        uint64_t other = rng_below(rng, i);
        /* Near swaps only, most of the time: histories with some order in them. */
        other = rng_below(rng, 4) > 0 && other + 4 < i ? i - 1 - rng_below(rng, 4) : other;
        uint64_t swapped = instants[i - 1];
        instants[i - 1] = instants[other];
        instants[other] = swapped;
    }
    for (uint32_t i = 0; i < history.count; i++) {
        struct linear_operation *operation = &history.operations[i];
        uint64_t left = instants[2 * i];
        uint64_t right = instants[2 * i + 1];
        operation->start = left < right ? left : right;
        operation->finish = left < right ? right : left;
        operation->is_write = rng_below(rng, 2) == 0;
        uint64_t any = rng_below(rng, is_unique ? history.count + 1 : values);
        operation->value = operation->is_write && is_unique ? i + 1 : any;
        if (operation->is_write && rng_below(rng, 4) == 0) {
            operation->finish = LINEAR_PENDING;
        }
    }
    for (uint32_t i = 1; i < history.count; i++) {
        for (uint32_t j = i; j > 0 && history.operations[j].start < history.operations[j - 1].start;
             j--) {
            struct linear_operation swapped = history.operations[j];
            history.operations[j] = history.operations[j - 1];
            history.operations[j - 1] = swapped;
        }
    }
    for (uint32_t i = 0; i < history.count; i++) {
        history.operations[i].id = i;
    }
    return history;
}

TEST(linearizability, zones_agree_with_brute_force_on_unique_values)
{
    struct rng rng = rng_stream(1, "zones", 0, "test");
    uint32_t valid = 0;
    uint32_t differences = 0;
    for (uint32_t round = 0; round < 6000; round++) {
        struct history history = random_history(&rng, true, 0);
        struct linear_report report;
        REQUIRE(linear_has_unique_values(history.operations, history.count));
        bool expected = is_possible(&history, (1u << history.count) - 1, 0);
        bool found = linear_by_zones(history.operations, history.count, &report) == LINEAR_YES;
        differences += expected != found;
        valid += expected;
        CHECK((report.reason == LINEAR_REASON_NONE) == found);
    }
    CHECK_EQUAL(differences, 0);
    CHECK(valid > 600);
    CHECK(valid < 5400);
}

TEST(linearizability, search_agrees_with_brute_force_on_any_values)
{
    struct rng rng = rng_stream(2, "search", 0, "test");
    uint32_t valid = 0;
    uint32_t differences = 0;
    for (uint32_t round = 0; round < 6000; round++) {
        struct history history = random_history(&rng, round % 2 == 0, 3);
        struct linear_report report;
        bool expected = is_possible(&history, (1u << history.count) - 1, 0);
        enum linear_verdict found =
            linear_by_search(history.operations, history.count, 1000000, &report);
        REQUIRE(found != LINEAR_UNKNOWN);
        differences += expected != (found == LINEAR_YES);
        valid += expected;
        CHECK((report.reason == LINEAR_REASON_NONE) == (found == LINEAR_YES));
    }
    CHECK_EQUAL(differences, 0);
    CHECK(valid > 600);
    CHECK(valid < 5400);
}

TEST(linearizability, an_empty_history_is_linearizable)
{
    struct linear_report report;
    CHECK_EQUAL(linear_by_zones(NULL, 0, &report), LINEAR_YES);
    CHECK_EQUAL(linear_by_search(NULL, 0, 10, &report), LINEAR_YES);
}

TEST(linearizability, values_written_twice_are_not_unique)
{
    struct linear_operation twice[] = {{0, 5, 0, 1, true}, {1, 5, 2, 3, true}};
    struct linear_operation zero[] = {{0, 0, 0, 1, true}};
    struct linear_operation reads[] = {
        {0, 5, 0, 1, true}, {1, 5, 2, 3, false}, {2, 5, 4, 5, false}};
    CHECK(!linear_has_unique_values(twice, 2));
    CHECK(!linear_has_unique_values(zero, 1));
    CHECK(linear_has_unique_values(reads, 3));
}

TEST(linearizability, reasons_name_the_operations)
{
    struct linear_report report;
    struct linear_operation phantom[] = {{3, 1, 0, 1, true}, {4, 9, 2, 3, false}};
    CHECK_EQUAL(linear_by_zones(phantom, 2, &report), LINEAR_NO);
    CHECK_EQUAL(report.reason, LINEAR_REASON_PHANTOM);
    CHECK_EQUAL(report.ids[0], 4);
    struct linear_operation future[] = {{3, 1, 0, 1, false}, {4, 1, 2, 3, true}};
    CHECK_EQUAL(linear_by_zones(future, 2, &report), LINEAR_NO);
    CHECK_EQUAL(report.reason, LINEAR_REASON_FUTURE);
    CHECK_EQUAL(report.ids[1], 4);
    /* 1 and 2 are written one after the other; 1 is read afterwards. */
    struct linear_operation stale[] = {{3, 1, 0, 1, true}, {4, 2, 2, 3, true}, {5, 1, 4, 5, false}};
    CHECK_EQUAL(linear_by_zones(stale, 3, &report), LINEAR_NO);
    CHECK_EQUAL(report.reason, LINEAR_REASON_STALE);
    CHECK_EQUAL(report.values[0], 2);
    CHECK_EQUAL(report.ids[2], 3);
    CHECK_EQUAL(report.ids[3], 5);
    struct linear_operation torn[] = {
        {3, 1, 0, 1, true}, {4, 2, 2, 3, true}, {5, 1, 4, 5, false}, {6, 2, 6, 7, false}};
    CHECK_EQUAL(linear_by_zones(torn, 4, &report), LINEAR_NO);
    CHECK_EQUAL(report.reason, LINEAR_REASON_TORN);
    CHECK_EQUAL(linear_by_search(torn, 4, 1000, &report), LINEAR_NO);
    CHECK_EQUAL(report.reason, LINEAR_REASON_STUCK);
}

TEST(linearizability, a_budget_that_is_used_up_decides_nothing)
{
    struct linear_operation operations[20];
    for (uint32_t i = 0; i < 19; i++) {
        operations[i] = (struct linear_operation){i, 1 + i % 2, i, 100 + i, true};
    }
    operations[19] = (struct linear_operation){19, 9, 200, 201, false};
    struct linear_report report;
    CHECK_EQUAL(linear_by_search(operations, 20, 100, &report), LINEAR_UNKNOWN);
    CHECK_EQUAL(linear_by_search(operations, 2, 1000, &report), LINEAR_YES);
}

TEST(linearizability, a_hundred_thousand_operations_take_no_search)
{
    enum { COUNT = 100000 };
    static struct linear_operation operations[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        bool is_write = i % 2 == 0;
        operations[i] = (struct linear_operation){i, i / 2 + 1, 2 * i, 2 * i + 1, is_write};
    }
    struct linear_report report;
    CHECK_EQUAL(linear_by_zones(operations, COUNT, &report), LINEAR_YES);
    operations[COUNT - 1].value = 1;
    CHECK_EQUAL(linear_by_zones(operations, COUNT, &report), LINEAR_NO);
}
