/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the plots share: the table of them, panels in pixels, axes with round ends, files of bins
 * and of faults.
 *
 * All plots of one report use the same colour for the same quantity (gnuplot.h), and the legend
 * stands beside the data, never on it. A picture must be understood without this code and without
 * the page around it. */
#include "reports/plot.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define NAME_GAP   17.0 /* between two names at the ends of lines, CSS pixels */
#define KEY_LONG   36   /* bytes of a title that leave room for two columns */
#define AXIS_LABEL 18   /* CSS pixels from the left edge */
#define TIC_LABEL  16   /* bytes of the label of a tic */

const struct plot plots[] = {
    {"map", "which triggers stick at which load, beside theory (squall map)", plot_map, true},
    {"tip", "the smallest trigger that sticks, beside theory (squall tip)", plot_tip, true},
    {"hysteresis", "goodput over load, on the way up and on the way down (squall hysteresis)",
     plot_hysteresis, true},
    {"recovery", "recovery time over load, beside theory (squall recovery)", plot_recovery, true},
    {"verdicts", "verdicts of the four arms over a sweep of two axes, with the seeds counted",
     plot_verdicts, false},
    {"arms", "control, trigger, doubled and probe arm of one seed: why the verdict is what it is",
     plot_arms, false},
    {"compare", "goodput over time, one line a cell, same seed", plot_compare, false},
    {"cells", "the cells side by side: offered, answered, sent; same axes", plot_cells, false},
    {"availability", "unavailability against the number of replicas, with 95% intervals",
     plot_availability, false},
    {"fleet",
     "downtime of a fleet against its machines: log, linear, ratio to the exact model, price",
     plot_fleet, false},
    {"fleet-loss", "chance that data is lost with many nodes at once, by placement",
     plot_fleet_loss, false},
    {"fleet-map", "nines of a fleet over two axes of the sweep", plot_fleet_map, false},
    {"parts", "where the downtime comes from, term by term, a bar for each cell", plot_parts,
     false},
    {"users", "user-uptime of the worst window against its length, one line a cell", plot_users,
     false},
    {"gray", "what a detector said against what the clients saw, as time", plot_gray, false},
    {"visibility", "share of reads that miss the last write, against the time after it",
     plot_visibility, false},
    {"latency", "latency at every percentile, one line a cell", plot_latency, false},
    {"timeline", "one run: faults, throughput and latency over time", plot_timeline, true},
    {"gauges", "one run: what its nodes showed of themselves (queues, bytes, hits) over time",
     plot_gauges, false},
    {NULL, NULL, NULL, false},
};

bool plot_finish(struct plot_context *context, struct figure *figure,
                 const struct plot_figure *about, struct err *err)
{
    ASSERT(about->plot != NULL && about->title != NULL && about->caption != NULL);
    struct plot_figure done = *about;
    done.name = arena_strdup(&context->data->arena, figure->name);
    done.width = figure->width;
    done.height = figure->height;
    bool is_fine = figure_write(figure, err);
    if (is_fine && context->has_gnuplot) {
        is_fine = gnuplot_run(context->folder, figure->name, err);
        done.is_drawn = is_fine;
    }
    if (is_fine) {
        vec_append(&context->figures, &done);
    }
    return is_fine;
}

void plot_note(struct plot_context *context, const char *format, ...)
{
    char note[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note, sizeof(note), format, arguments);
    va_end(arguments);
    const char *kept = arena_strdup(&context->data->arena, note);
    vec_append(&context->notes, &kept);
}

/* ------------------------------------------------------------------------------ places and axes */

void plot_panel_add(struct figure *figure, const struct plot_panel *panel)
{
    ASSERT(panel->left < panel->right && panel->right <= figure->width);
    ASSERT(panel->top < panel->bottom && panel->bottom <= figure->height);
    double width = figure->width;
    double height = figure->height;
    text_printf(&figure->script,
                "set lmargin at screen %.5f\nset rmargin at screen %.5f\n"
                "set tmargin at screen %.5f\nset bmargin at screen %.5f\n",
                panel->left / width, panel->right / width, 1 - panel->top / height,
                1 - panel->bottom / height);
}

