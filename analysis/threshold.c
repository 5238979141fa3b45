/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A table says for each metric which aggregations it has, how its values are written and whether it
 * has an interval. A threshold with `@` is judged one-sided: at 95 % the end of the 90 % interval
 * that is worse for the claim, or the exact one-sided bound for a share of runs. If the end holds,
 * the threshold held; if even the estimate does not, it is crossed; in between it is undecided, and
 * more seeds will tell. Equality has no worse end and takes no `@`.
 *
 * Runs are the units of all intervals. Operations of one run share its faults and queues, so
 * treating them as independent would give intervals that are far too short; where only operations
 * could be counted there is no interval. */
#include "analysis/threshold.h"

#include "analysis/compare.h"
#include "analysis/estimate_store.h"
#include "analysis/fleet_store.h"
#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/base/units.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX   (UINT32_C(1) << 26)
#define DIGITS_MAX 15 /* significant ones of a double */

enum value_kind {
    VALUE_DURATION,
    VALUE_SHARE,
    VALUE_RATE,
    VALUE_NUMBER,
    VALUE_SMALL,    /* 1.5e-20 */
    VALUE_DOWNTIME, /* 315.6fs */
};

#define BIT(aggregation) (1u << (aggregation))

struct metric_rule {
    const char *name;
    const char *tags; /* as they are written, for messages */
    enum value_kind kind;
    uint32_t aggregations; /* bits */
    uint32_t intervals;    /* of them, those that may be judged with @ */
};

#define RATE   BIT(THRESHOLD_RATE)
#define VALUE  BIT(THRESHOLD_VALUE)
#define LAST   BIT(THRESHOLD_LAST)
#define COUNT  BIT(THRESHOLD_COUNT)
#define MIDDLE (BIT(THRESHOLD_AVG) | BIT(THRESHOLD_MED) | BIT(THRESHOLD_PERCENTILE))
#define ENDS   (BIT(THRESHOLD_MIN) | BIT(THRESHOLD_MAX))
#define WORST  (RATE | BIT(THRESHOLD_MIN))

static const struct metric_rule rules[THRESHOLD_METRIC_COUNT] = {
    [THRESHOLD_LATENCY] = {"latency", "", VALUE_DURATION, MIDDLE | ENDS, 0},
    [THRESHOLD_RECOVERY] = {"recovery", "", VALUE_DURATION, MIDDLE | ENDS | RATE, MIDDLE | RATE},
    [THRESHOLD_AVAILABILITY] = {"availability", "", VALUE_SHARE, RATE, RATE},
    [THRESHOLD_SUCCESS] = {"success", "", VALUE_SHARE, RATE, RATE},
    [THRESHOLD_METASTABLE] = {"metastable", "", VALUE_SHARE, RATE, RATE},
    [THRESHOLD_FAILURES] = {"failures", "", VALUE_SHARE, RATE, RATE},
    [THRESHOLD_GOODPUT] = {"goodput", "", VALUE_RATE, RATE | VALUE, RATE | VALUE},
    [THRESHOLD_AMPLIFICATION] = {"amplification", "", VALUE_NUMBER, VALUE, VALUE},
    [THRESHOLD_GAUGE] = {"gauge", "{name:...}", VALUE_NUMBER, MIDDLE | ENDS | LAST, MIDDLE | LAST},
    [THRESHOLD_COUNTER] = {"counter", "{name:...}", VALUE_NUMBER, COUNT | RATE, COUNT | RATE},
    [THRESHOLD_UNAVAILABILITY] = {"unavailability", "{service:...}", VALUE_SMALL, VALUE, VALUE},
    [THRESHOLD_DOWNTIME] = {"downtime", "{service:...}", VALUE_DOWNTIME, VALUE, VALUE},
    [THRESHOLD_USER_UPTIME] = {"user-uptime", "", VALUE_SHARE, WORST, RATE},
    [THRESHOLD_MCR] = {"mcr", "{window:1m}", VALUE_SHARE, WORST, RATE},
    [THRESHOLD_HARVEST] = {"harvest", "", VALUE_SHARE, WORST, RATE},
    [THRESHOLD_YIELD] = {"yield", "", VALUE_SHARE, WORST, RATE},
    [THRESHOLD_GRAY] = {"gray", "", VALUE_SHARE, RATE | ENDS, RATE},
    [THRESHOLD_LOSS] = {"loss", "{service:...}", VALUE_SHARE, VALUE, VALUE},
    [THRESHOLD_VISIBILITY] = {"visibility", "", VALUE_DURATION, MIDDLE | ENDS,
                              BIT(THRESHOLD_MED) | BIT(THRESHOLD_PERCENTILE)},
};

/* Metrics whose difference between cells compare.h knows. */
#define COMPARED                                                                                   \
    (BIT(THRESHOLD_AVAILABILITY) | BIT(THRESHOLD_UNAVAILABILITY) | BIT(THRESHOLD_DOWNTIME))
static_assert(THRESHOLD_METRIC_COUNT <= 32, "a bit for each metric");

/* In the order of enum threshold_aggregation. */
static const char *const aggregation_names[] = {"avg",  "min",   "max",  "med",  "p",
                                                "rate", "value", "last", "count"};
/* Longer ones before their beginnings; in the order of `operators`. */
static const char *const operator_texts[] = {"<=", ">=", "==", "!=", "<", ">"};
static const enum threshold_operator operators[] = {
    THRESHOLD_LESS_EQUAL, THRESHOLD_GREATER_EQUAL, THRESHOLD_EQUAL,
    THRESHOLD_NOT_EQUAL,  THRESHOLD_LESS,          THRESHOLD_GREATER,
};

/* -------------------------------------------------------------------------------------- parsing */

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return at;
}

