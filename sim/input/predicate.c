/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Predicates are a handful of tokens each, so they are read by hand from left to right. Of a
 * threshold only the key is read here: what it may say is the judge's business, which is asked by
 * way of the catalog. */
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

/* ------------------------------------------------------------------------- keys of thresholds */

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
    static const char *const methods[] = {"exact",   "binomial",  "beta-binomial", "crude",   "is",
                                          "restart", "decompose", "trials",        "copysets"};
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
    if (strcmp(key, "against") == 0) {
        return err_set(err, ERR_INPUT,
                       "'%s': the ratio to the exact model is asked of unavailability, as in "
                       "'unavailability{service:x,against:exact}'",
                       written);
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(methods); i++) {
        is_known = is_known || strcmp(value, methods[i]) == 0;
    }
    estimate->method = value;
    return (strcmp(key, "method") == 0 && is_known) ||
           err_set(
               err, ERR_INPUT,
               "'%s' is no tag: write service:, machines:, cell:, than: or method: (%s), with a "
               "value, "
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
                                     "'%s' takes no tags but cell: (and than:): only gauge, "
                                     "counter, mcr, unavailability, downtime and loss do",
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
