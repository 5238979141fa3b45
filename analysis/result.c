/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The flat form of a run_result, for pipes between a campaign and its workers:
 *
 *     u32 magic, u32 version, u64 size of the whole message in bytes
 *     all fields in the order of the struct: integers as 8 bytes little-endian, texts as a length
 *     and their bytes, vectors as a count and their items, the histogram as (bin, count) of the
 *     bins that are not empty
 *     u64 XXH3 of all that comes before
 *
 * The reader trusts nothing: the checksum is compared first, then every length is checked against
 * what is left, and every count against its limit. A worker may have died in the middle of a
 * message; that must be an error with a text. */
#include "analysis/result.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"

#include <string.h>

#define MAGIC         0x6c757173u /* "squl" */
#define VERSION       6
#define CHECKSUM_SIZE 8
#define BYTES_MAX     (UINT32_C(1) << 30)

static const char *const verdict_names[] = {"pass", "fail", "unknown", "error"};
static_assert(ARRAY_COUNT(verdict_names) == VERDICT_COUNT, "one name for each verdict");

static const char *const arm_names[] = {"trigger", "control", "doubled", "probe"};
static_assert(ARRAY_COUNT(arm_names) == ARM_COUNT, "one name for each arm");
static const char *const arm_outcome_names[] = {"held",     "failed",   "recovered", "stuck",
                                                "degraded", "draining", "cut"};
static_assert(ARRAY_COUNT(arm_outcome_names) == ARM_OUTCOME_COUNT, "one name for each outcome");
static const char *const metastability_names[] = {"",         "stable",    "metastable",
                                                  "unstable", "permanent", "undecided"};
static_assert(ARRAY_COUNT(metastability_names) == METASTABILITY_COUNT, "one name for each");

void result_init(struct run_result *result)
{
    ASSERT(result != NULL);
    memset(result, 0, sizeof(*result));
    vec_init(&result->violations, sizeof(struct result_violation), RESULT_VIOLATIONS_MAX);
    vec_init(&result->faults, sizeof(struct result_fault), RESULT_FAULTS_MAX);
    vec_init(&result->probes, sizeof(struct result_probe), RESULT_PROBES_MAX);
    vec_init(&result->checks, sizeof(struct result_check), RESULT_CHECKS_MAX);
    vec_init(&result->windows, sizeof(struct result_window), RESULT_WINDOWS_MAX);
    vec_init(&result->arms, sizeof(struct result_arm), ARM_COUNT);
    vec_init(&result->arm_windows, sizeof(struct result_arm_window), RESULT_ARM_WINDOWS_MAX);
    vec_init(&result->estimates, sizeof(struct estimate_sums), RESULT_ESTIMATES_MAX);
    vec_init(&result->episodes, sizeof(struct result_episode), RESULT_EPISODES_MAX);
    vec_init(&result->metrics, sizeof(struct result_metric), RESULT_METRICS_MAX);
    vec_init(&result->gauges, sizeof(struct result_gauge), RESULT_GAUGES_MAX);
    vec_init(&result->gauge_windows, sizeof(struct result_gauge_window), RESULT_GAUGE_WINDOWS_MAX);
    result_clear(result);
}

void result_release(struct run_result *result)
{
    ASSERT(result != NULL);
    vec_release(&result->violations);
    vec_release(&result->faults);
    vec_release(&result->probes);
    vec_release(&result->checks);
    vec_release(&result->windows);
    vec_release(&result->arms);
    vec_release(&result->arm_windows);
    vec_release(&result->metrics);
    vec_release(&result->estimates);
    vec_release(&result->episodes);
    vec_release(&result->gauges);
    vec_release(&result->gauge_windows);
}

