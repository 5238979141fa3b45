/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where each estimate belongs in a picture. The first axis counts machines when cells differ in
 * them; what only follows the number of machines (quorums zipped with it) is no axis of its own.
 * How a cell was estimated is none either: estimates of one thing by several methods belong on one
 * line; and neither is what only follows the services of a cell, since their names are on the lines
 * anyhow. What is left makes the second axis, and variants. */
#include "reports/fleet.h"

#include "analysis/estimate_store.h"
#include "sim/base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AXES_MAX   16
#define VALUES_MAX 256
#define POINTS_MAX (1u << 16)
#define CELL_MAX   (ESTIMATE_STORE_MAX + FLEET_STORE_SERVICES) /* points of one cell */

struct loading {
    struct report_fleet *fleet;
    struct report_data *data;
    const char *names[AXES_MAX];
    bool is_drawn[AXES_MAX]; /* cells differ in it, and not only as they do in machines */
    uint32_t axis_count;
    const char **values;        /* [cell * AXES_MAX + axis]; NULL: the cell has none */
    uint32_t *machines;         /* of each cell; 0: no fleet */
    const char **services;      /* of each cell: their names */
    struct estimate_sums *sums; /* of the cell that is being read */
    int32_t first;              /* axis; -1: machines */
    int32_t second;             /* axis; -1: none */
};

const char *fleet_method_title(enum estimate_method method)
{
    switch (method) {
    case ESTIMATE_EXACT:
        return "exact chain";
    case ESTIMATE_BINOMIAL:
        return "binomial law";
    case ESTIMATE_BETA_BINOMIAL:
        return "beta-binomial law";
    case ESTIMATE_CRUDE:
        return "plain simulation";
    case ESTIMATE_IS:
        return "importance sampling";
    case ESTIMATE_RESTART:
        return "RESTART splitting";
    case ESTIMATE_DECOMPOSE:
        return "episodes of the real code";
    case ESTIMATE_TRIALS:
        return "placements and losses, drawn";
    case ESTIMATE_COPYSETS:
        return "closed form";
    case ESTIMATE_METHOD_COUNT:
        break;
    }
    UNREACHABLE();
}

const char *fleet_downtime(struct report_data *data, double seconds)
{
    char text[32];
    downtime_format(seconds, text, sizeof(text));
    size_t length = strlen(text);
    if (length > 2 && strcmp(text + length - 2, "us") == 0) {
        text[length - 2] = '\0';
        return arena_printf(&data->arena, "%s\xc2\xb5s", text);
    }
    return arena_strdup(&data->arena, text);
}

/* ----------------------------------------------------------------------------------------- axes */

static bool on_param(void *context, const struct results_row *row)
{
    struct loading *loading = context;
    struct arena *arena = &loading->data->arena;
    uint32_t axis = 0;
    while (axis < loading->axis_count && strcmp(loading->names[axis], row->values[1].text) != 0) {
        axis++;
    }
    if (axis == AXES_MAX) {
        return true;
    }
    if (axis == loading->axis_count) {
        loading->names[loading->axis_count++] = arena_strdup(arena, row->values[1].text);
    }
    for (uint32_t c = 0; c < loading->data->cell_count; c++) {
        if (loading->data->cells[c].cell_id == row->values[0].integer) {
            loading->values[(size_t)c * AXES_MAX + axis] = arena_strdup(arena, row->values[2].text);
        }
    }
    return true;
}

static const char *value_of(const struct loading *loading, uint32_t cell, uint32_t axis)
{
    const char *value = loading->values[(size_t)cell * AXES_MAX + axis];
    return value == NULL ? "" : value;
}

/* Do cells with the same services and equally many machines differ in the axis? */
static bool is_own_axis(const struct loading *loading, uint32_t axis)
{
    for (uint32_t a = 0; a < loading->data->cell_count; a++) {
        for (uint32_t b = 0; b < a; b++) {
            if (loading->machines[a] > 0 && loading->machines[a] == loading->machines[b] &&
                strcmp(loading->services[a], loading->services[b]) == 0 &&
                strcmp(value_of(loading, a, axis), value_of(loading, b, axis)) != 0) {
                return true;
            }
        }
    }
    return false;
}