void plot_label_add(struct figure *figure, uint32_t x, uint32_t y, uint32_t size,
                    const char *options, const char *text)
{
    text_add(&figure->script, "set label ");
    gnuplot_quote(&figure->script, text, REPORT_TEXT_MAX);
    text_printf(&figure->script, " at screen %.5f, screen %.5f noenhanced font ',%u' %s\n",
                (double)x / figure->width, 1 - (double)y / figure->height, size, options);
}

/* From the top down, none closer to the one above than NAME_GAP, none below the panel. */
static void spread(struct plot_name *names, uint32_t count, const struct plot_panel *panel)
{
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t k = i; k > 0 && names[k].end < names[k - 1].end; k--) {
            const struct plot_name kept = names[k];
            names[k] = names[k - 1];
            names[k - 1] = kept;
        }
    }
    double above = panel->top - NAME_GAP / 2;
    for (uint32_t i = 0; i < count; i++) {
        names[i].middle = fmax(names[i].end, above + NAME_GAP);
        above = names[i].middle;
    }
    double below = panel->bottom + NAME_GAP / 2;
    for (uint32_t i = count; i > 0 && names[i - 1].middle > below - NAME_GAP; i--) {
        names[i - 1].middle = below - NAME_GAP;
        below = names[i - 1].middle;
    }
}

void plot_names_add(struct figure *figure, const struct plot_panel *panel, uint32_t at,
                    struct plot_name *names, uint32_t count)
{
    spread(names, count, panel);
    for (uint32_t i = 0; i < count; i++) {
        char options[64];
        snprintf(options, sizeof(options), "left textcolor linestyle %u", names[i].style);
        plot_label_add(figure, at, (uint32_t)names[i].middle, 12, options, names[i].text);
    }
}

const char *plot_short(struct report_data *data, const char *text, uint32_t characters)
{
    struct text out;
    text_init(&out);
    text_add(&out, "");
    gnuplot_clean(&out, text, characters);
    const char *kept = arena_strdup(&data->arena, text_of(&out));
    text_release(&out);
    return kept;
}

/* Is the word, of that length, one of the title's? */
static bool has_word(const char *title, const char *word, size_t length)
{
    for (const char *at = title; *at != '\0';) {
        const size_t here = strcspn(at, " ");
        if (here == length && strncmp(at, word, length) == 0) {
            return true;
        }
        at += here + strspn(at + here, " ");
    }
    return false;
}

const char *plot_distinct(struct report_data *data, const char *title, const char *const *titles,
                          uint32_t count)
{
    const char *kept = "";
    for (const char *at = title; *at != '\0' && count > 1;) {
        const size_t length = strcspn(at, " ");
        bool is_common = true;
        for (uint32_t i = 0; i < count && is_common; i++) {
            is_common = has_word(titles[i], at, length);
        }
        if (!is_common) {
            kept = arena_printf(&data->arena, "%s%s%.*s", kept, *kept == '\0' ? "" : " ",
                                (int)length, at);
        }
        at += length + strspn(at + length, " ");
    }
    return *kept == '\0' ? title : kept;
}

static uint32_t key_rows(const struct plot_key *key)
{
    return key->longest > KEY_LONG ? key->entries : (key->entries + 1) / 2;
}

void plot_key_count(struct plot_key *key, const char *title)
{
    uint32_t length = (uint32_t)strnlen(title, PLOT_KEY_TITLE_MAX);
    key->entries++;
    key->longest = length > key->longest ? length : key->longest;
}

uint32_t plot_key_height(const struct plot_key *key)
{
    return 22 * key_rows(key);
}

