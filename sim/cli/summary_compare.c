/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two intervals beside each other say little of a difference when both cells had the same seeds;
 * so it has an interval of its own. Only the first pairs are printed: a sweep over many values is
 * for the report. */
#include "sim/cli/summary_compare.h"

#include "analysis/compare.h"
#include "sim/base/base.h"

#define GAIN_SHOWN  1.2
#define LINES_SHOWN 16

struct printing {
    const struct plan *plan;
    FILE *out;
    uint32_t lines;
    uint32_t left; /* of the pair that has its heading */
    uint32_t right;
};

static void print_fleet(const struct compare_pair *pair, double half, FILE *out)
{
    const struct paired *paired = &pair->paired;
    char mean[32];
    char width[32];
    const double mean_s = downtime_s_per_year(paired->difference.mean);
    downtime_format(mean_s < 0 ? -mean_s : mean_s, mean, sizeof(mean));
    downtime_format(downtime_s_per_year(half), width, sizeof(width));
    fprintf(out,
            "    %-14.14s %s%s a year +- %s, unavailability %.4g +- %.2g (paired t, %llu seeds",
            pair->service, mean_s < 0 ? "-" : "", mean, width, paired->difference.mean, half,
            (unsigned long long)paired->difference.count);
}

/* A chance that data is lost is no share of time: there is no year to it. */
static void print_loss(const struct compare_pair *pair, double half, FILE *out)
{
    fprintf(out, "    %-14.14s %.4g %% of the losses cost data +- %.2g %% (paired t, %llu seeds",
            pair->service, 100 * pair->paired.difference.mean, 100 * half,
            (unsigned long long)pair->paired.difference.count);
}

static void print_clients(const struct compare_pair *pair, double half, FILE *out)
{
    fprintf(out, "    %-14s %.4g %% of the time down +- %.2g %% (paired t, %llu seeds", "clients",
            100 * pair->paired.difference.mean, 100 * half,
            (unsigned long long)pair->paired.difference.count);
}

static void print_pair(void *context, const struct compare_pair *pair)
{
    struct printing *printing = context;
    const struct interval *interval = &pair->paired.difference.interval;
    const double half = (interval->high - interval->low) / 2;
    const bool is_equal =
        pair->paired.difference.mean == 0 && pair->paired.difference.deviation == 0;
    if (is_equal || printing->lines++ >= LINES_SHOWN) {
        return;
    }
    if (printing->lines == 1 || printing->left != pair->left || printing->right != pair->right) {
        fprintf(printing->out, "%s  DIFFERENCE  %s less %s\n", printing->lines == 1 ? "\n" : "",
                printing->plan->cells[pair->left].label, printing->plan->cells[pair->right].label);
        printing->left = pair->left;
        printing->right = pair->right;
    }
    if (pair->service[0] == '\0') {
        print_clients(pair, half, printing->out);
    } else if (printing->plan->cells[pair->left].spec.fleet.placement.is_asked) {
        print_loss(pair, half, printing->out);
    } else {
        print_fleet(pair, half, printing->out);
    }
    if (pair->paired.gain > GAIN_SHOWN) {
        fprintf(printing->out, "; common chances are worth %.3g times the seeds",
                pair->paired.gain);
    }
    fprintf(printing->out, ")\n");
}

bool summary_compare(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                     FILE *out, struct err *err)
{
    struct printing printing = {.plan = plan, .out = out};
    if (!compare_cells(results, cell_ids, plan->cell_count, print_pair, &printing, err)) {
        return false;
    }
    if (printing.lines > LINES_SHOWN) {
        fprintf(out, "    and %u more, which the report has\n", printing.lines - LINES_SHOWN);
    }
    return true;
}