static void choose_axes(struct loading *loading)
{
    uint32_t distinct = 0;
    uint32_t known = 0;
    for (uint32_t c = 0; c < loading->data->cell_count; c++) {
        if (loading->machines[c] > 0 && loading->machines[c] != known) {
            known = loading->machines[c];
            distinct++;
        }
    }
    loading->first = distinct > 1 ? -1 : -2;
    loading->second = -1;
    for (uint32_t axis = 0; axis < loading->axis_count; axis++) {
        loading->is_drawn[axis] = strcmp(loading->names[axis], "availability.estimator") != 0 &&
                                  is_own_axis(loading, axis);
        if (loading->is_drawn[axis] && loading->first == -2) {
            loading->first = (int32_t)axis;
        } else if (loading->is_drawn[axis] && loading->second < 0) {
            loading->second = (int32_t)axis;
        }
    }
}

/* "shocks.share" for "availability.shocks.share", "crews" for "availability.crews". */
static const char *short_name(const char *path)
{
    static const char prefix[] = "availability.";
    return strncmp(path, prefix, strlen(prefix)) == 0 ? path + strlen(prefix) : path;
}

static int compare_positions(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static void list_machines(struct loading *loading, struct fleet_axis *axis)
{
    struct arena *arena = &loading->data->arena;
    axis->title = "machines";
    for (uint32_t c = 0; c < loading->data->cell_count; c++) {
        bool is_new = loading->machines[c] > 0 && axis->count < VALUES_MAX;
        for (uint32_t i = 0; i < axis->count && is_new; i++) {
            is_new = axis->positions[i] != loading->machines[c];
        }
        if (is_new) {
            axis->positions[axis->count++] = loading->machines[c];
        }
    }
    sort_stable(axis->positions, axis->count, sizeof(*axis->positions), compare_positions);
    for (uint32_t i = 0; i < axis->count; i++) {
        axis->labels[i] = arena_printf(arena, "%.0f", axis->positions[i]);
    }
}

/* Values in the order of the cells, which is that of the sweep. */
static void list_values(struct loading *loading, int32_t which, struct fleet_axis *axis)
{
    struct arena *arena = &loading->data->arena;
    axis->labels = arena_alloc_array(arena, VALUES_MAX, sizeof(*axis->labels));
    axis->positions = arena_alloc_array(arena, VALUES_MAX, sizeof(*axis->positions));
    if (axis == &loading->fleet->first && which == -1) {
        list_machines(loading, axis);
        return;
    }
    if (which < 0) {
        return;
    }
    axis->title = short_name(loading->names[which]);
    for (uint32_t c = 0; c < loading->data->cell_count; c++) {
        const char *value = value_of(loading, c, (uint32_t)which);
        bool is_new = loading->machines[c] > 0 && axis->count < VALUES_MAX;
        for (uint32_t i = 0; i < axis->count && is_new; i++) {
            is_new = strcmp(axis->labels[i], value) != 0;
        }
        if (is_new) {
            axis->positions[axis->count] = axis->count;
            axis->labels[axis->count++] = value;
        }
    }
}

static uint32_t index_on(const struct loading *loading, const struct fleet_axis *axis,
                         int32_t which, uint32_t cell)
{
    const char *value = which < 0 ? "" : value_of(loading, cell, (uint32_t)which);
    for (uint32_t i = 0; i < axis->count; i++) {
        bool is_it = which < 0 ? axis->positions[i] == loading->machines[cell]
                               : strcmp(axis->labels[i], value) == 0;
        if (is_it) {
            return i;
        }
    }
    return 0;
}

/* --------------------------------------------------------------------------------------- points */

/* "shocks.share=1% crews=1": the axes but the first. *is_first: those beyond the second have the
 * value of the first cell. */
static const char *variant_of(const struct loading *loading, uint32_t cell, bool *is_first)
{
    const char *variant = "";
    *is_first = true;
    for (uint32_t axis = 0; axis < loading->axis_count; axis++) {
        if (!loading->is_drawn[axis] || (int32_t)axis == loading->first) {
            continue;
        }
        const char *value = value_of(loading, cell, axis);
        *is_first = *is_first && ((int32_t)axis == loading->second ||
                                  strcmp(value, value_of(loading, 0, axis)) == 0);
        variant =
            arena_printf(&loading->data->arena, "%s%s%s=%s", variant, *variant == '\0' ? "" : " ",
                         short_name(loading->names[axis]), value);
    }
    return variant;
}

static uint32_t series_of(struct loading *loading, const char *service, const char *variant)
{
    struct report_fleet *fleet = loading->fleet;
    for (uint32_t i = 0; i < fleet->series_count; i++) {
        if (strcmp(fleet->series[i].service, service) == 0 &&
            strcmp(fleet->series[i].variant, variant) == 0) {
            return i;
        }
    }
    fleet->series[fleet->series_count] = (struct fleet_series){
        service, variant,
        *variant == '\0' ? service
                         : arena_printf(&loading->data->arena, "%s, %s", service, variant)};
    return fleet->series_count++;
}

static void add_point(struct loading *loading, struct fleet_point point, const char *variant,
                      const struct estimate_sums *sums)
{
    struct report_fleet *fleet = loading->fleet;
    point.series = series_of(loading, point.service, variant);
    if (sums != NULL) {
        point.has_estimate = true;
        point.method = sums->method;
        point.estimate = estimate_of(sums, point.theory.confidence);
        point.is_reached =
            !point.estimate.is_bound && point.estimate.half_width <= point.theory.half_width;
    }
    fleet->points[fleet->point_count++] = point;
}

static bool load_cell(struct loading *loading, uint32_t cell, struct err *err)
{
    struct estimate_sums *sums = loading->sums;
    struct fleet_store_row rows[FLEET_STORE_SERVICES];
    struct report_fleet *fleet = loading->fleet;
    struct report_data *data = loading->data;
    uint32_t sums_count = 0;
    uint32_t count = 0;
    bool is_first = false;
    if (!estimate_load(data->results, data->cells[cell].cell_id, NULL, sums, &sums_count, err) ||
        !fleet_store_load(data->results, data->cells[cell].cell_id, rows, &count, err)) {
        return false;
    }
    const char *variant = variant_of(loading, cell, &is_first);
    for (uint32_t i = 0; i < count; i++) {
        struct fleet_point point = {
            .cell = &data->cells[cell],
            .service = arena_strdup(&data->arena, rows[i].name),
            .column = index_on(loading, &fleet->first, loading->first, cell),
            .row =
                loading->second < 0 ? 0 : index_on(loading, &fleet->second, loading->second, cell),
            .is_first = is_first,
            .x = fleet->cell_x[cell],
            .theory = rows[i].service,
        };
        point.theory.name = point.service;
        point.theory.theory = arena_strdup(&data->arena, rows[i].theory);
        bool has_any = false;
        for (uint32_t s = 0; s < sums_count; s++) {
            if (strcmp(sums[s].service, rows[i].name) == 0) {
                add_point(loading, point, variant, &sums[s]);
                has_any = true;
            }
        }
        if (!has_any) {
            add_point(loading, point, variant, NULL);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        fleet->is_loss =
            fleet->is_loss || strcmp(rows[i].theory, estimate_method_name(ESTIMATE_COPYSETS)) == 0;
    }
    fleet->service_count = count > fleet->service_count ? count : fleet->service_count;
    return true;
}

/* A single service that needs neither any machine nor a majority is a code: its places are named "4
 * of 6". */
static void name_codes(struct report_fleet *fleet, struct report_data *data)
{
    bool are_codes = fleet->counts_machines && fleet->service_count == 1;
    bool has_any = false; /* that is no majority */
    for (uint32_t i = 0; i < fleet->point_count && are_codes; i++) {
        const struct results_fleet_service *theory = &fleet->points[i].theory;
        are_codes = theory->needed > 1 && theory->needed < theory->machines &&
                    theory->machines == fleet->first.positions[fleet->points[i].column];
        has_any = has_any || theory->needed != theory->machines / 2 + 1;
        for (uint32_t k = 0; k < i && are_codes; k++) {
            const struct fleet_point *other = &fleet->points[k];
            are_codes =
                other->column != fleet->points[i].column || other->theory.needed == theory->needed;
        }
    }
    fleet->has_codes = are_codes && has_any;
    for (uint32_t i = 0; i < fleet->point_count && fleet->has_codes; i++) {
        const struct results_fleet_service *theory = &fleet->points[i].theory;
        fleet->first.labels[fleet->points[i].column] =
            arena_printf(&data->arena, "%u of %u", theory->needed, theory->machines);
    }
}

/* Machines and services of the cells; 0 where a cell has no fleet. */
static bool on_machines(void *context, const struct results_row *row)
{
    struct loading *loading = context;
    for (uint32_t c = 0; c < loading->data->cell_count; c++) {
        if (loading->data->cells[c].cell_id == row->values[0].integer) {
            loading->machines[c] = (uint32_t)row->values[1].integer;
            loading->services[c] = arena_strdup(&loading->data->arena, row->values[2].text);
        }
    }
    return true;
}

static bool has_fleets(struct report_data *data, int64_t *count, struct err *err)
{
    *count = 0;
    return results_query_integer(data->results,
                                 "SELECT count(*) FROM sqlite_master WHERE name='fleet_service'", 0,
                                 count, err) &&
           (*count == 0 || results_query_integer(
                               data->results, "SELECT count(*) FROM fleet_service", 0, count, err));
}

static void place_cells(struct loading *loading)
{
    struct report_fleet *fleet = loading->fleet;
    struct report_data *data = loading->data;
    choose_axes(loading);
    list_values(loading, loading->first, &fleet->first);
    list_values(loading, loading->second, &fleet->second);
    fleet->counts_machines = loading->first == -1;
    fleet->is_alone = true;
    fleet->cell_x = arena_alloc_array(&data->arena, data->cell_count + 1, sizeof(*fleet->cell_x));
    for (uint32_t c = 0; c < data->cell_count; c++) {
        uint32_t column = index_on(loading, &fleet->first, loading->first, c);
        fleet->cell_x[c] = fleet->first.count > 0 ? fleet->first.positions[column] : 0;
        fleet->is_alone = fleet->is_alone && data->cells[c].offered == 0;
    }
}

bool report_fleet_load(struct report_fleet *fleet, struct report_data *data, struct err *err)
{
    static const char params[] =
        "SELECT p.cell_id, p.name, p.value FROM cell_param p JOIN cell c ON c.cell_id = p.cell_id"
        " JOIN scenario s ON s.scenario_id = c.scenario_id ORDER BY instr(substr(s.yaml, "
        "instr(s.yaml, char(10) || 'sweep:') + 1), p.name), p.name, p.cell_id";
    static const char machines[] =
        "SELECT cell_id, max(machines), group_concat(service) FROM (SELECT * FROM fleet_service "
        "ORDER BY cell_id, ord) GROUP BY 1";
    struct loading loading = {.fleet = fleet, .data = data};
    int64_t count = 0;
    *fleet = (struct report_fleet){0};
    if (!has_fleets(data, &count, err)) {
        return false;
    }
    if (count == 0 || data->cell_count == 0) {
        return true;
    }
    struct arena *arena = &data->arena;
    const uint32_t room = data->cell_count * CELL_MAX;
    const uint32_t points = room < POINTS_MAX ? room : POINTS_MAX;
    loading.values = arena_alloc_array(arena, data->cell_count * AXES_MAX, sizeof(*loading.values));
    loading.sums = arena_alloc_array(arena, ESTIMATE_STORE_MAX, sizeof(*loading.sums));
    loading.machines = arena_alloc_array(arena, data->cell_count, sizeof(*loading.machines));
    loading.services = arena_alloc_array(arena, data->cell_count, sizeof(*loading.services));
    fleet->points = arena_alloc_array(arena, points, sizeof(*fleet->points));
    fleet->series = arena_alloc_array(arena, points, sizeof(*fleet->series));
    bool is_fine = results_query(data->results, machines, NULL, 0, on_machines, &loading, err) &&
                   results_query(data->results, params, NULL, 0, on_param, &loading, err);
    if (is_fine) {
        place_cells(&loading);
    }
    for (uint32_t c = 0; c < data->cell_count && is_fine; c++) {
        is_fine = fleet->point_count + CELL_MAX > points || load_cell(&loading, c, err);
    }
    name_codes(fleet, data);
    return is_fine;
}
