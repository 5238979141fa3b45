/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The closed forms of analysis/predict_laws.h, and what else is a number of a few parameters, by
 * name: a table of laws, each with its parameters and a function that prints. */
#include "sim/cli/predict.h"

#include "analysis/copysets.h"
#include "analysis/fleet_exact.h"
#include "analysis/predict_laws.h"
#include "analysis/predict_mean_field.h"
#include "analysis/predict_refill.h"
#include "analysis/statistics.h"
#include "sim/base/base.h"
#include "sim/base/units.h"

#include <string.h>

#define PARAMETERS_MAX 8

enum unit { UNIT_NUMBER, UNIT_RATE, UNIT_TIME, UNIT_SHARE, UNIT_SIZE, UNIT_BANDWIDTH };

struct parameter {
    const char *name;
    enum unit unit;
    const char *initial; /* NULL: it must be given */
};

struct law {
    const char *name;
    struct parameter parameters[PARAMETERS_MAX + 1]; /* up to a NULL name */
    void (*print)(const double *values, struct text *text);
    bool (*check)(const double *values, struct err *err); /* NULL: every value will do */
    const char *example;                                  /* of its parameters */
    const char *holds;                                    /* where it does */
};

static void add_time(struct text *text, const char *label, double seconds)
{
    char number[32];
    text_printf(text, "%-22s %12s\n", label, predict_format_time(seconds, number, sizeof(number)));
}

static void print_batch(const double *values, struct text *text)
{
    struct law_batch batch = {values[0], values[1], values[2], values[3]};
    add_time(text, "work", law_batch_work(batch));
    text_printf(text, "%-22s %12s\n", "in the end",
                law_batch_collapses(batch) ? "collapses" : "all done");
    text_printf(text, "%-22s %12.6g   items; one more never comes back\n", "largest batch",
                law_batch_items_max(batch));
    add_time(text, "full jitter above", law_batch_jitter(batch));
    add_time(text, "spread the start over", law_batch_ramp(batch));
}

static void print_error_path(const double *values, struct text *text)
{
    text_printf(text, "%-22s %12.6g/s\n", "hidden capacity",
                law_error_path_hidden(values[0], values[1]));
    text_printf(text, "%-22s %12.6g/s   %s\n", "answered well",
                law_error_path_goodput(values[0], values[1], values[2]),
                values[1] > 1 ? "in the worse of the two states" : "in the only state");
}

static void print_gc(const double *values, struct text *text)
{
    struct law_gc gc = {values[0], values[1], values[2], values[3]};
    double workers = values[4];
    double load = values[5];
    double live_max = law_gc_live_max(gc, load);
    double hidden = law_gc_capacity(gc, workers);
    text_printf(text, "%-22s %12.6g/s   with all workers busy, %.0f%% of the time collecting\n",
                "hidden capacity", hidden, 100 * law_gc_share(gc, workers, hidden));
    text_printf(text, "%-22s %12.6g/s   with an empty memory\n", "capacity",
                law_gc_capacity(gc, 0));
    if (live_max < 0) {
        text_printf(text, "%-22s %12s   at any time\n", "falls behind", "always");
    } else if (live_max >= workers) {
        text_printf(text, "%-22s %12s   whatever is in memory\n", "falls behind", "never");
    } else {
        text_printf(text, "%-22s %12.6g   requests in memory\n", "falls behind above", live_max);
    }
}

static void print_cache(const double *values, struct text *text)
{
    text_printf(text, "%-22s %12.6g/s   with the cache warm\n", "advertised capacity",
                law_cache_advertised(values[0], values[1], values[2]));
    text_printf(text, "%-22s %12.6g/s   after a flush of everything\n", "hidden capacity",
                law_cache_hidden(values[0], values[2]));
}

static void print_refill(const double *values, struct text *text)
{
    struct refill refill = {(uint32_t)values[0], values[1], values[2]};
    add_time(text, "longest wait", refill_wait_max(&refill, values[3]));
    text_printf(text, "%-22s %12.6g/s   above it answers come too late to be kept\n",
                "hidden capacity", refill_load_max(&refill, values[4]));
}

static void print_resync(const double *values, struct text *text)
{
    struct law_resync copy = {values[0], values[1], values[2], values[3],
                              values[4], values[5], values[6]};
    add_time(text, "one copy", law_resync_time(copy));
    text_printf(text, "%-22s %12.4gMB/s   above it the copy begins again for ever\n",
                "writes at most", law_resync_writes_max(copy) / 1e6);
}

static void print_offered(const double *values, struct text *text)
{
    double load = law_offered_load(values[0], values[1], (uint32_t)values[2]);
    text_printf(text, "%-22s %12.6g/s   %.3g for each fresh call\n", "offered in equilibrium", load,
                load / values[0]);
}

