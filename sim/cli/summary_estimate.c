/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A number without its method, its interval and its hits is a rumour; so each line has them. */
#include "sim/cli/summary_estimate.h"

#include "analysis/estimate_store.h"
#include "analysis/fleet_exact.h"
#include "sim/base/base.h"


#define WEIGHT_SHARE_MAX 0.05
#define HITS_MIN         30
#define LABEL_WIDTH      26

/* "87.66 h", "31.56 s", "315.6 fs": seconds of a year as people read them, four digits. */
static const char *format_downtime(double seconds, char *out, size_t size)
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{3600, "h"},  {60, "min"},  {1, "s"},      {1e-3, "ms"},
                 {1e-6, "us"}, {1e-9, "ns"}, {1e-12, "ps"}, {1e-15, "fs"}};
    uint32_t at = 0;
    while (at + 1 < ARRAY_COUNT(units) && seconds < units[at].unit) {
        at++;
    }
    snprintf(out, size, "%.4g %s", seconds / units[at].unit, units[at].name);
    return out;
}

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

static void print_line(const char *label, const struct estimate_sums *sums, double confidence,
                       FILE *out)
{
    struct estimate estimate = estimate_of(sums, confidence);
    char downtime[32];
    if (!(estimate.unavailability >= 0)) { /* nothing was measured */
        return;
    }
    format_downtime(downtime_s_per_year(estimate.unavailability), downtime, sizeof(downtime));
    fprintf(out, "    %-*.*s %-16.16s %-11.4g ", LABEL_WIDTH, LABEL_WIDTH, label, sums->service,
            estimate.unavailability);
    print_interval(&estimate, out);
    fprintf(out, " %-10s %-8s %8.4g", downtime, estimate_method_name(sums->method),
            estimate.outages_per_h * HOURS_IN_A_YEAR);
    if (sums->method == ESTIMATE_DECOMPOSE) {
        fprintf(out, "  %llu episodes", (unsigned long long)estimate.hits);
    } else if (estimate.hits > 0) {
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
                        "\n  AVAILABILITY OF THE FLEET\n    %-*s %-16s %-11s %-22s %-10s %-8s "
                        "%8s\n",
                        LABEL_WIDTH, "cell", "service", "unavailable", "interval", "a year",
                        "method", "outages/y");
                is_headed = true;
            }
            print_line(plan->cells[i].label, &sums[s], (double)fleet->confidence_millionths / 1e6,
                       out);
        }
    }
    return true;
}
