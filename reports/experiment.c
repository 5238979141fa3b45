/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Cells are found by the values of their parameters, since the file may hold points of another
 * range as well: they were run by the same scenario and build, but are not asked for now. Files of
 * an older squall have no such tables. */
#include "reports/experiment.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define POINTS_MAX 100000

static bool has_tables(struct report_data *data, bool *has, struct err *err)
{
    int64_t count = 0;
    bool is_fine = results_query_integer(
        data->results, "SELECT count(*) FROM sqlite_schema WHERE name='experiment_value'", 0,
        &count, err);
    *has = count > 0;
    return is_fine;
}

const char *report_axis_title(struct report_data *data, const struct report_axis *axis)
{
    const char *unit = strcmp(axis->unit, "1/s") == 0 ? ", per second"
                       : strcmp(axis->unit, "s") == 0 ? ", seconds"
                                                      : "";
    const char *what = strcmp(axis->name, "trigger") == 0 ? "size of the trigger" : axis->name;
    return arena_printf(&data->arena, "%s (%s)%s", what, axis->path, unit);
}

bool report_has_experiment(struct report_data *data, bool *has, struct err *err)
{
    int64_t count = 0;
    bool is_fine = has_tables(data, has, err);
    if (is_fine && *has) {
        is_fine =
            results_query_integer(data->results, "SELECT count(*) FROM experiment", 0, &count, err);
    }
    *has = count > 0;
    return is_fine;
}

static double number_of(const struct results_value *value)
{
    return value->type == RESULTS_NULL ? (double)NAN : value->real;
}

static bool on_experiment(void *context, const struct results_row *row)
{
    struct report_experiment *experiment = context;
    experiment->is_there = true;
    experiment->scenario_id = row->values[0].integer;
    experiment->build_id = row->values[1].integer;
    experiment->seeds = row->values[2].integer;
    experiment->theory = arena_strdup(&experiment->data->arena, row->values[3].text);
    return false;
}

/* axis, name, path, unit, number of points, value, num; in order. */
static bool on_axis(void *context, const struct results_row *row)
{
    struct report_experiment *experiment = context;
    struct arena *arena = &experiment->data->arena;
    uint32_t index = (uint32_t)row->values[0].integer;
    if (index >= ARRAY_COUNT(experiment->axes)) {
        return false;
    }
    struct report_axis *axis = &experiment->axes[index];
    if (index == experiment->axis_count) {
        uint64_t count = (uint64_t)row->values[4].integer;
        *axis = (struct report_axis){
            .name = arena_strdup(arena, row->values[1].text),
            .path = arena_strdup(arena, row->values[2].text),
            .unit = arena_strdup(arena, row->values[3].text),
            .values = arena_alloc_array(arena, count, sizeof(*axis->values)),
            .numbers = arena_alloc_array(arena, count, sizeof(*axis->numbers)),
        };
        experiment->axis_count++;
    }
    axis->values[axis->count] = arena_strdup(arena, row->values[5].text);
    axis->numbers[axis->count++] = number_of(&row->values[6]);
    return true;
}

static bool on_point(void *context, const struct results_row *row)
{
    struct report_experiment *experiment = context;
    if (experiment->point_count == POINTS_MAX) {
        return false;
    }
    struct arena *arena = &experiment->data->arena;
    experiment->points[experiment->point_count++] = (struct report_point){
        .series = arena_strdup(arena, row->values[0].text),
        .x = number_of(&row->values[1]),
        .y = number_of(&row->values[2]),
        .low = number_of(&row->values[3]),
        .high = number_of(&row->values[4]),
        .note = arena_strdup(arena, row->values[5].text),
    };
    return true;
}

static bool on_count(void *context, const struct results_row *row)
{
    *(int64_t *)context = row->values[0].integer;
    return false;
}

