/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The plots of a report: a table of them, and what they share while one report is written. Each is one file, plot_*.c:
 * it decides from the data whether it has something to show, writes its .csv and .gp, and adds its figures. */
#ifndef SQUALL_REPORTS_PLOT_H
#define SQUALL_REPORTS_PLOT_H

#include "reports/data.h"
#include "reports/gnuplot.h"

/* One picture as index.html shows it. */
struct plot_figure {
    const char *plot;    /* name of the plot it belongs to: "timeline" */
    const char *name;    /* file name without folder and ending: "timeline-1-2a" */
    const char *title;
    const char *caption; /* what is drawn and how it was computed, as plain text */
    uint32_t width;      /* CSS pixels */
    uint32_t height;
    bool is_drawn;       /* the picture exists; else only .csv and .gp do */
};

struct plot_context {
    struct report_data *data;
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
};
extern const struct plot plots[]; /* ends with a NULL name; in the order of the page */

bool plot_compare(struct plot_context *context, struct err *err);
bool plot_cells(struct plot_context *context, struct err *err);
bool plot_timeline(struct plot_context *context, struct err *err);
bool plot_availability(struct plot_context *context, struct err *err);
bool plot_latency(struct plot_context *context, struct err *err);

/* ------------------------------------------------------------------------------------------------ for plot_*.c */

/* Writes the script, runs it when there is gnuplot, and adds the figure; `data` files must be there. The texts must
 * live in the arena of the data or for ever. */
bool plot_finish(struct plot_context *context, struct figure *figure, const struct plot_figure *about,
                 struct err *err);
/* Numbers of an axis that begins at 0: a round upper end above `maximum`. */
double plot_ceiling(double maximum);
/* Adds "set logscale y" with decade tics as durations (1 us .. 100 s) between these two, in ms. */
void plot_latency_axis(struct text *script, double minimum_ms, double maximum_ms);
/* The first seed of which every cell with kept runs has a time series; NULL: none. */
const char *plot_common_seed(const struct report_data *data);
/* The kept run of that seed, or NULL. */
const struct report_run *plot_run_of(const struct report_cell *cell, const char *seed);
/* Adds the stretches with a fault as CSV: start_s,end_s. */
void plot_shade_csv(struct text *csv, const struct report_series *series);
/* "0x2a" for "0x000000000000002a". */
const char *plot_short_seed(struct report_data *data, const char *seed);

#endif
