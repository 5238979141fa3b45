/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Predicates are a handful of tokens each, so they are read by hand from left to right. Thresholds
 * are only checked: analysis reads them again, with the numbers of the campaign at hand. */
#include "sim/input/predicate.h"

#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/base/units.h"

#include <inttypes.h>
#include <string.h>

#define TOKEN_BYTES 64

/* Takes the next token from `*at`: a word or number (with unit and brackets), or an operator. False
 * at the end of the text; a token too long is cut, and then matches nothing. */
static bool next_token(const char **at, char *token)
{
    static const char operators[] = "<>=!";
    *at += strspn(*at, " \t\n");
    size_t length = strspn(*at, operators);
    if (length == 0 && (**at == '*' || **at == '@')) {
        length = 1;
    }
    if (length == 0) {
        length = strcspn(*at, " \t\n<>=!*@");
    }
    if (length == 0) {
        return false;
    }
    size_t copied = length < TOKEN_BYTES ? length : TOKEN_BYTES - 1;
    memcpy(token, *at, copied);
    token[copied] = '\0';
    *at += length;
    return true;
}

/* Is the next token this one? Then it is taken. */
static bool take(const char **at, const char *wanted)
{
    const char *ahead = *at;
    char token[TOKEN_BYTES];
    if (!next_token(&ahead, token) || strcmp(token, wanted) != 0) {
        return false;
    }
    *at = ahead;
    return true;
}

static bool is_at_end(const char *at)
{
    return at[strspn(at, " \t\n")] == '\0';
}

/* "0.95": millionths, at most six decimals. */
static bool read_millionths(const char *text, int64_t *millionths)
{
    char percent[TOKEN_BYTES + 2];
    int64_t hundredths = 0;
    const char *point = strchr(text, '.');
    if (point != NULL && strlen(point) > 7) {
        return false;
    }
    /* 0.123456 is 1234.56 of the steps of 0.0001% that units_ratio has: read whole and rest. */
    int64_t whole = 0;
    int length = point == NULL ? (int)strlen(text) : (int)(point - text);
    snprintf(percent, sizeof(percent), "%.*s%%", length, text);
    if (!units_ratio(percent, &hundredths, NULL) || hundredths > INT64_C(1000000000000)) {
        return false;
    }
    whole = hundredths * 100;
    *millionths = 0;
    for (int digit = 1; digit <= 6; digit++) {
        bool is_there = point != NULL && (size_t)digit < strlen(point);
        if (is_there && (point[digit] < '0' || point[digit] > '9')) {
            return false;
        }
        *millionths = *millionths * 10 + (is_there ? point[digit] - '0' : 0);
    }
    *millionths += whole;
    return point == NULL || point[1] != '\0';
}

/* "goodput >= 0.9 * <whole>" */
static bool read_goodput(const char *text, const char *whole, int64_t *ratio_millionths,
                         struct err *err)
{
    ASSERT(text != NULL);
    ASSERT(ratio_millionths != NULL);
    const char *at = text;
    *ratio_millionths = 1000000;
    if (take(&at, "goodput") && take(&at, ">=")) {
        if (take(&at, whole) && is_at_end(at)) {
            return true;
        }
        char token[TOKEN_BYTES];
        bool is_ratio = next_token(&at, token) &&
                        (strchr(token, '%') != NULL ? units_ratio(token, ratio_millionths, NULL)
                                                    : read_millionths(token, ratio_millionths));
        if (is_ratio && take(&at, "*") && take(&at, whole) && is_at_end(at)) {
            return *ratio_millionths > 0 ||
                   err_set(err, ERR_INPUT, "'%s' holds always: the share must be above 0", text);
        }
    }
    return err_set(err, ERR_INPUT,
                   "'%s' is not understood: write for example 'goodput >= 0.9 * %s'", text, whole);
}

bool predicate_recovery(const char *text, int64_t *ratio_millionths, struct err *err)
{
    return read_goodput(text, "baseline", ratio_millionths, err);
}

bool predicate_goodput(const char *text, int64_t *ratio_millionths, struct err *err)
{
    return read_goodput(text, "offered", ratio_millionths, err);
}

