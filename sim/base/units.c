/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Values with units. Every family of units (durations, sizes, ...) is a table of names with a
 * multiplier and a divisor; one parser serves them all. A number is a 128-bit integer of its
 * digits and a count of decimals, so "0.1s" is exactly 100000000 ns: no double is involved.
 * A value that is not a whole number of the family's smallest step is refused, except for
 * percentages out of 2^32, which are rounded to the nearest step (but never to "never" or
 * "always" when they are neither).
 *
 * Most of this file is about being wrong politely: each error shows what to write instead, with
 * the user's own number where that is possible. */
#include "sim/base/units.h"

#include "sim/base/base.h"
#include "sim/base/rng.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef unsigned __int128 wide;

/* Digits of a number before and after the point; 10^24 times the largest multiplier fits `wide`. */
#define DIGITS_MAX 24

struct unit {
    const char *name;
    uint64_t multiplier; /* one unit is multiplier / divisor steps */
    uint64_t divisor;
};

/* What people write, in lower case, and what they mean. */
struct slip {
    const char *wrong;
    const char *right;
};

struct family {
    const char *noun;
    const char *usual;      /* unit that the fix of a missing one shows */
    const char *list;       /* "ns, us or s" for messages */
    const char *step_unit;  /* a value of n steps is written n / 10^step_decimals step_unit */
    uint32_t step_decimals; /* 0 .. 4 */
    bool may_be_negative;
    const struct unit *units;
    uint32_t unit_count;
    const struct slip *slips;
    uint32_t slip_count;
};

static const struct unit duration_units[] = {
    /* In descending order, as "2m30s" must be. */
    {"d", UINT64_C(86400000000000), 1},
    {"h", UINT64_C(3600000000000), 1},
    {"m", UINT64_C(60000000000), 1},
    {"s", UINT64_C(1000000000), 1},
    {"ms", 1000000, 1},
    {"us", 1000, 1},
    {"ns", 1, 1},
};

static const struct slip duration_slips[] = {
    {"sec", "s"},        {"secs", "s"},       {"second", "s"},  {"seconds", "s"}, {"min", "m"},
    {"mins", "m"},       {"minute", "m"},     {"minutes", "m"}, {"hr", "h"},      {"hrs", "h"},
    {"hour", "h"},       {"hours", "h"},      {"day", "d"},     {"days", "d"},    {"msec", "ms"},
    {"millis", "ms"},    {"usec", "us"},      {"micros", "us"}, {"nsec", "ns"},   {"nanos", "ns"},
    {"\xc2\xb5s", "us"}, {"\xce\xbcs", "us"}, {"ms", "ms"},     {"us", "us"},     {"ns", "ns"},
    {"s", "s"},          {"h", "h"},          {"d", "d"},
};

static const struct unit percent_units[] = {{"%", UINT64_C(1) << 32, 100}};
static const struct unit ratio_units[] = {{"%", 1000000, 100}};
static const struct slip percent_slips[] = {{"percent", "%"}, {"pct", "%"}};

static const struct unit size_units[] = {
    {"B", 1, 1},
    {"KB", 1000, 1},
    {"MB", 1000000, 1},
    {"GB", 1000000000, 1},
    {"TB", UINT64_C(1000000000000), 1},
    {"KiB", UINT64_C(1) << 10, 1},
    {"MiB", UINT64_C(1) << 20, 1},
    {"GiB", UINT64_C(1) << 30, 1},
    {"TiB", UINT64_C(1) << 40, 1},
};

static const struct slip size_slips[] = {
    {"b", "B"},     {"byte", "B"},  {"bytes", "B"}, {"kib", "KiB"},
    {"mib", "MiB"}, {"gib", "GiB"}, {"tib", "TiB"},
};

static const struct unit bandwidth_units[] = {
    {"bit", 1, 8},
    {"kbit", 1000, 8},
    {"mbit", 1000000, 8},
    {"gbit", 1000000000, 8},
    {"tbit", UINT64_C(1000000000000), 8},
    {"B/s", 1, 1},
    {"KB/s", 1000, 1},
    {"MB/s", 1000000, 1},
    {"GB/s", 1000000000, 1},
    {"TB/s", UINT64_C(1000000000000), 1},
    {"KiB/s", UINT64_C(1) << 10, 1},
    {"MiB/s", UINT64_C(1) << 20, 1},
    {"GiB/s", UINT64_C(1) << 30, 1},
    {"TiB/s", UINT64_C(1) << 40, 1},
};