/* "99", "99.9": thousandths; at most three decimals. */
static bool parse_percentile(const char **at, uint32_t *milli, struct err *err)
{
    const char *open = skip_blanks(*at);
    char digits[16];
    size_t length = *open == '(' ? strcspn(open + 1, ")") : 0;
    if (*open != '(' || open[1 + length] != ')' || length == 0 || length >= sizeof(digits) - 1) {
        return err_set(err, ERR_INPUT, "percentile is written 'p(99)'");
    }
    memcpy(digits, open + 1, length);
    memcpy(digits + length, "%", 2);
    int64_t millionths = 0;
    if (!units_ratio(digits, &millionths, NULL) || millionths <= 0 || millionths >= 1000000 ||
        millionths % 10 != 0) {
        return err_set(err, ERR_INPUT,
                       "percentile in '%s' is not between 0 and 100 with at most three decimals",
                       open);
    }
    *milli = (uint32_t)(millionths / 10);
    *at = open + length + 2;
    return true;
}

/* "avg, min or p(N)": what thresholds of a metric begin with. */
static const char *choices(const struct metric_rule *rule, char *out, size_t size)
{
    uint32_t left = rule->aggregations;
    size_t length = 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(aggregation_names); i++) {
        if ((left >> i & 1) == 0) {
            continue;
        }
        bool is_first = left == rule->aggregations;
        left &= ~BIT(i);
        length += (size_t)snprintf(out + length, size - length, "%s%s%s",
                                   is_first    ? ""
                                   : left == 0 ? " or "
                                               : ", ",
                                   aggregation_names[i], i == THRESHOLD_PERCENTILE ? "(N)" : "");
        ASSERT(length < size);
    }
    return out;
}

static bool parse_aggregation(const char **at, struct threshold *threshold, struct err *err)
{
    const char *start = skip_blanks(*at);
    size_t length = 0;
    while (isalpha((unsigned char)start[length])) {
        length++;
    }
    const struct metric_rule *rule = &rules[threshold->metric];
    for (uint32_t i = 0; i < ARRAY_COUNT(aggregation_names); i++) {
        if (strlen(aggregation_names[i]) != length ||
            strncmp(aggregation_names[i], start, length) != 0) {
            continue;
        }
        if ((rule->aggregations >> i & 1) == 0) {
            break;
        }
        threshold->aggregation = (enum threshold_aggregation)i;
        *at = start + length;
        return threshold->aggregation != THRESHOLD_PERCENTILE ||
               parse_percentile(at, &threshold->percentile_milli, err);
    }
    char allowed[64];
    return err_set(err, ERR_INPUT, "threshold of %s begins with %s, not '%.*s'", rule->name,
                   choices(rule, allowed, sizeof(allowed)),
                   (int)(length > 0 ? length : strcspn(start, " ")), start);
}

static bool parse_operator(const char **at, struct threshold *threshold, struct err *err)
{
    const char *start = skip_blanks(*at);
    for (uint32_t i = 0; i < ARRAY_COUNT(operator_texts); i++) {
        size_t length = strlen(operator_texts[i]);
        if (strncmp(start, operator_texts[i], length) == 0) {
            threshold->operator= operators[i];
            *at = start + length;
            return true;
        }
    }
    return err_set(err, ERR_INPUT,
                   "threshold needs an operator (< <= > >= == !=) where '%s' stands", start);
}

static bool parse_number(const char *text, double *value, struct err *err)
{
    char *end = NULL;
    *value = strtod(text, &end);
    bool is_plain = text[0] != '\0' && text[strspn(text, "0123456789.")] == '\0';
    if (!is_plain || end == text || *end != '\0' || !isfinite(*value)) {
        return err_set(err, ERR_INPUT, "'%s' is not a number such as '1.5'", text);
    }
    return true;
}

/* "1.5", and behind it the rest: how many significant digits are written. */
static uint32_t significant(const char *text, const char **rest)
{
    uint32_t digits = 0;
    bool has_begun = false;
    for (; isdigit((unsigned char)*text) || *text == '.'; text++) {
        has_begun = has_begun || (*text != '0' && *text != '.');
        digits += has_begun && *text != '.' ? 1 : 0;
    }
    *rest = text;
    return digits == 0 ? 1 : digits;
}

/* "9.8506e-06" */
static bool parse_small(const char *text, struct threshold *threshold, struct err *err)
{
    const char *rest = text;
    char *end = NULL;
    threshold->digits = significant(text, &rest);
    size_t length = rest[0] == 'e' && rest[1] == '-' ? strspn(rest + 2, "0123456789") : 0;
    bool is_plain = isdigit((unsigned char)text[0]) && threshold->digits <= DIGITS_MAX &&
                    (*rest == '\0' || (length >= 1 && length <= 3 && rest[2 + length] == '\0'));
    threshold->value = strtod(text, &end);
    return (is_plain && *end == '\0') ||
           err_set(err, ERR_INPUT, "'%s' is not a number such as '9.85e-6'", text);
}

/* "315.6fs": seconds */
static bool parse_downtime(const char *text, struct threshold *threshold, struct err *err)
{
    static const struct {
        const char *name;
        double s;
    } units[] = {{"d", 86400}, {"h", 3600},  {"min", 60},   {"s", 1},     {"ms", 1e-3},
                 {"us", 1e-6}, {"ns", 1e-9}, {"ps", 1e-12}, {"fs", 1e-15}};
    const char *rest = text;
    char *end = NULL;
    threshold->digits = significant(text, &rest);
    double number = strtod(text, &end);
    for (uint32_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (strcmp(rest, units[i].name) == 0 && isdigit((unsigned char)text[0]) && end == rest &&
            threshold->digits <= DIGITS_MAX) {
            threshold->value = number * units[i].s;
            threshold->unit = units[i].s;
            return true;
        }
    }
    return err_set(err, ERR_INPUT,
                   "'%s' is not a downtime such as '5.181min', '31.56s' or '315.6fs'", text);
}