/* One side of "and". */
static bool read_up_term(const char **at, struct spec_availability *availability, bool *has_rate,
                         bool *has_p99)
{
    char token[TOKEN_BYTES];
    if (take(at, "success_rate")) {
        bool is_first = !*has_rate;
        *has_rate = true;
        return is_first && take(at, ">=") && next_token(at, token) &&
               units_percent(token, &availability->success_min, NULL);
    }
    if (take(at, "p(99)")) {
        bool is_first = !*has_p99;
        *has_p99 = true;
        return is_first && take(at, "<=") && next_token(at, token) &&
               units_duration(token, &availability->p99_max_ns, NULL) &&
               availability->p99_max_ns > 0;
    }
    return false;
}

bool predicate_up(const char *text, struct spec_availability *availability, struct err *err)
{
    ASSERT(text != NULL);
    ASSERT(availability != NULL);
    availability->success_min = 0;
    availability->p99_max_ns = INT64_MAX;
    const char *at = text;
    bool has_rate = false;
    bool has_p99 = false;
    do {
        if (!read_up_term(&at, availability, &has_rate, &has_p99)) {
            return err_set(err, ERR_INPUT,
                           "'%s' is not understood: write for example 'success_rate >= 99%% and "
                           "p(99) <= 500ms'",
                           text);
        }
    } while (take(&at, "and"));
    return is_at_end(at) ||
           err_set(err, ERR_INPUT, "'%s' goes on where it should end: join parts with 'and'", text);
}

/* ------------------------------------------------------------------------------- thresholds */

enum value_kind {
    VALUE_DURATION,
    VALUE_SHARE,
    VALUE_NUMBER,
    VALUE_RATE,
    VALUE_SMALL,
    VALUE_DOWNTIME,
};

/* Lists of words stand between blanks; p(N) is " p ". */
struct metric {
    const char *name;
    const char *aggregations;
    const char *intervals; /* aggregations that may be judged with '@' */
    enum value_kind value;
    const char *example;
};

static const struct metric metrics[] = {
    {"latency", " avg min max med p ", "", VALUE_DURATION, "p(99) < 250ms"},
    {"recovery", " avg min max med p rate ", " avg med p rate ", VALUE_DURATION, "p(95) < 10s"},
    {"availability", " rate ", " rate ", VALUE_SHARE, "rate >= 99.9%"},
    {"success", " rate ", " rate ", VALUE_SHARE, "rate >= 99%"},
    {"metastable", " rate ", " rate ", VALUE_SHARE, "rate < 0.1% @ 95%"},
    {"failures", " rate ", " rate ", VALUE_SHARE, "rate < 1%"},
    {"goodput", " rate value ", " rate value ", VALUE_RATE, "value >= 150/s"},
    {"amplification", " value ", " value ", VALUE_NUMBER, "value < 1.5"},
    {"gauge", " avg min max med p last ", " avg med p last ", VALUE_NUMBER, "avg < 100"},
    {"counter", " count rate ", " count rate ", VALUE_NUMBER, "count > 0"},
    {"unavailability", " value ", " value ", VALUE_SMALL, "value < 1e-6 @ 95%"},
    {"downtime", " value ", " value ", VALUE_DOWNTIME, "value == 31.56s"},
    {"user-uptime", " rate min ", " rate ", VALUE_SHARE, "rate >= 99.9%"},
    {"mcr", " rate min ", " rate ", VALUE_SHARE, "min >= 99%"},
    {"harvest", " rate min ", " rate ", VALUE_SHARE, "rate >= 99%"},
    {"yield", " rate min ", " rate ", VALUE_SHARE, "rate >= 99.9%"},
    {"gray", " rate min max ", " rate ", VALUE_SHARE, "max <= 1%"},
    {"loss", " value ", " value ", VALUE_SHARE, "value < 1%"},
    {"visibility", " avg min max med p ", " med p ", VALUE_DURATION, "p(99.9) < 50ms @ 95%"},
};

