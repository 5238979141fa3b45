/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Counters in windows that grow with time. The operations of the closing audit are not load and are
 * passed over; those intended during the warm-up appear in the time series and nowhere else.
 *
 * Quantiles of single windows are needed only for the few runs whose series is kept: latencies are
 * stored as they come, each window remembers where its own begin, and only metrics_windows sorts
 * them. All sums are integers; the widest products (2^32 operations times 2^32 of a probability,
 * counts times 10^12) are taken in 128 bits. */
#include "analysis/metrics.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <stdlib.h>
#include <string.h>

#define LATENCIES_MAX (UINT32_C(1) << 28)
#define CLOSING_MAX   (UINT32_C(1) << 28)
#define MILLION       1000000
#define PER_1000S     INT64_C(1000000000000) /* ns */

typedef unsigned __int128 wide;

struct series_window {
    uint32_t offered;
    uint32_t attempts;
    uint32_t ok;
    uint32_t failed;
    uint32_t info;
    uint32_t in_flight;     /* at its end */
    uint32_t latency_first; /* index in metrics->latencies */
    uint32_t timeouts;      /* attempts that timed out in it */
    uint32_t unwanted;      /* good answers in it that nobody waited for */
    uint32_t good;          /* of those intended in it: OK within one time-out */
    uint32_t cut_off;       /* of those intended in it: too young at the end of the run to tell */
};

struct availability_window {
    uint32_t offered;
    uint32_t ok;
    uint32_t ok_fast;   /* of them, within p99_max */
    uint32_t in_flight; /* at its end */
    bool is_evidence;   /* set at the end, as is_up */
    bool is_up;
};

struct closing_operation {
    int64_t intended;
    int64_t invoked;
    uint32_t load;
};

void metrics_init(struct metrics *metrics)
{
    ASSERT(metrics != NULL);
    memset(metrics, 0, sizeof(*metrics));
    vec_init(&metrics->windows, sizeof(struct series_window), 2 * RESULT_WINDOWS_MAX);
    vec_init(&metrics->latencies, sizeof(int64_t), LATENCIES_MAX);
    vec_init(&metrics->availability, sizeof(struct availability_window), 2 * RESULT_WINDOWS_MAX);
    vec_init(&metrics->faults, sizeof(struct result_fault), RESULT_FAULTS_MAX);
    vec_init(&metrics->endless, sizeof(bool), RESULT_FAULTS_MAX);
    vec_init(&metrics->closing, sizeof(struct closing_operation), CLOSING_MAX);
}

void metrics_release(struct metrics *metrics)
{
    ASSERT(metrics != NULL);
    vec_release(&metrics->windows);
    vec_release(&metrics->latencies);
    vec_release(&metrics->availability);
    vec_release(&metrics->faults);
    vec_release(&metrics->endless);
    vec_release(&metrics->closing);
}

/* A window that cuts a run into at most RESULT_WINDOWS_MAX pieces. */
static int64_t window_of(int64_t asked_ns, int64_t limit_ns)
{
    int64_t window_ns = asked_ns > 0 ? asked_ns : NS_PER_S;
    while (limit_ns / window_ns >= RESULT_WINDOWS_MAX) {
        window_ns *= 2;
    }
    return window_ns;
}

void metrics_begin(struct metrics *metrics, const struct run_spec *spec)
{
    ASSERT(spec != NULL);
    ASSERT(spec->warmup_ns >= 0);
    metrics->spec = spec;
    metrics->window_ns = window_of(spec->window_ns, spec->limit_ns);
    metrics->availability_ns = window_of(spec->availability.window_ns, spec->limit_ns);
    int64_t before = (spec->warmup_ns + metrics->availability_ns - 1) / metrics->availability_ns;
    metrics->origin_ns = spec->warmup_ns - before * metrics->availability_ns;
    metrics->in_flight = 0;
    metrics->fault_total = 0;
    metrics->closing_ns = -1;
    metrics->offered = 0;
    metrics->attempts = 0;
    metrics->ok = 0;
    metrics->failed = 0;
    metrics->info = 0;
    metrics->timeouts = 0;
    metrics->unwanted = 0;
    metrics->cut_off = 0;
    vec_clear(&metrics->windows);
    vec_clear(&metrics->latencies);
    vec_clear(&metrics->availability);
    vec_clear(&metrics->faults);
    vec_clear(&metrics->endless);
    vec_clear(&metrics->closing);
    histogram_clear(&metrics->latency);
}