static bool parse_value(const char *text, struct threshold *threshold, struct err *err)
{
    int64_t whole = 0;
    uint64_t probability = 0;
    enum value_kind kind = rules[threshold->metric].kind;
    if (threshold->aggregation == THRESHOLD_RATE && kind == VALUE_DURATION) {
        kind = VALUE_SHARE;
    }
    switch (kind) {
    case VALUE_DURATION:
        if (!units_duration(text, &whole, err)) {
            return false;
        }
        threshold->value = (double)whole;
        return true;
    case VALUE_SHARE:
        if (!units_percent(text, &probability, err)) {
            return false;
        }
        if (units_ratio(text, &whole, NULL)) {
            threshold->value = (double)whole / 1000000;
            if (fabs(threshold->value - (double)probability / 4294967296.0) < 1e-9) {
                return true;
            }
        }
        threshold->value = (double)probability / 4294967296.0;
        return true;
    case VALUE_RATE:
        if (!units_rate(text, &whole, err)) {
            return false;
        }
        threshold->value = (double)whole / 1000;
        return true;
    case VALUE_NUMBER:
        return parse_number(text, &threshold->value, err);
    case VALUE_SMALL:
        return parse_small(text, threshold, err);
    case VALUE_DOWNTIME:
        return parse_downtime(text, threshold, err);
    }
    UNREACHABLE();
}

static bool parse_confidence(const char *text, struct threshold *threshold, struct err *err)
{
    int64_t millionths = 0;
    if (!units_ratio(text, &millionths, err)) {
        return false;
    }
    if (millionths < 500000 || millionths >= 1000000) {
        return err_set(err, ERR_INPUT, "confidence '%s' is not between 50%% and 100%%", text);
    }
    bool is_equality =
        threshold->operator== THRESHOLD_EQUAL || threshold->operator== THRESHOLD_NOT_EQUAL;
    if (is_equality || (rules[threshold->metric].intervals >> threshold->aggregation & 1) == 0) {
        return err_set(err, ERR_INPUT, "there is no interval to judge here: leave '@ %s' out",
                       text);
    }
    threshold->confidence = (double)millionths / 1000000;
    return true;
}

/* Copies [from, until) without blanks at its ends; false when it is empty or too long. */
static bool cut(const char *from, const char *until, char *out, size_t size)
{
    from = skip_blanks(from);
    while (until > from && (until[-1] == ' ' || until[-1] == '\t')) {
        until--;
    }
    size_t length = until > from ? (size_t)(until - from) : 0;
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(out, from, length);
    out[length] = '\0';
    return true;
}

static bool parse_metric(const char *name, struct threshold *threshold, struct err *err)
{
    const char *names[THRESHOLD_METRIC_COUNT];
    char all[512];
    size_t length = 0;
    for (uint32_t i = 0; i < THRESHOLD_METRIC_COUNT; i++) {
        names[i] = rules[i].name;
        if (strcmp(names[i], name) == 0) {
            threshold->metric = (enum threshold_metric)i;
            return true;
        }
        length += (size_t)snprintf(all + length, sizeof(all) - length, "%s%s%s",
                                   i == 0                            ? ""
                                   : i == THRESHOLD_METRIC_COUNT - 1 ? " or "
                                                                     : ", ",
                                   names[i], rules[i].tags);
        ASSERT(length < sizeof(all));
    }
    const char *nearest = text_nearest(name, names, THRESHOLD_METRIC_COUNT);
    return nearest != NULL
               ? err_set(err, ERR_INPUT, "unknown metric '%s'; did you mean '%s'?", name, nearest)
               : err_set(err, ERR_INPUT, "unknown metric '%s': write %s", name, all);
}

/* May the difference between cells be judged? */
static bool check_difference(const struct threshold *threshold, struct err *err)
{
    if (!threshold->is_difference || (COMPARED >> threshold->metric & 1) != 0) {
        return true;
    }
    char all[128] = "";
    size_t length = 0;
    uint32_t left = COMPARED;
    for (uint32_t i = 0; i < THRESHOLD_METRIC_COUNT; i++) {
        if ((left >> i & 1) == 0) {
            continue;
        }
        const bool is_first = left == COMPARED;
        left &= ~BIT(i);
        length += (size_t)snprintf(all + length, sizeof(all) - length, "%s%s%s",
                                   is_first    ? ""
                                   : left == 0 ? " or "
                                               : ", ",
                                   rules[i].name, rules[i].tags);
        ASSERT(length < sizeof(all));
    }
    return err_set(err, ERR_INPUT,
                   "%s is not compared between cells: 'than:' is for the difference of %s",
                   rules[threshold->metric].name, all);
}

/* A value of the metric, with a sign where it may have one. */
static bool parse_signed(const char *text, struct threshold *threshold, struct err *err)
{
    const bool is_negative = text[0] == '-';
    if (is_negative && !threshold->is_difference) {
        return err_set(err, ERR_INPUT, "'%s' is negative, and only a difference ('than:') can be",
                       text);
    }
    if (!parse_value(text + (is_negative ? 1 : 0), threshold, err)) {
        return false;
    }
    threshold->value = is_negative ? -threshold->value : threshold->value;
    return true;
}

