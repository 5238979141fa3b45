/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The four arms of one seed, one picture for each cell: a panel for each arm, all with the same
 * axes, one below the other. What was asked for is a line, what was answered in time the area below
 * it, and what was sent, retries included, a line above them: that is what keeps a storm alive.
 * Time with a trigger is shaded, and so is the relief of the probe. Beside each panel stands what
 * the arm is and how it ended, so the verdict can be read off without the page around it.
 *
 * Goodput here is what the verdict is about: operations by when they were meant to start, of which
 * those answered within one time-out. What the end of an arm cut off is left out of both. */
#include "reports/plot.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <math.h>
#include <string.h>

#define CELLS_MAX 24
#define BINS_MAX  200 /* points of a line */
#define CLIP      2.0 /* what is asked for or sent beyond so many times the answers is cut off */

#define WIDTH   960u
#define LEFT    92u
#define RIGHT   650u
#define NOTE    668u
#define TOP     64u
#define PANEL   104u
#define GAP     22u
#define BOTTOM  58u
#define RELIEF  "#D9EFE5"
#define RESTART "#00704F"

struct arm_row {
    const char *name;
    const char *outcome;
    double since_s;
    double recovery_s; /* NaN: none */
    double looked_s;
    double good;  /* share; NaN: nothing was asked */
    double sends; /* for each operation */
};

struct arms_figure {
    struct plot_context *context;
    const struct report_cell *cell;
    const struct report_run *run;
    const char *verdict;
    struct arm_row rows[4]; /* control, trigger, doubled, probe, as far as they were run */
    uint32_t count;
    double end_s;
    double asked; /* highest rates */
    double answered;
    double sent;
    double relief_s; /* begin of the relief */
    struct text csv;
};

/* ------------------------------------------------------------------------------------ what is
 * asked */

static bool on_arm(void *context, const struct results_row *row)
{
    struct arms_figure *of = context;
    const struct results_value *values = row->values;
    ASSERT(of->count < ARRAY_COUNT(of->rows));
    struct arena *arena = &of->context->data->arena;
    of->rows[of->count++] = (struct arm_row){
        .name = arena_strdup(arena, values[0].text),
        .outcome = arena_strdup(arena, values[1].text),
        .since_s = values[2].real,
        .recovery_s = values[3].real,
        .looked_s = values[4].real,
        .good = values[5].real,
        .sends = values[6].real,
    };
    of->verdict = arena_strdup(arena, values[7].text);
    return true;
}

static bool load_arms(struct arms_figure *of, struct err *err)
{
    static const char sql[] =
        "SELECT a.arm, a.outcome, a.since_ns/1e9, a.recovery_ns/1e9, a.looked_ns/1e9,"
        " 1.0*a.good/nullif(a.offered,0), a.amplification, m.verdict FROM arm a JOIN metastability "
        "m USING(run_id) WHERE a.run_id=?1 ORDER BY instr('control trigger doubled probe', a.arm)";
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)of->run->run_id);
    const char *const parameters[] = {id};
    return results_query(of->context->data->results, sql, parameters, 1, on_arm, of, err);
}

static bool on_bin(void *context, const struct results_row *row)
{
    struct arms_figure *of = context;
    const struct results_value *values = row->values;
    double start = values[0].real;
    double end = values[1].real;
    double length = end - start;
    double offered = values[2].real / length;
    /* What was cut off is left out: the rest stands for all. */
    double good = values[3].real > 0 ? offered * values[4].real / values[3].real : (double)NAN;
    csv_number(&of->csv, (start + end) / 2);
    text_add(&of->csv, ",");
    csv_number(&of->csv, values[3].real > 0 ? offered : (double)NAN);
    text_add(&of->csv, ",");
    csv_number(&of->csv, good);
    text_add(&of->csv, ",");
    csv_number(&of->csv, values[5].real / length);
    text_add(&of->csv, "\n");
    of->asked = fmax(of->asked, offered);
    of->sent = fmax(of->sent, values[5].real / length);
    of->answered = isnan(good) ? of->answered : fmax(of->answered, good);
    of->end_s = fmax(of->end_s, end);
    return true;
}