/* ------------------------------------------------------------------------------------- counting */

static bool is_load(const struct metrics *metrics, const struct sq_operation *operation)
{
    const struct run_spec *spec = metrics->spec;
    const struct spec_detector *detector = &spec->availability.detector;
    return (spec->load_count == 0 || operation->load < spec->load_count) &&
           !(detector->is_asked && detector->load == operation->load);
}

static bool is_counted(const struct metrics *metrics, const struct sq_operation *operation)
{
    return operation->intended >= metrics->spec->warmup_ns;
}

static struct series_window *last_window(const struct metrics *metrics)
{
    return (struct series_window *)metrics->windows.items + (metrics->windows.count - 1);
}

static struct availability_window *availability_at(const struct metrics *metrics, uint32_t index)
{
    return (struct availability_window *)metrics->availability.items + index;
}

static uint32_t availability_index(const struct metrics *metrics, int64_t time)
{
    ASSERT(time >= metrics->origin_ns);
    return (uint32_t)((time - metrics->origin_ns) / metrics->availability_ns);
}

/* Opens the windows up to `now`, and closes those before with what is in flight. */
static void advance(struct metrics *metrics, int64_t now)
{
    ASSERT(now >= 0);
    uint32_t index = (uint32_t)(now / metrics->window_ns);
    while (metrics->windows.count <= index) {
        if (metrics->windows.count > 0) {
            last_window(metrics)->in_flight = metrics->in_flight;
        }
        struct series_window *window = vec_push(&metrics->windows);
        window->latency_first = metrics->latencies.count;
    }
    index = availability_index(metrics, now);
    while (metrics->availability.count <= index) {
        if (metrics->availability.count > 0) {
            availability_at(metrics, metrics->availability.count - 1)->in_flight =
                metrics->in_flight;
        }
        vec_push(&metrics->availability);
    }
}

void metrics_on_invoke(struct metrics *metrics, const struct sq_operation *operation)
{
    if (!is_load(metrics, operation)) {
        return;
    }
    ASSERT(operation->intended >= 0);
    ASSERT(operation->intended <= operation->invoked);
    advance(metrics, operation->invoked);
    struct series_window *windows = metrics->windows.items;
    windows[operation->intended / metrics->window_ns].offered++;
    availability_at(metrics, availability_index(metrics, operation->intended))->offered++;
    metrics->offered += is_counted(metrics, operation);
    metrics->in_flight++;
}

void metrics_on_attempt(struct metrics *metrics, const struct sq_operation *operation, sq_time now)
{
    if (!is_load(metrics, operation)) {
        return;
    }
    advance(metrics, now);
    last_window(metrics)->attempts++;
    metrics->attempts += is_counted(metrics, operation);
}

/* How long a client of this load waits for an answer. */
static int64_t patience_of(const struct metrics *metrics, uint32_t load)
{
    if (load >= metrics->spec->load_count) {
        return NS_PER_S;
    }
    const struct spec_client *client = &metrics->spec->loads[load].client;
    return client->timeout_ns < client->deadline_ns ? client->timeout_ns : client->deadline_ns;
}

static bool is_measured(const struct metrics *metrics, sq_time now)
{
    return now >= metrics->spec->warmup_ns && now < metrics->spec->limit_ns;
}

void metrics_on_timeout(struct metrics *metrics, sq_time now)
{
    advance(metrics, now);
    last_window(metrics)->timeouts++;
    metrics->timeouts += is_measured(metrics, now);
}

void metrics_on_unwanted(struct metrics *metrics, sq_time now)
{
    advance(metrics, now);
    last_window(metrics)->unwanted++;
    metrics->unwanted += is_measured(metrics, now);
}

static void complete_ok(struct metrics *metrics, const struct sq_operation *operation)
{
    int64_t latency = operation->completed - operation->intended;
    ASSERT(latency >= 0);
    last_window(metrics)->ok++;
    vec_append(&metrics->latencies, &latency);
    struct availability_window *window =
        availability_at(metrics, availability_index(metrics, operation->intended));
    window->ok++;
    window->ok_fast += latency <= metrics->spec->availability.p99_max_ns;
    struct series_window *windows = metrics->windows.items;
    windows[operation->intended / metrics->window_ns].good +=
        latency <= patience_of(metrics, operation->load);
    if (is_counted(metrics, operation)) {
        metrics->ok++;
        histogram_record(&metrics->latency, (uint64_t)latency);
    }
}

