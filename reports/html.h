/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The page of a report: one file, plain HTML and CSS, no script, nothing fetched from elsewhere;
 * readable on a phone and on paper. It says what was run, what was found, and which command
 * repeats it. No date of writing is in it: the same results give the same bytes. */
#ifndef SQUALL_REPORTS_HTML_H
#define SQUALL_REPORTS_HTML_H

#include "reports/plot.h"

/* Adds a text so that it is only a text, also inside an attribute: & < > " ' are escaped, control
 * characters and malformed UTF-8 become U+FFFD. Line breaks stay. */
void html_escape(struct text *page, const char *string);

struct html_options {
    const char *title;
    const char *gnuplot; /* "gnuplot 5.4 patchlevel 4"; "" when it is missing */
};
/* Writes index.html into the folder of the context. */
bool html_write(struct plot_context *context, const struct html_options *options, struct err *err);

#endif