static bool write_bins(struct arms_figure *of, const struct figure *figure, int64_t bin_ns,
                       struct err *err)
{
    static const char sql[] =
        "SELECT min(t_ns)/1e9, max(t_ns+dur_ns)/1e9, sum(offered), sum(judged), sum(good), "
        "sum(attempts) FROM arm_window WHERE run_id=?1 AND arm=?2 GROUP BY t_ns/CAST(?3 AS "
        "INTEGER) ORDER BY 1";
    char id[24];
    char bin[24];
    snprintf(id, sizeof(id), "%lld", (long long)of->run->run_id);
    snprintf(bin, sizeof(bin), "%lld", (long long)bin_ns);
    bool is_fine = true;
    for (uint32_t i = 0; i < of->count && is_fine; i++) {
        const char *const parameters[] = {id, of->rows[i].name, bin};
        char suffix[16];
        snprintf(suffix, sizeof(suffix), "-%s", of->rows[i].name);
        text_clear(&of->csv);
        text_add(&of->csv, "middle_s,offered_per_s,goodput_per_s,attempts_per_s\n");
        is_fine = results_query(of->context->data->results, sql, parameters, 3, on_bin, of, err) &&
                  figure_write_csv(figure, suffix, &of->csv, err);
    }
    return is_fine;
}

static bool on_integer(void *context, const struct results_row *row)
{
    *(int64_t *)context = row->values[0].integer;
    return false;
}

static bool ask_run(const struct arms_figure *of, const char *sql, int64_t *value, struct err *err)
{
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)of->run->run_id);
    const char *const parameters[] = {id};
    *value = 0;
    return results_query(of->context->data->results, sql, parameters, 1, on_integer, value, err);
}

/* Begin of the relief, and the bin: whole windows, so many that BINS_MAX cut the longest arm. */
static bool measure(struct arms_figure *of, int64_t *bin_ns, struct err *err)
{
    int64_t window_ns;
    int64_t end_ns;
    int64_t relief_ns;
    if (!ask_run(of, "SELECT max(dur_ns) FROM arm_window WHERE run_id=?1", &window_ns, err) ||
        !ask_run(of, "SELECT max(t_ns+dur_ns) FROM arm_window WHERE run_id=?1", &end_ns, err) ||
        !ask_run(of, "SELECT max(t_ns+dur_ns) FROM arm_window WHERE run_id=?1 AND arm='trigger'",
                 &relief_ns, err)) {
        return false;
    }
    window_ns = window_ns > 0 ? window_ns : NS_PER_S;
    *bin_ns = window_ns * ((end_ns / window_ns + BINS_MAX - 1) / BINS_MAX);
    *bin_ns = *bin_ns > 0 ? *bin_ns : window_ns;
    of->relief_s = (double)relief_ns / 1e9;
    return true;
}

/* --------------------------------------------------------------------------------------- the
 * picture */

static const char *about_arm(const struct arms_figure *of, const struct arm_row *row)
{
    struct arena *arena = &of->context->data->arena;
    if (strcmp(row->name, "control") == 0) {
        return "the same, without the trigger";
    }
    if (strcmp(row->name, "trigger") == 0) {
        return "as the scenario has it";
    }
    if (strcmp(row->name, "doubled") == 0) {
        return "the trigger arm, twice as long";
    }
    return row->since_s > of->relief_s
               ? arena_printf(arena, "the trigger arm, relieved %.4g\xe2\x80\x93%.4g s",
                              of->relief_s, row->since_s)
               : arena_printf(arena, "the trigger arm, all restarted at %.4g s", row->since_s);
}

static const char *about_outcome(const struct arms_figure *of, const struct arm_row *row)
{
    struct arena *arena = &of->context->data->arena;
    bool is_probe = strcmp(row->name, "probe") == 0;
    bool is_control = strcmp(row->name, "control") == 0;
    if (strcmp(row->outcome, "cut") == 0) {
        return "cut short: nothing can be said";
    }
    if (!isnan(row->recovery_s)) {
        return arena_printf(arena, "recovered %.3g s after the %s", row->recovery_s,
                            is_probe ? "relief" : "trigger");
    }
    if (is_control) {
        return strcmp(row->outcome, "failed") == 0 ? "failed, without any trigger"
                                                   : "held throughout";
    }
    return arena_printf(arena, "%s for %.4g s after the %s", row->outcome, row->looked_s,
                        is_probe ? "relief" : "trigger");
}

