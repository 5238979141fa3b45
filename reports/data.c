/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading a results file for a report.
 *
 * A file may hold the cells of several builds (a campaign continued after `git pull`) and of
 * several texts of the same scenario. A report that mixed them would compare code without saying
 * so; therefore it shows one build and one text: those of the newest shard that ran anything. What
 * is left out is counted and said.
 *
 * Identities in the file are hashes, so the order of the sweep is not in its rows. It is found
 * again from the text of the scenario: an axis' values are ordered by where they stand behind the
 * axis' name in the `sweep` section. When they are not found there (an override put them
 * elsewhere), numbers come before words, in their own order. */
#include "reports/data.h"

#include "sim/base/base.h"
#include "sim/base/map.h"

#include <math.h>
#include <string.h>

#define AXES_MAX 16

/* What decides the place of a cell: for each axis, where its value stands in the sweep. */
struct place {
    int64_t ranks[AXES_MAX];
    struct report_cell cell;
};

struct axis {
    const char *name;
    bool is_replicas; /* its value is the number of replicas, in every cell */
};

struct loading {
    struct report_data *data;
    struct vec places;        /* struct place */
    struct map place_by_cell; /* cell id to index into places */
    struct axis axes[AXES_MAX];
    uint32_t axis_count;
    int64_t scenario_id;
    int64_t build_id;
    bool is_found;
};

static const char *keep(struct report_data *data, const struct results_value *value)
{
    return arena_strdup(&data->arena, value->text);
}

/* Two ids as parameters of a query. */
static bool query_with(struct loading *loading, const char *sql, int64_t first, int64_t second,
                       bool (*on_row)(void *context, const struct results_row *row),
                       struct err *err)
{
    char texts[2][24];
    snprintf(texts[0], sizeof(texts[0]), "%lld", (long long)first);
    snprintf(texts[1], sizeof(texts[1]), "%lld", (long long)second);
    const char *parameters[] = {texts[0], texts[1]};
    uint32_t count = strstr(sql, "?2") != NULL ? 2 : 1;
    return results_query(loading->data->results, sql, parameters, count, on_row, loading, err);
}

/* ---------------------------------------------------------------------------------- which build */

static bool on_newest(void *context, const struct results_row *row)
{
    struct loading *loading = context;
    loading->scenario_id = row->values[0].integer;
    loading->build_id = row->values[1].integer;
    loading->is_found = true;
    return false;
}

static bool find_newest(struct loading *loading, struct err *err)
{
    static const char by_shard[] =
        "SELECT c.scenario_id, c.build_id FROM shard h JOIN run_cost k ON k.shard_id = h.shard_id"
        " JOIN run r ON r.run_id = k.run_id JOIN cell c ON c.cell_id = r.cell_id"
        " ORDER BY h.started_at DESC, h.shard_id DESC LIMIT 1";
    static const char by_runs[] =
        "SELECT c.scenario_id, c.build_id FROM cell c LEFT JOIN run r ON r.cell_id = c.cell_id"
        " GROUP BY c.scenario_id, c.build_id ORDER BY count(r.run_id) DESC, c.scenario_id, "
        "c.build_id LIMIT 1";
    struct results *results = loading->data->results;
    if (!results_query(results, by_shard, NULL, 0, on_newest, loading, err)) {
        return false;
    }
    if (!loading->is_found && !results_query(results, by_runs, NULL, 0, on_newest, loading, err)) {
        return false;
    }
    return loading->is_found ||
           err_set(err, ERR_INPUT, "the results file holds no cell: nothing was run yet");
}

static bool on_head(void *context, const struct results_row *row)
{
    struct loading *loading = context;
    struct report_data *data = loading->data;
    ASSERT(row->count == 7);
    data->scenario = keep(data, &row->values[0]);
    data->sha256 = keep(data, &row->values[1]);
    data->yaml = keep(data, &row->values[2]);
    data->version = keep(data, &row->values[3]);
    data->commit = keep(data, &row->values[4]);
    data->compiler = keep(data, &row->values[5]);
    data->models = keep(data, &row->values[6]);
    return false;
}

/* ---------------------------------------------------------------------------------------- cells */

static double number_of(const struct results_value *value)
{
    return value->type == RESULTS_NULL ? NAN : value->real;
}