static const struct metric *find_metric(const char *name, struct err *err)
{
    const char *names[ARRAY_COUNT(metrics)];
    for (uint32_t index = 0; index < ARRAY_COUNT(metrics); index++) {
        names[index] = metrics[index].name;
        if (strcmp(names[index], name) == 0) {
            return &metrics[index];
        }
    }
    const char *nearest = text_nearest(name, names, ARRAY_COUNT(metrics));
    if (nearest != NULL) {
        err_set(err, ERR_INPUT, "unknown metric '%s'; did you mean '%s'?", name, nearest);
    } else {
        err_set(err, ERR_INPUT,
                "unknown metric '%s': write latency, recovery, availability, success, metastable, "
                "failures, goodput, amplification, gauge{name:...}, counter{name:...}, "
                "unavailability{service:...}, downtime{service:...}, user-uptime, "
                "mcr{window:1m}, harvest, yield, gray, loss{service:...} or visibility",
                name);
    }
    return NULL;
}

/* One "key:value" of the tags of a gauge. */
static bool read_tag(struct arena *arena, const char *tag, size_t length, struct spec_gauge *gauge,
                     struct err *err)
{
    const char *written = arena_strndup(arena, tag + strspn(tag, " "), length - strspn(tag, " "));
    const char *colon = strchr(written, ':');
    const char *value = colon == NULL ? "" : colon + 1 + strspn(colon + 1, " ");
    size_t key = colon == NULL ? strlen(written) : (size_t)(colon - written);
    bool is_fine = *value != '\0';
    if (is_fine && strncmp(written, "name", key) == 0 && key == 4) {
        gauge->name = value;
    } else if (is_fine && strncmp(written, "node", key) == 0 && key == 4) {
        gauge->node = value;
    } else if (is_fine && strncmp(written, "from", key) == 0 && key == 4) {
        return units_duration(value, &gauge->from_ns, err);
    } else if (is_fine && strncmp(written, "until", key) == 0 && key == 5) {
        return units_duration(value, &gauge->until_ns, err);
    } else {
        return err_set(err, ERR_INPUT,
                       "'%s' is no tag: write name:, node:, from: or until:, with a value",
                       written);
    }
    return true;
}

/* One "key:value" of the tags of an estimate. */
static bool read_estimate_tag(struct arena *arena, const char *tag, size_t length,
                              struct spec_threshold *threshold, struct err *err)
{
    static const char *const methods[] = {"exact", "binomial", "beta-binomial", "crude",
                                          "is",    "restart",  "decompose",     "trials",
                                          "copysets"};
    struct spec_estimate_tags *estimate = &threshold->estimate;
    const char *written = arena_strndup(arena, tag + strspn(tag, " "), length - strspn(tag, " "));
    const char *colon = strchr(written, ':');
    const char *value = colon == NULL ? "" : colon + 1 + strspn(colon + 1, " ");
    const char *key = arena_strndup(arena, written, strcspn(written, ":"));
    uint64_t machines = 0;
    bool is_known = false;
    if (strcmp(key, "service") == 0 && *value != '\0') {
        estimate->service = value;
        return true;
    }
    if (strcmp(key, "cell") == 0 && *value != '\0') {
        estimate->cell = value;
        return true;
    }
    if (strcmp(key, "machines") == 0 && units_u64(value, &machines, NULL)) {
        estimate->machines = (uint32_t)machines;
        const uint64_t machines_max = strcmp(threshold->metric, "loss") == 0 ? 100000 : 64;
        return (machines >= 1 && machines <= machines_max) ||
               err_set(err, ERR_INPUT, "'%s': a fleet has 1 to %d machines", written,
                       (int)machines_max);
    }
    if (strcmp(key, "against") == 0 && strcmp(value, "exact") == 0 &&
        strcmp(threshold->metric, "unavailability") == 0) {
        estimate->is_ratio = true;
        return true;
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(methods); i++) {
        is_known = is_known || strcmp(value, methods[i]) == 0;
    }
    estimate->method = value;
    return (strcmp(key, "method") == 0 && is_known) ||
           err_set(
               err, ERR_INPUT,
               "'%s' is no tag: write service:, machines:, cell: or method: (%s), with a value, "
               "or against:exact for the ratio of unavailabilities",
               written,
               "exact, binomial, beta-binomial, crude, is, restart, decompose, trials or "
               "copysets");
}

