/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The plots of a report: a table of them, and what they share while one report is written. Each is
 * one file, plot_*.c: it decides from the data whether it has something to show, writes its .csv
 * and .gp, and adds its figures. */
#ifndef SQUALL_REPORTS_PLOT_H
#define SQUALL_REPORTS_PLOT_H

#include "reports/data.h"
#include "reports/fleet.h"
#include "reports/gnuplot.h"

/* One picture as index.html shows it. */
struct plot_figure {
    const char *plot; /* name of the plot it belongs to: "timeline" */
    const char *name; /* file name without folder and ending: "timeline-1-2a" */
    const char *title;
    const char *caption; /* what is drawn and how it was computed, as plain text */
    uint32_t width;      /* CSS pixels */
    uint32_t height;
    bool is_drawn; /* the picture exists; else only .csv and .gp do */
};

struct plot_context {
    struct report_data *data;
    struct report_fleet fleet;
    const char *folder;
    enum report_format format;
    bool has_gnuplot;
    struct vec figures; /* struct plot_figure */
    struct vec notes;   /* const char *: what was left out, in a sentence each */
};

struct plot {
    const char *name;
    const char *summary;
    /* Adds nothing when there is nothing to show. */
    bool (*write)(struct plot_context *context, struct err *err);
    /* Of an experiment: when the file has one, only such plots are made. */
    bool is_of_experiment;
};
extern const struct plot plots[]; /* ends with a NULL name; in the order of the page */

bool plot_hysteresis(struct plot_context *context, struct err *err);
bool plot_map(struct plot_context *context, struct err *err);
bool plot_tip(struct plot_context *context, struct err *err);
bool plot_recovery(struct plot_context *context, struct err *err);
bool plot_verdicts(struct plot_context *context, struct err *err);
bool plot_arms(struct plot_context *context, struct err *err);
bool plot_compare(struct plot_context *context, struct err *err);
bool plot_cells(struct plot_context *context, struct err *err);
bool plot_timeline(struct plot_context *context, struct err *err);
bool plot_availability(struct plot_context *context, struct err *err);
bool plot_fleet(struct plot_context *context, struct err *err);
bool plot_fleet_loss(struct plot_context *context, struct err *err);
bool plot_fleet_map(struct plot_context *context, struct err *err);
bool plot_users(struct plot_context *context, struct err *err);
bool plot_gray(struct plot_context *context, struct err *err);
bool plot_visibility(struct plot_context *context, struct err *err);
bool plot_latency(struct plot_context *context, struct err *err);
bool plot_parts(struct plot_context *context, struct err *err);
bool plot_gauges(struct plot_context *context, struct err *err);

/* --------------------------------------------------------------------------------- for plot_*.c */

/* Writes the script, runs it when there is gnuplot, and adds the figure; `data` files must be
 * there. The texts must live in the arena of the data or for ever. */
bool plot_finish(struct plot_context *context, struct figure *figure,
                 const struct plot_figure *about, struct err *err);
/* Adds "set Xmargin at screen" for a panel given in CSS pixels from the upper left corner of the
 * figure. */
struct plot_panel {
    uint32_t left;
    uint32_t top;
    uint32_t right;
    uint32_t bottom;
};
void plot_panel_add(struct figure *figure, const struct plot_panel *panel);
/* Adds a text at a place of the figure in CSS pixels, cleaned, not enhanced. `size` of the font,
 * points; `options` as for gnuplot's `set label` ("right", "textcolor rgb '#555555'"). */
void plot_label_add(struct figure *figure, uint32_t x, uint32_t y, uint32_t size,
                    const char *options, const char *text);
/* Names at the ends of lines, in their colours: at `at` CSS pixels from the left, each as close to
 * the end of its line as the others let it. Sorts `names`. */
struct plot_name {
    const char *text;
    uint32_t style; /* of the line */
    double end;     /* where the line ends, CSS pixels from the top */
    double middle;  /* set: where the name stands */
};
void plot_names_add(struct figure *figure, const struct plot_panel *panel, uint32_t at,
                    struct plot_name *names, uint32_t count);
/* The same for what a y axis shows: upright text left of a panel. Labels stay for all plots of a
 * multiplot until `unset label`. */
void plot_axis_label(struct figure *figure, const struct plot_panel *panel, const char *text);
/* `text` cleaned and cut to about so many characters. */
const char *plot_short(struct report_data *data, const char *text, uint32_t characters);
/* `title` without the words (between blanks) that all of `titles` have; the whole of it when
 * nothing would be left. */
const char *plot_distinct(struct report_data *data, const char *title, const char *const *titles,
                          uint32_t count);
/* A legend below the plot, at the bottom of the figure: one column when a title is long, else two.
 */
struct plot_key {
    uint32_t entries;
    uint32_t longest; /* title, bytes */
};
#define PLOT_KEY_TITLE_MAX 100 /* bytes of a title in it */
void plot_key_count(struct plot_key *key, const char *title);
uint32_t plot_key_height(const struct plot_key *key);
/* Adds "set key"; `left` as for panels. */
void plot_key_add(struct figure *figure, const struct plot_key *key, uint32_t left);
/* Adds "set Xtics (...)" with these labels, which gnuplot takes for formats, at these places. */
void plot_tics_add(struct text *script, const char *axis, const char *const *labels,
                   const double *positions, uint32_t count);
/* A round upper end above `maximum` for an axis that begins at 0. */
double plot_ceiling(double maximum);
/* Adds a logarithmic y axis for milliseconds between these two, with decades written as durations
 * (1 us .. 1000 s). */
void plot_latency_axis(struct text *script, double minimum_ms, double maximum_ms);
/* The first seed of which every cell that kept any run has a time series; NULL: none. */
const char *plot_common_seed(const struct report_data *data);
/* The kept run of that seed, or NULL. */
const struct report_run *plot_run_of(const struct report_cell *cell, const char *seed);
/* "0x2a" for "0x000000000000002a". */
const char *plot_short_seed(struct report_data *data, const char *seed);
/* Writes data/NAME<suffix>.csv with the bins of a series. Columns: 1 middle_s, 2 start_s, 3 end_s,
 * 4 offered_per_s, 5 attempts_per_s, 6 goodput_per_s, 7 failed_per_s, 8 p50_ms, 9 p99_ms, 10
 * is_up. */
bool plot_bins_csv(const struct figure *figure, const char *suffix,
                   const struct report_series *series, struct err *err);
/* Writes data/NAME<suffix>.csv with the stretches with a fault: 1 start_s, 2 end_s. *any: there
 * are some. */
bool plot_shade_csv(const struct figure *figure, const char *suffix,
                    const struct report_series *series, bool *any, struct err *err);
/* Adds the item of a `plot` command that shades them, from 0 to `top`, and ", \" behind it. */
void plot_shade_add(struct figure *figure, const char *suffix, double top);
/* Adds a sentence about what was left out. */
void plot_note(struct plot_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "a bin is 500ms" or so: how much time a point of the series stands for. */
const char *plot_bin_text(struct report_data *data, const struct report_series *series);
/* " Theory: ..." from the lines that an experiment stored about it, or why it draws nothing. */
const char *plot_theory_text(struct report_data *data, const char *lines, bool has_curve);
/* " The first 8 of 12 cells." when some were left out of a plot, else "". */
const char *plot_left_out_text(struct report_data *data, uint32_t count, uint32_t left_out);

#endif
