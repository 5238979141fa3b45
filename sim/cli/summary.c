/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Everything printed here is asked from results.sqlite, so a resumed campaign is summed up whole.
 * The verdict over all runs is what the scenario expects of them: that they pass, that a certain
 * check is violated and no other, or that the runs of a cell have a certain verdict of the four
 * arms. */
#include "sim/cli/summary.h"

#include "analysis/compare.h"
#include "analysis/statistics.h"
#include "analysis/threshold.h"
#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/cli/gate.h"
#include "sim/cli/runner.h"
#include "sim/cli/summary_clients.h"
#include "sim/cli/summary_compare.h"
#include "sim/cli/summary_decompose.h"
#include "sim/cli/summary_estimate.h"
#include "sim/cli/summary_same.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINE_WIDTH         60
#define LABEL_MIN          28
#define LABEL_MAX          64
#define FAILING_SHOWN      5
#define THRESHOLDS_TRACKED 256

struct summary {
    struct results *results;
    const struct plan *plan;
    const int64_t *cell_ids;
    const struct summary_options *options;
    FILE *out;
    struct err *err;
    bool is_fine;
    int status;
    bool is_utf8;
    struct text cells;          /* "(1,2,3)": ids of the plan's cells, for IN */
    uint32_t verdict_cells;     /* cells that a verdict is expected of */
    uint32_t verdict_cells_met; /* those that have it */
};

/* --------------------------------------------------------------------------------------- asking */

struct row_target {
    struct summary *summary;
    void (*on_row)(struct summary *summary, void *user, const struct results_row *row);
    void *user;
};

static bool on_any_row(void *context, const struct results_row *row)
{
    struct row_target *target = context;
    target->on_row(target->summary, target->user, row);
    return true;
}

__attribute__((format(printf, 4, 5))) static void
ask(struct summary *summary,
    void (*on_row)(struct summary *summary, void *user, const struct results_row *row), void *user,
    const char *format, ...)
{
    if (!summary->is_fine) {
        return;
    }
    char sql[8192];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(sql, sizeof(sql), format, arguments);
    va_end(arguments);
    ASSERT(length > 0 && (size_t)length < sizeof(sql));
    struct row_target target = {summary, on_row, user};
    summary->is_fine =
        results_query(summary->results, sql, NULL, 0, on_any_row, &target, summary->err);
}

static void take_integer(struct summary *summary, void *user, const struct results_row *row)
{
    (void)summary;
    *(int64_t *)user = row->values[0].integer;
}

enum mark { MARK_GOOD, MARK_BAD, MARK_OPEN };

static const char *mark(const struct summary *summary, enum mark mark)
{
    static const char *const signs[] = {"✓", "✗", "?"};
    static const char *const words[] = {"ok  ", "FAIL", "?   "};
    return summary->is_utf8 ? signs[mark] : words[mark];
}

static void heading(const struct summary *summary, const char *text)
{
    if (!summary->options->is_quiet) {
        fprintf(summary->out, "\n  %s\n", text);
    }
}

static void dotted(const struct summary *summary, const char *word, const char *name)
{
    int used = fprintf(summary->out, "%-10s %s ", word, name);
    for (; used < LINE_WIDTH; used++) {
        fputc('.', summary->out);
    }
    fputc(' ', summary->out);
}

/* --------------------------------------------------------------------------------------- checks */

static void print_check(struct summary *summary, void *user, const struct results_row *row)
{
    const struct spec_check *check = user;
    int64_t runs = row->values[0].integer;
    int64_t violated = row->values[1].integer;
    int64_t known = row->values[2].integer;
    int64_t unknown = row->values[3].integer;
    bool is_open = unknown > 0 || runs == 0;
    if (summary->options->is_quiet && violated == 0 && !is_open) {
        return;
    }
    fprintf(summary->out, "    %s ",
            mark(summary, violated > 0 ? MARK_BAD
                          : is_open    ? MARK_OPEN
                                       : MARK_GOOD));
    dotted(summary, check->word == SPEC_ALWAYS ? "always" : "eventually", check->name);
    fprintf(summary->out, "%lld of %lld", (long long)(runs - violated - known - unknown),
            (long long)runs);
    if (known > 0) {
        fprintf(summary->out, "   %lld known defect", (long long)known);
    }
    if (unknown > 0) {
        fprintf(summary->out, "   %lld unknown", (long long)unknown);
    }
    if (check->word == SPEC_ALWAYS) {
        fprintf(summary->out, "   %lld comparisons", (long long)row->values[4].integer);
    }
    fputc('\n', summary->out);
}

static void print_probe(struct summary *summary, void *user, const struct results_row *row)
{
    const struct spec_check *check = user;
    int64_t hits = row->values[0].integer;
    if (summary->options->is_quiet && hits > 0) {
        return;
    }
    fprintf(summary->out, "    %s ", mark(summary, hits > 0 ? MARK_GOOD : MARK_OPEN));
    dotted(summary, "sometimes", check->name);
    if (hits > 0) {
        fprintf(summary->out, "hit in %lld %s\n", (long long)hits, hits == 1 ? "run" : "runs");
    } else {
        fputs("never hit\n", summary->out);
        summary->status = exit_worse(summary->status, EXIT_UNKNOWN);
    }
}