void plot_key_add(struct figure *figure, const struct plot_key *key, uint32_t left)
{
    text_printf(&figure->script,
                "set key at screen %.5f, screen %.5f left bottom Left reverse samplen 4 spacing "
                "1.2 maxcols %u "
                "maxrows %u noenhanced width 3\n",
                (double)left / figure->width, 6.0 / figure->height, key->longest > KEY_LONG ? 1 : 2,
                key_rows(key));
}

void plot_axis_label(struct figure *figure, const struct plot_panel *panel, const char *text)
{
    plot_label_add(figure, AXIS_LABEL, (panel->top + panel->bottom) / 2, 13, "center rotate by 90",
                   text);
}

void plot_tics_add(struct text *script, const char *axis, const char *const *labels,
                   const double *positions, uint32_t count)
{
    text_printf(script, "set %stics (", axis);
    for (uint32_t i = 0; i < count; i++) {
        struct text format;
        text_init(&format);
        text_add(&format, "");
        for (const char *at = labels[i]; *at != '\0' && at - labels[i] < TIC_LABEL; at++) {
            text_add(&format, *at == '%' ? "%%" : (char[]){*at, '\0'});
        }
        text_add(script, i == 0 ? "" : ", ");
        gnuplot_quote(script, text_of(&format), (size_t)4 * TIC_LABEL);
        text_printf(script, " %.9g", positions[i]);
        text_release(&format);
    }
    text_add(script, ") noenhanced\n");
}

double plot_ceiling(double maximum)
{
    if (!(maximum > 0) || !isfinite(maximum)) {
        return 1;
    }
    static const double steps[] = {1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10};
    double decade = pow(10, floor(log10(maximum)));
    for (uint32_t i = 0; i < ARRAY_COUNT(steps); i++) {
        if (maximum * 1.02 <= steps[i] * decade) {
            return steps[i] * decade;
        }
    }
    return 12 * decade;
}

void plot_latency_axis(struct text *script, double minimum_ms, double maximum_ms)
{
    static const char *const names[] = {"1 µs",   "10 µs", "100 µs", "1 ms",  "10 ms",
                                        "100 ms", "1 s",   "10 s",   "100 s", "1000 s"};
    bool is_known = isfinite(minimum_ms) && isfinite(maximum_ms) && minimum_ms > 0;
    int first = is_known ? (int)floor(log10(minimum_ms) + 1e-9) : 0;
    int last = is_known ? (int)ceil(log10(maximum_ms) - 1e-9) : 2;
    first = first < -3 ? -3 : first > 5 ? 5 : first;
    last = last > 6 ? 6 : last <= first ? first + 1 : last;
    text_printf(script, "set logscale y\nset yrange [0.999e%d:1.001e%d]\nset ytics (", first, last);
    for (int power = first; power <= last; power++) {
        text_printf(script, "%s'%s' 1e%d", power == first ? "" : ", ", names[power + 3], power);
    }
    text_add(script, ")\n");
}

/* ---------------------------------------------------------------------------------------- seeds */

const struct report_run *plot_run_of(const struct report_cell *cell, const char *seed)
{
    for (uint32_t i = 0; i < cell->kept_count; i++) {
        if (strcmp(cell->kept[i].seed, seed) == 0) {
            return &cell->kept[i];
        }
    }
    return NULL;
}

const char *plot_common_seed(const struct report_data *data)
{
    uint32_t first = 0;
    while (first < data->cell_count && data->cells[first].kept_count == 0) {
        first++;
    }
    for (uint32_t i = 0; first < data->cell_count && i < data->cells[first].kept_count; i++) {
        const char *seed = data->cells[first].kept[i].seed;
        bool is_common = true;
        for (uint32_t c = first + 1; c < data->cell_count && is_common; c++) {
            is_common =
                data->cells[c].kept_count == 0 || plot_run_of(&data->cells[c], seed) != NULL;
        }
        if (is_common) {
            return seed;
        }
    }
    return NULL;
}

const char *plot_short_seed(struct report_data *data, const char *seed)
{
    if (strncmp(seed, "0x", 2) != 0) {
        return seed;
    }
    const char *digits = seed + 2 + strspn(seed + 2, "0");
    return arena_printf(&data->arena, "0x%s", *digits == '\0' ? "0" : digits);
}

