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

bool predicate_recovery(const char *text, int64_t *ratio_millionths, struct err *err)
{
    ASSERT(text != NULL);
    ASSERT(ratio_millionths != NULL);
    const char *at = text;
    *ratio_millionths = 1000000;
    if (take(&at, "goodput") && take(&at, ">=")) {
        if (take(&at, "baseline") && is_at_end(at)) {
            return true;
        }
        char token[TOKEN_BYTES];
        bool is_ratio = next_token(&at, token) &&
                        (strchr(token, '%') != NULL ? units_ratio(token, ratio_millionths, NULL)
                                                    : read_millionths(token, ratio_millionths));
        if (is_ratio && take(&at, "*") && take(&at, "baseline") && is_at_end(at)) {
            return *ratio_millionths > 0 ||
                   err_set(err, ERR_INPUT, "'%s' holds always: the share must be above 0", text);
        }
    }
    return err_set(err, ERR_INPUT,
                   "'%s' is not understood: write for example 'goodput >= 0.9 * baseline'", text);
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
    VALUE_PERCENT,
    VALUE_NUMBER,
    VALUE_RATE,
};

struct metric {
    const char *name;
    const char *aggregations; /* of one word each, p(N) written "p" */
    enum value_kind value;
    const char *example;
};

static const struct metric metrics[] = {
    {"latency", "avg min max med p", VALUE_DURATION, "p(99) < 250ms"},
    {"availability", "rate", VALUE_PERCENT, "rate >= 99.9%"},
    {"goodput", "avg min max med p value rate", VALUE_RATE, "value >= 150/s"},
    {"amplification", "avg min max med p value", VALUE_NUMBER, "value < 1.5"},
    {"recovery", "avg min max med p", VALUE_DURATION, "p(95) < 10s"},
    {"metastable", "rate", VALUE_PERCENT, "rate < 0.1% @ 95%"},
};

static const struct metric *find_metric(const char *name, struct err *err)
{
    const char *names[ARRAY_COUNT(metrics)];
    char own[TOKEN_BYTES];
    size_t length = strcspn(name, "{");
    snprintf(own, sizeof(own), "%.*s", (int)(length < 64 ? length : 63), name);
    for (uint32_t index = 0; index < ARRAY_COUNT(metrics); index++) {
        names[index] = metrics[index].name;
        if (strcmp(names[index], own) != 0) {
            continue;
        }
        size_t end = strlen(name);
        const char *colon = strchr(name, ':');
        bool is_tag = name[length] == '\0' || (name[end - 1] == '}' && colon != NULL &&
                                               colon > name + length + 1 && colon + 2 < name + end);
        if (!is_tag) {
            err_set(err, ERR_INPUT, "the tag of '%s' is not understood: write '%s{phase:after}'",
                    name, own);
            return NULL;
        }
        return &metrics[index];
    }
    const char *nearest = text_nearest(own, names, ARRAY_COUNT(metrics));
    if (nearest != NULL) {
        err_set(err, ERR_INPUT, "unknown metric '%s'; did you mean '%s'?", own, nearest);
    } else {
        err_set(err, ERR_INPUT,
                "unknown metric '%s': write latency, availability, goodput, amplification, "
                "recovery or metastable",
                own);
    }
    return NULL;
}

/* "p(99.9)" is "p"; other words are themselves. */
static bool is_aggregation(const struct metric *metric, const char *token)
{
    char word[TOKEN_BYTES];
    snprintf(word, sizeof(word), "%s", token);
    size_t length = strlen(token);
    if (strncmp(token, "p(", 2) == 0) {
        int64_t millionths = 0;
        char number[TOKEN_BYTES];
        snprintf(number, sizeof(number), "%.*s", (int)(length - 3), token + 2);
        if (token[length - 1] != ')' || length < 4 || !read_millionths(number, &millionths) ||
            millionths > INT64_C(100) * 1000000) {
            return false;
        }
        snprintf(word, sizeof(word), "p");
    } else if (strcmp(token, "p") == 0) {
        return false;
    }
    const char *found = strstr(metric->aggregations, word);
    size_t size = strlen(word);
    while (found != NULL) {
        bool starts = found == metric->aggregations || found[-1] == ' ';
        if (starts && (found[size] == ' ' || found[size] == '\0')) {
            return true;
        }
        found = strstr(found + 1, word);
    }
    return false;
}

static bool is_operator(const char *token)
{
    static const char *const operators[] = {"<", "<=", ">", ">=", "==", "!="};
    for (uint32_t index = 0; index < ARRAY_COUNT(operators); index++) {
        if (strcmp(operators[index], token) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_value(const struct metric *metric, const char *token, struct err *err)
{
    int64_t number = 0;
    switch (metric->value) {
    case VALUE_DURATION:
        return units_duration(token, &number, err);
    case VALUE_PERCENT:
        return units_ratio(token, &number, err);
    case VALUE_RATE:
        return units_rate(token, &number, err);
    case VALUE_NUMBER:
        return read_millionths(token, &number) ||
               err_set(err, ERR_INPUT, "'%s' is not a number: write for example '1.5'", token);
    }
    UNREACHABLE();
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
    char aggregation[TOKEN_BYTES];
    char operator[TOKEN_BYTES];
    char value[TOKEN_BYTES];
    if (!next_token(&at, aggregation) || !next_token(&at, operator) || !next_token(&at, value)) {
        return err_set(err, ERR_INPUT, "'%s' is not a threshold: write for example '%s'", text,
                       row->example);
    }
    if (!is_aggregation(row, aggregation)) {
        return err_set(err, ERR_INPUT, "'%s' has no '%s': write for example '%s'", row->name,
                       aggregation, row->example);
    }
    if (!is_operator(operator)) {
        return err_set(err, ERR_INPUT,
                       "unknown operator '%s': write <, <=, >, >=, == or !=", operator);
    }
    if (!check_value(row, value, err)) {
        return false;
    }
    uint64_t confidence = 0;
    if (take(&at, "@") && (!next_token(&at, value) || !units_percent(value, &confidence, NULL))) {
        return err_set(err, ERR_INPUT, "'%s' has no percentage behind '@': write '@ 95%%'", text);
    }
    return is_at_end(at) ||
           err_set(err, ERR_INPUT, "'%s' goes on where it should end: write for example '%s'", text,
                   row->example);
}