static void print_queue_bound(const double *values, struct text *text)
{
    text_printf(text, "%-22s %12.6g   longer ones can hold a server stuck\n", "queue bound",
                law_queue_bound(values[0], values[1]));
}

static void print_erlang(const double *values, struct text *text)
{
    double load = values[2] / values[0];
    double wait = load < 1 ? mean_field_erlang_c((uint32_t)values[1], load) : 1;
    text_printf(text, "%-22s %11.4g%%   of the arrivals (Erlang C)\n", "wait", 100 * wait);
    add_time(text, "mean time",
             load < 1 ? values[1] / values[0] + wait / (values[0] - values[2]) : __builtin_inf());
}

static struct fleet_model fleet_of(const double *values)
{
    return (struct fleet_model){.machines = (uint32_t)values[0],
                                .needed = (uint32_t)values[1],
                                .fail_per_h = 3600 / values[2],
                                .repair_per_h = 3600 / values[3],
                                .crews = (uint32_t)values[4],
                                .shock_share = values[5],
                                .failover_h = values[6] / 3600};
}

static bool check_fleet(const double *values, struct err *err)
{
    const struct fleet_model model = fleet_of(values);
    if (values[2] <= 0 || values[3] <= 0) {
        return err_set(err, ERR_INPUT, "life and repair must take more than no time");
    }
    return fleet_exact_states(&model) > 0 ||
           err_set(err, ERR_INPUT,
                   "1 to %d machines, no more needed than there are, crews no more than machines",
                   FLEET_MACHINES_MAX);
}

static void print_fleet(const double *values, struct text *text)
{
    const struct fleet_model model = fleet_of(values);
    const double years[] = {1.0 / 12, 1, 10};
    struct err err = {0};
    struct fleet_exact exact;
    char downtime[32];
    bool is_fine = fleet_exact(&model, &exact, &err);
    ASSERT(is_fine);
    downtime_format(downtime_s_per_year(exact.unavailability), downtime, sizeof(downtime));
    text_printf(text, "%-22s %12.6e   %.2f nines\n", "unavailability", exact.unavailability,
                nines_of(exact.unavailability));
    text_printf(text, "%-22s %12s   in a year\n", "downtime", downtime);
    text_printf(text, "%-22s %12.5g   in a year\n", "outages",
                exact.outages_per_h * HOURS_IN_A_YEAR);
    downtime_format(exact.outage_h * 3600, downtime, sizeof(downtime));
    text_printf(text, "%-22s %12s   mean\n", "each of them", downtime);
    text_printf(text, "%-22s %12.6g h   from all up to the first outage\n", "MTTF", exact.mttf_h);
    text_printf(text, "%-22s", "an outage within");
    for (uint32_t i = 0; i < ARRAY_COUNT(years); i++) {
        static const char *const names[] = {"a month", "a year", "ten years"};
        struct fleet_transient transient;
        is_fine = fleet_exact_transient(&model, years[i] * HOURS_IN_A_YEAR, &transient, &err);
        ASSERT(is_fine);
        text_printf(text, "%s %.7g %s", i == 0 ? "" : ",", transient.outage_by_then, names[i]);
    }
    text_add(text, "\n");
    struct fleet_transient then;
    is_fine = fleet_exact_transient(&model, values[7] / 3600, &then, &err);
    ASSERT(is_fine);
    text_printf(text, "%-22s %12.6e   %g h after all was up; an outage by then %.7g\n",
                "unavailable", then.unavailability, values[7] / 3600, then.outage_by_then);
}

static struct copysets copysets_of(const double *values)
{
    return (struct copysets){(uint32_t)values[0], (uint32_t)(values[0] * values[1] + .5),
                             (uint32_t)values[2], (uint32_t)values[3]};
}

static bool check_copysets(const double *values, struct err *err)
{
    const struct copysets copysets = copysets_of(values);
    return copysets_check(&copysets, err) && ((values[4] >= 1 && values[4] <= 1e7) ||
                                              err_set(err, ERR_INPUT, "1 to ten million trials"));
}

static void add_placement(struct text *text, const char *label, double closed, uint32_t lost,
                          uint32_t trials)
{
    const struct interval interval = interval_wilson(lost, trials, 0.95);
    text_printf(text, "%-22s %11.4g%% %11.4g%%   %.4g .. %.4g%%\n", label, 100 * closed,
                100.0 * lost / trials, 100 * interval.low, 100 * interval.high);
}