static bool on_cell(void *context, const struct results_row *row)
{
    struct loading *loading = context;
    struct report_data *data = loading->data;
    const struct results_value *values = row->values;
    ASSERT(row->count == 25);
    map_put(&loading->place_by_cell, (uint64_t)values[0].integer, loading->places.count);
    struct place *place = vec_push(&loading->places);
    struct report_cell *cell = &place->cell;
    cell->cell_id = values[0].integer;
    cell->label = keep(data, &values[1]);
    cell->title = cell->label[0] == '\0' ? "all runs" : cell->label;
    cell->series = "";
    cell->replicas = values[2].type == RESULTS_NULL ? -1 : values[2].integer;
    int64_t *const counts[] = {&cell->runs,     &cell->pass,       &cell->fail,    &cell->unknown,
                               &cell->error,    &cell->metastable, &cell->offered, &cell->attempts,
                               &cell->ok,       &cell->failed,     &cell->info,    &cell->faulted,
                               &cell->recovered};
    for (uint32_t i = 0; i < ARRAY_COUNT(counts); i++) {
        *counts[i] = values[3 + i].integer;
    }
    cell->recovery_s = number_of(&values[16]);
    cell->recovery_s_max = number_of(&values[17]);
    cell->share.seeds = (uint32_t)values[18].integer;
    cell->share.hit = (uint32_t)values[19].integer;
    double *const sums[] = {&cell->share.down, &cell->share.measured, &cell->share.down_square,
                            &cell->share.measured_square, &cell->share.product};
    for (uint32_t i = 0; i < ARRAY_COUNT(sums); i++) {
        *sums[i] = values[20 + i].type == RESULTS_NULL ? 0 : values[20 + i].real;
    }
    return true;
}

static bool load_cells(struct loading *loading, struct err *err)
{
    static const char sql[] =
        "WITH r AS (SELECT *, (measured_ns - up_ns) / 1e9 AS d, measured_ns / 1e9 AS m FROM run)"
        " SELECT c.cell_id, c.label, c.replicas, count(r.run_id), sum(r.verdict = 'pass'), "
        "sum(r.verdict = 'fail'),"
        " sum(r.verdict = 'unknown'), sum(r.verdict = 'error'), sum(r.metastable), sum(r.offered), "
        "sum(r.attempts),"
        " sum(r.ok), sum(r.failed), sum(r.indeterminate), sum(r.faults > 0),"
        " sum(r.faults > 0 AND r.recovery_ns IS NOT NULL),"
        " avg(CASE WHEN r.faults > 0 THEN r.recovery_ns END) / 1e9,"
        " max(CASE WHEN r.faults > 0 THEN r.recovery_ns END) / 1e9,"
        " sum(m > 0), sum(d > 0), sum(d), sum(m), sum(d * d), sum(m * m), sum(d * m)"
        " FROM cell c LEFT JOIN r ON r.cell_id = c.cell_id"
        " WHERE c.scenario_id = ?1 AND c.build_id = ?2 GROUP BY c.cell_id ORDER BY c.label, "
        "c.cell_id LIMIT 10000";
    return query_with(loading, sql, loading->scenario_id, loading->build_id, on_cell, err);
}

/* --------------------------------------------------------------------------- order of the sweep */

static struct axis *find_axis(struct loading *loading, const char *name)
{
    for (uint32_t i = 0; i < loading->axis_count; i++) {
        if (strcmp(loading->axes[i].name, name) == 0) {
            return &loading->axes[i];
        }
    }
    if (loading->axis_count == AXES_MAX) {
        return NULL;
    }
    struct axis *axis = &loading->axes[loading->axis_count++];
    *axis = (struct axis){arena_strdup(&loading->data->arena, name), true};
    return axis;
}

static struct place *find_place(struct loading *loading, int64_t cell_id)
{
    const uint64_t *index = map_find(&loading->place_by_cell, (uint64_t)cell_id);
    return index == NULL ? NULL : vec_at(&loading->places, (uint32_t)*index);
}

/* Where `word` stands alone in `text`; NULL when it does not. */
static const char *find_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    static const char inside[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-%";
    for (const char *at = strstr(text, word); at != NULL && length > 0; at = strstr(at + 1, word)) {
        bool is_start = at == text || strchr(inside, at[-1]) == NULL;
        bool is_end = at[length] == '\0' || strchr(inside, at[length]) == NULL;
        if (is_start && is_end) {
            return at;
        }
    }
    return NULL;
}

static int64_t rank_of(const struct report_data *data, const char *name, const char *value,
                       double number)
{
    const char *sweep = strstr(data->yaml, "\nsweep:");
    const char *axis = sweep == NULL ? NULL : find_word(sweep, name);
    const char *at = axis == NULL ? NULL : find_word(axis + strlen(name), value);
    if (at != NULL) {
        return at - data->yaml;
    }
    bool is_small = isfinite(number) && fabs(number) < 1e12;
    return INT64_C(1) << 40 | (is_small ? (int64_t)(number * 1000) : INT64_C(1) << 60);
}

