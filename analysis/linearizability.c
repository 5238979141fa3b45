/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ZONES (Gibbons & Korach, "Testing shared memories", SIAM J. Comput. 26(4), 1997, section 4;
 * restated by Golab, Li &
 * Shah, PODC 2011). With unique values it is known which write each read saw. A value's write and
 * reads form a cluster; let
 * f be the earliest finish and s the latest start in it. If f < s the value was certainly the
 * present one from f to s:
 * a forward zone [f, s]. Otherwise all its operations overlap and they can be placed together
 * anywhere in the backward
 * zone [s, f]. The history is linearizable if and only if
 *   (a) every value read was written, and its write does not start after the read has finished,
 *   (b) no two forward zones overlap,
 *   (c) no backward zone lies inside a forward zone.
 * The initial value is a write that finished before everything. A pending write has its finish at
 * infinity: if nobody read it, its zone is a backward one without end, which lies inside of none.
 *
 * SEARCH (Wing & Gong 1993; Lowe 2017): a list of invocations and returns in order of time. An
 * invocation that the register accepts is placed and both its entries are lifted out of the list,
 * unless the same set of placed operations was reached with the same value before; the search goes
 * on from the head. At a return nothing more can be placed before it: the last placement is taken
 * back. Sets are remembered as 128-bit sums of random-looking words of their members (a collision,
 * one in 2^64 or so for any feasible number of steps, could hide an order). Pending writes have
 * their return at the very end, where they need not have been placed: the search succeeds when only
 * they are left. */
#include "analysis/linearizability.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/map.h"
#include "sim/base/rng.h"
#include "sim/base/vec.h"

#include <stdlib.h>
#include <string.h>

#define OPERATIONS_MAX (UINT32_C(1) << 28)

static struct linear_report report_of(enum linear_reason reason)
{
    return (struct linear_report){
        .reason = reason, .ids = {LINEAR_NOBODY, LINEAR_NOBODY, LINEAR_NOBODY, LINEAR_NOBODY}};
}

/* ---------------------------------------------------------------------------------------- zones */

struct cluster {
    uint64_t value;
    uint64_t write_start;
    uint64_t write_id;
    uint64_t first_finish; /* f */
    uint64_t last_start;   /* s */
    uint64_t finish_id;    /* which operation gave f, and s */
    uint64_t start_id;
};

bool linear_has_unique_values(const struct linear_operation *operations, uint32_t count)
{
    struct map seen;
    map_init(&seen);
    bool is_unique = true;
    for (uint32_t i = 0; i < count && is_unique; i++) {
        if (!operations[i].is_write) {
            continue;
        }
        is_unique = operations[i].value != 0 && map_find(&seen, operations[i].value) == NULL;
        map_put(&seen, operations[i].value, i);
    }
    map_release(&seen);
    return is_unique;
}

/* Clusters by value, the initial one first. Times are shifted by one: the initial write is at 0. */
static void collect_writes(const struct linear_operation *operations, uint32_t count,
                           struct vec *clusters, struct map *cluster_of)
{
    vec_append(clusters, &(struct cluster){.write_id = LINEAR_NOBODY,
                                           .finish_id = LINEAR_NOBODY,
                                           .start_id = LINEAR_NOBODY});
    map_put(cluster_of, 0, 0);
    for (uint32_t i = 0; i < count; i++) {
        const struct linear_operation *operation = &operations[i];
        if (!operation->is_write) {
            continue;
        }
        ASSERT(operation->finish > operation->start);
        bool is_pending = operation->finish == LINEAR_PENDING;
        map_put(cluster_of, operation->value, clusters->count);
        vec_append(clusters, &(struct cluster){.value = operation->value,
                                               .write_start = operation->start + 1,
                                               .write_id = operation->id,
                                               .first_finish = is_pending ? LINEAR_PENDING
                                                                          : operation->finish + 1,
                                               .last_start = operation->start + 1,
                                               .finish_id = operation->id,
                                               .start_id = operation->id});
    }
}

/* Adds the reads; false when one of them breaks rule (a). */
static bool collect_reads(const struct linear_operation *operations, uint32_t count,
                          struct vec *clusters, const struct map *cluster_of,
                          struct linear_report *report)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct linear_operation *operation = &operations[i];
        if (operation->is_write) {
            continue;
        }
        ASSERT(operation->finish != LINEAR_PENDING);
        const uint64_t *at = map_find(cluster_of, operation->value);
        if (at == NULL) {
            *report = report_of(LINEAR_REASON_PHANTOM);
            report->ids[0] = operation->id;
            report->values[0] = operation->value;
            return false;
        }
        struct cluster *cluster = vec_at(clusters, (uint32_t)*at);
        if (operation->finish + 1 < cluster->write_start) {
            *report = report_of(LINEAR_REASON_FUTURE);
            report->ids[0] = operation->id;
            report->ids[1] = cluster->write_id;
            report->values[0] = operation->value;
            return false;
        }
        if (operation->finish + 1 < cluster->first_finish) {
            cluster->first_finish = operation->finish + 1;
            cluster->finish_id = operation->id;
        }
        if (operation->start + 1 > cluster->last_start) {
            cluster->last_start = operation->start + 1;
            cluster->start_id = operation->id;
        }
    }
    return true;
}

