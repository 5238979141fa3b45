/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Operations are noted as they come, 32 bytes each; the end makes two passes over them, because the
 * cut-off is a percentile of the whole run. The first finds to each operation the user's next one,
 * the second adds the time that it speaks for to the slots. A stretch that covers many slots costs
 * two additions: what is whole is counted by where it begins and ends, and summed up once.
 *
 * Shares are integers over integers and compared exactly. Where the products would not fit, they
 * are compared as Euclid would: whole parts first, then the reciprocals of the rests.
 *
 * Not here: latency. An operation that was OK after a minute was OK; `availability.up` is where a
 * scenario says how slow is down. */
#include "analysis/user_view.h"

#include "analysis/result.h"
#include "sim/base/base.h"
#include "sim/base/histogram.h"
#include "sim/base/units.h"

#include <math.h>
#include <stdlib.h>

#define OPERATIONS_MAX (UINT32_C(1) << 28)
#define NOBODY         UINT32_MAX
#define MINUTE         (60 * NS_PER_S)
#define HOUR           (60 * MINUTE)

typedef unsigned __int128 wide;

enum user_state {
    USER_WAITS, /* or nothing is known */
    USER_UP,
    USER_DOWN,
};

struct user_operation {
    int64_t start; /* intended */
    int64_t stop;  /* completed */
    int64_t next;  /* start of the user's next one; INT64_MAX: none */
    uint32_t user; /* NOBODY: not of a client */
    uint16_t load;
    uint8_t state; /* enum user_state */
};
static_assert(sizeof(struct user_operation) == 32, "a long run has millions of them");

void user_view_init(struct user_view *view)
{
    ASSERT(view != NULL);
    *view = (struct user_view){0};
    vec_init(&view->operations, sizeof(struct user_operation), OPERATIONS_MAX);
    vec_init(&view->slots, sizeof(struct user_share), RESULT_WINDOWS_MAX + 1);
}

void user_view_release(struct user_view *view)
{
    ASSERT(view != NULL);
    vec_release(&view->operations);
    vec_release(&view->slots);
}

void user_view_begin(struct user_view *view, const struct run_spec *spec, int64_t slot_ns)
{
    ASSERT(spec != NULL);
    ASSERT(slot_ns > 0);
    view->spec = spec;
    view->slot_ns = slot_ns;
    view->idle_ns = 0;
    view->measured_ns = 0;
    view->users = 0;
    vec_clear(&view->operations);
    vec_clear(&view->slots);
}

/* -------------------------------------------------------------------------------------- watching
 */

static bool is_client(const struct run_spec *spec, uint32_t load)
{
    const struct spec_detector *detector = &spec->availability.detector;
    return (spec->load_count == 0 || load < spec->load_count) &&
           (!detector->is_asked || detector->load != load);
}

void user_view_on_invoke(struct user_view *view, const struct sq_operation *operation)
{
    ASSERT(operation->id == view->operations.count);
    ASSERT(operation->load <= UINT16_MAX);
    struct user_operation *made = vec_push(&view->operations);
    made->start = operation->intended;
    made->stop = INT64_MAX;
    made->next = INT64_MAX;
    made->load = (uint16_t)operation->load;
    made->user = is_client(view->spec, operation->load) ? operation->user : NOBODY;
}

void user_view_on_complete(struct user_view *view, const struct sq_operation *operation)
{
    struct user_operation *known = (struct user_operation *)view->operations.items + operation->id;
    ASSERT(operation->id < view->operations.count);
    known->stop = operation->completed;
    known->state = operation->outcome == SQ_OUTCOME_OK ? USER_UP : USER_DOWN;
}

/* --------------------------------------------------------------------------------------- the end
 */

/* One that was still waiting when the run ended is down once it has waited for longer than a
 * time-out, and unknown before. */
static void settle(const struct user_view *view, struct user_operation *operation, int64_t sim_ns)
{
    if (operation->stop < sim_ns || operation->state == USER_UP) {
        return;
    }
    int64_t timeout_ns = NS_PER_S;
    if (operation->load < view->spec->load_count) {
        timeout_ns = view->spec->loads[operation->load].client.timeout_ns;
    }
    operation->stop = sim_ns;
    operation->state = sim_ns - operation->start < timeout_ns ? USER_WAITS : USER_DOWN;
}

/* Upper end of the bin of the nearest rank. */
static int64_t percentile_99(const struct histogram *histogram)
{
    const uint64_t rank = (histogram->count * 99 + 99) / 100;
    uint64_t sum = 0;
    for (uint32_t bin = 0; bin < HISTOGRAM_BINS && rank > 0; bin++) {
        sum += histogram->bins[bin];
        if (sum >= rank) {
            const uint64_t high = histogram_bin_hi(bin) - 1;
            return (int64_t)(high < histogram->maximum ? high : histogram->maximum);
        }
    }
    return INT64_MAX; /* no user came twice */
}

