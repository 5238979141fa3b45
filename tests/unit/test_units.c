/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Values with units. The error texts are part of the contract: each must show what to write. */
#include "sim/base/base.h"
#include "sim/base/rng.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#include <inttypes.h>
#include <string.h>

struct good {
    const char *text;
    int64_t value;
};

struct bad {
    const char *text;
    const char *error;
};

typedef bool (*reader)(const char *text, int64_t *value, struct err *err);

static void check_good(reader read, const struct good *cases, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        struct err err = {0};
        int64_t value = -77;
        CHECK(read(cases[index].text, &value, &err));
        CHECK_TEXT(err.text, "");
        CHECK_EQUAL(value, cases[index].value);
    }
}

static void check_bad(reader read, const struct bad *cases, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        struct err err = {0};
        int64_t value = -77;
        CHECK(!read(cases[index].text, &value, &err));
        CHECK_EQUAL(err.code, ERR_INPUT);
        CHECK_TEXT(err.text, cases[index].error);
        CHECK_EQUAL(value, -77);
        CHECK(!read(cases[index].text, &value, NULL));
    }
}

TEST(units, durations_are_exact_nanoseconds)
{
    const struct good cases[] = {
        {"0", 0},
        {"0.000", 0},
        {"0s", 0},
        {"-0", 0},
        {"5ns", 5},
        {"250us", 250000},
        {"1.5s", 1500000000},
        {"0.1s", 100000000},
        {"0.000000001s", 1},
        {"1.000000000000000000000000000000000ms", 1000000},
        {"0001ms", 1000000},
        {"2m30s", INT64_C(150000000000)},
        {"1h", INT64_C(3600000000000)},
        {"1d2h3m4s5ms6us7ns", INT64_C(93784005006007)},
        {"1h0.5s", INT64_C(3600500000000)},
        {"-20ms", -20000000},
        {"-1m1s", INT64_C(-61000000000)},
        {"0.5d", INT64_C(43200000000000)},
        {"9223372036854775807ns", INT64_MAX},
        {"9223372036.854775807s", INT64_MAX},
    };
    check_good(units_duration, cases, ARRAY_COUNT(cases));
}

TEST(units, bad_durations_are_refused_with_the_fix)
{
    const struct bad cases[] = {
        {"", "empty text where a duration belongs: write for example '5ms'"},
        {"5", "duration '5' has no unit: write the unit: '5ms'"},
        {"-1.5", "duration '-1.5' has no unit: write the unit: '-1.5ms'"},
        {"2m30", "duration '2m30' has no unit: write the unit: '2m30s'"},
        {"1s500", "duration '1s500' has no unit: write the unit: '1s500ms'"},
        {"5sec", "duration '5sec' has the unknown unit 'sec': write '5s'"},
        {"5 ms", "duration '5 ms' has a space in it: write '5ms'"},
        {"1,5s", "duration '1,5s' has a comma in it: write '1.5s'"},
        {".5s", "duration '.5s' has no digit before the point: write '0.5s'"},
        {"-.5s", "duration '-.5s' has no digit before the point: write '-0.5s'"},
        {"5.s", "duration '5.s' has a point without a digit behind it: write '5s'"},
        {"1.5.2s", "duration '1.5.2s' has two points: write '1.5s'"},
        {"+5s", "duration '+5s' has a plus sign: write '5s'"},
        {"--5s", "duration '--5s' is negative: write '5s'"},
        {"ms", "duration 'ms' has no number: write for example '5ms'"},
        {"5MS", "duration '5MS' has the unknown unit 'MS': write '5ms'"},
        {"3\xc2\xb5s", "duration '3\xc2\xb5s' has the unknown unit '\xc2\xb5s': write '3us'"},
        {"2mins5s", "duration '2mins5s' has the unknown unit 'mins': write '2m5s'"},
        {"5lightyears", "duration '5lightyears' has the unknown unit 'lightyears': use ns, us, ms, "
                        "s, m, h or d, as in '5ms'"},
        {"30s2m", "duration '30s2m' has 'm' behind 's': write each unit once, large ones first, "
                  "as in '2m30s'"},
        {"1s1s", "duration '1s1s' has 's' behind 's': write each unit once, large ones first, as "
                 "in '2m30s'"},
        {"1.5ns", "duration '1.5ns' is not a multiple of 1ns: write '2ns'"},
        {"-0.0000000012s", "duration '-0.0000000012s' is not a multiple of 1ns: write '-1ns'"},
        {"9223372036854775808ns",
         "duration '9223372036854775808ns' is too large: write at most '9223372036854775807ns'"},
        {"100000000000000000000000s", "duration '100000000000000000000000s' is too large: write at "
                                      "most '9223372036854775807ns'"},
        {"0.0000000000000000000000001s",
         "duration '0.0000000000000000000000001s' has too many digits: write at most 24"},
        {"106752d", "duration '106752d' is too large: write at most '9223372036854775807ns'"},
        {"106751d24h", "duration '106751d24h' is too large: write at most '9223372036854775807ns'"},
        {"1000000000000000000000000s",
         "duration '1000000000000000000000000s' has too many digits: write at most 24"},
    };
    check_bad(units_duration, cases, ARRAY_COUNT(cases));
}

