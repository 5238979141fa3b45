/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two things can be said of any set of curves: where the best of them ends, and where the one ends
 * that a reader should set against it. The latter is what was measured on real code; without
 * such a series it is the worst one. Where the curves are variants, only those of the last service
 * are set against each other, since that is what the sweep is about. Of a single curve both ends
 * are told. Nothing is said that cannot be read off the picture, and no adjective is used: a
 * heading must hold for every result.
 */
#include "reports/fleet_story.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define FLAT                                                                                       \
    1.25          /* a curve that falls by less than this much from there to its end has a floor   \
                   */
#define APART 1.5 /* curves that end closer than that tell one story */

struct fleet_value fleet_value_at(const struct report_fleet *fleet, uint32_t series,
                                  uint32_t column)
{
    const struct fleet_point *best = NULL;
    struct fleet_value value = {0};
    for (uint32_t i = 0; i < fleet->point_count; i++) {
        const struct fleet_point *point = &fleet->points[i];
        if (point->series != series || point->column != column) {
            continue;
        }
        const bool is_estimate = point->has_estimate && point->method >= ESTIMATE_CRUDE &&
                                 !point->estimate.is_bound && point->estimate.unavailability > 0;
        if (is_estimate && (best == NULL || point->method == ESTIMATE_DECOMPOSE ||
                            point->estimate.half_width < best->estimate.half_width)) {
            best = point;
        }
        if (isfinite(point->theory.unavailability) && !value.is_known) {
            const double downtime = downtime_s_per_year(point->theory.unavailability);
            value = (struct fleet_value){true, false, downtime, downtime, downtime};
        }
    }
    const bool is_measured = best != NULL && best->method == ESTIMATE_DECOMPOSE;
    if (is_measured || (best != NULL && !value.is_known)) {
        value = (struct fleet_value){true, is_measured,
                                     downtime_s_per_year(best->estimate.unavailability),
                                     downtime_s_per_year(best->estimate.interval.low),
                                     downtime_s_per_year(best->estimate.interval.high)};
    }
    return value;
}

struct fleet_value fleet_value_at_end(const struct report_fleet *fleet, uint32_t series,
                                      uint32_t *column)
{
    struct fleet_value value = {0};
    for (uint32_t at = fleet->first.count; at > 0 && !value.is_known; at--) {
        value = fleet_value_at(fleet, series, at - 1);
        if (column != NULL) {
            *column = at - 1;
        }
    }
    return value;
}

const char *fleet_value_text(struct report_data *data, const struct fleet_value *value)
{
    const char *text = fleet_downtime(data, value->downtime_s);
    const double above = value->high_s / value->downtime_s - 1;
    const double below = 1 - value->low_s / value->downtime_s;
    if (!(above + below > 0) || !isfinite(above)) {
        return text;
    }
    if (above > 2 * below) {
        return arena_printf(&data->arena, "%s (\xe2\x89\xa4 %s)", text,
                            fleet_downtime(data, value->high_s));
    }
    const double width = (above + below) / 2;
    return arena_printf(&data->arena, "%s \xc2\xb1%.*f%%", text, width < 0.01 ? 1 : 0, 100 * width);
}

const char *fleet_place(const struct report_fleet *fleet, struct report_data *data, uint32_t column)
{
    const char *label = fleet->first.labels[column];
    if (fleet->has_codes) {
        return label;
    }
    return fleet->counts_machines ? arena_printf(&data->arena, "%s machine%s", label,
                                                 strcmp(label, "1") == 0 ? "" : "s")
                                  : arena_printf(&data->arena, "%s %s", fleet->first.title, label);
}

/* Both ends of one curve. */
static const char *tell_one(const struct report_fleet *fleet, struct report_data *data,
                            uint32_t series)
{
    uint32_t last = 0;
    uint32_t first = 0;
    const struct fleet_value end = fleet_value_at_end(fleet, series, &last);
    struct fleet_value begin = fleet_value_at(fleet, series, first);
    while (!begin.is_known && first < last) {
        begin = fleet_value_at(fleet, series, ++first);
    }
    if (!end.is_known) {
        return "no outage was seen";
    }
    return arena_printf(&data->arena, "%s is down %s a year with %s, %s with %s",
                        fleet->series[series].title, fleet_downtime(data, begin.downtime_s),
                        fleet_place(fleet, data, first), fleet_downtime(data, end.downtime_s),
                        fleet_place(fleet, data, last));
}

static bool is_worse(const struct fleet_value *value, const struct fleet_value *than)
{
    return value->is_measured == than->is_measured ? value->downtime_s > than->downtime_s
                                                   : value->is_measured;
}

const char *fleet_finding(const struct report_fleet *fleet, struct report_data *data,
                          const uint32_t *chosen, uint32_t count)
{
    uint32_t last = 0; /* place where most curves end */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t column = 0;
        const struct fleet_value end = fleet_value_at_end(fleet, chosen[i], &column);
        last = end.is_known && column > last ? column : last;
    }
    uint32_t best = UINT32_MAX;
    uint32_t other = UINT32_MAX;
    struct fleet_value low = {.downtime_s = INFINITY};
    struct fleet_value high = {0};
    const char *service = count > 0 ? fleet->series[chosen[count - 1]].service : "";
    const bool by_variant = count > 0 && fleet->series[chosen[0]].variant[0] != '\0';
    for (uint32_t i = 0; i < count; i++) {
        const struct fleet_value value = fleet_value_at(fleet, chosen[i], last);
        if (by_variant && strcmp(fleet->series[chosen[i]].service, service) != 0) {
            continue;
        }
        if (value.is_known && value.downtime_s < low.downtime_s) {
            low = value;
            best = chosen[i];
        }
        if (value.is_known && is_worse(&value, &high)) {
            high = value;
            other = chosen[i];
        }
    }
    if (best == UINT32_MAX) {
        return count == 0 ? "no outage was seen" : tell_one(fleet, data, chosen[0]);
    }
    if (best == other || high.downtime_s < APART * low.downtime_s) {
        return tell_one(fleet, data, other);
    }
    if (by_variant) {
        return arena_printf(&data->arena, "%s: %s is down %s a year with %s, %s with %s",
                            fleet_place(fleet, data, last), service,
                            fleet_downtime(data, low.downtime_s), fleet->series[best].variant,
                            fleet_downtime(data, high.downtime_s), fleet->series[other].variant);
    }
    return arena_printf(&data->arena, "%s: %s is down %s a year, %s %s",
                        fleet_place(fleet, data, last), fleet->series[best].title,
                        fleet_downtime(data, low.downtime_s), fleet->series[other].title,
                        fleet_downtime(data, high.downtime_s));
}

const char *fleet_floor(const struct report_fleet *fleet, struct report_data *data,
                        const uint32_t *chosen, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t last = 0;
        const struct fleet_value end = fleet_value_at_end(fleet, chosen[i], &last);
        uint32_t from = last;
        while (from > 0 && end.is_measured &&
               fleet_value_at(fleet, chosen[i], from - 1).downtime_s < FLAT * end.downtime_s) {
            from--;
        }
        if (end.is_measured && from < last && from > 0 && fleet->counts_machines) {
            return arena_printf(&data->arena, "from %s machines on %s stays at %s",
                                fleet->first.labels[from], fleet->series[chosen[i]].title,
                                fleet_value_text(data, &end));
        }
    }
    return "";
}