static void print_copysets(const double *values, struct text *text)
{
    const struct copysets copysets = copysets_of(values);
    struct copysets least = copysets;
    const struct copysets_trials trials = {(uint64_t)values[5], (uint32_t)values[4]};
    least.scatter = copysets.replicas - 1;
    text_printf(text,
                "data is lost when %u of %u nodes are lost at once, %u replicas, scatter %u\n",
                copysets.lost, copysets.nodes, copysets.replicas, copysets.scatter);
    text_printf(text, "%-22s %12s %12s   95%% interval of %u trials\n", "placement", "closed form",
                "simulated", trials.trials);
    add_placement(text, "random in a window",
                  copysets_loss(&copysets, copysets_of_window(&copysets)),
                  copysets_simulate(&copysets, COPYSETS_WINDOW, trials), trials.trials);
    add_placement(text, "copyset replication",
                  copysets_loss(&copysets, copysets_of_permutations(&copysets)),
                  copysets_simulate(&copysets, COPYSETS_PERMUTATIONS, trials), trials.trials);
    add_placement(text, "fewest copysets", copysets_loss(&least, copysets_of_permutations(&least)),
                  copysets_simulate(&least, COPYSETS_PERMUTATIONS, trials), trials.trials);
    text_printf(text,
                "The closed form takes sets as independent; those of a window overlap, so it says "
                "too much there.\n");
}

static const struct law laws[] = {
    {"batch",
     {{"items", UNIT_NUMBER, NULL},
      {"service", UNIT_TIME, NULL},
      {"workers", UNIT_NUMBER, "1"},
      {"timeout", UNIT_TIME, NULL}},
     print_batch,
     NULL,
     "items=1200 service=10ms workers=2 timeout=3s",
     "where work is done in order of arrival, stale work is not cancelled, and who timed out\n  "
     "asks again at once; nothing is random"},
    {"error-path",
     {{"capacity", UNIT_RATE, NULL}, {"cost", UNIT_SHARE, NULL}, {"load", UNIT_RATE, NULL}},
     print_error_path,
     NULL,
     "capacity=300/s cost=300% load=150/s",
     "where failures cost the time of the same workers, and nobody tries again"},
    {"gc",
     {{"heap", UNIT_NUMBER, NULL},
      {"service", UNIT_TIME, NULL},
      {"pause", UNIT_TIME, "0s"},
      {"pausePerRequest", UNIT_TIME, "0s"},
      {"workers", UNIT_NUMBER, NULL},
      {"load", UNIT_RATE, NULL}},
     print_gc,
     NULL,
     "heap=170 service=690us pause=380ms workers=100 load=220/s",
     "on the average: arrivals are even, and collections stop the processor that serves"},
    {"cache",
     {{"database", UNIT_RATE, NULL}, {"hit", UNIT_SHARE, NULL}, {"fanOut", UNIT_NUMBER, "1"}},
     print_cache,
     NULL,
     "database=300/s hit=90% fanOut=1",
     "where keys are asked for alike and answers that are late fill nothing; with favourites the\n "
     " hidden capacity is higher (the law `refill`)"},
    {"refill",
     {{"keys", UNIT_NUMBER, NULL},
      {"skew", UNIT_SHARE, "99%"},
      {"database", UNIT_RATE, NULL},
      {"load", UNIT_RATE, NULL},
      {"timeout", UNIT_TIME, NULL}},
     print_refill,
     NULL,
     "keys=5000 skew=99% database=100/s load=300/s timeout=3s",
     "as a fluid: many arrivals, services short against the time-out, one query for each key"},
    {"resync",
     {{"size", UNIT_SIZE, NULL},
      {"save", UNIT_BANDWIDTH, NULL},
      {"send", UNIT_BANDWIDTH, NULL},
      {"load", UNIT_BANDWIDTH, NULL},
      {"hard", UNIT_SIZE, "256MB"},
      {"soft", UNIT_SIZE, "64MB"},
      {"softTime", UNIT_TIME, "60s"}},
     print_resync,
     NULL,
     "size=8GB save=120MB/s send=200MB/s load=100MB/s",
     "where writes come at a constant rate and one replica copies at a time"},
    {"offered",
     {{"load", UNIT_RATE, NULL}, {"capacity", UNIT_RATE, NULL}, {"attempts", UNIT_NUMBER, NULL}},
     print_offered,
     NULL,
     "load=10100/s capacity=10000/s attempts=10",
     "where refusals cost nothing, and retries come back long enough after them to find\n  another "
     "queue (delays are random, or longer than the queue)"},
    {"queue-bound",
     {{"capacity", UNIT_RATE, NULL}, {"timeout", UNIT_TIME, NULL}},
     print_queue_bound,
     NULL,
     "capacity=300/s timeout=1s",
     "where the service is short against the time-out, and the queue is first come first served"},
    {"erlang",
     {{"capacity", UNIT_RATE, NULL}, {"servers", UNIT_NUMBER, "1"}, {"load", UNIT_RATE, NULL}},
     print_erlang,
     NULL,
     "capacity=300/s servers=30 load=270/s",
     "for random arrivals, exponential services, and callers that wait for ever"},
    {"fleet",
     {{"machines", UNIT_NUMBER, NULL},
      {"needed", UNIT_NUMBER, NULL},
      {"life", UNIT_TIME, NULL},
      {"repair", UNIT_TIME, NULL},
      {"crews", UNIT_NUMBER, "0"},
      {"shocks", UNIT_SHARE, "0%"},
      {"failover", UNIT_TIME, "0s"},
      {"at", UNIT_TIME, "24h"}},
     print_fleet,
     check_fleet,
     "machines=5 needed=3 life=99h repair=1h",
     "for exponential lives and repairs, and machines that are all alike"},
    {"copysets",
     {{"nodes", UNIT_NUMBER, NULL},
      {"lost", UNIT_SHARE, "1%"},
      {"replicas", UNIT_NUMBER, "3"},
      {"scatter", UNIT_NUMBER, "10"},
      {"trials", UNIT_NUMBER, "100000"},
      {"seed", UNIT_NUMBER, "1"}},
     print_copysets,
     check_copysets,
     "nodes=5000 lost=1% replicas=3 scatter=10",
     NULL},
};