TEST(units, percentages_are_out_of_two_to_the_32)
{
    const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"0%", 0},
        {"100%", RNG_ALWAYS},
        {"50%", RNG_ALWAYS / 2},
        {"25.0%", RNG_ALWAYS / 4},
        {"0.01%", 429497}, /* 429496.7296 */
        {"0.00000003%", 1},
        {"99.99999998%", RNG_ALWAYS - 1},
    };
    for (uint32_t index = 0; index < ARRAY_COUNT(cases); index++) {
        uint64_t probability = 0;
        struct err err = {0};
        CHECK(units_percent(cases[index].text, &probability, &err));
        CHECK_EQUAL(probability, cases[index].value);
    }
}

static bool read_percent(const char *text, int64_t *value, struct err *err)
{
    uint64_t probability = 0;
    if (!units_percent(text, &probability, err)) {
        return false;
    }
    *value = (int64_t)probability;
    return true;
}

TEST(units, bad_percentages_are_refused_with_the_fix)
{
    const struct bad cases[] = {
        {"5", "percentage '5' has no unit: write the unit: '5%'"},
        {"0.05", "percentage '0.05' has no unit: write the unit: '0.05%'"},
        {"-5%", "percentage '-5%' is negative: write '5%'"},
        {"101%", "percentage '101%' is more than everything: write '100%'"},
        {"100.000000001%", "percentage '100.000000001%' is more than everything: write '100%'"},
        {"5percent", "percentage '5percent' has the unknown unit 'percent': write '5%'"},
        {"0.00000001%",
         "percentage '0.00000001%' is finer than 1 in 2^32: write '0%' or '0.00000003%'"},
        {"99.999999999%",
         "percentage '99.999999999%' is finer than 1 in 2^32: write '100%' or '99.99999998%'"},
        {"%", "percentage '%' has no number: write for example '5%'"},
    };
    check_bad(read_percent, cases, ARRAY_COUNT(cases));
}

TEST(units, ratios_may_exceed_everything)
{
    const struct good good[] = {{"150%", 1500000}, {"0%", 0}, {"0.0001%", 1}, {"12.5%", 125000}};
    const struct bad bad[] = {
        {"1.5", "percentage '1.5' has no unit: write the unit: '1.5%'"},
        {"0.00001%", "percentage '0.00001%' is not a multiple of 0.0001%: write '0.0000%'"},
        {"33.33333%", "percentage '33.33333%' is not a multiple of 0.0001%: write '33.3333%'"},
        {"1000000000000000%", "percentage '1000000000000000%' is too large: write at most "
                              "'922337203685477.5807%'"},
    };
    check_good(units_ratio, good, ARRAY_COUNT(good));
    check_bad(units_ratio, bad, ARRAY_COUNT(bad));
}