/* An invariant of the model itself, or an obligation of every scenario, that did not hold. */
static void print_other(struct summary *summary, void *user, const struct results_row *row)
{
    const struct run_spec *spec = user;
    for (uint32_t i = 0; i < spec->check_count; i++) {
        if (strcmp(spec->checks[i].name, row->values[0].text) == 0) {
            return;
        }
    }
    fprintf(summary->out, "    %s ", mark(summary, MARK_BAD));
    dotted(summary, "always", row->values[0].text);
    fprintf(summary->out, "violated in %lld\n", (long long)row->values[1].integer);
}

static void print_checks(struct summary *summary)
{
    const struct run_spec *spec = &summary->plan->cells[0].spec;
    heading(summary, "CHECKS");
    if (spec->check_count == 0 && !summary->options->is_quiet) {
        fputs("    the scenario asks for none; `squall list checks` names them\n", summary->out);
    }
    for (uint32_t i = 0; i < spec->check_count; i++) {
        const struct spec_check *check = &spec->checks[i];
        if (check->word == SPEC_SOMETIMES) {
            ask(summary, print_probe, (void *)(uintptr_t)check,
                "SELECT coalesce(sum(hits),0) FROM probe WHERE name='%s' AND cell_id IN %s",
                check->name, text_of(&summary->cells));
        } else {
            ask(summary, print_check, (void *)(uintptr_t)check,
                "SELECT coalesce(sum(runs),0), coalesce(sum(violated),0), coalesce(sum(known),0), "
                "coalesce(sum(unknown),0), coalesce(sum(comparisons),0) FROM check_count "
                "WHERE name='%s' AND cell_id IN %s",
                check->name, text_of(&summary->cells));
        }
    }
    ask(summary, print_other, (void *)(uintptr_t)spec,
        "SELECT name, sum(violated) FROM check_count WHERE violated>0 AND cell_id IN %s GROUP BY "
        "name ORDER BY name",
        text_of(&summary->cells));
}

/* ---------------------------------------------------------------------------------------- cells */

/* Of the column of labels in tables of cells. */
static int label_width(const struct summary *summary)
{
    size_t width = LABEL_MIN;
    for (uint32_t i = 0; i < summary->plan->cell_count; i++) {
        size_t length = strlen(summary->plan->cells[i].label);
        width = length > width ? length : width;
    }
    return width < LABEL_MAX ? (int)width : LABEL_MAX;
}

static void print_cell(struct summary *summary, void *user, const struct results_row *row)
{
    const struct cell *cell = user;
    const struct results_value *values = row->values;
    fprintf(summary->out, "    %-*s %6s %6s %6s %6s %6s", label_width(summary),
            cell->label[0] == '\0' ? "-" : cell->label, values[0].text, values[1].text,
            values[2].text, values[3].text, values[4].text);
    fprintf(summary->out, "  %8.4f%%  %8.2f", 100 * values[5].real, values[6].real);
    if (values[7].type == RESULTS_NULL) {
        fputs("         -\n", summary->out);
    } else {
        fprintf(summary->out, "  %7.2fs\n", values[7].real);
    }
}

static void print_cells(struct summary *summary)
{
    if (summary->options->is_quiet) {
        return;
    }
    fprintf(summary->out, "\n  %-*s %6s %6s %6s %6s %6s  %9s  %8s  %8s\n", label_width(summary) + 2,
            "CELLS", "runs", "pass", "fail", "unknwn", "error", "ok", "attempts", "recovery");
    for (uint32_t i = 0; i < summary->plan->cell_count; i++) {
        ask(summary, print_cell, &summary->plan->cells[i],
            "SELECT count(*), coalesce(sum(verdict='pass'),0), coalesce(sum(verdict='fail'),0), "
            "coalesce(sum(verdict='unknown'),0), coalesce(sum(verdict='error'),0), "
            "coalesce(1.0*sum(ok)/nullif(sum(offered),0),0), "
            "coalesce(1.0*sum(attempts)/nullif(sum(offered),0),0), "
            "avg(recovery_ns)/1e9 FROM run WHERE cell_id=%lld",
            (long long)summary->cell_ids[i]);
    }
}

/* ------------------------------------------------------------------------------------------------
 * four arms */

/* What the sequential test says of the cell, in the order of its seeds. */
static struct gate_outcome gate_of(struct summary *summary, uint32_t index)
{
    struct gate_outcome outcome = {.decision = SPRT_OPEN};
    summary->is_fine = summary->is_fine &&
                       gate_judge(summary->results, summary->plan, index, summary->cell_ids[index],
                                  summary->plan->seed_count, &outcome, summary->err);
    return outcome;
}

static const char *gate_text(const struct gate_outcome *gate, char *out, size_t size)
{
    switch (gate->decision) {
    case SPRT_ACCEPT:
        return "accepted";
    case SPRT_REJECT:
        return "rejected";
    case SPRT_OPEN:
        break;
    }
    snprintf(out, size, "open, %llu more seeds", (unsigned long long)gate->more);
    return out;
}

