/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Thresholds in k6's grammar, `<aggregation> <operator> <value>`, with an extension: `@ 95%` judges
 * the end of the confidence interval that is worse for the claim, so that too few runs cannot look
 * like good ones.
 *
 *     metric         aggregations               values       with @
 *     latency        avg min max med p(N)       durations    no: operations of a run are dependent
 *     visibility     avg min max med p(N)       durations    med, p(N): order statistics
 *     recovery       avg min max med p(N)       durations    avg, med, p(N)
 *                    rate (of runs that do)     %            yes, exact
 *     availability   rate (of time)             %            yes
 *     success        rate (of operations)       %            yes
 *     metastable     rate (of runs)             %            yes, exact
 *     failures       rate (of runs that fail)   %            yes, exact
 *     goodput        rate, value (per second)   rates        yes
 *     amplification  value                      numbers      yes
 *     gauge          avg min max med p(N) last  numbers      avg, med, p(N), last
 *     counter        count rate (per second)    numbers      yes
 *     unavailability value                      1.5e-6       yes
 *     downtime       value (in a year)          315.6fs      yes
 *     loss           value (of a placement)     %            yes, exact
 *     user-uptime    rate min                   %            rate
 *     mcr            rate min                   %            rate
 *     harvest        rate min                   %            rate
 *     yield          rate min                   %            rate
 *     gray           rate min max               %            rate
 *
 * Visibility is by how much reads came too early to see the last acknowledged write
 * (analysis/visibility.h), of all reads of all runs, which its interval takes as independent.
 *
 * Each run gives one number of a gauge or counter of a model (analysis/gauges.h), or of what its
 * clients saw: uptime of users and MCR of windows (analysis/user_view.h), harvest (mean share of
 * the data in an answer, which models show as the gauge `harvest` in permille) and yield
 * (operations that are OK, of those offered; Fox and Brewer, HotOS 1999), and the share of time in
 * which a detector says up and the clients' windows are down (analysis/gray.h). Min and max are the
 * extreme ones of all runs, the others their mean. Unavailability and downtime are estimates of
 * a fleet (analysis/estimate.h), and loss is the chance that data is lost with many nodes at once,
 * from all seeds of a cell together; == and != compare as many digits as are written. An estimate
 * without a hit has only an upper bound, and is judged by it.
 *
 * Of availability, unavailability and downtime also the difference between two cells can be judged,
 * one less the other, which may be negative (`value < -30min @ 95%`): that of seeds which both
 * have, with Student's t (analysis/compare.h). Cells that did not differ in any seed have no
 * spread, and are judged by a bound on the share of seeds in which they may.
 *
 * Operators: < <= > >= == !=. A run that never recovered counts as an infinite recovery; one
 * without a fault not at all. */
#ifndef SQUALL_ANALYSIS_THRESHOLD_H
#define SQUALL_ANALYSIS_THRESHOLD_H

#include "analysis/estimate.h"
#include "analysis/result.h"
#include "analysis/results.h"
#include "analysis/statistics.h"
#include "sim/base/err.h"
#include "sim/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct compare_question;

enum threshold_metric {
    THRESHOLD_LATENCY,
    THRESHOLD_RECOVERY,
    THRESHOLD_AVAILABILITY,
    THRESHOLD_SUCCESS,
    THRESHOLD_METASTABLE,
    THRESHOLD_FAILURES,
    THRESHOLD_GOODPUT,
    THRESHOLD_AMPLIFICATION,
    THRESHOLD_GAUGE,
    THRESHOLD_COUNTER,
    THRESHOLD_UNAVAILABILITY,
    THRESHOLD_DOWNTIME,
    THRESHOLD_USER_UPTIME,
    THRESHOLD_MCR,
    THRESHOLD_HARVEST,
    THRESHOLD_YIELD,
    THRESHOLD_GRAY,
    THRESHOLD_LOSS,
    THRESHOLD_VISIBILITY,
    THRESHOLD_METRIC_COUNT
};

enum threshold_aggregation {
    THRESHOLD_AVG,
    THRESHOLD_MIN,
    THRESHOLD_MAX,
    THRESHOLD_MED,
    THRESHOLD_PERCENTILE,
    THRESHOLD_RATE,
    THRESHOLD_VALUE,
    THRESHOLD_LAST,
    THRESHOLD_COUNT,
};

enum threshold_operator {
    THRESHOLD_LESS,
    THRESHOLD_LESS_EQUAL,
    THRESHOLD_GREATER,
    THRESHOLD_GREATER_EQUAL,
    THRESHOLD_EQUAL,
    THRESHOLD_NOT_EQUAL,
};