TEST(units, sizes_tell_powers_of_1000_from_powers_of_1024)
{
    const struct good good[] = {
        {"0B", 0},
        {"4096B", 4096},
        {"64KiB", 65536},
        {"1MB", 1000000},
        {"2GiB", INT64_C(2147483648)},
        {"1.5KiB", 1536},
        {"0.5KB", 500},
        {"3TB", INT64_C(3000000000000)},
        {"1TiB", INT64_C(1) << 40},
    };
    const struct bad bad[] = {
        {"64", "size '64' has no unit: write the unit: '64KiB'"},
        {"64K", "size '64K' is ambiguous: write '64KiB' (powers of 1024) or '64KB' (powers of "
                "1000)"},
        {"64kb", "size '64kb' is ambiguous: write '64KiB' (powers of 1024) or '64KB' (powers of "
                 "1000)"},
        {"1g", "size '1g' is ambiguous: write '1GiB' (powers of 1024) or '1GB' (powers of 1000)"},
        {"64kib", "size '64kib' has the unknown unit 'kib': write '64KiB'"},
        {"5bytes", "size '5bytes' has the unknown unit 'bytes': write '5B'"},
        {"-1B", "size '-1B' is negative: write '1B'"},
        {"1.3KiB", "size '1.3KiB' is not a multiple of 1B: write '1331B'"},
        {"8388608TiB", "size '8388608TiB' is too large: write at most '9223372036854775807B'"},
        {"5ms", "size '5ms' has the unknown unit 'ms': use B, KB, MB, GB, TB, KiB, MiB, GiB or "
                "TiB, as in '5KiB'"},
    };
    check_good(units_size, good, ARRAY_COUNT(good));
    check_bad(units_size, bad, ARRAY_COUNT(bad));
}

TEST(units, bandwidths_are_bytes_per_second)
{
    const struct good good[] = {
        {"10gbit", 1250000000},
        {"100mbit", 12500000},
        {"1kbit", 125},
        {"8bit", 1},
        {"2GB/s", 2000000000},
        {"100MB/s", 100000000},
        {"64KiB/s", 65536},
        {"0B/s", 0},
        {"1tbit", INT64_C(125000000000)},
        {"2.5gbit", 312500000},
    };
    const struct bad bad[] = {
        {"10mbps", "bandwidth '10mbps' is ambiguous: write '10mbit' (bits per second) or '10MB/s' "
                   "(bytes per second)"},
        {"10bps", "bandwidth '10bps' is ambiguous: write '10bit' (bits per second) or '10B/s' "
                  "(bytes per second)"},
        {"1Gb/s", "bandwidth '1Gb/s' is ambiguous: write '1gbit' (bits per second) or '1GB/s' "
                  "(bytes per second)"},
        {"10MB", "bandwidth '10MB' is ambiguous: write '10mbit' (bits per second) or '10MB/s' "
                 "(bytes per second)"},
        {"10", "bandwidth '10' has no unit: write the unit: '10mbit'"},
        {"1Gbit", "bandwidth '1Gbit' has the unknown unit 'Gbit': write '1gbit'"},
        {"1gbit/s", "bandwidth '1gbit/s' has the unknown unit 'gbit/s': write '1gbit'"},
        {"4KiB", "bandwidth '4KiB' has the unknown unit 'KiB': write '4KiB/s'"},
        {"9bit", "bandwidth '9bit' is not a multiple of 1B/s: write '1B/s'"},
        {"5furlongs", "bandwidth '5furlongs' has the unknown unit 'furlongs': use bit, kbit, mbit, "
                      "gbit, tbit, B/s, KB/s, MB/s, GB/s, KiB/s, MiB/s or GiB/s, as in '5mbit'"},
    };
    check_good(units_bandwidth, good, ARRAY_COUNT(good));
    check_bad(units_bandwidth, bad, ARRAY_COUNT(bad));
}

TEST(units, rates_are_events_in_a_thousand_seconds)
{
    const struct good good[] = {{"200/s", 200000}, {"30/m", 500}, {"1.5/s", 1500}, {"0.5/s", 500},
                                {"0/s", 0},        {"36/h", 10},  {"0.001/s", 1}};
    const struct bad bad[] = {
        {"200", "rate '200' has no unit: write the unit: '200/s'"},
        {"200rps", "rate '200rps' has the unknown unit 'rps': write '200/s'"},
        {"200s", "rate '200s' has the unknown unit 's': write '200/s'"},
        {"1/m", "rate '1/m' is not a multiple of 0.001/s: write '0.017/s'"},
        {"-1/s", "rate '-1/s' is negative: write '1/s'"},
        {"10/fortnight", "rate '10/fortnight' has the unknown unit '/fortnight': use /s, /m or /h, "
                         "as in '5/s'"},
        {"99999999999999999/s", "rate '99999999999999999/s' is too large: write at most "
                                "'9223372036854775.807/s'"},
    };
    check_good(units_rate, good, ARRAY_COUNT(good));
    check_bad(units_rate, bad, ARRAY_COUNT(bad));
}