static const struct slip bandwidth_slips[] = {
    {"bit", "bit"},     {"kbit", "kbit"},   {"mbit", "mbit"},   {"gbit", "gbit"},
    {"tbit", "tbit"},   {"bit/s", "bit"},   {"kbit/s", "kbit"}, {"mbit/s", "mbit"},
    {"gbit/s", "gbit"}, {"tbit/s", "tbit"}, {"kib/s", "KiB/s"}, {"mib/s", "MiB/s"},
    {"gib/s", "GiB/s"}, {"tib/s", "TiB/s"}, {"kib", "KiB/s"},   {"mib", "MiB/s"},
    {"gib", "GiB/s"},   {"tib", "TiB/s"},
};

static const struct unit rate_units[] = {{"/s", 1000, 1}, {"/m", 1000, 60}, {"/h", 1000, 3600}};

static const struct slip rate_slips[] = {
    {"/sec", "/s"}, {"/second", "/s"}, {"ps", "/s"},  {"rps", "/s"},     {"qps", "/s"},
    {"hz", "/s"},   {"/min", "/m"},    {"rpm", "/m"}, {"/minute", "/m"}, {"/hour", "/h"},
    {"/hr", "/h"},  {"s", "/s"},       {"m", "/m"},   {"h", "/h"},
};

static const struct unit ppm_units[] = {{"ppm", 1, 1}};
static const struct slip ppm_slips[] = {{"ppm", "ppm"}};

static const struct family duration_family = {
    .noun = "duration",
    .usual = "ms",
    .list = "ns, us, ms, s, m, h or d",
    .step_unit = "ns",
    .step_decimals = 0,
    .may_be_negative = true,
    .units = duration_units,
    .unit_count = ARRAY_COUNT(duration_units),
    .slips = duration_slips,
    .slip_count = ARRAY_COUNT(duration_slips),
};
static const struct family percent_family = {
    .noun = "percentage",
    .usual = "%",
    .list = "%",
    .step_unit = "%",
    .step_decimals = 0,
    .may_be_negative = false,
    .units = percent_units,
    .unit_count = ARRAY_COUNT(percent_units),
    .slips = percent_slips,
    .slip_count = ARRAY_COUNT(percent_slips),
};
static const struct family ratio_family = {
    .noun = "percentage",
    .usual = "%",
    .list = "%",
    .step_unit = "%",
    .step_decimals = 4,
    .may_be_negative = false,
    .units = ratio_units,
    .unit_count = ARRAY_COUNT(ratio_units),
    .slips = percent_slips,
    .slip_count = ARRAY_COUNT(percent_slips),
};
static const struct family size_family = {
    .noun = "size",
    .usual = "KiB",
    .list = "B, KB, MB, GB, TB, KiB, MiB, GiB or TiB",
    .step_unit = "B",
    .step_decimals = 0,
    .may_be_negative = false,
    .units = size_units,
    .unit_count = ARRAY_COUNT(size_units),
    .slips = size_slips,
    .slip_count = ARRAY_COUNT(size_slips),
};
static const struct family bandwidth_family = {
    .noun = "bandwidth",
    .usual = "mbit",
    .list = "bit, kbit, mbit, gbit, tbit, B/s, KB/s, MB/s, GB/s, KiB/s, MiB/s or GiB/s",
    .step_unit = "B/s",
    .step_decimals = 0,
    .may_be_negative = false,
    .units = bandwidth_units,
    .unit_count = ARRAY_COUNT(bandwidth_units),
    .slips = bandwidth_slips,
    .slip_count = ARRAY_COUNT(bandwidth_slips),
};
static const struct family rate_family = {
    .noun = "rate",
    .usual = "/s",
    .list = "/s, /m or /h",
    .step_unit = "/s",
    .step_decimals = 3,
    .may_be_negative = false,
    .units = rate_units,
    .unit_count = ARRAY_COUNT(rate_units),
    .slips = rate_slips,
    .slip_count = ARRAY_COUNT(rate_slips),
};
static const struct family ppm_family = {
    .noun = "drift",
    .usual = "ppm",
    .list = "ppm",
    .step_unit = "ppm",
    .step_decimals = 0,
    .may_be_negative = true,
    .units = ppm_units,
    .unit_count = ARRAY_COUNT(ppm_units),
    .slips = ppm_slips,
    .slip_count = ARRAY_COUNT(ppm_slips),
};