/* Where the users of each load begin when all are numbered through; the last one is their count. */
static uint32_t *number_users(const struct user_view *view, uint32_t *load_count)
{
    *load_count = view->spec->load_count > 0 ? view->spec->load_count : 1;
    uint32_t *first = calloc((size_t)*load_count + 2, sizeof(*first));
    ASSERT(first != NULL);
    for (uint32_t i = 0; i < view->operations.count; i++) {
        const struct user_operation *operation = vec_at(&view->operations, i);
        if (operation->user != NOBODY) {
            const uint32_t load = operation->load < *load_count ? operation->load : 0;
            const uint32_t count = operation->user + 1;
            first[load + 1] = count > first[load + 1] ? count : first[load + 1];
        }
    }
    for (uint32_t load = 0; load < *load_count; load++) {
        first[load + 1] += first[load];
    }
    return first;
}

/* Finds to each operation the next one, and the cut-off. */
static void link_operations(struct user_view *view, int64_t sim_ns)
{
    uint32_t load_count = 0;
    uint32_t *first = number_users(view, &load_count);
    uint32_t *latest = calloc((size_t)first[load_count] + 1, sizeof(*latest)); /* index + 1 */
    ASSERT(latest != NULL);
    struct histogram pauses;
    histogram_clear(&pauses);
    for (uint32_t i = 0; i < view->operations.count; i++) {
        struct user_operation *operation = vec_at(&view->operations, i);
        if (operation->user == NOBODY) {
            continue;
        }
        settle(view, operation, sim_ns);
        const uint32_t load = operation->load < load_count ? operation->load : 0;
        uint32_t *mine = &latest[first[load] + operation->user];
        if (*mine > 0) {
            struct user_operation *before = vec_at(&view->operations, *mine - 1);
            before->next = operation->start > before->start ? operation->start : before->start;
            if (before->start >= view->spec->warmup_ns) {
                histogram_record(&pauses, (uint64_t)(before->next - before->start));
            }
        } else {
            view->users++;
        }
        *mine = i + 1;
    }
    const int64_t asked_ns = view->spec->availability.idle_ns;
    view->idle_ns = asked_ns > 0 ? asked_ns : percentile_99(&pauses);
    free(latest);
    free(first);
}

/* Whole slots begin and end to be covered here: users, and those of them to whom it is up. */
struct step {
    int64_t all;
    int64_t up;
};

/* Adds [from, until), counted from the end of the warm-up. */
static void add_stretch(struct user_view *view, struct step *steps, int64_t from, int64_t until,
                        bool is_up)
{
    struct user_share *slots = view->slots.items;
    const int64_t first = from / view->slot_ns;
    const int64_t last = (until - 1) / view->slot_ns;
    ASSERT(last < (int64_t)view->slots.count);
    const int64_t head_ns = (first == last ? until : (first + 1) * view->slot_ns) - from;
    slots[first].whole += (uint64_t)head_ns;
    slots[first].part += is_up ? (uint64_t)head_ns : 0;
    if (first == last) {
        return;
    }
    const int64_t tail_ns = until - last * view->slot_ns;
    slots[last].whole += (uint64_t)tail_ns;
    slots[last].part += is_up ? (uint64_t)tail_ns : 0;
    steps[first + 1].all++;
    steps[last].all--;
    steps[first + 1].up += is_up;
    steps[last].up -= is_up;
}

static int64_t add_saturated(int64_t left, int64_t right)
{
    return left > INT64_MAX - right ? INT64_MAX : left + right;
}

static void add_operations(struct user_view *view, struct step *steps, int64_t end_ns)
{
    const int64_t origin_ns = view->spec->warmup_ns;
    for (uint32_t i = 0; i < view->operations.count; i++) {
        const struct user_operation *operation = vec_at(&view->operations, i);
        if (operation->user == NOBODY || operation->state == USER_WAITS) {
            continue;
        }
        int64_t until = add_saturated(operation->start, view->idle_ns);
        until = until < operation->stop ? operation->stop : until;
        until = until < operation->next ? until : operation->next;
        until = until < end_ns ? until : end_ns;
        const int64_t from = operation->start > origin_ns ? operation->start : origin_ns;
        if (from < until) {
            add_stretch(view, steps, from - origin_ns, until - origin_ns,
                        operation->state == USER_UP);
        }
    }
}