bool report_experiment_load(struct report_experiment *experiment, struct report_data *data,
                            const char *kind, struct err *err)
{
    static const char experiment_sql[] =
        "SELECT scenario_id, build_id, seeds, theory FROM experiment WHERE kind=?1";
    static const char axis_sql[] =
        "SELECT a.axis, a.name, a.path, a.unit, count(*) OVER (PARTITION BY a.axis), p.value, "
        "p.num "
        "FROM experiment_axis a JOIN experiment_point p USING(kind, axis) WHERE kind=?1 "
        "ORDER BY a.axis, p.ord";
    static const char count_sql[] = "SELECT count(*) FROM experiment_value WHERE kind=?1";
    static const char point_sql[] =
        "SELECT series, x, y, low, high, note FROM experiment_value WHERE kind=?1 ORDER BY ord";
    *experiment = (struct report_experiment){.data = data, .kind = kind, .theory = ""};
    bool has = false;
    int64_t count = 0;
    if (!has_tables(data, &has, err)) {
        return false;
    }
    if (!has) {
        return true;
    }
    struct results *results = data->results;
    if (!results_query(results, experiment_sql, &kind, 1, on_experiment, experiment, err) ||
        !results_query(results, axis_sql, &kind, 1, on_axis, experiment, err) ||
        !results_query(results, count_sql, &kind, 1, on_count, &count, err)) {
        return false;
    }
    experiment->points =
        arena_alloc_array(&data->arena, (size_t)count + 1, sizeof(*experiment->points));
    return results_query(results, point_sql, &kind, 1, on_point, experiment, err);
}

const struct report_point *report_experiment_point(const struct report_experiment *experiment,
                                                   const char *series, uint32_t index)
{
    for (uint32_t i = 0; i < experiment->point_count; i++) {
        if (strcmp(experiment->points[i].series, series) == 0 && index-- == 0) {
            return &experiment->points[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------------- runs */

struct counting {
    const struct report_experiment *experiment;
    struct report_runs *runs;
};

/* ord on either axis, verdict, is the doubled arm stuck, runs. */
static bool on_runs(void *context, const struct results_row *row)
{
    struct counting *counting = context;
    const struct report_experiment *experiment = counting->experiment;
    int64_t first = row->values[0].integer;
    int64_t second = row->values[1].integer;
    if (first >= experiment->axes[0].count || second >= experiment->axes[1].count) {
        return true;
    }
    struct report_runs *runs =
        &counting->runs[(uint64_t)first * experiment->axes[1].count + (uint64_t)second];
    const char *verdict = row->values[2].text;
    uint64_t count = (uint64_t)row->values[4].integer;
    bool is_stuck = row->values[3].integer != 0;
    if (strcmp(verdict, "stable") == 0) {
        runs->stable += count;
    } else if (strcmp(verdict, "unstable") == 0) {
        runs->unstable += count;
    } else if (is_stuck) {
        runs->stuck += count;
        runs->metastable += strcmp(verdict, "metastable") == 0 ? count : 0;
        runs->permanent += strcmp(verdict, "permanent") == 0 ? count : 0;
    } else {
        runs->undecided += count;
    }
    return true;
}

bool report_experiment_runs(const struct report_experiment *experiment, struct report_runs *runs,
                            struct err *err)
{
    static const char sql[] =
        "WITH x AS (SELECT q.cell_id, a.axis, p.ord FROM experiment_axis a "
        "JOIN experiment_point p USING(kind, axis) "
        "JOIN cell_param q ON q.name=a.path AND q.value=p.value WHERE a.kind=?1) "
        "SELECT f.ord, s.ord, m.verdict, ifnull(d.outcome='stuck',0), count(*) FROM x f "
        "JOIN x s ON s.cell_id=f.cell_id AND s.axis=1 JOIN cell c ON c.cell_id=f.cell_id "
        "JOIN experiment e ON e.kind=?1 AND e.scenario_id=c.scenario_id AND e.build_id=c.build_id "
        "JOIN run r ON r.cell_id=f.cell_id LEFT JOIN metastability m ON m.run_id=r.run_id "
        "LEFT JOIN arm d ON d.run_id=r.run_id AND d.arm='doubled' "
        "WHERE f.axis=0 GROUP BY 1,2,3,4";
    ASSERT(experiment->axis_count == 2);
    struct counting counting = {experiment, runs};
    return results_query(experiment->data->results, sql, &experiment->kind, 1, on_runs, &counting,
                         err);
}
