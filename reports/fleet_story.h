/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the curves of fleets say, in words and numbers that are computed from the results: the
 * heading of a picture is its finding. */
#ifndef SQUALL_REPORTS_FLEET_STORY_H
#define SQUALL_REPORTS_FLEET_STORY_H

#include "reports/fleet.h"

/* A series at a place of the first axis. */
struct fleet_value {
    bool is_known;
    bool is_measured;  /* in episodes of the real code */
    double downtime_s; /* in a year */
    double low_s;      /* of its interval; the downtime itself where it is exact */
    double high_s;
};

/* What is told of it: what the real code was measured to do, else the exact model, else the
 * estimate with the narrowest interval. Bounds are no values. */
struct fleet_value fleet_value_at(const struct report_fleet *fleet, uint32_t series,
                                  uint32_t column);
/* The same at the last place that has one. `column`: where; may be NULL. */
struct fleet_value fleet_value_at_end(const struct report_fleet *fleet, uint32_t series,
                                      uint32_t *column);
/* "15.04 min ±3%", or "15.04 min (≤ 18.2 min)" where the interval reaches much further up than
 * down: as it stands at the end of a line. */
const char *fleet_value_text(struct report_data *data, const struct fleet_value *value);

/* "10 machines", "1 machine", "4 of 6", "crews 1": a place of the first axis. */
const char *fleet_place(const struct report_fleet *fleet, struct report_data *data,
                        uint32_t column);

/* One sentence about the series in `chosen`, without a full stop: "10 machines: any-copy is down
 * 315.6 fs a year, real-code 15.04 min". */
const char *fleet_finding(const struct report_fleet *fleet, struct report_data *data,
                          const uint32_t *chosen, uint32_t count);
/* A second one about the measured series, when it stops falling: "from 7 machines on real-code
 * stays at 15.04 min"; "" otherwise. */
const char *fleet_floor(const struct report_fleet *fleet, struct report_data *data,
                        const uint32_t *chosen, uint32_t count);

#endif