/* name, value, num of one axis of one cell. The ranks come in the order of the axes. */
static bool on_param(void *context, const struct results_row *row)
{
    struct loading *loading = context;
    ASSERT(row->count == 4);
    struct place *place = find_place(loading, row->values[0].integer);
    struct axis *axis = find_axis(loading, row->values[1].text);
    if (place == NULL || axis == NULL) {
        return true;
    }
    double number = number_of(&row->values[3]);
    axis->is_replicas &= place->cell.replicas >= 0 && number == (double)place->cell.replicas;
    uint32_t index = (uint32_t)(axis - loading->axes);
    place->ranks[index] = rank_of(loading->data, axis->name, row->values[2].text, number);
    return true;
}

/* The label of a cell's series: its values on the axes that do not count the replicas. */
static bool on_series(void *context, const struct results_row *row)
{
    struct loading *loading = context;
    struct report_data *data = loading->data;
    struct place *place = find_place(loading, row->values[0].integer);
    struct axis *axis = find_axis(loading, row->values[1].text);
    if (place == NULL || axis == NULL || axis->is_replicas) {
        return true;
    }
    const char *dot = strrchr(axis->name, '.');
    const char *before = place->cell.series;
    place->cell.series = arena_printf(&data->arena, "%s%s%s=%s", before, *before == '\0' ? "" : " ",
                                      dot == NULL ? axis->name : dot + 1, row->values[2].text);
    return true;
}

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;
    for (uint32_t i = 0; i < AXES_MAX; i++) {
        if (a->ranks[i] != b->ranks[i]) {
            return a->ranks[i] < b->ranks[i] ? -1 : 1;
        }
    }
    return strcmp(a->cell.label, b->cell.label);
}

static bool order_cells(struct loading *loading, struct err *err)
{
    static const char sql[] = "SELECT p.cell_id, p.name, p.value, p.num FROM cell_param p JOIN "
                              "cell c ON c.cell_id = p.cell_id"
                              " JOIN scenario s ON s.scenario_id = c.scenario_id WHERE "
                              "c.scenario_id = ?1 AND c.build_id = ?2"
                              " ORDER BY instr(substr(s.yaml, instr(s.yaml, char(10) || 'sweep:') "
                              "+ 1), p.name), p.name, p.cell_id";
    if (!query_with(loading, sql, loading->scenario_id, loading->build_id, on_param, err) ||
        !query_with(loading, sql, loading->scenario_id, loading->build_id, on_series, err)) {
        return false;
    }
    struct report_data *data = loading->data;
    vec_sort(&loading->places, compare_places);
    data->cell_count = loading->places.count;
    data->cells = arena_alloc_array(&data->arena, data->cell_count, sizeof(*data->cells));
    for (uint32_t i = 0; i < data->cell_count; i++) {
        const struct place *place = vec_at(&loading->places, i);
        data->cells[i] = place->cell;
        data->has_replicas |= place->cell.replicas != data->cells[0].replicas;
    }
    return true;
}

/* ------------------------------------------------------------------------------------ kept runs */

struct keeping {
    struct report_data *data;
    struct report_cell *cell;
};

static bool on_kept(void *context, const struct results_row *row)
{
    struct keeping *keeping = context;
    struct report_cell *cell = keeping->cell;
    ASSERT(row->count == 5);
    ASSERT(cell->kept_count < REPORT_KEPT_MAX);
    cell->kept[cell->kept_count++] = (struct report_run){
        .run_id = row->values[0].integer,
        .seed = keep(keeping->data, &row->values[1]),
        .verdict = keep(keeping->data, &row->values[2]),
        .reason = keep(keeping->data, &row->values[3]),
        .sim_ns = row->values[4].integer,
    };
    return true;
}

/* Files of an older squall have no such table. */
static bool load_has_arms(struct report_data *data, struct err *err)
{
    int64_t count = 0;
    bool is_fine = results_query_integer(data->results,
                                         "SELECT count(*) FROM sqlite_schema WHERE "
                                         "name='metastability'",
                                         0, &count, err);
    if (is_fine && count > 0) {
        is_fine = results_query_integer(data->results, "SELECT count(*) FROM metastability", 0,
                                        &count, err);
    }
    data->has_arms = count > 0;
    return is_fine;
}