void result_clear(struct run_result *result)
{
    ASSERT(result != NULL);
    struct run_result empty = {
        .recovery_ns = RESULT_RECOVERY_NO_FAULT,
        .baseline_per_1000s = -1,
        .violations = result->violations,
        .faults = result->faults,
        .probes = result->probes,
        .checks = result->checks,
        .windows = result->windows,
        .arms = result->arms,
        .arm_windows = result->arm_windows,
        .metrics = result->metrics,
        .estimates = result->estimates,
        .episodes = result->episodes,
        .gauges = result->gauges,
        .gauge_windows = result->gauge_windows,
    };
    *result = empty;
    vec_clear(&result->violations);
    vec_clear(&result->faults);
    vec_clear(&result->probes);
    vec_clear(&result->checks);
    vec_clear(&result->windows);
    vec_clear(&result->arms);
    vec_clear(&result->arm_windows);
    vec_clear(&result->metrics);
    vec_clear(&result->estimates);
    vec_clear(&result->episodes);
    vec_clear(&result->gauges);
    vec_clear(&result->gauge_windows);
    histogram_clear(&result->latency);
    histogram_clear(&result->visibility);
}

void result_set_error(struct run_result *result, uint64_t seed, const char *reason)
{
    result_clear(result);
    result->seed = seed;
    result->verdict = VERDICT_ERROR;
    result_copy_text(result->reason, sizeof(result->reason), reason);
}

struct result_check *result_check_row(struct run_result *result, const char *name)
{
    for (uint32_t i = 0; i < result->checks.count; i++) {
        struct result_check *row = vec_at(&result->checks, i);
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    ASSERT(result->checks.count < RESULT_CHECKS_MAX);
    struct result_check *row = vec_push(&result->checks);
    result_copy_text(row->name, sizeof(row->name), name);
    return row;
}

void result_mark_violated(struct run_result *result)
{
    for (uint32_t i = 0; i < result->violations.count; i++) {
        const struct result_violation *violation = vec_at(&result->violations, i);
        if (result->checks.count == RESULT_CHECKS_MAX) {
            return;
        }
        struct result_check *row = result_check_row(result, violation->check);
        row->comparisons += row->comparisons == 0;
        row->is_violated = row->is_violated || !violation->is_known;
        row->is_known = row->is_known || violation->is_known;
    }
}

const char *verdict_name(enum verdict verdict)
{
    ASSERT((unsigned)verdict < VERDICT_COUNT);
    return verdict_names[verdict];
}

const char *arm_name(enum run_arm arm)
{
    ASSERT((unsigned)arm < ARM_COUNT);
    return arm_names[arm];
}

const char *arm_outcome_name(enum arm_outcome outcome)
{
    ASSERT((unsigned)outcome < ARM_OUTCOME_COUNT);
    return arm_outcome_names[outcome];
}

const char *metastability_name(enum metastability verdict)
{
    ASSERT((unsigned)verdict < METASTABILITY_COUNT);
    return metastability_names[verdict];
}

const struct result_arm *result_arm_find(const struct run_result *result, enum run_arm arm)
{
    for (uint32_t i = 0; i < result->arms.count; i++) {
        const struct result_arm *one = vec_at(&result->arms, i);
        if (one->arm == arm) {
            return one;
        }
    }
    return NULL;
}

const struct result_violation *result_first_violation(const struct run_result *result)
{
    for (uint32_t i = 0; i < result->violations.count; i++) {
        const struct result_violation *violation = vec_at(&result->violations, i);
        if (!violation->is_known) {
            return violation;
        }
    }
    return NULL;
}

void result_copy_text(char *field, size_t size, const char *text)
{
    ASSERT(field != NULL);
    ASSERT(size > 0);
    size_t length = text == NULL ? 0 : strlen(text);
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    if (length > 0) {
        memcpy(field, text, length);
    }
    memset(field + length, 0, size - length);
}

/* -------------------------------------------------------------------------------------- writing */

static void put_bytes(struct vec *out, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        vec_append(out, &bytes[i]);
    }
}

