/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pictures by gnuplot, as a program: a figure is a script plot/NAME.gp that reads data/NAME*.csv
 * and makes img/NAME.svg, all below one folder, all named relative to it. Whoever has the folder
 * can run `gnuplot -d plot/NAME.gp` in it again and gets the same bytes. */
#ifndef SQUALL_REPORTS_GNUPLOT_H
#define SQUALL_REPORTS_GNUPLOT_H

#include "sim/base/err.h"
#include "sim/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum report_format {
    REPORT_SVG,
    REPORT_PNG,
    REPORT_PDF,
};

/* Name of the terminal ("svg", "pngcairo", "pdfcairo") to the format; false when there is no such
 * one. */
bool gnuplot_format(const char *name, enum report_format *format);
/* "svg", "png", "pdf". */
const char *gnuplot_ending(enum report_format format);

struct figure {
    const char *folder; /* of the report; borrowed */
    const char *name;   /* [a-z0-9-]+, the file name without its ending; borrowed */
    enum report_format format;
    uint32_t width; /* CSS pixels */
    uint32_t height;
    struct text script;
};

/* Starts the script: terminal, output, fonts, separators and the styles below. */
void figure_init(struct figure *figure, const char *folder, const char *name,
                 enum report_format format, uint32_t width, uint32_t height);
void figure_release(struct figure *figure);
/* Writes plot/NAME.gp. */
bool figure_write(const struct figure *figure, struct err *err);
/* Writes data/NAME<suffix>.csv. */
bool figure_write_csv(const struct figure *figure, const char *suffix, const struct text *csv,
                      struct err *err);

/* Line styles that every script defines: colours that a colour-blind reader tells apart (Okabe and
 * Ito, 2008), each with its own dashes and point. `set style line` numbers. */
#define GNUPLOT_LINES    8 /* 1 .. 8: one for each cell */
#define GNUPLOT_OFFERED  11
#define GNUPLOT_GOODPUT  12
#define GNUPLOT_ATTEMPTS 13
#define GNUPLOT_P50      14
#define GNUPLOT_P99      15
#define GNUPLOT_ANY      16
#define GNUPLOT_MAJORITY 17
#define GNUPLOT_FAULT    "#D98C3F"
#define GNUPLOT_SHADE    "#FBEBDB"
#define GNUPLOT_DOWN     "#222222"

/* Adds `string` as a single-quoted gnuplot string, in which nothing is special: no backquote runs
 * a command. Control characters and malformed UTF-8 become U+FFFD; longer texts are cut at
 * `bytes_max` with an ellipsis. */
void gnuplot_quote(struct text *script, const char *string, size_t bytes_max);
/* The same rules for a text that goes elsewhere (HTML, CSV): only cleaned and cut, not quoted. */
void gnuplot_clean(struct text *out, const char *string, size_t bytes_max);
/* Adds a CSV field (RFC 4180): quoted when it needs to be. */
void csv_field(struct text *csv, const char *string);
/* Adds a number; NaN for what is not finite. */
void csv_number(struct text *csv, double value);
/* The same as 1.234567890e-20: for what spans many decades. */
void csv_scientific(struct text *csv, double value);

/* Writes a whole file, through a temporary name: a reader sees the old one or the new one. */
bool report_file_write(const char *folder, const char *name, const void *data, size_t size,
                       struct err *err);

/* The program: what GNUPLOT names, else "gnuplot" in the PATH. "gnuplot 5.4 patchlevel 4" in
 * `version`. */
bool gnuplot_version(char *version, size_t size, struct err *err);
/* Runs `gnuplot -d plot/NAME.gp` in `folder`, with LC_ALL=C. False (ERR_SYSTEM): it is missing, or
 * said no; its words are in `err`. */
bool gnuplot_run(const char *folder, const char *name, struct err *err);

#endif