static bool load_kept(struct report_data *data, struct err *err)
{
    static const char sql[] =
        "SELECT r.run_id, r.seed, r.verdict, r.reason, r.sim_ns FROM run r WHERE r.cell_id = ?1"
        " AND EXISTS (SELECT 1 FROM window w WHERE w.run_id = r.run_id) ORDER BY r.seed LIMIT 64";
    static_assert(REPORT_KEPT_MAX == 64, "the LIMIT of the query");
    for (uint32_t i = 0; i < data->cell_count; i++) {
        struct report_cell *cell = &data->cells[i];
        struct keeping keeping = {data, cell};
        char id[24];
        snprintf(id, sizeof(id), "%lld", (long long)cell->cell_id);
        const char *parameters[] = {id};
        cell->kept = arena_alloc_array(&data->arena, REPORT_KEPT_MAX, sizeof(*cell->kept));
        if (!results_query(data->results, sql, parameters, 1, on_kept, &keeping, err)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------------ all of it */

static bool load_head(struct loading *loading, struct err *err)
{
    static const char head[] =
        "SELECT s.name, s.sha256, s.yaml, b.version, b.git_commit, b.compiler, b.models"
        " FROM scenario s, build b WHERE s.scenario_id = ?1 AND b.build_id = ?2";
    struct report_data *data = loading->data;
    int64_t all = 0;
    if (!find_newest(loading, err) ||
        !query_with(loading, head, loading->scenario_id, loading->build_id, on_head, err) ||
        !load_cells(loading, err) ||
        !results_query_integer(data->results, "SELECT count(*) FROM cell", 0, &all, err) ||
        !results_query_integer(data->results,
                               "SELECT count(DISTINCT run_id) FROM v_nondeterministic", 0,
                               &data->nondeterministic, err) ||
        !load_has_arms(data, err) || !results_digest(data->results, data->digest, err)) {
        return false;
    }
    data->others = all - (int64_t)loading->places.count;
    return data->scenario != NULL ||
           err_set(err, ERR_SYSTEM,
                   "the results file is damaged: a cell without its scenario or its build");
}

bool report_data_load(struct report_data *data, struct results *results, struct err *err)
{
    ASSERT(data != NULL);
    ASSERT(results != NULL);
    *data = (struct report_data){.results = results};
    arena_init(&data->arena);
    struct loading loading = {.data = data};
    vec_init(&loading.places, sizeof(struct place), REPORT_CELLS_MAX);
    map_init(&loading.place_by_cell);
    bool is_fine = load_head(&loading, err) && order_cells(&loading, err) && load_kept(data, err);
    vec_release(&loading.places);
    map_release(&loading.place_by_cell);
    if (!is_fine) {
        arena_release(&data->arena);
    }
    return is_fine;
}

void report_data_release(struct report_data *data)
{
    arena_release(&data->arena);
}

/* -------------------------------------------------------------------------------- a time series */

struct reading {
    struct report_series *series;
    uint32_t merged;
    uint32_t in_bin; /* windows in the bin being filled */
    double answers;  /* of the bin being filled, for the weights of the medians */
    double median_sum;
};

static void close_bin(struct reading *reading)
{
    struct vec *bins = &reading->series->bins;
    if (reading->in_bin == 0) {
        return;
    }
    struct report_bin *bin = vec_at(bins, bins->count - 1);
    double length_s = bin->end_s - bin->start_s;
    double *const rates[] = {&bin->offered, &bin->attempts, &bin->ok, &bin->failed};
    for (uint32_t i = 0; i < ARRAY_COUNT(rates); i++) {
        *rates[i] = length_s > 0 ? *rates[i] / length_s : 0;
    }
    bin->p50_ms = reading->answers > 0 ? reading->median_sum / reading->answers : NAN;
    reading->in_bin = 0;
}

static bool on_window(void *context, const struct results_row *row)
{
    struct reading *reading = context;
    struct vec *bins = &reading->series->bins;
    const struct results_value *values = row->values;
    ASSERT(row->count == 9);
    if (reading->in_bin == 0) {
        struct report_bin *fresh = vec_push(bins);
        *fresh = (struct report_bin){.start_s = values[0].real / 1e9, .p99_ms = NAN, .is_up = true};
        reading->answers = 0;
        reading->median_sum = 0;
    }
    struct report_bin *bin = vec_at(bins, bins->count - 1);
    bin->end_s = (values[0].real + values[1].real) / 1e9;
    bin->offered += values[2].real;
    bin->attempts += values[3].real;
    bin->ok += values[4].real;
    bin->failed += values[5].real;
    if (values[6].type != RESULTS_NULL && values[4].real > 0) {
        reading->answers += values[4].real;
        reading->median_sum += values[4].real * values[6].real / 1e6;
        bin->p99_ms = fmax(bin->p99_ms, values[7].real / 1e6); /* fmax ignores a NaN */
    }
    bin->is_up = bin->is_up && values[8].integer != 0;
    if (++reading->in_bin == reading->merged) {
        close_bin(reading);
    }
    return true;
}

static bool load_bins(struct report_series *series, struct results *results, const char *run_id,
                      uint32_t bins_max, struct err *err)
{
    char sql[256];
    int64_t count = 0;
    int64_t window_ns = 0;
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM window WHERE run_id = %s", run_id);
    if (!results_query_integer(results, sql, 0, &count, err)) {
        return false;
    }
    snprintf(sql, sizeof(sql), "SELECT max(dur_ns) FROM window WHERE run_id = %s", run_id);
    if (!results_query_integer(results, sql, 0, &window_ns, err)) {
        return false;
    }
    series->window_s = (double)window_ns / 1e9;
    series->merged = (uint32_t)((count + bins_max - 1) / bins_max);
    series->merged = series->merged == 0 ? 1 : series->merged;
    struct reading reading = {.series = series, .merged = series->merged};
    const char *parameters[] = {run_id};
    bool is_fine = results_query(
        results,
        "SELECT t_ns, dur_ns, offered, attempts, ok, failed, p50_ns, p99_ns, up FROM window"
        " WHERE run_id = ?1 ORDER BY t_ns",
        parameters, 1, on_window, &reading, err);
    close_bin(&reading);
    if (series->bins.count > 0) {
        const struct report_bin *last = vec_at(&series->bins, series->bins.count - 1);
        series->end_s = last->end_s; /* what follows is the closing audit */
    }
    return is_fine;
}

static uint32_t lane_of(struct report_series *series, const char *name)
{
    for (uint32_t i = 0; i < series->faults.count; i++) {
        const struct report_fault *fault = vec_at(&series->faults, i);
        if (strcmp(fault->name, name) == 0) {
            return fault->lane;
        }
    }
    return series->lane_count++;
}

static bool on_fault(void *context, const struct results_row *row)
{
    struct report_series *series = context;
    const struct results_value *values = row->values;
    ASSERT(row->count == 6);
    const char *name = values[0].text[0] == '\0' ? values[1].text : values[0].text;
    double start_s = values[4].real / 1e9;
    if (start_s >= series->end_s) {
        return true;
    }
    double end_s = values[5].type == RESULTS_NULL ? series->end_s : values[5].real / 1e9;
    struct report_fault fault = {
        .name = arena_strdup(series->arena, name),
        .kind = arena_strdup(series->arena, values[1].text),
        .action = arena_strdup(series->arena, values[2].text),
        .target = arena_strdup(series->arena, values[3].text),
        .start_s = start_s,
        .end_s = end_s < series->end_s ? end_s : series->end_s,
        .lane = lane_of(series, name),
    };
    vec_append(&series->faults, &fault);
    return true;
}

bool report_series_load(struct report_series *series, struct report_data *data,
                        const struct report_run *run, uint32_t bins_max, struct err *err)
{
    ASSERT(bins_max > 0);
    *series = (struct report_series){.arena = &data->arena, .end_s = (double)run->sim_ns / 1e9};
    vec_init(&series->bins, sizeof(struct report_bin), REPORT_WINDOWS_MAX);
    vec_init(&series->faults, sizeof(struct report_fault), REPORT_FAULTS_MAX);
    char run_id[24];
    snprintf(run_id, sizeof(run_id), "%lld", (long long)run->run_id);
    const char *parameters[] = {run_id};
    bool is_fine =
        load_bins(series, data->results, run_id, bins_max, err) &&
        results_query(
            data->results,
            "SELECT name, kind, action, target, start_ns, end_ns FROM fault WHERE run_id = ?1"
            " ORDER BY start_ns, ord LIMIT 4096",
            parameters, 1, on_fault, series, err);
    if (!is_fine) {
        report_series_release(series);
    }
    return is_fine;
}

void report_series_release(struct report_series *series)
{
    vec_release(&series->bins);
    vec_release(&series->faults);
}

void report_fault_union(const struct report_series *series, struct vec *stretches)
{
    ASSERT(stretches->item_size == sizeof(struct report_stretch));
    for (uint32_t i = 0; i < series->faults.count; i++) {
        const struct report_fault *fault = vec_at(&series->faults, i);
        struct report_stretch *last =
            stretches->count == 0 ? NULL : vec_at(stretches, stretches->count - 1);
        if (last != NULL && fault->start_s <= last->end_s) {
            last->end_s = fmax(last->end_s, fault->end_s);
        } else {
            struct report_stretch stretch = {fault->start_s, fault->end_s};
            vec_append(stretches, &stretch);
        }
    }
}