static void put_u64(struct vec *out, uint64_t value)
{
    uint8_t bytes[8];
    for (uint32_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    put_bytes(out, bytes, sizeof(bytes));
}

static void put_text(struct vec *out, const char *text)
{
    size_t length = strlen(text);
    put_u64(out, length);
    put_bytes(out, text, length);
}

static void put_violation(struct vec *out, const struct result_violation *violation)
{
    put_text(out, violation->check);
    put_u64(out, (uint64_t)violation->time_ns);
    put_u64(out, violation->event);
    put_u64(out, violation->node);
    put_text(out, violation->node_name);
    put_text(out, violation->message);
    put_u64(out, violation->is_known);
}

static void put_fault(struct vec *out, const struct result_fault *fault)
{
    put_text(out, fault->name);
    put_text(out, fault->kind);
    put_text(out, fault->action);
    put_text(out, fault->target);
    put_u64(out, (uint64_t)fault->start_ns);
    put_u64(out, (uint64_t)fault->end_ns);
}

static void put_window(struct vec *out, const struct result_window *window)
{
    put_u64(out, (uint64_t)window->t_ns);
    put_u64(out, (uint64_t)window->duration_ns);
    put_u64(out, window->offered);
    put_u64(out, window->attempts);
    put_u64(out, window->ok);
    put_u64(out, window->failed);
    put_u64(out, window->info);
    put_u64(out, window->in_flight);
    put_u64(out, window->timeouts);
    put_u64(out, window->unwanted);
    put_u64(out, window->judged);
    put_u64(out, window->good);
    put_u64(out, (uint64_t)window->p50_ns);
    put_u64(out, (uint64_t)window->p99_ns);
    put_u64(out, window->is_up);
}

static void put_arm(struct vec *out, const struct result_arm *arm)
{
    put_u64(out, (uint64_t)arm->arm);
    put_u64(out, (uint64_t)arm->outcome);
    put_u64(out, arm->digest);
    put_u64(out, arm->events);
    put_u64(out, (uint64_t)arm->sim_ns);
    put_u64(out, arm->offered);
    put_u64(out, arm->good);
    put_u64(out, arm->attempts);
    put_u64(out, arm->ok);
    put_u64(out, arm->timeouts);
    put_u64(out, arm->unwanted);
    put_u64(out, arm->control_offered);
    put_u64(out, arm->control_good);
    put_u64(out, (uint64_t)arm->since_ns);
    put_u64(out, (uint64_t)arm->after_ns);
    put_u64(out, (uint64_t)arm->looked_ns);
}

static void put_scalars(struct vec *out, const struct run_result *result)
{
    put_u64(out, result->seed);
    put_u64(out, (uint64_t)result->verdict);
    put_text(out, result->reason);
    put_u64(out, result->digest);
    put_u64(out, result->events);
    put_u64(out, (uint64_t)result->sim_ns);
    put_u64(out, result->offered);
    put_u64(out, result->attempts);
    put_u64(out, result->ok);
    put_u64(out, result->failed);
    put_u64(out, result->info);
    put_u64(out, result->timeouts);
    put_u64(out, result->unwanted);
    put_u64(out, (uint64_t)result->up_ns);
    put_u64(out, (uint64_t)result->measured_ns);
    put_u64(out, result->fault_total);
    put_u64(out, (uint64_t)result->metastability);
    put_u64(out, result->is_metastable);
    put_u64(out, result->is_cut);
    put_u64(out, (uint64_t)result->baseline_per_1000s);
    put_u64(out, (uint64_t)result->recovery_ns);
    put_u64(out, (uint64_t)result->cpu_ns);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static void put_gauges(struct vec *out, const struct run_result *result)
{
    put_u64(out, result->metrics.count);
    for (uint32_t i = 0; i < result->metrics.count; i++) {
        const struct result_metric *metric = vec_at(&result->metrics, i);
        put_text(out, metric->name);
        put_u64(out, bits_of(metric->value));
    }
    put_u64(out, result->gauges.count);
    for (uint32_t i = 0; i < result->gauges.count; i++) {
        const struct result_gauge *gauge = vec_at(&result->gauges, i);
        put_text(out, gauge->name);
        put_text(out, gauge->node);
        put_u64(out, gauge->is_counter);
        put_u64(out, (uint64_t)gauge->window_ns);
    }
    put_u64(out, result->gauge_windows.count);
    for (uint32_t i = 0; i < result->gauge_windows.count; i++) {
        const struct result_gauge_window *window = vec_at(&result->gauge_windows, i);
        put_u64(out, window->gauge);
        put_u64(out, (uint64_t)window->t_ns);
        put_u64(out, window->count);
        put_u64(out, (uint64_t)window->sum);
        put_u64(out, (uint64_t)window->minimum);
        put_u64(out, (uint64_t)window->maximum);
        put_u64(out, (uint64_t)window->last);
        put_u64(out, (uint64_t)window->last_ns);
    }
}

static void put_estimate(struct vec *out, const struct estimate_sums *sums)
{
    put_text(out, sums->service);
    put_u64(out, (uint64_t)sums->method);
    put_u64(out, sums->is_paired);
    put_u64(out, sums->count);
    put_u64(out, sums->lengths);
    put_u64(out, sums->hits);
    put_u64(out, sums->events);
    put_u64(out, sums->worst_digest);
    put_text(out, sums->worst_path);
    const double numbers[] = ESTIMATE_NUMBERS(sums);
    for (uint32_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        put_u64(out, bits_of(numbers[i]));
    }
}

static void put_episode(struct vec *out, const struct result_episode *episode)
{
    put_text(out, episode->class_);
    put_u64(out, episode->number);
    put_u64(out, episode->has_struck);
    put_u64(out, episode->is_recovered);
    put_u64(out, (uint64_t)episode->at_ns);
    put_u64(out, (uint64_t)episode->outage_ns);
    put_u64(out, (uint64_t)episode->up_ns);
    put_u64(out, (uint64_t)episode->recovery_ns);
    put_u64(out, (uint64_t)episode->steady_ns);
    put_u64(out, (uint64_t)episode->steady_down_ns);
    put_u64(out, episode->digest);
    put_u64(out, episode->events);
    put_u64(out, (uint64_t)episode->sim_ns);
}

static void put_vectors(struct vec *out, const struct run_result *result)
{
    put_u64(out, result->violations.count);
    for (uint32_t i = 0; i < result->violations.count; i++) {
        put_violation(out, vec_at(&result->violations, i));
    }
    put_u64(out, result->faults.count);
    for (uint32_t i = 0; i < result->faults.count; i++) {
        put_fault(out, vec_at(&result->faults, i));
    }
    put_u64(out, result->probes.count);
    for (uint32_t i = 0; i < result->probes.count; i++) {
        const struct result_probe *probe = vec_at(&result->probes, i);
        put_text(out, probe->name);
        put_u64(out, probe->hits);
        put_u64(out, probe->is_asked);
    }
    put_u64(out, result->checks.count);
    for (uint32_t i = 0; i < result->checks.count; i++) {
        const struct result_check *check = vec_at(&result->checks, i);
        put_text(out, check->name);
        put_u64(out, check->comparisons);
        put_u64(out, check->is_violated);
        put_u64(out, check->is_known);
        put_u64(out, check->is_unknown);
    }
    put_u64(out, result->windows.count);
    for (uint32_t i = 0; i < result->windows.count; i++) {
        put_window(out, vec_at(&result->windows, i));
    }
    put_u64(out, result->arms.count);
    for (uint32_t i = 0; i < result->arms.count; i++) {
        put_arm(out, vec_at(&result->arms, i));
    }
    put_u64(out, result->arm_windows.count);
    for (uint32_t i = 0; i < result->arm_windows.count; i++) {
        const struct result_arm_window *one = vec_at(&result->arm_windows, i);
        put_u64(out, (uint64_t)one->arm);
        put_window(out, &one->window);
    }
    put_gauges(out, result);
    put_u64(out, result->estimates.count);
    for (uint32_t i = 0; i < result->estimates.count; i++) {
        put_estimate(out, vec_at(&result->estimates, i));
    }
    put_u64(out, result->episodes.count);
    for (uint32_t i = 0; i < result->episodes.count; i++) {
        put_episode(out, vec_at(&result->episodes, i));
    }
}

static void put_histogram(struct vec *out, const struct histogram *histogram)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BINS; i++) {
        used += histogram->bins[i] != 0;
    }
    put_u64(out, histogram->count);
    put_u64(out, histogram->minimum);
    put_u64(out, histogram->maximum);
    put_u64(out, used);
    for (uint32_t i = 0; i < HISTOGRAM_BINS; i++) {
        if (histogram->bins[i] != 0) {
            put_u64(out, i);
            put_u64(out, histogram->bins[i]);
        }
    }
}