static void add_notes(struct figure *figure, const struct arms_figure *of,
                      const struct arm_row *row, uint32_t top)
{
    struct arena *arena = &of->context->data->arena;
    bool is_well = strcmp(row->outcome, "held") == 0 || strcmp(row->outcome, "recovered") == 0;
    plot_label_add(figure, NOTE, top + 12, 14, "left", row->name);
    plot_label_add(figure, NOTE, top + 34, 11, "left textcolor rgb '#444444'", about_arm(of, row));
    plot_label_add(figure, NOTE, top + 54, 12,
                   is_well ? "left textcolor rgb '#00704F'" : "left textcolor rgb '#B03A00'",
                   about_outcome(of, row));
    if (!isnan(row->good)) {
        plot_label_add(figure, NOTE, top + 74, 11, "left textcolor rgb '#444444'",
                       arena_printf(arena, "%.1f%% in time, sends for each: %.3g", 100 * row->good,
                                    row->sends));
    }
}

/* A spike of ten times the load, or a storm of retries, would flatten what the picture is about: it
 * is cut off. */
static double ceiling_of(const struct arms_figure *of)
{
    double highest = fmax(of->asked, of->sent);
    return plot_ceiling(of->answered > 0 ? fmin(highest, CLIP * of->answered) : of->asked);
}

static void add_panel(struct figure *figure, const struct arms_figure *of, uint32_t index,
                      bool has_shade)
{
    const struct arm_row *row = &of->rows[index];
    struct text *script = &figure->script;
    uint32_t top = TOP + index * (PANEL + GAP);
    struct plot_panel panel = {LEFT, top, RIGHT, top + PANEL};
    double ceiling = ceiling_of(of);
    bool is_last = index + 1 == of->count;
    bool is_control = strcmp(row->name, "control") == 0;
    plot_panel_add(figure, &panel);
    add_notes(figure, of, row, top);
    text_printf(script, "set format x '%s'\nset xlabel '%s' offset 0,0.4\nset yrange [0:%.9g]\n",
                is_last ? "%g" : "", is_last ? "virtual time, seconds" : "", ceiling);
    text_printf(script, "unset key\nset ytics %.9g\n", ceiling / 2);
    bool is_probe = strcmp(row->name, "probe") == 0;
    if (is_probe && row->since_s <= of->relief_s) {
        text_printf(script,
                    "set arrow from first %.9g, graph 0 to first %.9g, graph 1 nohead linewidth 2 "
                    "dashtype (4,3) linecolor rgb '" RESTART "'\n",
                    row->since_s, row->since_s);
    }
    text_add(script, "plot ");
    if (is_probe && row->since_s > of->relief_s) {
        text_printf(script,
                    "'+' using (%.9g):(%.9g):(%.9g):(%.9g):(0):(%.9g) every ::0::0 with boxxyerror "
                    "fillstyle solid 1 noborder fillcolor rgb '" RELIEF "' notitle, \\\n",
                    (of->relief_s + row->since_s) / 2, ceiling / 2, of->relief_s, row->since_s,
                    ceiling);
    }
    if (has_shade && !is_control) {
        plot_shade_add(figure, "-shade", ceiling);
    }
    text_printf(script,
                "'data/%s-%s.csv' using 1:3 with filledcurves y1=0 fillstyle transparent solid "
                "0.35 fillcolor rgb '#0072B2' notitle, \\\n"
                "'' using 1:2 with lines linestyle %u notitle, \\\n"
                "'' using 1:($4 < %.9g ? $4 : %.9g) with lines linestyle %u notitle, \\\n"
                "'' using 1:3 with lines linestyle %u notitle\nunset label\nunset arrow\n",
                figure->name, row->name, GNUPLOT_OFFERED, ceiling, ceiling, GNUPLOT_ATTEMPTS,
                GNUPLOT_GOODPUT);
}