struct number {
    wide digits;       /* without the point */
    uint32_t decimals; /* how many of them stand behind the point */
};

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static char lower_of(char character)
{
    return character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
}

/* Is `left` the same as the lower-case `right`, letters of ASCII taken as lower case? */
static bool is_same_word(const char *left, size_t length, const char *right)
{
    for (size_t at = 0; at < length; at++) {
        if (right[at] == '\0' || lower_of(left[at]) != right[at]) {
            return false;
        }
    }
    return right[length] == '\0';
}

/* The errors that need no unit to be seen: empty, spaces, signs and points in wrong places. */
static bool check_shape(const char *text, const struct family *family, struct err *err)
{
    if (*text == '\0') {
        return err_set(err, ERR_INPUT, "empty text where a %s belongs: write for example '5%s'",
                       family->noun, family->usual);
    }
    const char *start = *text == '-' && family->may_be_negative ? text + 1 : text;
    if (*start == '-') {
        return err_set(err, ERR_INPUT, "%s '%s' is negative: write '%s'", family->noun, text,
                       start + 1);
    }
    if (*start == '+') {
        return err_set(err, ERR_INPUT, "%s '%s' has a plus sign: write '%s'", family->noun, text,
                       start + 1);
    }
    size_t blank = strcspn(text, " \t\r\n");
    if (text[blank] != '\0') {
        size_t behind = blank + strspn(text + blank, " \t\r\n");
        return err_set(err, ERR_INPUT, "%s '%s' has a space in it: write '%.*s%s'", family->noun,
                       text, (int)blank, text, text + behind);
    }
    const char *comma = strchr(text, ',');
    if (comma != NULL) {
        return err_set(err, ERR_INPUT, "%s '%s' has a comma in it: write '%.*s.%s'", family->noun,
                       text, (int)(comma - text), text, comma + 1);
    }
    if (*start == '.' && is_digit(start[1])) {
        return err_set(err, ERR_INPUT, "%s '%s' has no digit before the point: write '%s0%s'",
                       family->noun, text, start == text ? "" : "-", start);
    }
    if (!is_digit(*start)) {
        return err_set(err, ERR_INPUT, "%s '%s' has no number: write for example '5%s'",
                       family->noun, text, family->usual);
    }
    return true;
}

/* Reads digits and decimals at `*at` and moves it behind them. `text` is for messages. */
static bool read_number(const char **at, struct number *number, const char *text,
                        const struct family *family, struct err *err)
{
    ASSERT(is_digit(**at));
    *number = (struct number){0};
    const char *point = NULL;
    uint32_t zeros = 0; /* held back: trailing zeros behind the point do not count */
    uint32_t count = 0;
    for (; is_digit(**at) || (**at == '.' && point == NULL && is_digit((*at)[1])); (*at)++) {
        if (**at == '.') {
            point = *at;
            continue;
        }
        if (**at == '0' && point != NULL) {
            zeros++;
            continue;
        }
        uint32_t added = zeros + 1;
        count += number->digits == 0 && **at == '0' ? 0 : added;
        if (count > DIGITS_MAX || number->decimals + added > DIGITS_MAX) {
            return err_set(err, ERR_INPUT, "%s '%s' has too many digits: write at most %d",
                           family->noun, text, DIGITS_MAX);
        }
        for (; zeros > 0; zeros--) {
            number->digits *= 10;
        }
        number->digits = number->digits * 10 + (wide)(**at - '0');
        number->decimals += point != NULL ? added : 0;
    }
    if (**at == '.' && point != NULL) {
        return err_set(err, ERR_INPUT, "%s '%s' has two points: write '%.*s%s'", family->noun, text,
                       (int)(*at - text), text, *at + 1 + strspn(*at + 1, "0123456789"));
    }
    if (**at == '.') {
        return err_set(err, ERR_INPUT,
                       "%s '%s' has a point without a digit behind it: write '%.*s%s'",
                       family->noun, text, (int)(*at - text), text, *at + 1);
    }
    return true;
}