/* It may be the end of the run that made the client give up: remember who did at this very moment.
 */
static void complete_info(struct metrics *metrics, const struct sq_operation *operation)
{
    last_window(metrics)->info++;
    metrics->info += is_counted(metrics, operation);
    if (metrics->closing_ns != operation->completed) {
        metrics->closing_ns = operation->completed;
        vec_clear(&metrics->closing);
    }
    struct closing_operation closing = {
        .intended = operation->intended, .invoked = operation->invoked, .load = operation->load};
    vec_append(&metrics->closing, &closing);
}

void metrics_on_complete(struct metrics *metrics, const struct sq_operation *operation)
{
    if (!is_load(metrics, operation)) {
        return;
    }
    ASSERT(metrics->in_flight > 0);
    advance(metrics, operation->completed);
    switch (operation->outcome) {
    case SQ_OUTCOME_OK:
        complete_ok(metrics, operation);
        break;
    case SQ_OUTCOME_FAIL:
        last_window(metrics)->failed++;
        metrics->failed += is_counted(metrics, operation);
        break;
    case SQ_OUTCOME_INFO:
        complete_info(metrics, operation);
        break;
    case SQ_OUTCOME_OPEN:
        UNREACHABLE();
    }
    metrics->in_flight--;
}

void metrics_on_fault(struct metrics *metrics, const struct sq_fault_event *fault)
{
    if (fault->id < metrics->faults.count) {
        struct result_fault *known = vec_at(&metrics->faults, fault->id);
        known->end_ns = fault->end;
        return;
    }
    if (fault->id < metrics->fault_total) {
        return; /* the end of one that is not kept */
    }
    ASSERT(fault->id == metrics->fault_total);
    metrics->fault_total++;
    if (metrics->faults.count == RESULT_FAULTS_MAX) {
        return;
    }
    struct result_fault *made = vec_push(&metrics->faults);
    result_copy_text(made->name, sizeof(made->name), fault->name);
    result_copy_text(made->kind, sizeof(made->kind), fault->kind);
    result_copy_text(made->action, sizeof(made->action), fault->action);
    result_copy_text(made->target, sizeof(made->target), fault->target);
    made->start_ns = fault->start;
    made->end_ns = fault->end;
    bool is_endless =
        fault->fault < metrics->spec->fault_count && metrics->spec->faults[fault->fault].has_no_end;
    vec_append(&metrics->endless, &is_endless);
}

/* -------------------------------------------------------------------------------------- the end */

/* Operations that the end of the run cut off before their first time-out say nothing about
 * availability. */
static void forget_cut_off(struct metrics *metrics, int64_t sim_ns)
{
    if (metrics->closing_ns != sim_ns) {
        return;
    }
    for (uint32_t i = 0; i < metrics->closing.count; i++) {
        const struct closing_operation *closing = vec_at(&metrics->closing, i);
        int64_t timeout_ns = NS_PER_S;
        if (closing->load < metrics->spec->load_count) {
            timeout_ns = metrics->spec->loads[closing->load].client.timeout_ns;
        }
        if (sim_ns - closing->invoked < timeout_ns) {
            struct series_window *windows = metrics->windows.items;
            windows[closing->intended / metrics->window_ns].cut_off++;
            metrics->cut_off += closing->intended >= metrics->spec->warmup_ns;
            availability_at(metrics, availability_index(metrics, closing->intended))->offered--;
        }
    }
    vec_clear(&metrics->closing);
}

static bool is_up(const struct metrics *metrics, const struct availability_window *window)
{
    bool is_successful =
        (wide)window->ok << 32 >= (wide)metrics->spec->availability.success_min * window->offered;
    bool is_fast = (uint64_t)window->ok_fast * 100 >= (uint64_t)window->ok * 99;
    return is_successful && is_fast && window->ok > 0;
}

static void judge_availability(struct metrics *metrics, struct run_result *result)
{
    for (uint32_t i = 0; i < metrics->availability.count; i++) {
        struct availability_window *window = availability_at(metrics, i);
        const struct availability_window *before = i > 0 ? availability_at(metrics, i - 1) : NULL;
        int64_t start = metrics->origin_ns + (int64_t)i * metrics->availability_ns;
        int64_t stop = start + metrics->availability_ns;
        stop = stop > metrics->end_ns ? metrics->end_ns : stop;
        if (window->offered > 0) {
            window->is_evidence = true;
            window->is_up = is_up(metrics, window);
        } else if (before != NULL && before->in_flight > 0) {
            window->is_evidence = before->is_evidence;
            window->is_up = before->is_up;
        }
        if (window->is_evidence && start >= metrics->spec->warmup_ns && stop > start) {
            result->measured_ns += stop - start;
            result->up_ns += window->is_up ? stop - start : 0;
        }
    }
}