void result_encode(const struct run_result *result, struct vec *out)
{
    ASSERT(result != NULL);
    ASSERT(out->item_size == 1);
    uint32_t start = out->count;
    put_u64(out, (uint64_t)VERSION << 32 | MAGIC);
    put_u64(out, 0);
    put_scalars(out, result);
    put_vectors(out, result);
    put_histogram(out, &result->latency);
    put_histogram(out, &result->visibility);
    uint64_t size = (uint64_t)(out->count - start) + CHECKSUM_SIZE;
    ASSERT(size <= BYTES_MAX);
    uint8_t *message = (uint8_t *)out->items + start;
    for (uint32_t i = 0; i < 8; i++) {
        message[8 + i] = (uint8_t)(size >> (8 * i));
    }
    put_u64(out, hash_bytes(message, out->count - start));
}

/* -------------------------------------------------------------------------------------- reading */

/* Reads behind the end give zeros and set is_bad, so that one look at the end is enough. */
struct reader {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool is_bad;
};

static uint64_t load_u64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < 8; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static uint64_t get_u64(struct reader *reader)
{
    if (reader->is_bad || reader->size - reader->at < 8) {
        reader->is_bad = true;
        return 0;
    }
    uint64_t value = load_u64(reader->data + reader->at);
    reader->at += 8;
    return value;
}