struct threshold {
    enum threshold_metric metric;
    enum threshold_aggregation aggregation;
    uint32_t percentile_milli; /* p(99.9): 99900 */
    enum threshold_operator operator;
    double value;       /* ns; shares of one; per second; plain; seconds in a year */
    uint32_t digits;    /* significant ones written, of unavailability and downtime, ... */
    double unit;        /* ... in this unit: 3600 of "52.60h" */
    double confidence;  /* 0.95; 0: the estimate is judged */
    bool is_difference; /* of a cell less another; `value` may be negative */
};

/* False, ERR_INPUT, with a text that shows what is allowed there. */
bool threshold_parse(const char *metric, const char *expression, struct threshold *threshold,
                     struct err *err);
/* The threshold of a scenario, which may be one on a difference. */
bool threshold_parse_asked(const struct spec_threshold *asked, struct threshold *threshold,
                           struct err *err);
/* Is it a threshold? For the scenario that it stands in (struct catalog.check_threshold). */
bool threshold_check(const struct spec_threshold *asked, struct err *err);

/* What thresholds are judged on: the runs of one cell. */
struct threshold_run {
    bool is_failed;
    bool is_metastable;
    uint64_t offered;
    uint64_t attempts;
    uint64_t ok;
    int64_t up_ns;
    int64_t measured_ns;
    int64_t recovery_ns; /* as in run_result: -1 never, -2 no fault */
};
struct threshold_data {
    struct vec runs;   /* struct threshold_run */
    struct vec values; /* double: of the metric that is asked about, one for each run that has it */
    struct histogram latency;
    struct histogram visibility;
    bool has_estimate;
    struct estimate_sums estimate; /* of the service that is asked about */
    double unit;                   /* what it is divided by: 1, or what theory says */
    struct mean difference; /* of the share of time in which it is down, in the cell less that in
                               another; fewer than two seeds: not known */
};
void threshold_data_init(struct threshold_data *data);
void threshold_data_release(struct threshold_data *data);
void threshold_data_clear(struct threshold_data *data);
/* VERDICT_ERROR runs count for `failures` only. */
void threshold_data_add(struct threshold_data *data, const struct run_result *result);
/* The same from the rows of a cell; minimum and maximum latency are then known within their bins
 * only. */
bool threshold_data_load(struct threshold_data *data, struct results *results, int64_t cell_id,
                         struct err *err);

/* The name of the run's metric that a threshold on a gauge or counter is judged by; `text`: the
 * metric as written. Cut to fit. */
void threshold_metric_name(const struct threshold *threshold, const char *text, char *out,
                           size_t size);
/* The name of the run's metric that holds the MCR of windows of this length: "mcr_1m". */
void threshold_mcr_name(int64_t window_ns, char *out, size_t size);
/* The name of the run's metric that a threshold of the scenario is judged by; false for one that is
 * judged by the runs themselves. */
bool threshold_metric_of(const struct threshold *threshold, const struct spec_threshold *asked,
                         char *out, size_t size);
/* Replaces `values` by that metric of the runs of a cell. */
bool threshold_data_load_values(struct threshold_data *data, struct results *results,
                                int64_t cell_id, const char *name, struct err *err);

/* Replaces the estimate by that of the cell which the tags name. *is_asked false: the tags are not
 * about this cell (another number of machines, another method). */
bool threshold_data_load_estimate(struct threshold_data *data, struct results *results,
                                  int64_t cell_id, const struct spec_estimate_tags *tags,
                                  bool *is_asked, struct err *err);

/* Replaces the difference by that of two cells; `question`'s confidence is the threshold's affair.
 */
bool threshold_data_load_difference(struct threshold_data *data, struct results *results,
                                    const struct compare_question *question,
                                    const struct threshold *threshold, struct err *err);

enum threshold_verdict {
    THRESHOLD_HELD,
    THRESHOLD_CROSSED,
    /* nothing was observed; or the estimate holds, but its interval does not: more seeds are needed
     */
    THRESHOLD_UNDECIDED,
};
struct threshold_outcome {
    enum threshold_verdict verdict;
    double observed; /* NaN: nothing was observed; infinity: never recovered */
    /* NaN where there is none. Its ends are those of the one-sided judgement. */
    struct interval interval;
    uint64_t trials_needed; /* shares with no hit: runs that would settle it; 0: not known */
};
struct threshold_outcome threshold_judge(const struct threshold *threshold,
                                         const struct threshold_data *data);
/* An observed value as people read it ("41ms", "99.93%", "1.21", "never"). */
const char *threshold_format(const struct threshold *threshold, double value, char *out,
                             size_t size);

#endif