/* "mcr{window:1m}" */
static bool read_window(const char *text, const char *tags, struct spec_threshold *threshold,
                        struct err *err)
{
    static const char head[] = "{window:";
    const size_t length = strlen(tags);
    char window[TOKEN_BYTES];
    const bool is_tagged = strncmp(tags, head, sizeof(head) - 1) == 0 && tags[length - 1] == '}' &&
                           length - sizeof(head) < sizeof(window);
    if (!is_tagged) {
        return err_set(err, ERR_INPUT, "'%s' is not understood: write 'mcr{window:1m}'", text);
    }
    snprintf(window, sizeof(window), "%.*s", (int)(length - sizeof(head)), tags + sizeof(head) - 1);
    return units_duration(window + strspn(window, " "), &threshold->window_ns, err) &&
           (threshold->window_ns > 0 ||
            err_set(err, ERR_INPUT, "'%s' looks at windows without any time", text));
}

bool predicate_metric(struct arena *arena, const char *text, struct spec_threshold *threshold,
                      struct err *err)
{
    size_t length = strcspn(text, "{");
    threshold->metric = arena_strndup(arena, text, length);
    threshold->gauge = (struct spec_gauge){.until_ns = INT64_MAX};
    threshold->estimate = (struct spec_estimate_tags){0};
    bool is_shown =
        strcmp(threshold->metric, "gauge") == 0 || strcmp(threshold->metric, "counter") == 0;
    bool is_estimate = strcmp(threshold->metric, "unavailability") == 0 ||
                       strcmp(threshold->metric, "downtime") == 0 ||
                       strcmp(threshold->metric, "loss") == 0;
    const char *at = text + length;
    if (strcmp(threshold->metric, "mcr") == 0) {
        return read_window(text, at, threshold, err);
    }
    if (!is_shown && !is_estimate) {
        return *at == '\0' ? true
                           : err_set(err, ERR_INPUT,
                                     "'%s' takes no tags: only gauge, counter, mcr, "
                                     "unavailability, downtime and loss do",
                                     threshold->metric);
    }
    while (*at == '{' || *at == ',') {
        at++;
        size_t size = strcspn(at, ",}");
        bool is_fine = is_estimate ? read_estimate_tag(arena, at, size, threshold, err)
                                   : read_tag(arena, at, size, &threshold->gauge, err);
        if (!is_fine) {
            return false;
        }
        at += size;
    }
    const char *needed = is_estimate ? threshold->estimate.service : threshold->gauge.name;
    if (strcmp(at, "}") != 0 || needed == NULL) {
        return err_set(err, ERR_INPUT, "'%s' is not understood: write '%s{%s:...}'", text,
                       threshold->metric, is_estimate ? "service" : "name");
    }
    return is_estimate || threshold->gauge.from_ns < threshold->gauge.until_ns ||
           err_set(err, ERR_INPUT, "'%s' looks at no time: 'from' is not before 'until'", text);
}

static bool has_word(const char *list, const char *word)
{
    char spaced[TOKEN_BYTES + 2];
    snprintf(spaced, sizeof(spaced), " %s ", word);
    return strstr(list, spaced) != NULL;
}

/* The word of an aggregation, "p" for "p(99.9)"; NULL when the metric has no such thing. */
static const char *read_aggregation(const struct metric *metric, char *token)
{
    size_t length = strlen(token);
    bool is_quantile = strncmp(token, "p(", 2) == 0 && token[length - 1] == ')' && length > 3;
    if (is_quantile) {
        int64_t millionths = 0;
        token[length - 1] = '\0';
        bool is_number = read_millionths(token + 2, &millionths) && millionths % 1000 == 0;
        if (!is_number || millionths <= 0 || millionths >= INT64_C(100) * 1000000) {
            return NULL;
        }
        snprintf(token, TOKEN_BYTES, "p");
    } else if (strcmp(token, "p") == 0) {
        return NULL;
    }
    return has_word(metric->aggregations, token) ? token : NULL;
}

/* Length of "12.5" or "0.1", with at most fifteen significant digits; 0: something else. */
static size_t decimal_length(const char *text)
{
    size_t digits = 0;
    size_t points = 0;
    size_t length = 0;
    bool is_digit = *text >= '0' && *text <= '9';
    for (; (text[length] >= '0' && text[length] <= '9') || text[length] == '.'; length++) {
        points += text[length] == '.' ? 1 : 0;
        digits += text[length] != '.' && (digits > 0 || text[length] != '0') ? 1 : 0;
    }
    return is_digit && points <= 1 && digits <= 15 ? length : 0;
}

