/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Single samples are kept only of gauges whose percentiles a threshold asks for.
 *
 * Every series has one open window; when a sample falls into a later one it is closed and appended
 * to `cells`. So a sample costs a look at its series (nearly always the one found last) and a few
 * additions, and a series that is silent costs nothing. Sums are integers and saturate. */
#include "analysis/gauges.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <string.h>

struct gauge_series {
    char name[RESULT_NAME_SIZE];
    uint32_t node;
    bool is_counter;
    bool is_open;
    bool is_sampled;
    struct result_gauge_window open;
};

/* One value as it was shown. */
struct gauge_sample {
    int64_t time_ns;
    int64_t value;
    uint32_t gauge;
};

#define SAMPLES_MAX (UINT32_C(1) << 27)
#define WANTED_MAX  64

void gauges_init(struct gauges *gauges)
{
    ASSERT(gauges != NULL);
    *gauges = (struct gauges){0};
    vec_init(&gauges->series, sizeof(struct gauge_series), RESULT_GAUGES_MAX);
    vec_init(&gauges->wanted, sizeof(const char *), WANTED_MAX);
    vec_init(&gauges->samples, sizeof(struct gauge_sample), SAMPLES_MAX);
    vec_init(&gauges->cells, sizeof(struct result_gauge_window), RESULT_GAUGE_WINDOWS_MAX);
}

void gauges_release(struct gauges *gauges)
{
    ASSERT(gauges != NULL);
    vec_release(&gauges->series);
    vec_release(&gauges->cells);
    vec_release(&gauges->wanted);
    vec_release(&gauges->samples);
}

void gauges_begin(struct gauges *gauges, int64_t window_ns, int64_t limit_ns)
{
    ASSERT(window_ns > 0);
    gauges->window_ns = window_ns;
    while (limit_ns / gauges->window_ns >= RESULT_WINDOWS_MAX) {
        gauges->window_ns *= 2;
    }
    gauges->dropped = 0;
    vec_clear(&gauges->series);
    vec_clear(&gauges->cells);
    vec_clear(&gauges->wanted);
    vec_clear(&gauges->samples);
}

void gauges_want(struct gauges *gauges, const char *name)
{
    if (gauges->wanted.count < WANTED_MAX) {
        vec_append(&gauges->wanted, &name);
    }
}

static bool is_wanted(const struct gauges *gauges, const char *name)
{
    for (uint32_t i = 0; i < gauges->wanted.count; i++) {
        if (strcmp(*(const char **)vec_at(&gauges->wanted, i), name) == 0) {
            return true;
        }
    }
    return false;
}

static int64_t add_saturated(int64_t left, int64_t right)
{
    int64_t sum;
    if (!__builtin_add_overflow(left, right, &sum)) {
        return sum;
    }
    return right > 0 ? INT64_MAX : INT64_MIN;
}

static struct gauge_series *find(struct gauges *gauges, const struct sq_seen *seen)
{
    char name[RESULT_NAME_SIZE];
    result_copy_text(name, sizeof(name), seen->text);
    bool is_counter = seen->what == SQ_SEE_COUNTER;
    for (uint32_t i = 0; i < gauges->series.count; i++) {
        struct gauge_series *series = vec_at(&gauges->series, i);
        if (series->node == seen->node && series->is_counter == is_counter &&
            strcmp(series->name, name) == 0) {
            return series;
        }
    }
    if (gauges->series.count == RESULT_GAUGES_MAX) {
        gauges->dropped++;
        return NULL;
    }
    struct gauge_series *made = vec_push(&gauges->series);
    memcpy(made->name, name, sizeof(name));
    made->node = seen->node;
    made->is_counter = is_counter;
    made->is_sampled = !is_counter && is_wanted(gauges, name);
    return made;
}

static void close_window(struct gauges *gauges, struct gauge_series *series)
{
    if (series->is_open && gauges->cells.count < RESULT_GAUGE_WINDOWS_MAX) {
        vec_append(&gauges->cells, &series->open);
    }
    series->is_open = false;
}

void gauges_on_seen(struct gauges *gauges, const struct sq_seen *seen)
{
    ASSERT(seen->what == SQ_SEE_GAUGE || seen->what == SQ_SEE_COUNTER);
    if (seen->text == NULL || seen->text[0] == '\0') {
        return;
    }
    struct gauge_series *series = find(gauges, seen);
    if (series == NULL) {
        return;
    }
    const int64_t value = seen->a > INT64_MAX ? INT64_MAX : (int64_t)seen->a;
    const int64_t start_ns = seen->time - seen->time % gauges->window_ns;
    if (series->is_open && series->open.t_ns != start_ns) {
        close_window(gauges, series);
    }
    if (!series->is_open) {
        uint32_t index = (uint32_t)(series - (struct gauge_series *)gauges->series.items);
        series->open =
            (struct result_gauge_window){.gauge = index, .t_ns = start_ns, .minimum = INT64_MAX};
        series->open.maximum = INT64_MIN;
        series->is_open = true;
    }
    if (series->is_sampled && gauges->samples.count < SAMPLES_MAX) {
        struct gauge_sample *sample = vec_push(&gauges->samples);
        *sample = (struct gauge_sample){seen->time, value, series->open.gauge};
    }
    struct result_gauge_window *open = &series->open;
    open->count++;
    open->sum = add_saturated(open->sum, value);
    open->minimum = value < open->minimum ? value : open->minimum;
    open->maximum = value > open->maximum ? value : open->maximum;
    open->last = value;
    open->last_ns = seen->time;
}