bool metrics_stretch(const struct metrics *metrics, uint32_t index, struct metrics_stretch *stretch)
{
    if (index >= metrics->availability.count) {
        return false;
    }
    const struct availability_window *window = availability_at(metrics, index);
    const int64_t start = metrics->origin_ns + (int64_t)index * metrics->availability_ns;
    const int64_t stop = start + metrics->availability_ns;
    const bool is_early = start < metrics->spec->warmup_ns;
    stretch->from_ns = start < metrics->end_ns ? start : metrics->end_ns;
    stretch->until_ns = stop < metrics->end_ns ? stop : metrics->end_ns;
    stretch->is_evidence = window->is_evidence && !is_early;
    stretch->is_up = window->is_up;
    return true;
}

void metrics_finish(struct metrics *metrics, int64_t sim_ns, struct run_result *result)
{
    ASSERT(sim_ns >= 0);
    ASSERT(result != NULL);
    metrics->end_ns = sim_ns < metrics->spec->limit_ns ? sim_ns : metrics->spec->limit_ns;
    advance(metrics, sim_ns);
    last_window(metrics)->in_flight = metrics->in_flight;
    availability_at(metrics, metrics->availability.count - 1)->in_flight = metrics->in_flight;
    forget_cut_off(metrics, sim_ns);
    judge_availability(metrics, result);
    result->offered = metrics->offered;
    result->attempts = metrics->attempts;
    result->ok = metrics->ok;
    result->failed = metrics->failed;
    result->info = metrics->info;
    result->timeouts = metrics->timeouts;
    result->unwanted = metrics->unwanted;
    result->latency = metrics->latency;
    result->fault_total = metrics->fault_total;
    for (uint32_t i = 0; i < metrics->faults.count; i++) {
        vec_append(&result->faults, vec_at(&metrics->faults, i));
    }
}