/* "mbps" and the like: bits or bytes? Also "64K": 1000 or 1024? False when it is neither. */
static bool is_ambiguous(const char *text, const char *unit, const struct family *family,
                         struct err *err)
{
    char prefix[2] = {lower_of(*unit), '\0'};
    bool is_prefixed = *prefix != '\0' && strchr("kmgt", *prefix) != NULL;
    const char *rest = unit + (is_prefixed ? 1 : 0);
    size_t length = strlen(rest);
    char large[2] = {(char)(is_prefixed ? *prefix - 'a' + 'A' : '\0'), '\0'};
    int number = (int)(unit - text);
    if (!is_prefixed) {
        *prefix = '\0';
    }
    if (family == &bandwidth_family &&
        (is_same_word(rest, length, "bps") || is_same_word(rest, length, "b/s") ||
         is_same_word(rest, length, "b") || (is_prefixed && length == 0))) {
        err_set(err, ERR_INPUT,
                "bandwidth '%s' is ambiguous: write '%.*s%sbit' (bits per second) or '%.*s%sB/s' "
                "(bytes per second)",
                text, number, text, prefix, number, text, large);
        return true;
    }
    if (family == &size_family && is_prefixed && (length == 0 || is_same_word(rest, length, "b"))) {
        err_set(err, ERR_INPUT,
                "size '%s' is ambiguous: write '%.*s%siB' (powers of 1024) or '%.*s%sB' (powers of "
                "1000)",
                text, number, text, large, number, text, large);
        return true;
    }
    return false;
}

/* Says what is wrong with the unit at `unit`, `length` bytes long, within `text`. */
static bool refuse_unit(const char *text, const char *unit, size_t length,
                        const struct family *family, struct err *err)
{
    int number = (int)(unit - text);
    if (length == 0) {
        return err_set(err, ERR_INPUT, "%s '%s' has no unit: write the unit: '%.*s%s'",
                       family->noun, text, number, text, family->usual);
    }
    if (unit[length] == '\0' && is_ambiguous(text, unit, family, err)) {
        return false;
    }
    for (uint32_t index = 0; index < family->slip_count; index++) {
        if (is_same_word(unit, length, family->slips[index].wrong)) {
            return err_set(err, ERR_INPUT, "%s '%s' has the unknown unit '%.*s': write '%.*s%s%s'",
                           family->noun, text, (int)length, unit, number, text,
                           family->slips[index].right, unit + length);
        }
    }
    return err_set(err, ERR_INPUT, "%s '%s' has the unknown unit '%.*s': use %s, as in '5%s'",
                   family->noun, text, (int)length, unit, family->list, family->usual);
}

static const struct unit *find_unit(const struct family *family, const char *unit, size_t length)
{
    for (uint32_t index = 0; index < family->unit_count; index++) {
        const char *name = family->units[index].name;
        if (strlen(name) == length && memcmp(name, unit, length) == 0) {
            return &family->units[index];
        }
    }
    return NULL;
}

/* "0.017/s": so many steps, as the user may write them. */
static const char *write_steps(const struct family *family, uint64_t steps, char *out, size_t size)
{
    uint64_t power = 1;
    for (uint32_t at = 0; at < family->step_decimals; at++) {
        power *= 10;
    }
    char decimals[24] = "";
    if (power > 1) {
        snprintf(decimals, sizeof(decimals), ".%0*" PRIu64, (int)family->step_decimals,
                 steps % power);
    }
    snprintf(out, size, "%" PRIu64 "%s%s", steps / power, decimals, family->step_unit);
    return out;
}

static bool refuse_large(const char *text, const struct family *family, struct err *err)
{
    char most[64];
    return err_set(err, ERR_INPUT, "%s '%s' is too large: write at most '%s'", family->noun, text,
                   write_steps(family, INT64_MAX, most, sizeof(most)));
}

/* A number of units in steps: `steps` whole ones, and rest / divisor of one. */
struct scaled {
    wide steps;
    wide rest;
    wide divisor;
    bool is_negative;
};

/* Everything fits 128 bits by DIGITS_MAX. */
static struct scaled scale(const struct number *number, const struct unit *unit)
{
    struct scaled scaled = {.divisor = unit->divisor};
    for (uint32_t at = 0; at < number->decimals; at++) {
        scaled.divisor *= 10;
    }
    wide product = number->digits * unit->multiplier;
    scaled.steps = product / scaled.divisor;
    scaled.rest = product % scaled.divisor;
    return scaled;
}