static bool read_value(enum unit unit, const char *text, double *value, struct err *err)
{
    int64_t number = 0;
    uint64_t count = 0;
    bool is_fine = false;
    switch (unit) {
    case UNIT_NUMBER:
        is_fine = units_u64(text, &count, err) &&
                  (count <= UINT32_MAX || err_set(err, ERR_INPUT, "'%s' is too large", text));
        *value = (double)count;
        return is_fine;
    case UNIT_RATE:
        is_fine = units_rate(text, &number, err);
        *value = (double)number / 1000;
        return is_fine;
    case UNIT_TIME:
        is_fine = units_duration(text, &number, err);
        *value = (double)number / 1e9;
        return is_fine;
    case UNIT_SHARE:
        is_fine = units_ratio(text, &number, err);
        *value = (double)number / 1e6;
        return is_fine;
    case UNIT_SIZE:
        is_fine = units_size(text, &number, err);
        *value = (double)number;
        return is_fine;
    case UNIT_BANDWIDTH:
        is_fine = units_bandwidth(text, &number, err);
        *value = (double)number;
        return is_fine;
    }
    UNREACHABLE();
}

/* What "KEY=VALUE" sets `name` to; NULL when it sets something else. */
static const char *value_of(const char *name, const char *setting)
{
    size_t length = strlen(name);
    bool is_it = strncmp(setting, name, length) == 0 && setting[length] == '=';
    return is_it ? setting + length + 1 : NULL;
}

/* What is given for `name`, the last one of several; NULL when nothing is. */
static const char *find_setting(const char *name, char *const *settings, uint32_t count)
{
    const char *found = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const char *value = value_of(name, settings[i]);
        found = value == NULL ? found : value;
    }
    return found;
}

static bool is_parameter(const struct law *law, const char *setting)
{
    for (const struct parameter *one = law->parameters; one->name != NULL; one++) {
        if (value_of(one->name, setting) != NULL) {
            return true;
        }
    }
    return false;
}

static const struct law *find_law(const char *name, struct err *err)
{
    struct text known;
    text_init(&known);
    for (uint32_t i = 0; i < ARRAY_COUNT(laws); i++) {
        if (strcmp(laws[i].name, name) == 0) {
            text_release(&known);
            return &laws[i];
        }
        text_printf(&known, "%s%s", i == 0 ? "" : ", ", laws[i].name);
    }
    err_set(err, ERR_INPUT, "unknown law '%s'; there are %s", name, text_of(&known));
    text_release(&known);
    return NULL;
}

bool predict_law(const char *name, char *const *settings, uint32_t count, bool is_simulated,
                 struct text *text, struct err *err)
{
    const struct law *law = find_law(name, err);
    if (law == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!is_parameter(law, settings[i])) {
            return err_set(err, ERR_INPUT, "'%s' is no parameter of the law '%s'", settings[i],
                           name);
        }
    }
    double values[PARAMETERS_MAX] = {0};
    for (uint32_t i = 0; law->parameters[i].name != NULL; i++) {
        const struct parameter *one = &law->parameters[i];
        const char *given = find_setting(one->name, settings, count);
        given = given == NULL ? one->initial : given;
        if (given == NULL) {
            return err_set(err, ERR_INPUT, "the law '%s' needs %s=..., such as: --law %s %s", name,
                           one->name, name, law->example);
        }
        if (!read_value(one->unit, given, &values[i], err)) {
            return err_wrap(err, "%s", one->name);
        }
    }
    if (law->check != NULL && !law->check(values, err)) {
        return err_wrap(err, "the law '%s'", name);
    }
    law->print(values, text);
    if (law->holds != NULL) {
        text_printf(text, "holds %s\n", law->holds);
    }
    return !is_simulated || predict_law_simulate(name, values, text, err);
}