static int compare_latencies(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* Nearest rank: the smallest value that at least per_mille thousandths do not exceed. */
static int64_t quantile(const int64_t *sorted, uint32_t count, uint32_t per_mille)
{
    ASSERT(count > 0);
    uint64_t rank = ((uint64_t)count * per_mille + 999) / 1000;
    return sorted[rank == 0 ? 0 : rank - 1];
}

void metrics_windows(struct metrics *metrics, struct vec *windows)
{
    ASSERT(windows->item_size == sizeof(struct result_window));
    int64_t *latencies = metrics->latencies.items;
    for (uint32_t i = 0; i < metrics->windows.count && i < RESULT_WINDOWS_MAX; i++) {
        const struct series_window *from = vec_at(&metrics->windows, i);
        int64_t start = (int64_t)i * metrics->window_ns;
        int64_t left = metrics->end_ns - start;
        if (left <= 0) {
            break;
        }
        struct result_window *to = vec_push(windows);
        *to = (struct result_window){
            .t_ns = start,
            .duration_ns = left < metrics->window_ns ? left : metrics->window_ns,
            .offered = from->offered,
            .attempts = from->attempts,
            .ok = from->ok,
            .failed = from->failed,
            .info = from->info,
            .in_flight = from->in_flight,
            .timeouts = from->timeouts,
            .unwanted = from->unwanted,
            .judged = from->offered - from->cut_off,
            .good = from->good,
            .p50_ns = -1,
            .p99_ns = -1,
            .is_up = availability_at(metrics, availability_index(metrics, start))->is_up,
        };
        if (from->ok > 0) {
            sort_stable(latencies + from->latency_first, from->ok, sizeof(int64_t),
                        compare_latencies);
            to->p50_ns = quantile(latencies + from->latency_first, from->ok, 500);
            to->p99_ns = quantile(latencies + from->latency_first, from->ok, 990);
        }
    }
}

/* ------------------------------------------------------------------------------------- recovery */

static uint64_t sum_ok(const struct metrics *metrics, int64_t from, int64_t count)
{
    const struct series_window *windows = metrics->windows.items;
    uint64_t sum = 0;
    for (int64_t i = from; i < from + count && i < metrics->windows.count; i++) {
        sum += windows[i].ok;
    }
    return sum;
}

/* When the last load ends, at the latest with the run. */
static int64_t load_end(const struct metrics *metrics)
{
    int64_t end_ns = metrics->end_ns;
    const struct run_spec *spec = metrics->spec;
    int64_t last = spec->load_count == 0 ? end_ns : 0;
    for (uint32_t i = 0; i < spec->load_count; i++) {
        const struct spec_load *load = &spec->loads[i];
        bool is_endless = load->duration_ns >= end_ns - load->start_ns;
        int64_t own = is_endless ? end_ns : load->start_ns + load->duration_ns;
        last = own > last ? own : last;
    }
    return last;
}

struct fault_span {
    int64_t first_start;
    int64_t last_end;
    bool is_over;
};

static struct fault_span span_of_faults(const struct metrics *metrics)
{
    struct fault_span span = {.first_start = INT64_MAX, .last_end = 0, .is_over = true};
    for (uint32_t i = 0; i < metrics->faults.count; i++) {
        const struct result_fault *fault = vec_at(&metrics->faults, i);
        bool is_endless = *(const bool *)vec_at(&metrics->endless, i);
        bool is_active = fault->end_ns == INT64_MAX;
        int64_t end = is_active || is_endless ? fault->start_ns : fault->end_ns;
        span.is_over = span.is_over && (!is_active || is_endless);
        span.first_start = fault->start_ns < span.first_start ? fault->start_ns : span.first_start;
        span.last_end = end > span.last_end ? end : span.last_end;
    }
    return span;
}

static int64_t rate_of(const struct metrics *metrics, uint64_t sum, int64_t window_count)
{
    return (int64_t)((wide)sum * (wide)PER_1000S / ((wide)window_count * (wide)metrics->window_ns));
}

struct recovery metrics_recovery(const struct metrics *metrics,
                                 const struct recovery_question *question)
{
    int64_t ratio_millionths = question->ratio_millionths;
    int64_t within_ns = question->within_ns;
    ASSERT(ratio_millionths >= 0);
    ASSERT(within_ns >= 0);
    ASSERT(question->hold_ns >= 0);
    struct recovery recovery = {
        .state = RECOVERY_NO_FAULT, .baseline_per_1000s = -1, .best_per_1000s = -1};
    int64_t window = metrics->window_ns;
    struct fault_span faults = span_of_faults(metrics);
    int64_t first = (metrics->spec->warmup_ns + window - 1) / window;
    int64_t quiet_end = metrics->fault_total == 0 ? metrics->end_ns : faults.first_start;
    int64_t baseline_count = quiet_end / window - first;
    uint64_t baseline = 0;
    if (baseline_count > 0) {
        baseline = sum_ok(metrics, first, baseline_count);
        recovery.baseline_per_1000s = rate_of(metrics, baseline, baseline_count);
    }
    if (metrics->fault_total == 0) {
        return recovery;
    }
    recovery.ends_ns = faults.last_end;
    if (baseline == 0) {
        recovery.state = RECOVERY_NO_BASELINE;
        return recovery;
    }
    recovery.state = RECOVERY_UNDECIDED;
    if (!faults.is_over || metrics->fault_total > metrics->faults.count) {
        return recovery;
    }
    int64_t hold_ns = question->hold_ns > 0 ? question->hold_ns : metrics->availability_ns;
    int64_t span = (hold_ns + window - 1) / window;
    int64_t offered_until = load_end(metrics);
    bool is_enough = within_ns != INT64_MAX && offered_until - faults.last_end >= within_ns;
    int64_t until = is_enough ? faults.last_end + within_ns : offered_until;
    for (int64_t at = (faults.last_end + window - 1) / window; (at + span) * window <= until;
         at++) {
        uint64_t sum = sum_ok(metrics, at, span);
        int64_t rate = rate_of(metrics, sum, span);
        recovery.best_per_1000s = rate > recovery.best_per_1000s ? rate : recovery.best_per_1000s;
        if ((wide)sum * MILLION * (wide)baseline_count >=
            (wide)ratio_millionths * baseline * (wide)span) {
            recovery.state = RECOVERY_REACHED;
            recovery.after_ns = at * window - faults.last_end;
            return recovery;
        }
    }
    recovery.state = is_enough ? RECOVERY_MISSED : RECOVERY_UNDECIDED;
    return recovery;
}