TEST(units, drifts_are_parts_per_million)
{
    const struct good good[] = {{"50ppm", 50}, {"-20ppm", -20}, {"0ppm", 0}};
    const struct bad bad[] = {
        {"50", "drift '50' has no unit: write the unit: '50ppm'"},
        {"0.5ppm", "drift '0.5ppm' is not a multiple of 1ppm: write '1ppm'"},
        {"50PPM", "drift '50PPM' has the unknown unit 'PPM': write '50ppm'"},
        {"", "empty text where a drift belongs: write for example '5ppm'"},
    };
    check_good(units_ppm, good, ARRAY_COUNT(good));
    check_bad(units_ppm, bad, ARRAY_COUNT(bad));
}

TEST(units, plain_numbers_are_decimal_or_hexadecimal)
{
    const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"42", 42},
        {"010", 10},
        {"0x2a", 42},
        {"0xFFffFFffFFffFFff", UINT64_MAX},
        {"18446744073709551615", UINT64_MAX},
    };
    for (uint32_t index = 0; index < ARRAY_COUNT(good); index++) {
        uint64_t value = 0;
        CHECK(units_u64(good[index].text, &value, NULL));
        CHECK(value == good[index].value);
    }
    const char *const bad[] = {"",
                               "-1",
                               "+1",
                               "0x",
                               "1.5",
                               "12a",
                               "0xg",
                               " 1",
                               "1 ",
                               "0X1",
                               "18446744073709551616",
                               "0x10000000000000000"};
    for (uint32_t index = 0; index < ARRAY_COUNT(bad); index++) {
        uint64_t value = 77;
        struct err err = {0};
        CHECK(!units_u64(bad[index], &value, &err));
        CHECK_EQUAL(value, 77);
        CHECK(strstr(err.text, ": write ") != NULL);
    }
}

TEST(units, durations_are_written_short_and_exact)
{
    const struct good cases[] = {
        {"0s", 0},
        {"1ns", 1},
        {"250us", 250000},
        {"100ms", 100000000},
        {"1.5s", 1500000000},
        {"1.5ms", 1500000},
        {"1234567ns", 1234567},
        {"90s", INT64_C(90000000000)},
        {"1m", INT64_C(60000000000)},
        {"2h", INT64_C(7200000000000)},
        {"1d", INT64_C(86400000000000)},
        {"-20ms", -20000000},
        {"9223372036.854775807s", INT64_MAX},
        {"-9223372036.854775808s", INT64_MIN},
    };
    for (uint32_t index = 0; index < ARRAY_COUNT(cases); index++) {
        char out[32];
        CHECK_TEXT(units_format_duration(cases[index].value, out, sizeof(out)), cases[index].text);
    }
}

TEST(units, what_is_written_is_read_back)
{
    struct rng rng = rng_keyed(11, 0, 0, 0);
    for (int round = 0; round < 20000; round++) {
        int64_t ns = (int64_t)(rng_u64(&rng) >> (1 + rng_below(&rng, 63)));
        uint64_t power = rng_below(&rng, 12);
        for (uint64_t at = 0; at < power; at++) {
            ns = ns / 10 * 10 > INT64_MAX / 10 ? ns : ns / 10 * 10;
            ns = ns < INT64_MAX / 10 ? ns * 10 : ns;
        }
        char out[32];
        int64_t back = 0;
        units_format_duration(-ns, out, sizeof(out));
        CHECK(units_duration(out, &back, NULL));
        CHECK_EQUAL(back, -ns);
    }
}

/* Whatever is typed, the answer is a value or an error with a fix, never a crash. */
TEST(units, noise_is_refused_with_a_fix_or_read)
{
    const char alphabet[] = "0123456789.-+%msunhdkKMGTiBbpt/ ,x\xb5";
    const reader readers[] = {units_duration,  read_percent, units_ratio, units_size,
                              units_bandwidth, units_rate,   units_ppm};
    struct rng rng = rng_keyed(12, 0, 0, 0);
    uint32_t read_count = 0;
    for (int round = 0; round < 60000; round++) {
        char text[40];
        uint64_t length = rng_below(&rng, round % 10 == 0 ? sizeof(text) : 6);
        for (uint64_t at = 0; at < length; at++) {
            text[at] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        }
        text[length] = '\0';
        struct err err = {0};
        int64_t value = 0;
        if (readers[round % 7](text, &value, &err)) {
            read_count++;
        } else {
            CHECK(strstr(err.text, "write ") != NULL || strstr(err.text, "use ") != NULL);
        }
    }
    CHECK(read_count > 100);
}
