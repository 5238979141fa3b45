/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Shares are means over the runs of a cell; the four cells of a detector's table are sums of time.
 * Of the many windows of MCR three are shown; the others are in the results and in the report. */
#include "sim/cli/summary_clients.h"

#include "analysis/threshold.h"
#include "sim/base/base.h"

#include <string.h>

#define LABEL_WIDTH 28
#define VALUES_MAX  8

struct values {
    double values[VALUES_MAX];
    bool has[VALUES_MAX]; /* somebody measured it */
};

static bool take_values(void *context, const struct results_row *row)
{
    struct values *values = context;
    ASSERT(row->count <= VALUES_MAX);
    for (uint32_t i = 0; i < row->count; i++) {
        values->has[i] = row->values[i].type != RESULTS_NULL;
        values->values[i] = values->has[i] ? row->values[i].real : 0;
    }
    return true;
}

/* The one row of `sql`, in which ?1 is the cell. */
static bool ask(struct results *results, const char *sql, int64_t cell_id, struct values *values,
                struct err *err)
{
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)cell_id);
    const char *parameters[] = {id};
    *values = (struct values){0};
    return results_query(results, sql, parameters, 1, take_values, values, err);
}

static void print_share(double value, int width, FILE *out)
{
    fprintf(out, " %*.4f%%", width - 1, 100 * value);
}

static bool is_asked(const struct run_spec *spec)
{
    static const char *const names[] = {"user-uptime", "mcr", "harvest", "yield"};
    for (uint32_t i = 0; i < spec->threshold_count; i++) {
        for (uint32_t name = 0; name < ARRAY_COUNT(names); name++) {
            if (strcmp(spec->thresholds[i].metric, names[name]) == 0) {
                return true;
            }
        }
    }
    return spec->availability.detector.is_asked;
}

static void print_label(const struct cell *cell, FILE *out)
{
    fprintf(out, "    %-*s", LABEL_WIDTH, cell->label[0] == '\0' ? "-" : cell->label);
}

static bool print_users(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                        FILE *out, struct err *err)
{
    static const char sql[] =
        "SELECT avg(CASE m.name WHEN 'user_uptime' THEN m.value END),"
        " avg(CASE m.name WHEN 'mcr_1s' THEN m.value END),"
        " avg(CASE m.name WHEN 'mcr_10s' THEN m.value END),"
        " avg(CASE m.name WHEN 'mcr_1m' THEN m.value END),"
        " avg(CASE m.name WHEN 'yield' THEN m.value END),"
        " avg(CASE m.name WHEN 'harvest' THEN m.value END)"
        " FROM metric m JOIN run r USING(run_id) WHERE r.cell_id=CAST(?1 AS INTEGER)";
    bool is_headed = false;
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        struct values values;
        if (!ask(results, sql, cell_ids[i], &values, err)) {
            return false;
        }
        if (!is_asked(&plan->cells[i].spec) && !values.has[5]) {
            continue;
        }
        if (!is_headed) {
            fprintf(out, "\n  %-*s %12s %10s %10s %10s %10s %10s\n", LABEL_WIDTH + 2,
                    "AS CLIENTS SAW IT", "user-uptime", "MCR(1s)", "MCR(10s)", "MCR(1m)", "yield",
                    "harvest");
            is_headed = true;
        }
        print_label(&plan->cells[i], out);
        for (uint32_t value = 0; value < 6; value++) {
            const int width = value == 0 ? 12 : 10;
            if (values.has[value]) {
                print_share(values.values[value], width, out);
            } else {
                fprintf(out, " %*s", width, "-");
            }
        }
        fputc('\n', out);
    }
    return true;
}

static bool print_detector(struct results *results, const struct plan *plan,
                           const int64_t *cell_ids, FILE *out, struct err *err)
{
    static const char sql[] =
        "SELECT sum(CASE m.name WHEN 'gray_up_up_s' THEN m.value END),"
        " sum(CASE m.name WHEN 'gray_up_down_s' THEN m.value END),"
        " sum(CASE m.name WHEN 'gray_down_up_s' THEN m.value END),"
        " sum(CASE m.name WHEN 'gray_down_down_s' THEN m.value END)"
        " FROM metric m JOIN run r USING(run_id) WHERE r.cell_id=CAST(?1 AS INTEGER)";
    bool is_headed = false;
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        struct values values;
        if (!plan->cells[i].spec.availability.detector.is_asked) {
            continue;
        }
        if (!ask(results, sql, cell_ids[i], &values, err)) {
            return false;
        }
        if (!is_headed) {
            fprintf(out, "\n  %-*s %12s %12s %12s %12s\n  %-*s %12s %12s %12s %12s\n",
                    LABEL_WIDTH + 2, "DETECTOR AGAINST CLIENTS", "both up", "GRAY", "false alarm",
                    "both down", LABEL_WIDTH + 2, "  share of time", "", "clients down",
                    "clients up", "");
            is_headed = true;
        }
        const double *cells = values.values;
        const double sum = cells[0] + cells[1] + cells[2] + cells[3];
        print_label(&plan->cells[i], out);
        for (uint32_t cell = 0; cell < 4; cell++) {
            print_share(sum > 0 ? cells[cell] / sum : 0, 12, out);
        }
        fputc('\n', out);
    }
    return true;
}

/* By how much reads came too early: a quantile of all reads of a cell. */
static struct threshold_outcome visible(const struct threshold_data *data, const char *expression)
{
    struct threshold threshold;
    const bool is_sound = threshold_parse("visibility", expression, &threshold, NULL);
    ASSERT(is_sound);
    return threshold_judge(&threshold, data);
}

static void print_time(double ns, int width, FILE *out)
{
    struct threshold threshold;
    char text[64];
    const bool is_sound = threshold_parse("visibility", "p(99) >= 0s", &threshold, NULL);
    ASSERT(is_sound);
    fprintf(out, " %*s", width, threshold_format(&threshold, ns, text, sizeof(text)));
}

static bool print_visibility(struct results *results, const struct plan *plan,
                             const int64_t *cell_ids, FILE *out, struct err *err)
{
    uint32_t lines = 0;
    bool is_fine = true;
    for (uint32_t i = 0; i < plan->cell_count && is_fine; i++) {
        struct threshold_data data;
        threshold_data_init(&data);
        is_fine = threshold_data_load(&data, results, cell_ids[i], err);
        if (is_fine && data.visibility.count > 0) {
            const struct threshold_outcome late = visible(&data, "p(99.9) >= 0s @ 97.5%");
            if (lines++ == 0) {
                fprintf(out, "\n  WHEN READS SEE A WRITE%*s %10s %10s %10s %10s  95 %% interval\n",
                        LABEL_WIDTH - 18, "", "reads", "at once", "99 %", "99.9 %");
            }
            print_label(&plan->cells[i], out);
            fprintf(out, " %10llu", (unsigned long long)data.visibility.count);
            print_share((double)data.visibility.bins[0] / (double)data.visibility.count, 10, out);
            print_time(visible(&data, "p(99) >= 0s").observed, 10, out);
            print_time(late.observed, 10, out);
            print_time(late.interval.low, 8, out);
            fputs(" ..", out);
            print_time(late.interval.high, 0, out);
            fputc('\n', out);
        }
        threshold_data_release(&data);
    }
    return is_fine;
}

bool summary_clients(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                     FILE *out, struct err *err)
{
    return print_users(results, plan, cell_ids, out, err) &&
           print_detector(results, plan, cell_ids, out, err) &&
           print_visibility(results, plan, cell_ids, out, err);
}