/* ----------------------------------------------------------------------------------- data files */

bool plot_bins_csv(const struct figure *figure, const char *suffix,
                   const struct report_series *series, struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "middle_s,start_s,end_s,offered_per_s,attempts_per_s,goodput_per_s,failed_per_s,"
                   "p50_ms,p99_ms,"
                   "is_up\n");
    for (uint32_t i = 0; i < series->bins.count; i++) {
        const struct report_bin *bin = vec_at(&series->bins, i);
        const double values[] = {(bin->start_s + bin->end_s) / 2,
                                 bin->start_s,
                                 bin->end_s,
                                 bin->offered,
                                 bin->attempts,
                                 bin->ok,
                                 bin->failed,
                                 bin->p50_ms,
                                 bin->p99_ms};
        for (uint32_t v = 0; v < ARRAY_COUNT(values); v++) {
            csv_number(&csv, values[v]);
            text_add(&csv, ",");
        }
        text_add(&csv, bin->is_up ? "1\n" : "0\n");
    }
    bool is_fine = figure_write_csv(figure, suffix, &csv, err);
    text_release(&csv);
    return is_fine;
}

bool plot_shade_csv(const struct figure *figure, const char *suffix,
                    const struct report_series *series, bool *any, struct err *err)
{
    struct vec stretches;
    vec_init(&stretches, sizeof(struct report_stretch), REPORT_FAULTS_MAX);
    report_fault_union(series, &stretches);
    struct text csv;
    text_init(&csv);
    text_add(&csv, "start_s,end_s\n");
    for (uint32_t i = 0; i < stretches.count; i++) {
        const struct report_stretch *stretch = vec_at(&stretches, i);
        text_printf(&csv, "%.9g,%.9g\n", stretch->start_s, stretch->end_s);
    }
    *any = stretches.count > 0;
    bool is_fine = figure_write_csv(figure, suffix, &csv, err);
    text_release(&csv);
    vec_release(&stretches);
    return is_fine;
}

void plot_shade_add(struct figure *figure, const char *suffix, double top)
{
    text_printf(&figure->script,
                "'data/%s%s.csv' using (($1 + $2) / 2):(%.9g):1:2:(%.9g):(%.9g) with boxxyerror "
                "fillstyle solid 1 "
                "noborder fillcolor rgb '" GNUPLOT_SHADE "' notitle, \\\n",
                figure->name, suffix, top / 2, top * 1e-9, top);
}

const char *plot_bin_text(struct report_data *data, const struct report_series *series)
{
    char duration[32];
    units_format_duration((int64_t)llround(series->window_s * series->merged * 1e9), duration,
                          sizeof(duration));
    if (series->merged == 1) {
        return arena_printf(&data->arena, "Each point is one window of %s.", duration);
    }
    return arena_printf(&data->arena, "Each point is %u recorded windows, %s together.",
                        series->merged, duration);
}

const char *plot_left_out_text(struct report_data *data, uint32_t count, uint32_t left_out)
{
    if (left_out == 0) {
        return "";
    }
    return arena_printf(&data->arena, " The first %u of %u cells.", count, count + left_out);
}

const char *plot_theory_text(struct report_data *data, const char *lines, bool has_curve)
{
    struct text out;
    text_init(&out);
    text_add(&out, has_curve ? "" : " Theory draws nothing here");
    for (const char *at = lines; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        size_t lead = strspn(at, " -");
        text_add(&out, at != lines ? "; " : has_curve ? " Theory: " : ": ");
        text_add_bytes(&out, at + lead, length > lead ? length - lead : 0);
        at += length + (at[length] == '\n' ? 1 : 0);
    }
    text_add(&out, has_curve && *lines == '\0' ? "" : ".");
    const char *kept = arena_strdup(&data->arena, text_of(&out));
    text_release(&out);
    return kept;
}