static bool is_forward(const struct cluster *cluster)
{
    return cluster->first_finish <= cluster->last_start;
}

static uint64_t low_of(const struct cluster *cluster)
{
    return is_forward(cluster) ? cluster->first_finish : cluster->last_start;
}

static uint64_t high_of(const struct cluster *cluster)
{
    return is_forward(cluster) ? cluster->last_start : cluster->first_finish;
}

static int compare_low(const void *left, const void *right)
{
    uint64_t a = low_of(left);
    uint64_t b = low_of(right);
    return a < b ? -1 : a > b;
}

static void explain(struct linear_report *report, enum linear_reason reason,
                    const struct cluster *inner, const struct cluster *outer)
{
    *report = report_of(reason);
    report->ids[0] = inner->finish_id;
    report->ids[1] = inner->start_id;
    report->ids[2] = outer->finish_id;
    report->ids[3] = outer->start_id;
    report->values[0] = inner->value;
    report->values[1] = outer->value;
}

/* Rules (b) and (c), in one pass over the zones in order of their low ends: the last forward zone
 * is the only one that can still be open, as long as no two overlap. */
static enum linear_verdict judge_zones(const struct vec *clusters, struct linear_report *report)
{
    const struct cluster *open = NULL;
    for (uint32_t i = 0; i < clusters->count; i++) {
        const struct cluster *cluster = vec_at(clusters, i);
        bool is_inside = open != NULL && low_of(cluster) < high_of(open);
        if (is_inside && is_forward(cluster)) {
            explain(report, LINEAR_REASON_TORN, cluster, open);
            return LINEAR_NO;
        }
        if (is_inside && high_of(cluster) < high_of(open)) {
            explain(report, LINEAR_REASON_STALE, cluster, open);
            return LINEAR_NO;
        }
        if (is_forward(cluster)) {
            open = cluster;
        }
    }
    return LINEAR_YES;
}

enum linear_verdict linear_by_zones(const struct linear_operation *operations, uint32_t count,
                                    struct linear_report *report)
{
    ASSERT(report != NULL);
    *report = report_of(LINEAR_REASON_NONE);
    struct vec clusters;
    struct map cluster_of;
    vec_init(&clusters, sizeof(struct cluster), OPERATIONS_MAX);
    map_init(&cluster_of);
    collect_writes(operations, count, &clusters, &cluster_of);
    enum linear_verdict verdict = LINEAR_NO;
    if (collect_reads(operations, count, &clusters, &cluster_of, report)) {
        vec_sort(&clusters, compare_low);
        verdict = judge_zones(&clusters, report);
    }
    map_release(&cluster_of);
    vec_release(&clusters);
    return verdict;
}

/* --------------------------------------------------------------------------------------- search */

#define END UINT32_MAX

/* Entries 2 i (invocation of operation i) and 2 i + 1 (its return). */
struct entry {
    uint64_t time;
    uint32_t self;
    uint32_t next;
    uint32_t previous;
};

struct placement {
    uint32_t operation;
    uint64_t value_before;
};

struct search {
    const struct linear_operation *operations;
    uint32_t count;
    struct entry *entries; /* by number; [2 count] is the head */
    struct placement *stack;
    uint32_t depth;
    uint32_t required; /* operations that are not pending and not placed */
    uint64_t value;
    uint64_t sum_low;
    uint64_t sum_high;
    struct map reached; /* hash of (set, value) -> second hash */
};

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    return a->self < b->self ? -1 : a->self > b->self; /* pending returns, all at the end */
}

