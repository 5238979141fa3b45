/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Report: a results file as plots, tables and data that outlive the tools. Layout of the folder:
 *
 *     index.html        the page; nothing it shows comes from elsewhere
 *     img/NAME.svg      the pictures
 *     plot/NAME.gp      what makes them: gnuplot -d plot/NAME.gp, in the folder
 *     data/NAME*.csv    what they show
 *
 * A report reads nothing but the results file, and writes nothing that depends on when or where it
 * is made. */
#ifndef SQUALL_REPORTS_REPORT_H
#define SQUALL_REPORTS_REPORT_H

#include "analysis/results.h"
#include "reports/gnuplot.h"

struct report_options {
    const char *folder; /* made when it is not there */
    const char *title;  /* NULL: the name of the scenario */
    const char *plot;   /* name of the only plot to make; NULL: all */
    enum report_format format;
};

/* Writes the report. False: ERR_INPUT when the file holds nothing to report or the plot has
 * nothing to show, ERR_SYSTEM when the folder cannot be written or gnuplot is missing or fails.
 * Without gnuplot everything but the pictures is there. */
bool report_write(struct results *results, const struct report_options *options, struct err *err);

/* Name and one line about the index-th plot; false past the last one. */
bool report_plot(uint32_t index, const char **name, const char **summary);

#endif