static void print_verdicts(struct summary *summary, void *user, const struct results_row *row)
{
    const struct cell *cell = user;
    const struct gate_outcome gate = gate_of(summary, (uint32_t)(cell - summary->plan->cells));
    const struct results_value *values = row->values;
    uint64_t stuck = (uint64_t)values[10].integer;
    uint64_t decided = stuck + (uint64_t)values[0].integer;
    char text[64];
    fprintf(summary->out, "    %-*s %6s %6s %6s %6s %6s", label_width(summary),
            cell->label[0] == '\0' ? "-" : cell->label, values[0].text, values[1].text,
            values[2].text, values[3].text, values[4].text);
    if (decided == 0) {
        fprintf(summary->out, "  %-17s", "-");
    } else {
        struct interval interval = interval_wilson(stuck, decided, 0.95);
        fprintf(summary->out, "  %.2f [%.2f, %.2f]", (double)stuck / (double)decided, interval.low,
                interval.high);
    }
    if (values[5].type == RESULTS_NULL) {
        fprintf(summary->out, " %7s %8.2f ", "-", values[6].real);
    } else {
        fprintf(summary->out, " %6.1f%% %8.2f ", 100 * values[5].real, values[6].real);
    }
    if (values[7].type == RESULTS_NULL) {
        fputs("       -", summary->out);
    } else {
        fprintf(summary->out, "%6.1f%%%s", 100 * values[7].real, " ");
    }
    if (values[8].type == RESULTS_NULL) {
        fprintf(summary->out, "  > %5.0fs", values[9].real);
    } else {
        fprintf(summary->out, "  %6.2fs ", values[8].real);
    }
    fprintf(summary->out, "  %s\n", decided == 0 ? "-" : gate_text(&gate, text, sizeof(text)));
}

/* Is every cell judged by the same test? A sweep may be over gates. */
static bool is_one_gate(const struct plan *plan)
{
    const struct sprt first = gate_test(&plan->cells[0].spec);
    for (uint32_t i = 1; i < plan->cell_count; i++) {
        const struct sprt test = gate_test(&plan->cells[i].spec);
        if (test.p0 != first.p0 || test.p1 != first.p1 || test.alpha != first.alpha ||
            plan->cells[i].spec.metastability.has_gate !=
                plan->cells[0].spec.metastability.has_gate) {
            return false;
        }
    }
    return true;
}

/* "gate 1%/10%", and below the table what that is. */
static void name_gate(const struct summary *summary, char *name, size_t size)
{
    const struct sprt test = gate_test(&summary->plan->cells[0].spec);
    if (is_one_gate(summary->plan)) {
        snprintf(name, size, "gate %.4g%%/%.4g%%", 100 * test.p0, 100 * test.p1);
    } else {
        snprintf(name, size, "gate, as each cell has it");
    }
}

static void explain_gate(const struct summary *summary)
{
    const struct run_spec *spec = &summary->plan->cells[0].spec;
    const struct sprt test = gate_test(spec);
    if (is_one_gate(summary->plan)) {
        fprintf(summary->out,
                "  gate: sequential test (SPRT) of P(stuck) <= %.4g%% against >= %.4g%%, wrong "
                "with a chance of %.4g%%%s",
                100 * test.p0, 100 * test.p1, 100 * test.alpha,
                spec->metastability.has_gate ? "; it decides on cells that must be stable"
                                             : "; metastability.gate lets it decide");
    } else {
        fputs("  gate: sequential test (SPRT) of P(stuck), with the shares and the chance of an "
              "error of each cell's own metastability.gate",
              summary->out);
    }
    fputs("\n  what is back only in part (degraded) counts as stuck for the gate, and not in "
          "P(stuck)\n",
          summary->out);
}

/* Verdicts of the four arms, when the scenario asks for them. P(stuck) is of the runs that were
 * decided (back, or down after twice the run) and whose control held. Goodput, sends and useless
 * answers are after the trigger. */
static void print_metastability(struct summary *summary)
{
    if (summary->options->is_quiet || !summary->plan->cells[0].spec.metastability.is_asked) {
        return;
    }
    char gate[64];
    name_gate(summary, gate, sizeof(gate));
    fprintf(summary->out, "\n  %-*s %6s %6s %6s %6s %6s  %-17s %7s %8s %8s %9s  %s\n",
            label_width(summary) + 2, "FOUR ARMS", "stable", "metast", "unstab", "perman", "undec",
            "P(stuck)", "goodput", "attempts", "useless", "recovery", gate);
    for (uint32_t i = 0; i < summary->plan->cell_count; i++) {
        ask(summary, print_verdicts, &summary->plan->cells[i],
            "SELECT coalesce(sum(m.verdict='stable'),0), coalesce(sum(m.verdict='metastable'),0), "
            "coalesce(sum(m.verdict='unstable'),0), coalesce(sum(m.verdict='permanent'),0), "
            "coalesce(sum(m.verdict='undecided'),0), avg(g.value), avg(a.value), avg(u.value), "
            "avg(m.recovery_ns)/1e9, max(m.censored_ns)/1e9, coalesce(sum(m.verdict NOT IN "
            "('stable','unstable') AND d.outcome='stuck'),0) FROM metastability m JOIN run r "
            "USING(run_id) LEFT JOIN arm d ON d.run_id=r.run_id AND d.arm='doubled' "
            "LEFT JOIN metric g ON g.run_id=r.run_id AND g.name='metastability.goodput_ratio' "
            "LEFT JOIN metric a ON a.run_id=r.run_id AND a.name='metastability.amplification' "
            "LEFT JOIN metric u ON u.run_id=r.run_id AND u.name='metastability.useless_share' "
            "WHERE r.cell_id=%lld",
            (long long)summary->cell_ids[i]);
    }
    explain_gate(summary);
}