void gauges_finish(struct gauges *gauges)
{
    for (uint32_t i = 0; i < gauges->series.count; i++) {
        close_window(gauges, vec_at(&gauges->series, i));
    }
}

/* Is what series number `index` showed at t_ns asked about? */
static bool is_meant(const struct gauges *gauges, const struct gauges_question *question,
                     uint32_t index, int64_t t_ns)
{
    const struct gauge_series *series = vec_at(&gauges->series, index);
    const struct spec_gauge *gauge = question->gauge;
    return series->is_counter == question->is_counter && strcmp(series->name, gauge->name) == 0 &&
           t_ns >= gauge->from_ns && t_ns < gauge->until_ns &&
           (gauge->node == NULL || strcmp(question->nodes[series->node].name, gauge->node) == 0);
}

static int compare_values(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* Nearest rank, as for latencies. */
static bool percentile(const struct gauges *gauges, const struct gauges_question *question,
                       double *value)
{
    const bool is_median = question->aggregation == THRESHOLD_MED;
    const uint64_t milli = is_median ? 50000 : question->percentile_milli;
    struct vec values;
    vec_init(&values, sizeof(int64_t), SAMPLES_MAX);
    for (uint32_t i = 0; i < gauges->samples.count; i++) {
        const struct gauge_sample *sample = vec_at(&gauges->samples, i);
        if (is_meant(gauges, question, sample->gauge, sample->time_ns)) {
            vec_append(&values, &sample->value);
        }
    }
    const uint32_t count = values.count;
    if (count > 0) {
        const uint64_t rank = (count * milli + 99999) / 100000;
        vec_sort(&values, compare_values);
        *value = (double)*(const int64_t *)vec_at(&values, (uint32_t)(rank > 0 ? rank - 1 : 0));
    }
    vec_release(&values);
    return count > 0;
}

bool gauges_value(const struct gauges *gauges, const struct gauges_question *question,
                  double *value)
{
    const struct spec_gauge *gauge = question->gauge;
    struct result_gauge_window all = {
        .minimum = INT64_MAX, .maximum = INT64_MIN, .last_ns = INT64_MIN};
    if (question->aggregation == THRESHOLD_MED || question->aggregation == THRESHOLD_PERCENTILE) {
        return percentile(gauges, question, value);
    }
    for (uint32_t i = 0; i < gauges->cells.count; i++) {
        const struct result_gauge_window *cell = vec_at(&gauges->cells, i);
        if (!is_meant(gauges, question, cell->gauge, cell->t_ns)) {
            continue;
        }
        all.count += cell->count;
        all.sum = add_saturated(all.sum, cell->sum);
        all.minimum = cell->minimum < all.minimum ? cell->minimum : all.minimum;
        all.maximum = cell->maximum > all.maximum ? cell->maximum : all.maximum;
        if (cell->last_ns >= all.last_ns) {
            all.last = cell->last;
            all.last_ns = cell->last_ns;
        }
    }
    int64_t until_ns = gauge->until_ns < question->end_ns ? gauge->until_ns : question->end_ns;
    double seconds = (double)(until_ns - gauge->from_ns) / 1e9;
    switch (question->aggregation) {
    case THRESHOLD_AVG:
        *value = (double)all.sum / (double)(all.count > 0 ? all.count : 1);
        break;
    case THRESHOLD_MIN:
        *value = (double)all.minimum;
        break;
    case THRESHOLD_MAX:
        *value = (double)all.maximum;
        break;
    case THRESHOLD_LAST:
        *value = (double)all.last;
        break;
    case THRESHOLD_COUNT: /* nothing counted is 0, and no lack of evidence */
        *value = (double)all.sum;
        return true;
    case THRESHOLD_RATE:
        *value = seconds > 0 ? (double)all.sum / seconds : 0;
        return seconds > 0;
    case THRESHOLD_MED:
    case THRESHOLD_PERCENTILE:
    case THRESHOLD_VALUE:
        UNREACHABLE();
    }
    return all.count > 0;
}

static int compare_cells(const void *left, const void *right)
{
    const struct result_gauge_window *a = left;
    const struct result_gauge_window *b = right;
    if (a->gauge != b->gauge) {
        return a->gauge < b->gauge ? -1 : 1;
    }
    return a->t_ns < b->t_ns ? -1 : a->t_ns > b->t_ns;
}

void gauges_export(const struct gauges *gauges, const struct sq_node_info *nodes,
                   struct run_result *result)
{
    ASSERT(result->gauges.count == 0);
    for (uint32_t i = 0; i < gauges->series.count; i++) {
        const struct gauge_series *series = vec_at(&gauges->series, i);
        struct result_gauge *row = vec_push(&result->gauges);
        memcpy(row->name, series->name, sizeof(row->name));
        result_copy_text(row->node, sizeof(row->node), nodes[series->node].name);
        row->is_counter = series->is_counter;
        row->window_ns = gauges->window_ns;
    }
    for (uint32_t i = 0; i < gauges->cells.count; i++) {
        vec_append(&result->gauge_windows, vec_at(&gauges->cells, i));
    }
    vec_sort(&result->gauge_windows, compare_cells);
}