/* The rest; is_difference is set. */
static bool parse(const char *metric, const char *expression, struct threshold *threshold,
                  struct err *err)
{
    ASSERT(metric != NULL);
    ASSERT(expression != NULL);
    if (!parse_metric(metric, threshold, err) || !check_difference(threshold, err)) {
        return false;
    }
    const char *at = expression;
    if (!parse_aggregation(&at, threshold, err) || !parse_operator(&at, threshold, err)) {
        return false;
    }
    char value[64];
    char confidence[64];
    const char *sign = strchr(at, '@');
    if (!cut(at, sign != NULL ? sign : at + strlen(at), value, sizeof(value))) {
        return err_set(err, ERR_INPUT, "threshold '%s' has no value", expression);
    }
    if (!parse_signed(value, threshold, err)) {
        return false;
    }
    if (sign == NULL) {
        return true;
    }
    if (!cut(sign + 1, sign + strlen(sign), confidence, sizeof(confidence))) {
        return err_set(err, ERR_INPUT, "confidence after '@' is missing, as in '@ 95%%'");
    }
    return parse_confidence(confidence, threshold, err);
}

bool threshold_parse(const char *metric, const char *expression, struct threshold *threshold,
                     struct err *err)
{
    *threshold = (struct threshold){.metric = THRESHOLD_METRIC_COUNT, .unit = 1};
    return parse(metric, expression, threshold, err);
}

bool threshold_parse_asked(const struct spec_threshold *asked, struct threshold *threshold,
                           struct err *err)
{
    *threshold = (struct threshold){
        .metric = THRESHOLD_METRIC_COUNT, .unit = 1, .is_difference = asked->than != NULL};
    return parse(asked->metric, asked->expression, threshold, err);
}

bool threshold_check(const struct spec_threshold *asked, struct err *err)
{
    struct threshold threshold;
    return threshold_parse_asked(asked, &threshold, err);
}

/* ----------------------------------------------------------------------------------------- data */

void threshold_data_init(struct threshold_data *data)
{
    ASSERT(data != NULL);
    vec_init(&data->runs, sizeof(struct threshold_run), RUNS_MAX);
    vec_init(&data->values, sizeof(double), RUNS_MAX);
    histogram_clear(&data->latency);
    histogram_clear(&data->visibility);
    data->has_estimate = false;
    data->difference = (struct mean){.count = 0};
}

void threshold_data_release(struct threshold_data *data)
{
    ASSERT(data != NULL);
    vec_release(&data->runs);
    vec_release(&data->values);
}

void threshold_data_clear(struct threshold_data *data)
{
    ASSERT(data != NULL);
    vec_clear(&data->runs);
    vec_clear(&data->values);
    histogram_clear(&data->latency);
    histogram_clear(&data->visibility);
    data->has_estimate = false;
    data->difference = (struct mean){.count = 0};
}

void threshold_data_add(struct threshold_data *data, const struct run_result *result)
{
    struct threshold_run run = {
        .is_failed = result->verdict == VERDICT_FAIL || result->verdict == VERDICT_ERROR,
        .is_metastable = result->is_metastable,
        .offered = result->offered,
        .attempts = result->attempts,
        .ok = result->ok,
        .up_ns = result->up_ns,
        .measured_ns = result->measured_ns,
        .recovery_ns =
            result->verdict == VERDICT_ERROR ? RESULT_RECOVERY_NO_FAULT : result->recovery_ns,
    };
    vec_append(&data->runs, &run);
    histogram_merge(&data->latency, &result->latency);
    histogram_merge(&data->visibility, &result->visibility);
}

static bool take_run(void *context, const struct results_row *row)
{
    struct threshold_data *data = context;
    const struct results_value *values = row->values;
    const char *verdict = values[0].text;
    bool is_error = strcmp(verdict, verdict_name(VERDICT_ERROR)) == 0;
    bool was_faulted = values[7].integer > 0 && !is_error;
    int64_t recovery_ns =
        values[8].type == RESULTS_NULL ? RESULT_RECOVERY_NEVER : values[8].integer;
    struct threshold_run run = {
        .is_failed = is_error || strcmp(verdict, verdict_name(VERDICT_FAIL)) == 0,
        .is_metastable = values[1].integer != 0,
        .offered = (uint64_t)values[2].integer,
        .attempts = (uint64_t)values[3].integer,
        .ok = (uint64_t)values[4].integer,
        .up_ns = values[5].integer,
        .measured_ns = values[6].integer,
        .recovery_ns = was_faulted ? recovery_ns : RESULT_RECOVERY_NO_FAULT,
    };
    vec_append(&data->runs, &run);
    return true;
}

static bool take_bin(void *context, const struct results_row *row)
{
    struct threshold_data *data = context;
    struct histogram *histogram =
        strcmp(row->values[2].text, "latency") == 0 ? &data->latency : &data->visibility;
    uint32_t bin = histogram_bin_of((uint64_t)row->values[0].integer);
    uint64_t count = (uint64_t)row->values[1].integer;
    uint64_t last = histogram_bin_hi(bin) - 1;
    histogram->bins[bin] += (uint32_t)count;
    histogram->count += count;
    if (histogram_bin_lo(bin) < histogram->minimum) {
        histogram->minimum = histogram_bin_lo(bin);
    }
    histogram->maximum = last > histogram->maximum ? last : histogram->maximum;
    return true;
}

bool threshold_data_load(struct threshold_data *data, struct results *results, int64_t cell_id,
                         struct err *err)
{
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)cell_id);
    const char *parameters[] = {id};
    threshold_data_clear(data);
    return results_query(results,
                         "SELECT verdict, metastable, offered, attempts, ok, up_ns, measured_ns, "
                         "faults, recovery_ns "
                         "FROM run WHERE cell_id=CAST(?1 AS INTEGER) ORDER BY run_id",
                         parameters, 1, take_run, data, err) &&
           results_query(results,
                         "SELECT lo, n, metric FROM hist WHERE cell_id=CAST(?1 AS INTEGER) AND "
                         "metric IN('latency','visibility') AND phase=''",
                         parameters, 1, take_bin, data, err);
}