static void add_head(struct figure *figure, const struct arms_figure *of, bool has_relief)
{
    struct report_data *data = of->context->data;
    bool is_swept = of->cell->label[0] != '\0';
    plot_label_add(figure, LEFT, 20, 15, "left",
                   arena_printf(&data->arena, "%s%s%s: %s", data->scenario, is_swept ? ", " : "",
                                of->cell->label, of->verdict));
    plot_label_add(figure, LEFT, 42, 11, "left textcolor rgb '#555555'",
                   arena_printf(&data->arena,
                                "seed %s, per second: grey asked for, orange sent with retries, "
                                "blue answered in time; shaded orange the trigger%s",
                                plot_short_seed(data, of->run->seed),
                                has_relief ? ", green the relief" : ""));
}

static bool draw(struct arms_figure *of, struct err *err)
{
    struct report_data *data = of->context->data;
    const char *seed = plot_short_seed(data, of->run->seed);
    const char *name =
        arena_printf(&data->arena, "arms-%u-%s", (uint32_t)(of->cell - data->cells) + 1, seed + 2);
    struct report_series series;
    int64_t bin_ns;
    bool has_shade = false;
    bool has_relief = of->count == 4 && of->rows[3].since_s > 0;
    uint32_t height = TOP + of->count * (PANEL + GAP) - GAP + BOTTOM;
    struct figure figure;
    figure_init(&figure, of->context->folder, name, of->context->format, WIDTH, height);
    bool is_fine = measure(of, &bin_ns, err) && write_bins(of, &figure, bin_ns, err) &&
                   report_series_load(&series, data, of->run, BINS_MAX, err);
    if (is_fine) {
        is_fine = plot_shade_csv(&figure, "-shade", &series, &has_shade, err);
        report_series_release(&series);
    }
    if (is_fine) {
        has_relief = has_relief && of->rows[3].since_s > of->relief_s;
        add_head(&figure, of, has_relief);
        text_printf(&figure.script,
                    "set multiplot\nset xrange [0:%.9g]\nset border 3\nset xtics nomirror out\nset "
                    "ytics nomirror out\n",
                    of->end_s);
        for (uint32_t i = 0; i < of->count; i++) {
            add_panel(&figure, of, i, has_shade);
        }
        text_add(&figure.script, "unset multiplot\n");
        char bin[32];
        struct plot_figure about = {
            .plot = "arms",
            .title = arena_printf(&data->arena, "%s%s%s, seed %s", of->cell->label,
                                  of->cell->label[0] == '\0' ? "" : ": ", of->verdict, seed),
            .caption = arena_printf(
                &data->arena,
                "The same seed in each arm, so the same arrivals. An operation counts at the "
                "instant at which it was meant to start, and as answered when the answer came "
                "within one time-out. Each point is %s. The figures beside a panel are of the time "
                "after the trigger (control: after the warm-up; probe: after the relief).%s",
                units_format_duration(bin_ns, bin, sizeof(bin)),
                fmax(of->asked, of->sent) > ceiling_of(of)
                    ? " What is sent or asked for beyond the upper end is cut off there."
                    : ""),
        };
        is_fine = plot_finish(of->context, &figure, &about, err);
    }
    figure_release(&figure);
    return is_fine;
}

bool plot_arms(struct plot_context *context, struct err *err)
{
    struct report_data *data = context->data;
    if (!data->has_arms) {
        return true;
    }
    const char *seed = plot_common_seed(data);
    uint32_t drawn = 0;
    bool is_fine = true;
    for (uint32_t i = 0; i < data->cell_count && is_fine; i++) {
        const struct report_cell *cell = &data->cells[i];
        const struct report_run *common = seed != NULL ? plot_run_of(cell, seed) : NULL;
        struct arms_figure of = {.context = context,
                                 .cell = cell,
                                 .run = common != NULL         ? common
                                        : cell->kept_count > 0 ? &cell->kept[0]
                                                               : NULL};
        if (of.run == NULL || !load_arms(&of, err)) {
            is_fine = of.run == NULL;
            continue;
        }
        if (of.count == 0 || drawn == CELLS_MAX) {
            continue;
        }
        drawn++;
        text_init(&of.csv);
        is_fine = draw(&of, err);
        text_release(&of.csv);
    }
    if (drawn == CELLS_MAX) {
        plot_note(context, "Arms are drawn for the first %d cells.", CELLS_MAX);
    }
    return is_fine;
}