void user_view_finish(struct user_view *view, int64_t sim_ns)
{
    const struct run_spec *spec = view->spec;
    const int64_t end_ns = sim_ns < spec->limit_ns ? sim_ns : spec->limit_ns;
    view->measured_ns = end_ns > spec->warmup_ns ? end_ns - spec->warmup_ns : 0;
    const int64_t count = (view->measured_ns + view->slot_ns - 1) / view->slot_ns;
    for (int64_t i = 0; i < count; i++) {
        vec_push(&view->slots);
    }
    struct step *steps = calloc((size_t)count + 1, sizeof(*steps));
    ASSERT(steps != NULL);
    link_operations(view, sim_ns);
    add_operations(view, steps, end_ns);
    struct user_share *slots = view->slots.items;
    struct step now = {0, 0};
    for (int64_t i = 0; i < count; i++) {
        now.all += steps[i].all;
        now.up += steps[i].up;
        slots[i].whole += (wide)now.all * (wide)view->slot_ns;
        slots[i].part += (wide)now.up * (wide)view->slot_ns;
    }
    free(steps);
}

/* ---------------------------------------------------------------------------------------- shares
 */

/* a.part / a.whole < b.part / b.whole; the wholes are not 0 and not smaller than the parts. */
static bool is_less(struct user_share a, struct user_share b)
{
    bool is_swapped = false;
    while ((a.part | a.whole | b.part | b.whole) >> 64 != 0) {
        const wide left = a.part / a.whole;
        const wide right = b.part / b.whole;
        if (left != right) {
            return is_swapped ? right < left : left < right;
        }
        /* rest / whole: the smaller fraction has the greater reciprocal */
        const struct user_share turned_a = {a.whole, a.part % a.whole};
        const struct user_share turned_b = {b.whole, b.part % b.whole};
        if (turned_a.whole == 0 || turned_b.whole == 0) {
            const bool is_below = turned_a.whole == 0 && turned_b.whole != 0;
            const bool is_above = turned_b.whole == 0 && turned_a.whole != 0;
            return is_swapped ? is_above : is_below;
        }
        a = turned_a;
        b = turned_b;
        is_swapped = !is_swapped;
    }
    const wide left = a.part * b.whole;
    const wide right = b.part * a.whole;
    return is_swapped ? right < left : left < right;
}

struct user_share user_share_worst(const struct user_share *slots, uint32_t count, uint32_t length)
{
    ASSERT(length >= 1);
    struct user_share worst = {0, 0};
    struct user_share sum = {0, 0};
    for (uint32_t i = 0; i < count; i++) {
        sum.part += slots[i].part;
        sum.whole += slots[i].whole;
        if (i >= length) {
            sum.part -= slots[i - length].part;
            sum.whole -= slots[i - length].whole;
        }
        const bool is_window = i + 1 >= length && sum.whole > 0;
        if (is_window && (worst.whole == 0 || is_less(sum, worst))) {
            worst = sum;
        }
    }
    return worst;
}

double user_share_value(const struct user_share *share)
{
    return share->whole == 0 ? (double)NAN : (double)share->part / (double)share->whole;
}

struct user_share user_view_total(const struct user_view *view)
{
    const uint32_t count = view->slots.count;
    return user_share_worst(view->slots.items, count, count > 0 ? count : 1);
}

struct user_share user_view_worst(const struct user_view *view, int64_t window_ns)
{
    ASSERT(window_ns > 0);
    const int64_t length = window_ns / view->slot_ns + (window_ns % view->slot_ns > 0);
    if (length > (int64_t)view->slots.count) {
        return (struct user_share){0, 0};
    }
    return user_share_worst(view->slots.items, view->slots.count, (uint32_t)length);
}

bool user_view_window(const struct user_view *view, uint32_t index, int64_t *window_ns)
{
    static const int64_t usual[] = {
        1000000,       2000000,       5000000,       10000000,      20000000,       50000000,
        100000000,     200000000,     500000000,     NS_PER_S,      2 * NS_PER_S,   5 * NS_PER_S,
        10 * NS_PER_S, 20 * NS_PER_S, MINUTE / 2,    MINUTE,        2 * MINUTE,     5 * MINUTE,
        10 * MINUTE,   20 * MINUTE,   HOUR / 2,      HOUR,          2 * HOUR,       5 * HOUR,
        10 * HOUR,     24 * HOUR,     2 * 24 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR,
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(usual); i++) {
        const bool is_fit = usual[i] % view->slot_ns == 0 && usual[i] < view->measured_ns;
        if (is_fit && index == 0) {
            *window_ns = usual[i];
            return true;
        }
        index -= is_fit;
    }
    return false;
}
