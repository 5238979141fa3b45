/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files of an older squall have no such table, which is the same as no experiment. */
#include "reports/values.h"

#include "sim/base/base.h"

#include <string.h>

struct loading {
    struct report_data *data;
    struct vec *values;
};

static bool on_value(void *context, const struct results_row *row)
{
    struct loading *loading = context;
    const struct results_value *values = row->values;
    struct report_value *value = vec_push(loading->values);
    *value = (struct report_value){
        .series = arena_strdup(&loading->data->arena, values[0].text),
        .note = arena_strdup(&loading->data->arena, values[5].text),
        .x = values[1].real,
        .y = values[2].real,
        .low = values[3].real,
        .high = values[4].real,
    };
    return true;
}

bool report_values_load(struct report_data *data, const char *kind, struct vec *values,
                        struct err *err)
{
    int64_t tables = 0;
    if (!results_query_integer(data->results,
                               "SELECT count(*) FROM sqlite_master WHERE type='table' AND "
                               "name='experiment_value'",
                               0, &tables, err)) {
        return false;
    }
    const char *const parameters[] = {kind};
    struct loading loading = {data, values};
    return tables == 0 ||
           results_query(data->results,
                         "SELECT series, x, y, low, high, note FROM experiment_value WHERE "
                         "kind=?1 ORDER BY ord",
                         parameters, 1, on_value, &loading, err);
}

const struct report_value *report_value_find(const struct vec *values, const char *series,
                                             const char *note)
{
    for (uint32_t i = 0; i < values->count; i++) {
        const struct report_value *value = vec_at(values, i);
        if (strcmp(value->series, series) == 0 && strcmp(value->note, note) == 0) {
            return value;
        }
    }
    return NULL;
}

uint32_t report_value_notes(const struct vec *values, const char *series, const char **notes,
                            uint32_t limit)
{
    uint32_t count = 0;
    const char *last = NULL;
    for (uint32_t i = 0; i < values->count; i++) {
        const struct report_value *value = vec_at(values, i);
        if (strcmp(value->series, series) != 0 ||
            (last != NULL && strcmp(last, value->note) == 0)) {
            continue;
        }
        last = value->note;
        if (count < limit) {
            notes[count] = last;
        }
        count++;
    }
    return count;
}