static int64_t get_i64(struct reader *reader)
{
    return (int64_t)get_u64(reader);
}

/* A number up to `maximum`. */
static uint64_t get_up_to(struct reader *reader, uint64_t maximum)
{
    uint64_t value = get_u64(reader);
    if (value > maximum) {
        reader->is_bad = true;
        return 0;
    }
    return value;
}

static uint32_t get_u32(struct reader *reader)
{
    return (uint32_t)get_up_to(reader, UINT32_MAX);
}

static bool get_bool(struct reader *reader)
{
    return get_up_to(reader, 1) == 1;
}

static void get_text(struct reader *reader, char *field, size_t size)
{
    size_t length = (size_t)get_up_to(reader, size - 1);
    memset(field, 0, size);
    if (reader->is_bad || reader->size - reader->at < length ||
        memchr(reader->data + reader->at, 0, length) != NULL) {
        reader->is_bad = true;
        return;
    }
    memcpy(field, reader->data + reader->at, length);
    reader->at += length;
}

static void get_violation(struct reader *reader, struct result_violation *violation)
{
    get_text(reader, violation->check, sizeof(violation->check));
    violation->time_ns = get_i64(reader);
    violation->event = get_u64(reader);
    violation->node = get_u32(reader);
    get_text(reader, violation->node_name, sizeof(violation->node_name));
    get_text(reader, violation->message, sizeof(violation->message));
    violation->is_known = get_bool(reader);
}

static void get_fault(struct reader *reader, struct result_fault *fault)
{
    get_text(reader, fault->name, sizeof(fault->name));
    get_text(reader, fault->kind, sizeof(fault->kind));
    get_text(reader, fault->action, sizeof(fault->action));
    get_text(reader, fault->target, sizeof(fault->target));
    fault->start_ns = get_i64(reader);
    fault->end_ns = get_i64(reader);
}

static void get_window(struct reader *reader, struct result_window *window)
{
    window->t_ns = get_i64(reader);
    window->duration_ns = get_i64(reader);
    window->offered = get_u32(reader);
    window->attempts = get_u32(reader);
    window->ok = get_u32(reader);
    window->failed = get_u32(reader);
    window->info = get_u32(reader);
    window->in_flight = get_u32(reader);
    window->timeouts = get_u32(reader);
    window->unwanted = get_u32(reader);
    window->judged = get_u32(reader);
    window->good = get_u32(reader);
    window->p50_ns = get_i64(reader);
    window->p99_ns = get_i64(reader);
    window->is_up = get_bool(reader);
}

static void get_arm(struct reader *reader, struct result_arm *arm)
{
    arm->arm = (enum run_arm)get_up_to(reader, ARM_COUNT - 1);
    arm->outcome = (enum arm_outcome)get_up_to(reader, ARM_OUTCOME_COUNT - 1);
    arm->digest = get_u64(reader);
    arm->events = get_u64(reader);
    arm->sim_ns = get_i64(reader);
    arm->offered = get_u64(reader);
    arm->good = get_u64(reader);
    arm->attempts = get_u64(reader);
    arm->ok = get_u64(reader);
    arm->timeouts = get_u64(reader);
    arm->unwanted = get_u64(reader);
    arm->control_offered = get_u64(reader);
    arm->control_good = get_u64(reader);
    arm->since_ns = get_i64(reader);
    arm->after_ns = get_i64(reader);
    arm->looked_ns = get_i64(reader);
}