void threshold_metric_name(const struct threshold *threshold, const char *text, char *out,
                           size_t size)
{
    if (threshold->aggregation == THRESHOLD_PERCENTILE) {
        snprintf(out, size, "%s p(%g)", text, (double)threshold->percentile_milli / 1000);
        return;
    }
    snprintf(out, size, "%s %s", text, aggregation_names[threshold->aggregation]);
}

void threshold_mcr_name(int64_t window_ns, char *out, size_t size)
{
    char window[64];
    ASSERT(window_ns > 0);
    snprintf(out, size, "mcr_%s", units_format_duration(window_ns, window, sizeof(window)));
}

bool threshold_metric_of(const struct threshold *threshold, const struct spec_threshold *asked,
                         char *out, size_t size)
{
    switch (threshold->metric) {
    case THRESHOLD_LATENCY:
    case THRESHOLD_RECOVERY:
    case THRESHOLD_AVAILABILITY:
    case THRESHOLD_SUCCESS:
    case THRESHOLD_METASTABLE:
    case THRESHOLD_FAILURES:
    case THRESHOLD_GOODPUT:
    case THRESHOLD_AMPLIFICATION:
    case THRESHOLD_UNAVAILABILITY:
    case THRESHOLD_DOWNTIME:
    case THRESHOLD_LOSS:
    case THRESHOLD_VISIBILITY:
        return false;
    case THRESHOLD_GAUGE:
    case THRESHOLD_COUNTER:
        threshold_metric_name(threshold, asked->text, out, size);
        return true;
    case THRESHOLD_MCR:
        threshold_mcr_name(asked->window_ns, out, size);
        return true;
    case THRESHOLD_USER_UPTIME:
        snprintf(out, size, "user_uptime");
        return true;
    case THRESHOLD_HARVEST:
    case THRESHOLD_YIELD:
    case THRESHOLD_GRAY:
        snprintf(out, size, "%s", rules[threshold->metric].name);
        return true;
    case THRESHOLD_METRIC_COUNT:
        break;
    }
    UNREACHABLE();
}

static bool take_value(void *context, const struct results_row *row)
{
    struct threshold_data *data = context;
    vec_append(&data->values, &row->values[0].real);
    return true;
}

bool threshold_data_load_values(struct threshold_data *data, struct results *results,
                                int64_t cell_id, const char *name, struct err *err)
{
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)cell_id);
    const char *parameters[] = {id, name};
    vec_clear(&data->values);
    return results_query(results,
                         "SELECT m.value FROM metric m JOIN run r USING(run_id) WHERE "
                         "r.cell_id=CAST(?1 AS INTEGER) AND m.name=?2 AND m.value IS NOT NULL "
                         "ORDER BY run_id",
                         parameters, 2, take_value, data, err);
}

/* What theory says of a service; NaN: nothing. */
static bool load_theory(struct results *results, int64_t cell_id, const char *service,
                        double *unavailability, struct err *err)
{
    struct fleet_store_row rows[FLEET_STORE_SERVICES];
    uint32_t count = 0;
    *unavailability = NAN;
    if (!fleet_store_load(results, cell_id, rows, &count, err)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, service) == 0) {
            *unavailability = rows[i].service.unavailability;
        }
    }
    return true;
}

bool threshold_data_load_estimate(struct threshold_data *data, struct results *results,
                                  int64_t cell_id, const struct spec_estimate_tags *tags,
                                  bool *is_asked, struct err *err)
{
    struct estimate_sums *sums = calloc(ESTIMATE_STORE_MAX, sizeof(*sums));
    uint32_t count = 0;
    ASSERT(sums != NULL);
    bool is_fine = estimate_load(results, cell_id, NULL, sums, &count, err);
    data->has_estimate = false;
    data->unit = 1;
    for (uint32_t i = 0; i < count && !data->has_estimate; i++) {
        bool is_method =
            tags->method == NULL || strcmp(tags->method, estimate_method_name(sums[i].method)) == 0;
        if (is_method && strcmp(sums[i].service, tags->service) == 0) {
            data->has_estimate = true;
            data->estimate = sums[i];
        }
    }
    free(sums);
    *is_asked = data->has_estimate || tags->method == NULL;
    return is_fine &&
           (!tags->is_ratio || load_theory(results, cell_id, tags->service, &data->unit, err));
}

/* Confidence of the two-sided interval whose one end is the one-sided bound. */
static double two_sided(const struct threshold *threshold)
{
    double confidence = threshold->confidence > 0 ? threshold->confidence : 0.95;
    return 2 * confidence - 1;
}

bool threshold_data_load_difference(struct threshold_data *data, struct results *results,
                                    const struct compare_question *question,
                                    const struct threshold *threshold, struct err *err)
{
    struct paired paired = {.difference = {.count = 0}};
    struct compare_question asked = *question;
    asked.confidence = two_sided(threshold);
    const bool is_fine = compare_two(results, &asked, &paired, err);
    data->difference = paired.difference;
    return is_fine;
}

/* -------------------------------------------------------------------------------------- judging */

/* To as many significant digits as the threshold has. */
static bool is_same_written(const struct threshold *threshold, double value)
{
    char texts[2][40];
    const int decimals = (int)threshold->digits - 1;
    snprintf(texts[0], sizeof(texts[0]), "%.*e", decimals, value / threshold->unit);
    snprintf(texts[1], sizeof(texts[1]), "%.*e", decimals, threshold->value / threshold->unit);
    return strcmp(texts[0], texts[1]) == 0;
}

static bool compare(const struct threshold *threshold, double left)
{
    const double right = threshold->value;
    const bool is_same = threshold->digits > 0 ? is_same_written(threshold, left) : left == right;
    switch (threshold->operator) {
    case THRESHOLD_LESS:
        return left < right;
    case THRESHOLD_LESS_EQUAL:
        return left <= right;
    case THRESHOLD_GREATER:
        return left > right;
    case THRESHOLD_GREATER_EQUAL:
        return left >= right;
    case THRESHOLD_EQUAL:
        return is_same;
    case THRESHOLD_NOT_EQUAL:
        return !is_same;
    }
    UNREACHABLE();
}