/* A value must be a whole number of steps that fits an int64_t. */
static bool check_whole(const char *text, const struct scaled *scaled, const struct family *family,
                        struct err *err)
{
    if (scaled->steps > (wide)INT64_MAX) {
        return refuse_large(text, family, err);
    }
    if (scaled->rest == 0) {
        return true;
    }
    bool is_up = scaled->rest >= scaled->divisor - scaled->rest;
    uint64_t nearest = (uint64_t)scaled->steps + (is_up ? 1 : 0);
    char step[64];
    char fix[64];
    return err_set(err, ERR_INPUT, "%s '%s' is not a multiple of %s: write '%s%s'", family->noun,
                   text, write_steps(family, 1, step, sizeof(step)), scaled->is_negative ? "-" : "",
                   write_steps(family, nearest, fix, sizeof(fix)));
}

/* One number with one unit of the family. */
static bool read_scaled(const char *text, const struct family *family, struct scaled *scaled,
                        struct err *err)
{
    ASSERT(text != NULL);
    if (!check_shape(text, family, err)) {
        return false;
    }
    bool is_negative = *text == '-';
    const char *at = text + (is_negative ? 1 : 0);
    struct number number;
    if (!read_number(&at, &number, text, family, err)) {
        return false;
    }
    const struct unit *unit = find_unit(family, at, strlen(at));
    if (unit == NULL) {
        return refuse_unit(text, at, strlen(at), family, err);
    }
    *scaled = scale(&number, unit);
    scaled->is_negative = is_negative;
    return true;
}

/* The same for the families whose values are whole steps. */
static bool read_whole(const char *text, const struct family *family, int64_t *value,
                       struct err *err)
{
    ASSERT(value != NULL);
    struct scaled scaled;
    if (!read_scaled(text, family, &scaled, err) || !check_whole(text, &scaled, family, err)) {
        return false;
    }
    *value = scaled.is_negative ? -(int64_t)scaled.steps : (int64_t)scaled.steps;
    return true;
}

bool units_duration(const char *text, int64_t *ns, struct err *err)
{
    ASSERT(text != NULL);
    ASSERT(ns != NULL);
    struct family family = duration_family;
    if (!check_shape(text, &family, err)) {
        return false;
    }
    struct scaled total = {.is_negative = *text == '-'};
    const char *at = text + (total.is_negative ? 1 : 0);
    const struct unit *before = NULL;
    do {
        struct number number;
        if (!read_number(&at, &number, text, &family, err)) {
            return false;
        }
        size_t length = strcspn(at, "0123456789");
        if (length == 0 && before == NULL && number.digits == 0) {
            break;
        }
        const struct unit *unit = find_unit(&family, at, length);
        if (unit == NULL) {
            return refuse_unit(text, at, length, &family, err);
        }
        if (before != NULL && unit <= before) {
            return err_set(err, ERR_INPUT,
                           "duration '%s' has '%s' behind '%s': write each unit once, large ones "
                           "first, as in '2m30s'",
                           text, unit->name, before->name);
        }
        struct scaled part = scale(&number, unit);
        total.steps += part.steps;
        total.rest = part.rest != 0 ? part.rest : total.rest;
        total.divisor = part.rest != 0 ? part.divisor : total.divisor;
        if (!check_whole(text, &total, &family, err)) {
            return false;
        }
        before = unit;
        family.usual = unit[*unit->name == 'n' ? 0 : 1].name;
        at += length;
    } while (*at != '\0');
    *ns = total.is_negative ? -(int64_t)total.steps : (int64_t)total.steps;
    return true;
}

bool units_percent(const char *text, uint64_t *probability, struct err *err)
{
    ASSERT(probability != NULL);
    struct scaled scaled;
    if (!read_scaled(text, &percent_family, &scaled, err)) {
        return false;
    }
    if (scaled.steps > RNG_ALWAYS || (scaled.steps == RNG_ALWAYS && scaled.rest != 0)) {
        return err_set(err, ERR_INPUT, "percentage '%s' is more than everything: write '100%%'",
                       text);
    }
    bool is_up = scaled.rest >= scaled.divisor - scaled.rest;
    uint64_t nearest = (uint64_t)scaled.steps + (is_up ? 1 : 0);
    if (scaled.rest != 0 && (nearest == 0 || nearest == RNG_ALWAYS)) {
        return err_set(err, ERR_INPUT, "percentage '%s' is finer than 1 in 2^32: write '%s'", text,
                       nearest == 0 ? "0%' or '0.00000003%" : "100%' or '99.99999998%");
    }
    *probability = nearest;
    return true;
}