static void search_init(struct search *search, const struct linear_operation *operations,
                        uint32_t count)
{
    *search = (struct search){.operations = operations, .count = count};
    search->entries = calloc(2 * (size_t)count + 1, sizeof(*search->entries));
    search->stack = calloc((size_t)count + 1, sizeof(*search->stack));
    struct entry *sorted = calloc(2 * (size_t)count + 1, sizeof(*sorted));
    ASSERT(search->entries != NULL);
    ASSERT(search->stack != NULL);
    ASSERT(sorted != NULL);
    map_init(&search->reached);
    for (uint32_t i = 0; i < count; i++) {
        sorted[2 * i] = (struct entry){.time = operations[i].start, .self = 2 * i};
        sorted[2 * i + 1] = (struct entry){.time = operations[i].finish, .self = 2 * i + 1};
        search->required += operations[i].finish != LINEAR_PENDING;
    }
    sort_stable(sorted, 2 * count, sizeof(*sorted), compare_entries);
    uint32_t head = 2 * count;
    uint32_t previous = head;
    search->entries[head].next = END;
    for (uint32_t i = 0; i < 2 * count; i++) {
        uint32_t self = sorted[i].self;
        search->entries[self] =
            (struct entry){.time = sorted[i].time, .self = self, .next = END, .previous = previous};
        search->entries[previous].next = self;
        previous = self;
    }
    free(sorted);
}

static void search_release(struct search *search)
{
    map_release(&search->reached);
    free(search->entries);
    free(search->stack);
}

static void unlink_entry(struct search *search, uint32_t at)
{
    const struct entry *entry = &search->entries[at];
    search->entries[entry->previous].next = entry->next;
    if (entry->next != END) {
        search->entries[entry->next].previous = entry->previous;
    }
}

static void relink_entry(struct search *search, uint32_t at)
{
    const struct entry *entry = &search->entries[at];
    search->entries[entry->previous].next = at;
    if (entry->next != END) {
        search->entries[entry->next].previous = at;
    }
}

static void toggle(struct search *search, uint32_t operation, bool is_added)
{
    uint64_t low = rng_at(UINT64_C(0x9e3779b97f4a7c15), operation);
    uint64_t high = rng_at(UINT64_C(0xd1b54a32d192ed03), operation);
    search->sum_low = is_added ? search->sum_low + low : search->sum_low - low;
    search->sum_high = is_added ? search->sum_high + high : search->sum_high - high;
}

/* Was this set of operations with this value reached before? Remembers it. */
static bool was_reached(struct search *search, uint64_t value)
{
    uint64_t key = hash_mix(search->sum_low, value);
    uint64_t witness = hash_mix(search->sum_high, value);
    const uint64_t *known = map_find(&search->reached, key);
    if (known != NULL) {
        return *known == witness;
    }
    map_put(&search->reached, key, witness);
    return false;
}

static bool try_to_place(struct search *search, uint32_t operation)
{
    const struct linear_operation *candidate = &search->operations[operation];
    if (!candidate->is_write && candidate->value != search->value) {
        return false;
    }
    toggle(search, operation, true);
    if (was_reached(search, candidate->value)) {
        toggle(search, operation, false);
        return false;
    }
    search->stack[search->depth++] =
        (struct placement){.operation = operation, .value_before = search->value};
    search->value = candidate->value;
    search->required -= candidate->finish != LINEAR_PENDING;
    unlink_entry(search, 2 * operation);
    unlink_entry(search, 2 * operation + 1);
    return true;
}

/* Takes the last placement back; the entry to go on with. */
static uint32_t take_back(struct search *search)
{
    ASSERT(search->depth > 0);
    struct placement last = search->stack[--search->depth];
    relink_entry(search, 2 * last.operation + 1);
    relink_entry(search, 2 * last.operation);
    toggle(search, last.operation, false);
    search->value = last.value_before;
    search->required += search->operations[last.operation].finish != LINEAR_PENDING;
    return search->entries[2 * last.operation].next;
}

enum linear_verdict linear_by_search(const struct linear_operation *operations, uint32_t count,
                                     uint64_t step_budget, struct linear_report *report)
{
    ASSERT(report != NULL);
    ASSERT(count < OPERATIONS_MAX);
    *report = report_of(LINEAR_REASON_STUCK);
    struct search search;
    search_init(&search, operations, count);
    enum linear_verdict verdict = LINEAR_UNKNOWN;
    uint32_t at = search.entries[2 * count].next;
    for (uint64_t steps = 0; steps < step_budget; steps++) {
        if (search.required == 0) {
            verdict = LINEAR_YES;
            break;
        }
        ASSERT(at != END);
        bool is_invocation = at % 2 == 0;
        if (is_invocation) {
            at = try_to_place(&search, at / 2) ? search.entries[2 * count].next
                                               : search.entries[at].next;
            continue;
        }
        if (report->ids[0] == LINEAR_NOBODY || search.depth > report->placed) {
            report->placed = search.depth;
            report->ids[0] = operations[at / 2].id;
            report->values[0] = search.value;
        }
        if (search.depth == 0) {
            verdict = LINEAR_NO;
            break;
        }
        at = take_back(&search);
    }
    if (verdict == LINEAR_YES) {
        *report = report_of(LINEAR_REASON_NONE);
    }
    search_release(&search);
    return verdict;
}