static bool is_upper_limit(const struct threshold *threshold)
{
    return threshold->operator== THRESHOLD_LESS || threshold->operator== THRESHOLD_LESS_EQUAL;
}

static struct threshold_outcome nothing(void)
{
    return (struct threshold_outcome){.observed = NAN, .interval = {NAN, NAN}};
}

static struct threshold_outcome outcome_of(struct mean estimate)
{
    struct threshold_outcome outcome = nothing();
    outcome.observed = estimate.mean;
    outcome.interval = estimate.interval;
    return outcome;
}

static struct threshold_outcome share_of_runs(const struct threshold *threshold, uint64_t hits,
                                              uint64_t trials)
{
    struct threshold_outcome outcome = nothing();
    if (trials == 0) {
        return outcome;
    }
    double confidence = threshold->confidence > 0 ? threshold->confidence : 0.95;
    outcome.observed = (double)hits / (double)trials;
    outcome.interval = (struct interval){bound_lower(hits, trials, confidence),
                                         bound_upper(hits, trials, confidence)};
    if (threshold->confidence > 0 && is_upper_limit(threshold) && hits == 0 &&
        threshold->value > 0 && threshold->value < 1) {
        outcome.trials_needed = trials_to_claim(threshold->value, threshold->confidence);
    } else if (threshold->confidence > 0 && !is_upper_limit(threshold) && hits == trials &&
               threshold->value > 0 && threshold->value < 1) {
        outcome.trials_needed = trials_to_claim(1 - threshold->value, threshold->confidence);
    }
    return outcome;
}

/* All runs were perfect, or none was good for anything: their spread is zero, and says nothing.
 * What is known then is a bound on the share of runs that are different, and no run can be more
 * than entirely different. */
static void widen_extreme(const struct threshold *threshold, uint32_t count,
                          struct threshold_outcome *outcome)
{
    double confidence = threshold->confidence > 0 ? threshold->confidence : 0.95;
    double different = bound_upper(0, count, confidence);
    if (outcome->observed == 1) {
        outcome->interval = (struct interval){.low = 1 - different, .high = 1};
    } else {
        outcome->interval = (struct interval){.low = 0, .high = different};
    }
    double limit = is_upper_limit(threshold) ? threshold->value : 1 - threshold->value;
    if (threshold->confidence > 0 && limit > 0 && limit < 1) {
        outcome->trials_needed = trials_to_claim(limit, threshold->confidence);
    }
}