static void get_scalars(struct reader *reader, struct run_result *result)
{
    result->seed = get_u64(reader);
    result->verdict = (enum verdict)get_up_to(reader, VERDICT_COUNT - 1);
    get_text(reader, result->reason, sizeof(result->reason));
    result->digest = get_u64(reader);
    result->events = get_u64(reader);
    result->sim_ns = get_i64(reader);
    result->offered = get_u64(reader);
    result->attempts = get_u64(reader);
    result->ok = get_u64(reader);
    result->failed = get_u64(reader);
    result->info = get_u64(reader);
    result->timeouts = get_u64(reader);
    result->unwanted = get_u64(reader);
    result->up_ns = get_i64(reader);
    result->measured_ns = get_i64(reader);
    result->fault_total = get_u64(reader);
    result->metastability = (enum metastability)get_up_to(reader, METASTABILITY_COUNT - 1);
    result->is_metastable = get_bool(reader);
    result->is_cut = get_bool(reader);
    result->baseline_per_1000s = get_i64(reader);
    result->recovery_ns = get_i64(reader);
    result->cpu_ns = get_i64(reader);
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void get_gauges(struct reader *reader, struct run_result *result)
{
    uint64_t count = get_up_to(reader, RESULT_METRICS_MAX);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        struct result_metric *metric = vec_push(&result->metrics);
        get_text(reader, metric->name, sizeof(metric->name));
        metric->value = double_of(get_u64(reader));
    }
    uint64_t gauges = get_up_to(reader, RESULT_GAUGES_MAX);
    for (uint64_t i = 0; i < gauges && !reader->is_bad; i++) {
        struct result_gauge *gauge = vec_push(&result->gauges);
        get_text(reader, gauge->name, sizeof(gauge->name));
        get_text(reader, gauge->node, sizeof(gauge->node));
        gauge->is_counter = get_bool(reader);
        gauge->window_ns = get_i64(reader);
    }
    count = get_up_to(reader, gauges == 0 ? 0 : RESULT_GAUGE_WINDOWS_MAX);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        struct result_gauge_window *window = vec_push(&result->gauge_windows);
        window->gauge = (uint32_t)get_up_to(reader, gauges - 1);
        window->t_ns = get_i64(reader);
        window->count = get_u64(reader);
        window->sum = get_i64(reader);
        window->minimum = get_i64(reader);
        window->maximum = get_i64(reader);
        window->last = get_i64(reader);
        window->last_ns = get_i64(reader);
    }
}

static void get_estimate(struct reader *reader, struct estimate_sums *sums)
{
    get_text(reader, sums->service, sizeof(sums->service));
    sums->method = (enum estimate_method)get_up_to(reader, ESTIMATE_METHOD_COUNT - 1);
    sums->is_paired = get_bool(reader);
    sums->count = get_u64(reader);
    sums->lengths = get_u64(reader);
    sums->hits = get_u64(reader);
    sums->events = get_u64(reader);
    sums->worst_digest = get_u64(reader);
    get_text(reader, sums->worst_path, sizeof(sums->worst_path));
    double *const numbers[] = ESTIMATE_NUMBERS(&sums);
    for (uint32_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        *numbers[i] = double_of(get_u64(reader));
    }
}

static void get_episode(struct reader *reader, struct result_episode *episode)
{
    get_text(reader, episode->class_, sizeof(episode->class_));
    episode->number = (uint32_t)get_up_to(reader, UINT32_MAX);
    episode->has_struck = get_bool(reader);
    episode->is_recovered = get_bool(reader);
    episode->at_ns = get_i64(reader);
    episode->outage_ns = get_i64(reader);
    episode->up_ns = get_i64(reader);
    episode->recovery_ns = get_i64(reader);
    episode->steady_ns = get_i64(reader);
    episode->steady_down_ns = get_i64(reader);
    episode->digest = get_u64(reader);
    episode->events = get_u64(reader);
    episode->sim_ns = get_i64(reader);
}