/* "9.85e-6" */
static bool is_small(const char *token)
{
    size_t length = decimal_length(token);
    const char *at = token + length;
    if (length == 0 || *at == '\0') {
        return length > 0;
    }
    size_t digits = at[0] == 'e' && at[1] == '-' ? strspn(at + 2, "0123456789") : 0;
    return digits >= 1 && digits <= 3 && at[2 + digits] == '\0';
}

static bool is_downtime(const char *token)
{
    size_t length = decimal_length(token);
    return length > 0 && has_word(" d h min s ms us ns ps fs ", token + length) &&
           token[length] != '\0';
}

static bool check_value(const struct metric *metric, const char *aggregation, const char *token,
                        struct err *err)
{
    int64_t number = 0;
    uint64_t probability = 0;
    bool is_share = strcmp(aggregation, "rate") == 0 && metric->value == VALUE_DURATION;
    switch (is_share ? VALUE_SHARE : metric->value) {
    case VALUE_DURATION:
        return units_duration(token, &number, err);
    case VALUE_SHARE:
        return units_percent(token, &probability, err);
    case VALUE_RATE:
        return units_rate(token, &number, err);
    case VALUE_NUMBER:
        return read_millionths(token, &number) ||
               err_set(err, ERR_INPUT, "'%s' is not a number: write for example '1.5'", token);
    case VALUE_SMALL:
        return is_small(token) ||
               err_set(err, ERR_INPUT, "'%s' is not a number: write for example '9.85e-6'", token);
    case VALUE_DOWNTIME:
        return is_downtime(token) ||
               err_set(err, ERR_INPUT,
                       "'%s' is not a downtime: write for example '5.181min' or '315.6fs'", token);
    }
    UNREACHABLE();
}

static bool check_confidence(const struct metric *metric, const char *aggregation,
                             const char *operator, const char * text, struct err *err)
{
    int64_t millionths = 0;
    if (!units_ratio(text, &millionths, err)) {
        return false;
    }
    if (millionths < 500000 || millionths >= 1000000) {
        return err_set(err, ERR_INPUT, "confidence '%s' is not between 50%% and 100%%", text);
    }
    bool has_end = strcmp(operator, "==") != 0 && strcmp(operator, "!=") != 0;
    return (has_end && has_word(metric->intervals, aggregation)) ||
           err_set(err, ERR_INPUT, "there is no interval to judge here: leave '@ %s' out", text);
}

bool predicate_threshold(const char *metric, const char *text, struct err *err)
{
    ASSERT(metric != NULL);
    ASSERT(text != NULL);
    const struct metric *row = find_metric(metric, err);
    if (row == NULL) {
        return false;
    }
    const char *at = text;
    char first[TOKEN_BYTES];
    char operator[TOKEN_BYTES];
    char value[TOKEN_BYTES];
    if (!next_token(&at, first) || !next_token(&at, operator) || !next_token(&at, value)) {
        return err_set(err, ERR_INPUT, "'%s' is not a threshold: write for example '%s'", text,
                       row->example);
    }
    const char *aggregation = read_aggregation(row, first);
    if (aggregation == NULL) {
        return err_set(err, ERR_INPUT,
                       "'%s' does not begin as a threshold of %s: write for "
                       "example '%s'",
                       text, row->name, row->example);
    }
    if (!has_word(" < <= > >= == != ", operator)) {
        return err_set(err, ERR_INPUT,
                       "unknown operator '%s': write <, <=, >, >=, == or !=", operator);
    }
    if (!check_value(row, aggregation, value, err)) {
        return false;
    }
    if (take(&at, "@")) {
        char confidence[TOKEN_BYTES];
        if (!next_token(&at, confidence)) {
            return err_set(err, ERR_INPUT, "'%s' has no percentage behind '@': write '@ 95%%'",
                           text);
        }
        if (!check_confidence(row, aggregation, operator, confidence, err)) {
            return false;
        }
    }
    return is_at_end(at) ||
           err_set(err, ERR_INPUT, "'%s' goes on where it should end: write for example '%s'", text,
                   row->example);
}