/* sum(part) / sum(whole) over runs. */
static struct threshold_outcome ratio(const struct threshold *threshold,
                                      const struct threshold_data *data)
{
    uint32_t count = data->runs.count;
    double *part = calloc(count + 1, sizeof(*part));
    double *whole = calloc(count + 1, sizeof(*whole));
    ASSERT(part != NULL);
    ASSERT(whole != NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct threshold_run *run = vec_at(&data->runs, i);
        bool is_time = threshold->metric == THRESHOLD_AVAILABILITY;
        bool is_goodput = threshold->metric == THRESHOLD_GOODPUT;
        bool is_amplification = threshold->metric == THRESHOLD_AMPLIFICATION;
        part[i] = is_time            ? (double)run->up_ns
                  : is_amplification ? (double)run->attempts
                                     : (double)run->ok;
        whole[i] = is_time      ? (double)run->measured_ns
                   : is_goodput ? (double)run->measured_ns / 1e9
                                : (double)run->offered;
    }
    bool is_share = rules[threshold->metric].kind == VALUE_SHARE;
    struct threshold_outcome outcome =
        outcome_of(ratio_of_sums(part, whole, count, two_sided(threshold), is_share));
    free(part);
    free(whole);
    if (is_share && (outcome.observed == 0 || outcome.observed == 1)) {
        widen_extreme(threshold, count, &outcome);
    }
    return outcome;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* Of values in ascending order. */
static struct threshold_outcome trend(const struct threshold *threshold, const double *sorted,
                                      uint32_t count)
{
    struct threshold_outcome outcome = nothing();
    if (count == 0) {
        return outcome;
    }
    switch (threshold->aggregation) {
    case THRESHOLD_AVG:
        if (isinf(sorted[count - 1])) {
            outcome.observed = INFINITY;
            return outcome;
        }
        return outcome_of(mean_of(sorted, count, two_sided(threshold)));
    case THRESHOLD_MIN:
        outcome.observed = sorted[0];
        return outcome;
    case THRESHOLD_MAX:
        outcome.observed = sorted[count - 1];
        return outcome;
    case THRESHOLD_MED:
        return outcome_of(quantile_of_sorted(sorted, count, 0.5, two_sided(threshold)));
    case THRESHOLD_PERCENTILE:
        return outcome_of(quantile_of_sorted(
            sorted, count, (double)threshold->percentile_milli / 100000, two_sided(threshold)));
    case THRESHOLD_RATE:
    case THRESHOLD_LAST:
    case THRESHOLD_COUNT:
        return outcome_of(mean_of(sorted, count, two_sided(threshold)));
    case THRESHOLD_VALUE:
        break;
    }
    UNREACHABLE();
}

static struct threshold_outcome shown(const struct threshold *threshold,
                                      const struct threshold_data *data)
{
    struct threshold mean = *threshold; /* of the percentiles of the runs */
    if (mean.aggregation == THRESHOLD_MED || mean.aggregation == THRESHOLD_PERCENTILE) {
        mean.aggregation = THRESHOLD_AVG;
    }
    struct vec values;
    vec_init(&values, sizeof(double), RUNS_MAX);
    for (uint32_t i = 0; i < data->values.count; i++) {
        vec_append(&values, vec_at(&data->values, i));
    }
    vec_sort(&values, compare_doubles);
    struct threshold_outcome outcome = trend(&mean, values.items, values.count);
    bool is_share = rules[threshold->metric].kind == VALUE_SHARE;
    if (is_share && threshold->aggregation == THRESHOLD_RATE &&
        (outcome.observed == 0 || outcome.observed == 1)) {
        widen_extreme(threshold, values.count, &outcome);
    }
    vec_release(&values);
    return outcome;
}

static struct threshold_outcome recovery(const struct threshold *threshold,
                                         const struct threshold_data *data)
{
    double *values = calloc((size_t)data->runs.count + 1, sizeof(*values));
    ASSERT(values != NULL);
    uint32_t count = 0;
    uint64_t recovered = 0;
    for (uint32_t i = 0; i < data->runs.count; i++) {
        const struct threshold_run *run = vec_at(&data->runs, i);
        if (run->recovery_ns != RESULT_RECOVERY_NO_FAULT) {
            bool is_never = run->recovery_ns == RESULT_RECOVERY_NEVER;
            values[count++] = is_never ? INFINITY : (double)run->recovery_ns;
            recovered += !is_never;
        }
    }
    struct threshold_outcome outcome;
    if (threshold->aggregation == THRESHOLD_RATE) {
        outcome = share_of_runs(threshold, recovered, count);
    } else {
        sort_stable(values, count, sizeof(*values), compare_doubles);
        outcome = trend(threshold, values, count);
    }
    free(values);
    return outcome;
}

/* Middle of the bin of the nearest rank, within what was recorded. */
static double histogram_percentile(const struct histogram *histogram, uint32_t milli)
{
    uint64_t rank = (uint64_t)(((unsigned __int128)histogram->count * milli + 99999) / 100000);
    uint64_t sum = 0;
    for (uint32_t bin = 0; bin < HISTOGRAM_BINS; bin++) {
        sum += histogram->bins[bin];
        if (sum >= rank && sum > 0) {
            const uint64_t low = histogram_bin_lo(bin);
            const uint64_t last = histogram_bin_hi(bin) - 1; /* a bin of one value is known */
            double middle = low == last ? (double)low : ((double)low + (double)last + 1) / 2;
            middle = middle < (double)histogram->minimum ? (double)histogram->minimum : middle;
            return middle > (double)histogram->maximum ? (double)histogram->maximum : middle;
        }
    }
    return (double)histogram->maximum;
}

static struct threshold_outcome latency(const struct threshold *threshold,
                                        const struct histogram *histogram)
{
    struct threshold_outcome outcome = nothing();
    if (histogram->count == 0) {
        return outcome;
    }
    if (threshold->aggregation == THRESHOLD_MIN) {
        outcome.observed = (double)histogram->minimum;
    } else if (threshold->aggregation == THRESHOLD_MAX) {
        outcome.observed = (double)histogram->maximum;
    } else if (threshold->aggregation == THRESHOLD_MED) {
        outcome.observed = histogram_percentile(histogram, 50000);
    } else if (threshold->aggregation == THRESHOLD_PERCENTILE) {
        outcome.observed = histogram_percentile(histogram, threshold->percentile_milli);
    } else {
        double sum = 0;
        for (uint32_t bin = 0; bin < HISTOGRAM_BINS; bin++) {
            if (histogram->bins[bin] != 0) {
                double middle = ((double)histogram_bin_lo(bin) + (double)histogram_bin_hi(bin)) / 2;
                sum += middle * histogram->bins[bin];
            }
        }
        outcome.observed = sum / (double)histogram->count;
    }
    return outcome;
}

/* Lower or upper end of the bin of a rank, from 1; an infinity beyond the ends. */
static double histogram_rank(const struct histogram *histogram, uint64_t rank, bool is_upper)
{
    uint64_t sum = 0;
    for (uint32_t bin = 0; bin < HISTOGRAM_BINS && rank > 0; bin++) {
        sum += histogram->bins[bin];
        if (sum >= rank) {
            return is_upper ? (double)(histogram_bin_hi(bin) - 1) : (double)histogram_bin_lo(bin);
        }
    }
    return is_upper ? INFINITY : -INFINITY;
}

static struct threshold_outcome visibility(const struct threshold *threshold,
                                           const struct histogram *histogram)
{
    struct threshold_outcome outcome = latency(threshold, histogram);
    const bool is_median = threshold->aggregation == THRESHOLD_MED;
    if (histogram->count > 0 && (is_median || threshold->aggregation == THRESHOLD_PERCENTILE)) {
        const double p = is_median ? 0.5 : (double)threshold->percentile_milli / 100000;
        const struct quantile_ranks ranks =
            quantile_ranks(histogram->count, p, two_sided(threshold));
        outcome.interval.low = histogram_rank(histogram, ranks.low, false);
        outcome.interval.high = histogram_rank(histogram, ranks.high, true);
    }
    return outcome;
}

static struct threshold_outcome estimated(const struct threshold *threshold,
                                          const struct threshold_data *data)
{
    struct threshold_outcome outcome = nothing();
    if (!data->has_estimate) {
        return outcome;
    }
    const struct estimate estimate = estimate_of(&data->estimate, two_sided(threshold));
    const double scale =
        (threshold->metric == THRESHOLD_DOWNTIME ? downtime_s_per_year(1) : 1) / data->unit;
    if (estimate.is_bound) {
        outcome.observed = is_upper_limit(threshold) ? estimate.interval.high * scale : (double)NAN;
    } else {
        outcome.observed = estimate.unavailability * scale;
    }
    outcome.interval.low = estimate.interval.low * scale;
    outcome.interval.high = estimate.interval.high * scale;
    return outcome;
}

/* Of cells that differ alike in all seeds, as a rule by nothing, the spread is zero and says
 * nothing: known is a bound on the share of seeds in which they differ otherwise, and no seed can
 * be farther away than always up is from always down. */
static struct threshold_outcome difference(const struct threshold *threshold,
                                           const struct mean *mean)
{
    struct threshold_outcome outcome = nothing();
    if (mean->count < 2) {
        return outcome;
    }
    struct interval interval = mean->interval;
    if (mean->deviation == 0) {
        const double confidence = threshold->confidence > 0 ? threshold->confidence : 0.95;
        const double different = bound_upper(0, mean->count, confidence);
        interval.low = mean->mean - different * (1 + mean->mean);
        interval.high = mean->mean + different * (1 - mean->mean);
    }
    if (threshold->metric == THRESHOLD_AVAILABILITY) {
        outcome.observed = 0 - mean->mean; /* and not the zero with a sign */
        outcome.interval = (struct interval){0 - interval.high, 0 - interval.low};
        return outcome;
    }
    const double scale = threshold->metric == THRESHOLD_DOWNTIME ? downtime_s_per_year(1) : 1;
    outcome.observed = mean->mean * scale;
    outcome.interval = (struct interval){interval.low * scale, interval.high * scale};
    return outcome;
}

static struct threshold_outcome observe(const struct threshold *threshold,
                                        const struct threshold_data *data)
{
    uint64_t failed = 0;
    uint64_t metastable = 0;
    if (threshold->is_difference) {
        return difference(threshold, &data->difference);
    }
    for (uint32_t i = 0; i < data->runs.count; i++) {
        const struct threshold_run *run = vec_at(&data->runs, i);
        failed += run->is_failed;
        metastable += run->is_metastable;
    }
    switch (threshold->metric) {
    case THRESHOLD_LATENCY:
        return latency(threshold, &data->latency);
    case THRESHOLD_VISIBILITY:
        return visibility(threshold, &data->visibility);
    case THRESHOLD_RECOVERY:
        return recovery(threshold, data);
    case THRESHOLD_METASTABLE:
        return share_of_runs(threshold, metastable, data->runs.count);
    case THRESHOLD_FAILURES:
        return share_of_runs(threshold, failed, data->runs.count);
    case THRESHOLD_AVAILABILITY:
    case THRESHOLD_SUCCESS:
    case THRESHOLD_GOODPUT:
    case THRESHOLD_AMPLIFICATION:
        return ratio(threshold, data);
    case THRESHOLD_GAUGE:
    case THRESHOLD_COUNTER:
    case THRESHOLD_USER_UPTIME:
    case THRESHOLD_MCR:
    case THRESHOLD_HARVEST:
    case THRESHOLD_YIELD:
    case THRESHOLD_GRAY:
        return shown(threshold, data);
    case THRESHOLD_UNAVAILABILITY:
    case THRESHOLD_DOWNTIME:
    case THRESHOLD_LOSS:
        return estimated(threshold, data);
    case THRESHOLD_METRIC_COUNT:
        break;
    }
    UNREACHABLE();
}

struct threshold_outcome threshold_judge(const struct threshold *threshold,
                                         const struct threshold_data *data)
{
    ASSERT(threshold != NULL);
    ASSERT(data != NULL);
    struct threshold_outcome outcome = observe(threshold, data);
    if (isnan(outcome.observed)) {
        outcome.verdict = THRESHOLD_UNDECIDED;
        return outcome;
    }
    outcome.verdict = compare(threshold, outcome.observed) ? THRESHOLD_HELD : THRESHOLD_CROSSED;
    if (threshold->confidence > 0 && outcome.verdict == THRESHOLD_HELD) {
        /* A NaN fails every comparison: without an interval nothing is decided. */
        double end = is_upper_limit(threshold) ? outcome.interval.high : outcome.interval.low;
        if (!compare(threshold, end)) {
            outcome.verdict = THRESHOLD_UNDECIDED;
        }
    }
    return outcome;
}

const char *threshold_format(const struct threshold *threshold, double value, char *out,
                             size_t size)
{
    ASSERT(size >= 32);
    enum value_kind kind = rules[threshold->metric].kind;
    if (threshold->aggregation == THRESHOLD_RATE && kind == VALUE_DURATION) {
        kind = VALUE_SHARE;
    }
    if (isnan(value)) {
        snprintf(out, size, threshold->is_difference ? "no two seeds in common" : "nothing");
    } else if (isinf(value)) {
        snprintf(out, size, "never");
    } else if (kind == VALUE_DOWNTIME) {
        out[0] = '-';
        downtime_format(fabs(value), out + (value < 0 ? 1 : 0), size - 1);
    } else if (kind == VALUE_DURATION) {
        bool is_seconds = value >= 1e9;
        bool is_millis = value >= 1e6;
        double unit = is_seconds ? 1e9 : is_millis ? 1e6 : value >= 1e3 ? 1e3 : 1;
        snprintf(out, size, "%.3g%s", value / unit,
                 is_seconds     ? "s"
                 : is_millis    ? "ms"
                 : value >= 1e3 ? "us"
                                : "ns");
    } else if (kind == VALUE_SHARE) {
        bool is_near_one = value > 0.999 && value < 1;
        snprintf(out, size, "%.*g%%", is_near_one ? 7 : 4, value * 100);
    } else if (kind == VALUE_RATE) {
        snprintf(out, size, "%.4g/s", value);
    } else if (kind == VALUE_SMALL || threshold->metric == THRESHOLD_GAUGE ||
               threshold->metric == THRESHOLD_COUNTER) {
        snprintf(out, size, "%.7g", value);
    } else {
        snprintf(out, size, "%.3g", value);
    }
    return out;
}