/* ------------------------------------------------------------------------------------------------
 * verdicts as a table: the last axis across, all others down */

/* What the last axis adds to the label of a cell: "rate=9/s size=20" -> "size=20". */
static const char *last_part(const struct cell *cell)
{
    const char *path = cell->sets[cell->set_count - 1];
    size_t path_length = strcspn(path, "=");
    const char *found = cell->label;
    for (const char *at = strchr(cell->label, ' '); at != NULL; at = strchr(at + 1, ' ')) {
        size_t length = strcspn(at + 1, "=");
        bool is_end = at[1 + length] == '=' && length <= path_length &&
                      strncmp(at + 1, path + path_length - length, length) == 0;
        found = is_end ? at + 1 : found;
    }
    return found;
}

/* Are two cells in the same row: equal but for their value on the last axis? */
static bool is_same_row(const struct cell *left, const struct cell *right)
{
    for (uint32_t i = 0; i + 1 < left->set_count; i++) {
        if (strcmp(left->sets[i], right->sets[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* "stable 5", or "stable 3 metastable 2". */
static void take_verdict_counts(struct summary *summary, void *user, const struct results_row *row)
{
    (void)summary;
    struct text *text = user;
    text_printf(text, "%s%s %s", text->length > 0 ? " " : "", row->values[0].text,
                row->values[1].text);
}

#define TABLE_COLUMNS_MAX 12

/* The widths of the row's name and of each column grow to what cell `index` needs. */
static void widen(const struct plan *plan, uint32_t index, const struct text *text,
                  int widths[TABLE_COLUMNS_MAX + 1], uint32_t columns)
{
    const struct cell *cell = &plan->cells[index];
    int *column = &widths[1 + index % columns];
    const int needed[] = {(int)(last_part(cell) - cell->label) - 1, (int)strlen(last_part(cell)),
                          (int)text->length};
    widths[0] = needed[0] > widths[0] ? needed[0] : widths[0];
    *column = needed[1] > *column ? needed[1] : *column;
    *column = needed[2] > *column ? needed[2] : *column;
}

static void print_table(struct summary *summary, const struct text *texts, uint32_t columns)
{
    const struct cell *cells = summary->plan->cells;
    int widths[TABLE_COLUMNS_MAX + 1] = {0};
    for (uint32_t i = 0; i < summary->plan->cell_count; i++) {
        widen(summary->plan, i, &texts[i], widths, columns);
    }
    fprintf(summary->out, "\n  VERDICTS, runs of each\n    %-*s", widths[0], "");
    for (uint32_t i = 0; i < columns; i++) {
        fprintf(summary->out, "  %-*s", widths[1 + i], last_part(&cells[i]));
    }
    for (uint32_t i = 0; i < summary->plan->cell_count; i++) {
        if (i % columns == 0) {
            int length = (int)(last_part(&cells[i]) - cells[i].label) - 1;
            fprintf(summary->out, "\n    %-*.*s", widths[0], length, cells[i].label);
        }
        fprintf(summary->out, "  %-*s", widths[1 + i % columns],
                texts[i].length > 0 ? text_of(&texts[i]) : "-");
    }
    fputc('\n', summary->out);
}

static void print_verdict_table(struct summary *summary)
{
    const struct plan *plan = summary->plan;
    const struct cell *cells = plan->cells;
    uint32_t columns = 1;
    while (columns < plan->cell_count && is_same_row(&cells[0], &cells[columns])) {
        columns++;
    }
    bool is_table = cells[0].set_count > 1 && columns > 1 && columns < plan->cell_count &&
                    columns <= TABLE_COLUMNS_MAX;
    if (summary->options->is_quiet || !cells[0].spec.metastability.is_asked || !is_table) {
        return;
    }
    struct arena arena;
    arena_init(&arena);
    struct text *texts = arena_alloc_array(&arena, plan->cell_count, sizeof(*texts));
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        text_init(&texts[i]);
        ask(summary, take_verdict_counts, &texts[i],
            "SELECT m.verdict, count(*) FROM metastability m JOIN run r USING(run_id) WHERE "
            "r.cell_id=%lld GROUP BY 1 ORDER BY 2 DESC, 1",
            (long long)summary->cell_ids[i]);
    }
    print_table(summary, texts, columns);
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        text_release(&texts[i]);
    }
    arena_release(&arena);
}

/* ------------------------------------------------------------------------------------------------
 * thresholds */

/* Is the expectation of a violation about this cell? */
static bool is_about(const struct cell *cell)
{
    const struct run_spec *spec = &cell->spec;
    if (spec->expect != SPEC_EXPECT_VIOLATED || spec->expect_cell_count == 0) {
        return spec->expect == SPEC_EXPECT_VIOLATED;
    }
    for (uint32_t i = 0; i < spec->expect_cell_count; i++) {
        if (strstr(cell->label, spec->expect_cells[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* False: the threshold is not about this cell. */
static bool load_estimate(struct summary *summary, uint32_t index,
                          const struct spec_estimate_tags *tags, struct threshold_data *data)
{
    bool is_asked = false;
    summary->is_fine = summary->is_fine && threshold_data_load_estimate(
                                               data, summary->results, summary->cell_ids[index],
                                               tags, &is_asked, summary->err);
    return is_asked;
}

/* What the cell has more than the other one that the threshold names. */
static void load_difference(struct summary *summary, uint32_t index,
                            const struct spec_threshold *spec, const struct threshold *threshold,
                            struct threshold_data *data)
{
    const struct compare_question question = {.left_id = summary->cell_ids[index],
                                              .right_id = summary->cell_ids[spec->than_cell],
                                              .service = spec->estimate.service};
    summary->is_fine =
        summary->is_fine &&
        threshold_data_load_difference(data, summary->results, &question, threshold, summary->err);
}

/* False: the threshold is not about this cell. */
static bool judge_threshold(struct summary *summary, uint32_t index,
                            const struct spec_threshold *spec, struct threshold_data *data)
{
    static const enum mark marks[] = {MARK_GOOD, MARK_BAD, MARK_OPEN};
    static const int statuses[] = {EXIT_HELD, EXIT_THRESHOLD, EXIT_UNKNOWN};
    static const enum results_judgement judgements[] = {RESULTS_HELD, RESULTS_CROSSED,
                                                        RESULTS_UNSETTLED};
    const struct cell *cell = &summary->plan->cells[index];
    struct threshold threshold;
    bool is_sound = threshold_parse_asked(spec, &threshold, summary->err);
    ASSERT(is_sound);
    char metric[RESULT_METRIC_SIZE];
    if (threshold_metric_of(&threshold, spec, metric, sizeof(metric))) {
        summary->is_fine = summary->is_fine && threshold_data_load_values(data, summary->results,
                                                                          summary->cell_ids[index],
                                                                          metric, summary->err);
    }
    const struct spec_estimate_tags *tags = &spec->estimate;
    if (tags->service != NULL) {
        bool is_asked = (tags->machines == 0 || tags->machines == cell->spec.fleet.machines) &&
                        (tags->cell == NULL || strstr(cell->label, tags->cell) != NULL);
        if (!is_asked || !load_estimate(summary, index, tags, data)) {
            return false;
        }
    }
    if (spec->than != NULL) {
        load_difference(summary, index, spec, &threshold, data);
    }
    struct threshold_outcome outcome = threshold_judge(&threshold, data);
    char name[512];
    char observed[64];
    snprintf(name, sizeof(name), "%s: %s", spec->text, spec->expression);
    struct results_threshold row = {summary->cell_ids[index], name, outcome.observed,
                                    judgements[outcome.verdict], spec->place.line};
    summary->is_fine =
        summary->is_fine && results_add_threshold(summary->results, &row, summary->err);
    if (!is_about(cell)) {
        summary->status = exit_worse(summary->status, statuses[outcome.verdict]);
    }
    if (summary->options->is_quiet && outcome.verdict == THRESHOLD_HELD) {
        return true;
    }
    fprintf(summary->out, "    %s ", mark(summary, marks[outcome.verdict]));
    dotted(summary, spec->text, spec->expression);
    fprintf(summary->out, "%s",
            threshold_format(&threshold, outcome.observed, observed, sizeof(observed)));
    if (outcome.trials_needed > 0) {
        fprintf(summary->out, "   %llu runs would settle it",
                (unsigned long long)outcome.trials_needed);
    }
    fprintf(summary->out, "%s%s%s%s\n", cell->label[0] != '\0' ? "   " : "", cell->label,
            spec->than != NULL ? " less " : "",
            spec->than != NULL ? summary->plan->cells[spec->than_cell].label : "");
    return true;
}

/* False: the cell has none. `judged`: the first THRESHOLDS_TRACKED of them that were about some
 * cell. */
static bool judge_thresholds(struct summary *summary, uint32_t index, bool is_headed, bool *judged)
{
    const struct run_spec *spec = &summary->plan->cells[index].spec;
    if (spec->threshold_count == 0 || !summary->is_fine) {
        return false;
    }
    struct threshold_data data;
    threshold_data_init(&data);
    summary->is_fine =
        threshold_data_load(&data, summary->results, summary->cell_ids[index], summary->err);
    if (!is_headed) {
        heading(summary, "THRESHOLDS");
    }
    for (uint32_t i = 0; i < spec->threshold_count && summary->is_fine; i++) {
        bool is_judged = !spec->thresholds[i].is_elsewhere &&
                         judge_threshold(summary, index, &spec->thresholds[i], &data);
        if (i < THRESHOLDS_TRACKED) {
            judged[i] = judged[i] || is_judged;
        }
    }
    threshold_data_release(&data);
    return true;
}

/* A limit that no cell was judged by proves nothing; with --set it may be about cells that are left
 * out. */
static void judge_all_thresholds(struct summary *summary)
{
    bool judged[THRESHOLDS_TRACKED] = {false};
    const struct run_spec *spec = &summary->plan->cells[0].spec;
    for (uint32_t i = 0, is_headed = 0; i < summary->plan->cell_count; i++) {
        is_headed |= judge_thresholds(summary, i, is_headed != 0, judged) ? 1 : 0;
    }
    for (uint32_t i = 0; i < spec->threshold_count && i < THRESHOLDS_TRACKED; i++) {
        if (!judged[i] && summary->is_fine && summary->options->set_count == 0) {
            fprintf(summary->out, "    %s ", mark(summary, MARK_OPEN));
            dotted(summary, spec->thresholds[i].text, spec->thresholds[i].expression);
            fputs("no cell is like that\n", summary->out);
            summary->status = exit_worse(summary->status, EXIT_UNKNOWN);
        }
    }
}

/* --------------------------------------------------------------------------------- failing runs */

static void print_failing(struct summary *summary, void *user, const struct results_row *row)
{
    (void)user;
    int64_t cell_id = row->values[0].integer;
    for (uint32_t i = 0; i < summary->plan->cell_count; i++) {
        if (summary->cell_ids[i] == cell_id) {
            uint64_t seed = strtoull(row->values[1].text, NULL, 16);
            fprintf(summary->out, "    %s%s%s\n      ", row->values[2].text,
                    row->values[3].text[0] != '\0' ? ": " : "", row->values[3].text);
            replay_line(summary->out, &summary->plan->cells[i], summary->options->sets,
                        summary->options->set_count, summary->options->folder, seed);
            fputc('\n', summary->out);
        }
    }
}

static void print_failures(struct summary *summary)
{
    int64_t failing = 0;
    ask(summary, take_integer, &failing,
        "SELECT count(*) FROM run WHERE verdict<>'pass' AND cell_id IN %s",
        text_of(&summary->cells));
    if (failing == 0 || !summary->is_fine) {
        return;
    }
    fprintf(summary->out, "%s  %lld %s not pass%s:\n", summary->options->is_quiet ? "" : "\n",
            (long long)failing, failing == 1 ? "run does" : "runs do",
            failing > FAILING_SHOWN ? "; the shortest" : "");
    ask(summary, print_failing, NULL,
        "SELECT r.cell_id, r.seed, r.reason||iif(r.verdict='error', "
        "coalesce(', after '||v.invariant,''),''), v.message FROM run r LEFT JOIN violation v ON "
        "v.run_id=r.run_id AND "
        "v.ord=(SELECT min(ord) FROM violation w WHERE w.run_id=r.run_id AND w.known=0) "
        "WHERE r.verdict<>'pass' AND r.cell_id IN %s ORDER BY r.events, r.seed LIMIT %d",
        text_of(&summary->cells), FAILING_SHOWN);
}

/* ---------------------------------------------------------------------------------- the verdict */

struct cell_counts {
    int64_t runs;
    int64_t fail;
    int64_t unknown;
    int64_t error;
    int64_t expected;   /* runs that violate an expected check */
    int64_t unexpected; /* runs that violate another */
    /* Of a cell that a verdict is expected of: */
    int64_t right;    /* runs that have it */
    int64_t wrong;    /* runs with another; the rest is undecided */
    int64_t breaking; /* runs that violate any check but `verdict` */
    int64_t vague;    /* runs that have it, and are unknown for another reason */
    int64_t unstable;
};

static void take_counts(struct summary *summary, void *user, const struct results_row *row)
{
    (void)summary;
    struct cell_counts *counts = user;
    counts->runs = row->values[0].integer;
    counts->fail = row->values[1].integer;
    counts->unknown = row->values[2].integer;
    counts->error = row->values[3].integer;
}

struct expectation {
    const struct run_spec *spec;
    struct cell_counts *counts;
    int64_t run_id; /* of the last expected violation: a run counts once */
};

/* Is the check among those that must be violated? */
static bool expects_violation(const struct run_spec *spec, const char *check)
{
    bool is_expected = false;
    for (uint32_t i = 0; i < spec->expect_check_count; i++) {
        is_expected |= strcmp(spec->expect_checks[i], check) == 0;
    }
    return is_expected;
}

static void take_violation(struct summary *summary, void *user, const struct results_row *row)
{
    (void)summary;
    struct expectation *expectation = user;
    int64_t run_id = row->values[0].integer;
    bool is_expected = expects_violation(expectation->spec, row->values[1].text);
    bool is_counted_apart =
        expectation->spec->verdicts_expected != 0 && strcmp(row->values[1].text, "verdict") == 0;
    if (!is_expected && !is_counted_apart) {
        expectation->counts->unexpected++;
    } else if (is_expected && expectation->run_id != run_id) {
        expectation->counts->expected++;
        expectation->run_id = run_id;
    }
}

static void take_verdicts(struct summary *summary, void *user, const struct results_row *row)
{
    (void)summary;
    struct cell_counts *counts = user;
    counts->right = row->values[0].integer;
    counts->wrong = row->values[1].integer;
    counts->breaking = row->values[2].integer;
    counts->vague = row->values[3].integer;
    counts->unstable = row->values[4].integer;
}

/* "stable or unstable"; with quotes "'stable','unstable'", for IN. */
static void list_verdicts(uint32_t verdicts, bool is_quoted, struct text *list)
{
    static const char *const names[] = {"stable", "metastable", "unstable", "permanent"};
    static_assert(ARRAY_COUNT(names) == SPEC_VERDICT_COUNT, "one name for each");
    const char *quote = is_quoted ? "'" : "";
    for (uint32_t i = 0; i < SPEC_VERDICT_COUNT; i++) {
        if ((verdicts & 1u << i) != 0) {
            const char *gap = list->length == 0 ? "" : is_quoted ? "," : " or ";
            text_printf(list, "%s%s%s%s", gap, quote, names[i], quote);
        }
    }
}

/* Whether the share of stuck runs is small, as far as the seeds go. `wrong` runs that are not stuck
 * are unstable, and no matter of shares. */
static int judge_gate(struct summary *summary, uint32_t index, const struct cell_counts *counts)
{
    static const int statuses[] = {
        [SPRT_OPEN] = EXIT_UNKNOWN, [SPRT_ACCEPT] = EXIT_HELD, [SPRT_REJECT] = EXIT_CHECK_FAILED};
    const struct cell *cell = &summary->plan->cells[index];
    const struct gate_outcome gate = gate_of(summary, index);
    char text[64];
    summary->verdict_cells++;
    summary->verdict_cells_met += gate.decision == SPRT_ACCEPT && counts->unstable == 0 ? 1 : 0;
    if (!summary->options->is_quiet || gate.decision != SPRT_ACCEPT) {
        fprintf(summary->out, "  %s%sgate %s: %llu of %llu runs are stuck\n", cell->label,
                cell->label[0] != '\0' ? ": " : "", gate_text(&gate, text, sizeof(text)),
                (unsigned long long)gate.stuck, (unsigned long long)gate.taken);
    }
    if (counts->unstable > 0) {
        fprintf(summary->out, "  %s%s%lld of %lld runs are unstable\n", cell->label,
                cell->label[0] != '\0' ? ": " : "", (long long)counts->unstable,
                (long long)counts->runs);
        return EXIT_CHECK_FAILED;
    }
    return statuses[gate.decision];
}

/* Whether enough runs of the cell have a verdict that is expected of it. */
static int judge_verdicts(struct summary *summary, uint32_t index, struct cell_counts *counts)
{
    const struct cell *cell = &summary->plan->cells[index];
    struct text list;
    text_init(&list);
    list_verdicts(cell->spec.verdicts_expected, true, &list);
    ask(summary, take_verdicts, counts,
        "SELECT coalesce(sum(m.verdict IN (%s)),0), "
        "coalesce(sum(m.verdict NOT IN (%s) AND m.verdict<>'undecided'),0), "
        "coalesce(sum(EXISTS(SELECT 1 FROM violation v WHERE v.run_id=r.run_id AND v.known=0 AND "
        "v.invariant<>'verdict')),0), coalesce(sum(m.verdict IN (%s) AND r.verdict='unknown'),0), "
        "coalesce(sum(m.verdict='unstable'),0) FROM run r LEFT JOIN metastability m USING(run_id) "
        "WHERE r.cell_id=%lld",
        text_of(&list), text_of(&list), text_of(&list), (long long)summary->cell_ids[index]);
    if (gate_is_asked(&cell->spec)) {
        text_release(&list);
        return judge_gate(summary, index, counts);
    }
    bool is_met = (unsigned __int128)counts->right << 32 >=
                  (unsigned __int128)counts->runs * cell->spec.expect_share;
    summary->verdict_cells++;
    summary->verdict_cells_met += is_met ? 1 : 0;
    if (!is_met) {
        text_clear(&list);
        list_verdicts(cell->spec.verdicts_expected, false, &list);
        fprintf(summary->out, "  %s%sexpected verdict %s: %lld of %lld runs\n", cell->label,
                cell->label[0] != '\0' ? ": " : "", text_of(&list), (long long)counts->right,
                (long long)counts->runs);
    }
    text_release(&list);
    return counts->runs == 0 ? EXIT_UNKNOWN
           : is_met          ? EXIT_HELD
                             : (counts->wrong > 0 ? EXIT_CHECK_FAILED : EXIT_UNKNOWN);
}

/* A cell that must not violate anything. */
static int judge_plain(struct summary *summary, uint32_t index, struct cell_counts *counts)
{
    if (summary->plan->cells[index].spec.verdicts_expected == 0) {
        return counts->fail + counts->error > 0           ? EXIT_CHECK_FAILED
               : counts->unknown > 0 || counts->runs == 0 ? EXIT_UNKNOWN
                                                          : EXIT_HELD;
    }
    int status = judge_verdicts(summary, index, counts);
    status = exit_worse(status, counts->vague > 0 ? EXIT_UNKNOWN : EXIT_HELD);
    return exit_worse(status, counts->breaking + counts->error > 0 ? EXIT_CHECK_FAILED : EXIT_HELD);
}

/* A cell in which a certain check must be violated, and no other. */
static int judge_violation(struct summary *summary, uint32_t index, struct cell_counts *counts)
{
    const struct cell *cell = &summary->plan->cells[index];
    struct expectation expectation = {&cell->spec, counts, 0};
    long long cell_id = (long long)summary->cell_ids[index];
    ask(summary, take_violation, &expectation,
        "SELECT r.run_id, v.invariant FROM violation v JOIN run r USING(run_id) WHERE v.known=0 "
        "AND r.cell_id=%lld "
        "UNION SELECT run_id, reason FROM run WHERE verdict='error' AND cell_id=%lld ORDER BY 1, 2",
        cell_id, cell_id);
    bool is_missed = counts->unexpected > 0 || (counts->runs > 0 && counts->expected == 0);
    if (!summary->options->is_quiet || is_missed) {
        fprintf(summary->out, "  expected violation%s%s: seen in %lld of %lld runs\n",
                cell->label[0] != '\0' ? " in " : "", cell->label, (long long)counts->expected,
                (long long)counts->runs);
    }
    if (counts->unexpected > 0) {
        fprintf(summary->out, "  %lld %s another check, which nobody expected\n",
                (long long)counts->unexpected,
                counts->unexpected == 1 ? "violation is of" : "violations are of");
    }
    int status = is_missed ? EXIT_CHECK_FAILED : counts->runs == 0 ? EXIT_UNKNOWN : EXIT_HELD;
    bool has_verdict =
        cell->spec.verdicts_expected != 0 && !expects_violation(&cell->spec, "verdict");
    return has_verdict ? exit_worse(status, judge_verdicts(summary, index, counts)) : status;
}

static void judge_cell(struct summary *summary, uint32_t index)
{
    const struct cell *cell = &summary->plan->cells[index];
    struct cell_counts counts = {0};
    ask(summary, take_counts, &counts,
        "SELECT count(*), coalesce(sum(verdict='fail'),0), coalesce(sum(verdict='unknown'),0), "
        "coalesce(sum(verdict='error'),0) FROM run WHERE cell_id=%lld",
        (long long)summary->cell_ids[index]);
    int status = is_about(cell) ? judge_violation(summary, index, &counts)
                                : judge_plain(summary, index, &counts);
    summary->status = exit_worse(summary->status, status);
}

static void take_seed(struct summary *summary, void *user, const struct results_row *row)
{
    (void)summary;
    snprintf(user, 32, "%s", row->values[0].text);
}

/* Runs that gave another digest when they were done again, now or in an earlier campaign. */
static void judge_determinism(struct summary *summary)
{
    int64_t count = 0;
    ask(summary, take_integer, &count,
        "SELECT count(DISTINCT a.run_id) FROM recheck a JOIN run r USING(run_id) WHERE "
        "a.trace_hash<>r.trace_hash "
        "AND r.cell_id IN %s",
        text_of(&summary->cells));
    if (count == 0) {
        return;
    }
    char seed[32] = "";
    ask(summary, take_seed, seed,
        "SELECT r.seed FROM recheck a JOIN run r USING(run_id) WHERE a.trace_hash<>r.trace_hash "
        "AND r.cell_id IN %s "
        "ORDER BY r.events, r.seed LIMIT 1",
        text_of(&summary->cells));
    fprintf(summary->out,
            "  NONDETERMINISM: %lld %s another digest when done again, seed %s the shortest; "
            "`squall doctor`\n"
            "  with that seed names the first event that differs\n",
            (long long)count, count == 1 ? "run gave" : "runs gave", seed);
    summary->status = exit_worse(summary->status, EXIT_NONDETERMINISM);
}

static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0') {
            return strstr(value, "UTF-8") != NULL || strstr(value, "utf8") != NULL;
        }
    }
    return false;
}

/* Estimates run no code: there is nothing to check, and nobody attempts anything. */
static bool are_all_estimates(const struct plan *plan)
{
    bool are_all = true;
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        are_all = are_all && runner_is_estimate(&plan->cells[i].spec);
    }
    return are_all;
}

bool summary_print(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                   const struct summary_options *options, FILE *out, int *status, struct err *err)
{
    struct summary summary = {.results = results,
                              .plan = plan,
                              .cell_ids = cell_ids,
                              .options = options,
                              .out = out,
                              .err = err,
                              .is_fine = true,
                              .status = EXIT_HELD,
                              .is_utf8 = locale_is_utf8()};
    text_init(&summary.cells);
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        text_printf(&summary.cells, "%s%lld", i == 0 ? "(" : ",", (long long)cell_ids[i]);
    }
    text_add(&summary.cells, ")");
    if (!are_all_estimates(plan)) {
        print_checks(&summary);
        print_cells(&summary);
    }
    print_metastability(&summary);
    print_verdict_table(&summary);
    if (!options->is_quiet) {
        summary.is_fine =
            summary.is_fine && summary_estimates(results, plan, cell_ids, options, out, err);
        summary.is_fine = summary.is_fine && summary_clients(results, plan, cell_ids, out, err);
        summary.is_fine = summary.is_fine && summary_compare(results, plan, cell_ids, out, err);
        summary.is_fine = summary.is_fine && summary_same(results, plan, cell_ids, out, err);
    }
    summary.is_fine = summary.is_fine && summary_decompositions(results, plan, cell_ids, options,
                                                                out, &summary.status, err);
    judge_all_thresholds(&summary);
    print_failures(&summary);
    if (!options->is_quiet) {
        fputc('\n', out);
    }
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        judge_cell(&summary, i);
    }
    if (summary.verdict_cells > 0 && !options->is_quiet) {
        fprintf(out, "  expected verdicts in %u of %u %s\n", summary.verdict_cells_met,
                summary.verdict_cells, summary.verdict_cells == 1 ? "cell" : "cells");
    }
    judge_determinism(&summary);
    text_release(&summary.cells);
    *status = summary.status;
    return summary.is_fine;
}
