/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An empty cache in front of a database, and keys that are not asked for alike: the hot ones are
 * filled at once, so more load is survived than the database can serve. A fluid model: arrivals are
 * many, services short against the wait.
 *
 * Rates per second, times in seconds. Arguments out of range give NAN. */
#ifndef SQUALL_ANALYSIS_PREDICT_REFILL_H
#define SQUALL_ANALYSIS_PREDICT_REFILL_H

#include <stdint.h>

struct refill {
    uint32_t keys; /* all of which the cache can hold; 1 or more */
    double skew; /* of the law of Zipf: the i-th key is asked for in proportion to i^-skew; >= 0 */
    double database_per_s;
};

/* How long the last answer of the worst moment took, from an empty cache on, when the database
 * answers in order of arrival and everybody waits. 0 when the load is not above the database's. */
double refill_wait_max(const struct refill *refill, double load_per_s);
/* The load up to which nobody waits longer than this. Above it answers come too late to be kept, so
 * the cache stays empty: the hidden capacity, which for an hour of patience is much and for none is
 * the database's. INFINITY when it is beyond a thousand times that. */
double refill_load_max(const struct refill *refill, double timeout_s);

#endif
