/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The text that makes an empty database a results file. Inside the analysis only. */
#ifndef SQUALL_ANALYSIS_RESULTS_SCHEMA_H
#define SQUALL_ANALYSIS_RESULTS_SCHEMA_H

/* SQL, many statements; may be run again on a file that has them. */
extern const char results_schema[];

#endif
