/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The figures that an experiment has put into the results file for its picture
 * (results_set_experiment). */
#ifndef SQUALL_REPORTS_VALUES_H
#define SQUALL_REPORTS_VALUES_H

#include "reports/data.h"

struct report_value {
    const char *series;
    const char *note;
    double x; /* NaN where there is no value */
    double y;
    double low;
    double high;
};

/* Appends the values of the experiment of that kind, in the order in which they were added, to a
 * vec of struct report_value; nothing when there is none. Texts are of the data's arena. */
bool report_values_load(struct report_data *data, const char *kind, struct vec *values,
                        struct err *err);
/* The first value of a series with this note; NULL: there is none. */
const struct report_value *report_value_find(const struct vec *values, const char *series,
                                             const char *note);
/* The different notes of a series, in order; writes at most `limit` and returns how many there are.
 */
uint32_t report_value_notes(const struct vec *values, const char *series, const char **notes,
                            uint32_t limit);

#endif