static void get_vectors(struct reader *reader, struct run_result *result)
{
    uint64_t count = get_up_to(reader, RESULT_VIOLATIONS_MAX);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        get_violation(reader, vec_push(&result->violations));
    }
    count = get_up_to(reader, RESULT_FAULTS_MAX);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        get_fault(reader, vec_push(&result->faults));
    }
    count = get_up_to(reader, RESULT_PROBES_MAX);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        struct result_probe *probe = vec_push(&result->probes);
        get_text(reader, probe->name, sizeof(probe->name));
        probe->hits = get_u64(reader);
        probe->is_asked = get_bool(reader);
    }
    count = get_up_to(reader, RESULT_CHECKS_MAX);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        struct result_check *check = vec_push(&result->checks);
        get_text(reader, check->name, sizeof(check->name));
        check->comparisons = get_u64(reader);
        check->is_violated = get_bool(reader);
        check->is_known = get_bool(reader);
        check->is_unknown = get_bool(reader);
    }
    count = get_up_to(reader, RESULT_WINDOWS_MAX);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        get_window(reader, vec_push(&result->windows));
    }
    count = get_up_to(reader, ARM_COUNT);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        get_arm(reader, vec_push(&result->arms));
    }
    count = get_up_to(reader, RESULT_ARM_WINDOWS_MAX);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        struct result_arm_window *one = vec_push(&result->arm_windows);
        one->arm = (enum run_arm)get_up_to(reader, ARM_COUNT - 1);
        get_window(reader, &one->window);
    }
    get_gauges(reader, result);
    count = get_up_to(reader, RESULT_ESTIMATES_MAX);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        get_estimate(reader, vec_push(&result->estimates));
    }
    count = get_up_to(reader, RESULT_EPISODES_MAX);
    for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
        get_episode(reader, vec_push(&result->episodes));
    }
}

static void get_histogram(struct reader *reader, struct histogram *histogram)
{
    histogram->count = get_u64(reader);
    histogram->minimum = get_u64(reader);
    histogram->maximum = get_u64(reader);
    uint64_t used = get_up_to(reader, HISTOGRAM_BINS);
    for (uint64_t i = 0; i < used && !reader->is_bad; i++) {
        uint64_t bin = get_up_to(reader, HISTOGRAM_BINS - 1);
        histogram->bins[bin] = get_u32(reader);
    }
}

size_t result_encoded_size(const void *header)
{
    const uint8_t *bytes = header;
    uint64_t size = load_u64(bytes + 8);
    if (load_u64(bytes) != ((uint64_t)VERSION << 32 | MAGIC) ||
        size < RESULT_HEADER_SIZE + CHECKSUM_SIZE || size > BYTES_MAX) {
        return 0;
    }
    return (size_t)size;
}

bool result_decode(struct run_result *result, const void *data, size_t size, struct err *err)
{
    ASSERT(result != NULL);
    ASSERT(data != NULL || size == 0);
    result_clear(result);
    const uint8_t *bytes = data;
    if (size < RESULT_HEADER_SIZE + CHECKSUM_SIZE) {
        return err_set(err, ERR_SYSTEM, "result of a run is cut short: %zu bytes", size);
    }
    if (result_encoded_size(bytes) != size) {
        return err_set(err, ERR_SYSTEM, "result of a run has a wrong header");
    }
    if (hash_bytes(bytes, size - CHECKSUM_SIZE) != load_u64(bytes + size - CHECKSUM_SIZE)) {
        return err_set(err, ERR_SYSTEM, "result of a run has a wrong checksum");
    }
    struct reader reader = {.data = bytes, .size = size - CHECKSUM_SIZE, .at = RESULT_HEADER_SIZE};
    get_scalars(&reader, result);
    get_vectors(&reader, result);
    get_histogram(&reader, &result->latency);
    get_histogram(&reader, &result->visibility);
    if (reader.is_bad || reader.at != reader.size) {
        result_clear(result);
        return err_set(err, ERR_SYSTEM, "result of a run is malformed at byte %zu", reader.at);
    }
    return true;
}