bool units_ratio(const char *text, int64_t *millionths, struct err *err)
{
    return read_whole(text, &ratio_family, millionths, err);
}

bool units_size(const char *text, int64_t *bytes, struct err *err)
{
    return read_whole(text, &size_family, bytes, err);
}

bool units_bandwidth(const char *text, int64_t *bytes_per_s, struct err *err)
{
    return read_whole(text, &bandwidth_family, bytes_per_s, err);
}

bool units_rate(const char *text, int64_t *per_1000s, struct err *err)
{
    return read_whole(text, &rate_family, per_1000s, err);
}

bool units_ppm(const char *text, int64_t *ppm, struct err *err)
{
    return read_whole(text, &ppm_family, ppm, err);
}

bool units_u64(const char *text, uint64_t *value, struct err *err)
{
    ASSERT(text != NULL);
    ASSERT(value != NULL);
    bool is_hexadecimal = text[0] == '0' && text[1] == 'x';
    uint64_t base = is_hexadecimal ? 16 : 10;
    const char *digits = text + (is_hexadecimal ? 2 : 0);
    uint64_t sum = 0;
    for (const char *at = digits; *at != '\0'; at++) {
        char low = lower_of(*at);
        bool is_letter = is_hexadecimal && low >= 'a' && low <= 'f';
        if (!is_digit(*at) && !is_letter) {
            return err_set(err, ERR_INPUT,
                           "'%s' is not a whole number: write digits only, as in '42' or '0x2a'",
                           text);
        }
        uint64_t digit = (uint64_t)(is_letter ? low - 'a' + 10 : low - '0');
        if (sum > (UINT64_MAX - digit) / base) {
            return err_set(err, ERR_INPUT, "'%s' is too large: write at most '%" PRIu64 "'", text,
                           UINT64_MAX);
        }
        sum = sum * base + digit;
    }
    if (*digits == '\0') {
        return err_set(err, ERR_INPUT,
                       "'%s' is not a whole number: write digits, as in '42' or '0x2a'", text);
    }
    *value = sum;
    return true;
}

/* Writes magnitude / unit with its decimals; the number is at least 1. */
static void write_decimal(uint64_t magnitude, const struct unit *unit, char *out, size_t size)
{
    uint64_t rest = magnitude % unit->multiplier;
    char decimals[24] = "";
    if (rest != 0) {
        int width = 0;
        for (uint64_t power = unit->multiplier; power > 1; power /= 10) {
            width++;
        }
        int length = snprintf(decimals, sizeof(decimals), ".%0*" PRIu64, width, rest);
        while (decimals[length - 1] == '0') {
            length--;
            decimals[length] = '\0';
        }
    }
    snprintf(out, size, "%" PRIu64 "%s%s", magnitude / unit->multiplier, decimals, unit->name);
}

const char *units_format_duration(int64_t ns, char *out, size_t size)
{
    ASSERT(out != NULL);
    ASSERT(size >= 32);
    if (ns == 0) {
        memcpy(out, "0s", sizeof("0s"));
        return out;
    }
    bool is_negative = ns < 0;
    uint64_t magnitude = is_negative ? 0 - (uint64_t)ns : (uint64_t)ns;
    char best[64] = "";
    for (uint32_t index = 0; index < ARRAY_COUNT(duration_units); index++) {
        const struct unit *unit = &duration_units[index];
        /* Minutes and longer are not decimal: only whole ones are written. */
        bool is_whole = magnitude % unit->multiplier == 0;
        if (magnitude < unit->multiplier || (unit->multiplier > NS_PER_S && !is_whole)) {
            continue;
        }
        char text[64];
        write_decimal(magnitude, unit, text, sizeof(text));
        if (*best == '\0' || strlen(text) < strlen(best)) {
            memcpy(best, text, sizeof(best));
        }
    }
    ASSERT(*best != '\0');
    snprintf(out, size, "%s%s", is_negative ? "-" : "", best);
    return out;
}
