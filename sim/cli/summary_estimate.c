/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A number without its method, its interval and its hits is a rumour; so each line has them. */
#include "sim/cli/summary_estimate.h"

#include "analysis/estimate_store.h"
#include "analysis/fleet_exact.h"
#include "sim/base/base.h"

#include <string.h>

#define WEIGHT_SHARE_MAX 0.05
#define HITS_MIN         30
#define LABEL_MIN        26
#define LABEL_MAX        46

static void print_interval(const struct estimate *estimate, FILE *out)
{
    if (estimate->is_bound) {
        fprintf(out, "<= %-19.3g", estimate->interval.high);
    } else if (estimate->hits == 0) {
        fprintf(out, "%-22s", "exact");
    } else {
        char text[48];
        snprintf(text, sizeof(text), "%.3g .. %.3g", estimate->interval.low,
                 estimate->interval.high);
        fprintf(out, "%-22s", text);
    }
}

/* Why the interval is not to be believed; NULL: nothing speaks against it. */
static const char *doubt(const struct estimate *estimate)
{
    if (estimate->is_bound) {
        return "no outage was seen: only the bound means something";
    }
    if (estimate->hits > 0 && estimate->weight_share > WEIGHT_SHARE_MAX) {
        return "one cycle has more than 5 % of the weight: more seeds, or another estimator";
    }
    if (estimate->hits > 0 && estimate->hits < HITS_MIN) {
        return "few outages were seen: more seeds";
    }
    return NULL;
}

/* As wide as the longest label, within reason. */
static int label_width(const struct plan *plan)
{
    size_t width = LABEL_MIN;
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        size_t length = strlen(plan->cells[i].label);
        width = length > width ? length : width;
    }
    return (int)(width < LABEL_MAX ? width : LABEL_MAX);
}

static void print_line(const char *label, int width, const struct estimate_sums *sums,
                       double confidence, FILE *out)
{
    struct estimate estimate = estimate_of(sums, confidence);
    char downtime[32] = "< ";
    const size_t sign = estimate.is_bound ? 2 : 0;
    const double worst = estimate.is_bound ? estimate.interval.high : estimate.unavailability;
    if (!(estimate.unavailability >= 0)) { /* nothing was measured */
        return;
    }
    downtime_format(downtime_s_per_year(worst), downtime + sign, sizeof(downtime) - sign);
    fprintf(out, "    %-*.*s %-14.14s %-11.4g ", width, width, label, sums->service,
            estimate.unavailability);
    print_interval(&estimate, out);
    fprintf(out, " %-10s %-8s %8.4g", downtime, estimate_method_name(sums->method),
            estimate.outages_per_h * HOURS_IN_A_YEAR);
    if (estimate.hits > 0) {
        fprintf(out, "  %llu hits, %.0f effective", (unsigned long long)estimate.hits,
                estimate.effective);
    }
    fputc('\n', out);
    if (doubt(&estimate) != NULL) {
        fprintf(out, "      ! %s\n", doubt(&estimate));
    }
}

bool summary_estimates(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                       FILE *out, struct err *err)
{
    bool is_headed = false;
    const int width = label_width(plan);
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        static struct estimate_sums sums[ESTIMATE_STORE_MAX];
        const struct spec_fleet *fleet = &plan->cells[i].spec.fleet;
        uint32_t count = 0;
        if (!estimate_load(results, cell_ids[i], sums, &count, err)) {
            return false;
        }
        for (uint32_t s = 0; s < count; s++) {
            if (!is_headed) {
                fprintf(out,
                        "\n  AVAILABILITY OF THE FLEET\n    %-*s %-14s %-11s %-22s %-10s %-8s "
                        "%8s\n",
                        width, "cell", "service", "unavailable", "interval", "a year", "method",
                        "outages/y");
                is_headed = true;
            }
            print_line(plan->cells[i].label, width, &sums[s],
                       (double)fleet->confidence_millionths / 1e6, out);
        }
    }
    return true;
}
