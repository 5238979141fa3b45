/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Every law is its quantile function (inverse cumulative distribution) at a 64-bit position:
 * sampling evaluates it at a uniform draw, dist_quantile at a given place. So one draw gives one
 * value, values grow with positions (common random numbers stay common when a parameter changes),
 * and both functions agree. Only integers are used, with the tables of dist_tables.h.
 *
 * Exponential. For a uniform survivor s in (0, 1) the value is -ln(s). The number of leading zero
 * bits of s is the number of halvings survived, each of them ln 2 long: the exponential law has no
 * memory. What is left of s is in [1/2, 1) and goes through a table of 256 steps with linear
 * interpolation over 32 bits, whose error is below 2e-6 of the mean. After 32 halvings a new draw
 * goes on from there, so the tail never ends and never gets coarse.
 *
 * Lognormal. median * 2^(z * k), where z is a standard normal quantile from a table of 64 steps in
 * each of 62 halvings of the tail probability, and k = log2(p99 / median) / z(0.99). Errors of z
 * are below 2e-5; z ends at about 9.1 standard deviations.
 *
 * Pareto. min * 2^(e * log2(e) / shape) with an exponential e.
 *
 * Logarithm and power of two: the leading 8 bits of the mantissa choose a table entry, the rest
 * goes through three or four terms of the series; errors are below 1e-11.
 *
 * Zipf. Integer weights are scaled so that they sum to count * 2^32 exactly; then Vose's method
 * runs without rounding and every bucket is full at the end. Weights fall with the rank, so the
 * ones that are too large are a prefix and the ones that are too small a suffix, and no work lists
 * are needed. Of one draw times the count, the high word is the bucket, the low word the coin.
 *
 * Not here: gamma, Weibull, mixtures. An empirical law covers them. */
#include "sim/base/dist.h"

#include "sim/base/base.h"
#include "sim/base/dist_tables.h"

#include <inttypes.h>
#include <stdlib.h>

typedef unsigned __int128 wide;
typedef __int128 swide;

#define VALUE_MAX      (INT64_C(1) << 62)
#define CUMULATIVE_ONE (UINT64_C(1) << 32)

/* Constants; the number of fraction bits is the end of the name. */
#define LN2_Q62    UINT64_C(0x2c5c85fdf473de6b)
#define LN2_Q48    UINT64_C(0xb17217f7d1cf)
#define LN2_Q40    UINT64_C(0xb17217f7d2)
#define LOG2_E_Q60 UINT64_C(0x171547652b82fe17)
#define LOG2_E_Q48 UINT64_C(0x171547652b830)
/* The 99th percentile of the standard normal law: itself, its square, its reciprocal. */
#define Z99_Q48            UINT64_C(0x2538b88c61fe2)
#define Z99_SQUARED_Q48    UINT64_C(0x56971e9d6c86e)
#define Z99_RECIPROCAL_Q62 UINT64_C(0x1b82cc7db71405dc)

#define EXPONENTIAL_STEP_BITS 8
#define NORMAL_STEP_BITS      6
#define NORMAL_OCTAVES        62

static_assert(ARRAY_COUNT(exponential_table) == (1 << EXPONENTIAL_STEP_BITS) + 1, "steps and end");
static_assert(ARRAY_COUNT(normal_table) == (NORMAL_OCTAVES << NORMAL_STEP_BITS) + 1,
              "steps of every octave and the end");

static uint64_t multiply(uint64_t left, uint64_t right, uint32_t shift)
{
    return (uint64_t)(((wide)left * right) >> shift);
}

/* log2(value) with 48 fraction bits; value >= 1. */
static uint64_t log2_q48(uint64_t value)
{
    ASSERT(value >= 1);
    uint32_t zeros = (uint32_t)__builtin_clzll(value);
    uint64_t mantissa = value << zeros; /* in [1, 2) with 63 fraction bits */
    uint32_t index = (uint32_t)(mantissa >> 55) & 255;
    /* mantissa = (1 + index / 256) * (1 + rest), rest < 1/256. */
    uint64_t rest = multiply(mantissa, reciprocal_table[index], 63) - (UINT64_C(1) << 62);
    uint64_t square = multiply(rest, rest, 62);
    uint64_t cube = multiply(square, rest, 62);
    uint64_t fourth = multiply(square, square, 62);
    uint64_t ln = rest - square / 2 + cube / 3 - fourth / 4;
    uint64_t fraction = log2_table[index] + multiply(ln, LOG2_E_Q60, 62);
    return ((uint64_t)(63 - zeros) << 48) + (fraction >> 12);
}

/* 2^fraction with 62 fraction bits, in [2^62, 2^63); fraction < 1 with 48 bits. */
static uint64_t exp2_q62(uint64_t fraction)
{
    uint32_t index = (uint32_t)(fraction >> 40);
    ASSERT(index < 256);
    uint64_t rest = multiply(fraction & ((UINT64_C(1) << 40) - 1), LN2_Q62, 48);
    uint64_t square = multiply(rest, rest, 62);
    uint64_t cube = multiply(square, rest, 62);
    uint64_t series = (UINT64_C(1) << 62) + rest + square / 2 + cube / 6;
    return multiply(exp2_table[index], series, 62);
}

/* value * 2^exponent (48 fraction bits), rounded, at most VALUE_MAX; 0 <= value <= VALUE_MAX. */
static int64_t scale_exp2(int64_t value, swide exponent)
{
    const swide whole_max = (swide)64 << 48;
    if (value == 0 || exponent < -2 * whole_max) {
        return 0;
    }
    if (exponent > whole_max) {
        return VALUE_MAX;
    }
    int32_t whole = (int32_t)(exponent >> 48); /* towards minus infinity */
    uint64_t fraction = (uint64_t)exponent & ((UINT64_C(1) << 48) - 1);
    if (whole >= 62) {
        return VALUE_MAX;
    }
    int32_t shift = 62 - whole;
    ASSERT(shift > 0);
    if (shift > 126) {
        return 0;
    }
    wide product = (wide)(uint64_t)value * exp2_q62(fraction);
    wide rounded = (product >> shift) + ((product >> (shift - 1)) & 1);
    return rounded > (wide)VALUE_MAX ? VALUE_MAX : (int64_t)rounded;
}

/* -ln(survivor / 2^64) with 40 fraction bits; survivor >= 1. */
static uint64_t exponential_at(uint64_t survivor)
{
    uint32_t halvings = (uint32_t)__builtin_clzll(survivor);
    uint64_t rest = ~((survivor << halvings) << 1); /* grows as the survivor falls */
    uint32_t index = (uint32_t)(rest >> (64 - EXPONENTIAL_STEP_BITS));
    uint64_t fraction = (rest << EXPONENTIAL_STEP_BITS) >> 32;
    uint64_t low = exponential_table[index];
    uint64_t step = exponential_table[index + 1] - low;
    return halvings * LN2_Q40 + low + ((step * fraction) >> 32);
}

/* The same for a fresh draw; the tail goes on with new draws. */
static uint64_t exponential_draw(struct rng *rng)
{
    uint64_t before = 0;
    uint64_t survivor = rng_u64(rng);
    while (__builtin_expect(survivor >> 32 == 0, 0)) {
        before += 32 * LN2_Q40;
        survivor = rng_u64(rng);
    }
    return before + exponential_at(survivor);
}

/* Standard normal quantile with 28 fraction bits. */
static int64_t normal_at(uint64_t position)
{
    bool is_upper = position >> 63 != 0;
    uint64_t tail = (is_upper ? ~position : position) << 1 | 1; /* both sides together */
    uint32_t octave = (uint32_t)__builtin_clzll(tail);
    if (octave >= NORMAL_OCTAVES) {
        octave = NORMAL_OCTAVES - 1;
        tail = UINT64_C(1) << (63 - octave);
    }
    uint64_t rest = ~((tail << octave) << 1);
    uint32_t index = (octave << NORMAL_STEP_BITS) + (uint32_t)(rest >> (64 - NORMAL_STEP_BITS));
    uint64_t fraction = (rest << NORMAL_STEP_BITS) >> 32;
    uint64_t low = normal_table[index];
    uint64_t step = normal_table[index + 1] - low;
    int64_t distance = (int64_t)(low + ((step * fraction) >> 32));
    return is_upper ? distance : -distance;
}

/* log2(b / a) of one standard deviation, 48 fraction bits. */
static uint64_t lognormal_slope(const struct dist *dist)
{
    uint64_t span = log2_q48((uint64_t)dist->b) - log2_q48((uint64_t)dist->a);
    return multiply(span, Z99_RECIPROCAL_Q62, 62);
}

static int64_t lognormal_at(const struct dist *dist, uint64_t position)
{
    swide exponent = (swide)normal_at(position) * (int64_t)lognormal_slope(dist);
    return scale_exp2(dist->a, exponent >> 28);
}

static int64_t exponential_value(int64_t mean, uint64_t exponential)
{
    wide product = (wide)(uint64_t)mean * exponential + (UINT64_C(1) << 39);
    wide value = product >> 40;
    return value > (wide)VALUE_MAX ? VALUE_MAX : (int64_t)value;
}

static int64_t pareto_value(const struct dist *dist, uint64_t exponential)
{
    uint64_t slope = LOG2_E_Q48 * 1000 / (uint64_t)dist->c;
    wide exponent = ((wide)exponential * slope) >> 40;
    int64_t value = exponent >> 48 > 64 ? VALUE_MAX : scale_exp2(dist->a, (swide)exponent);
    return dist->b > 0 && value > dist->b ? dist->b : value;
}

static int64_t uniform_at(const struct dist *dist, uint64_t position)
{
    uint64_t width = (uint64_t)(dist->b - dist->a) + 1;
    return dist->a + (int64_t)multiply(position, width, 64);
}

static int64_t empirical_at(const struct dist *dist, uint64_t position)
{
    uint64_t cumulative = position >> 32;
    uint32_t low = 0;
    uint32_t high = dist->point_count - 1;
    /* points[low] is at or below the position, points[high] above it. */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (dist->points[middle].cumulative <= cumulative) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const struct dist_point *from = &dist->points[low];
    const struct dist_point *to = &dist->points[high];
    ASSERT(from->cumulative < to->cumulative);
    uint64_t offset = position - (from->cumulative << 32);
    wide scaled = ((wide)(uint64_t)(to->value - from->value) * offset) >> 32;
    uint64_t width = to->cumulative - from->cumulative;
    if (scaled >> 64 == 0) {
        return from->value + (int64_t)((uint64_t)scaled / width);
    }
    return from->value + (int64_t)(scaled / width);
}

static bool check_empirical(const struct dist *dist, struct err *err)
{
    if (dist->points == NULL || dist->point_count < 2) {
        return err_set(err, ERR_INPUT, "an empirical law needs at least two points");
    }
    const struct dist_point *last = &dist->points[dist->point_count - 1];
    if (dist->points[0].cumulative != 0 || last->cumulative != CUMULATIVE_ONE) {
        return err_set(err, ERR_INPUT, "an empirical law must begin at 0%% and end at 100%%");
    }
    if (dist->points[0].value < 0) {
        return err_set(err, ERR_INPUT, "an empirical law has the negative value %" PRId64,
                       dist->points[0].value);
    }
    if (last->value > VALUE_MAX) {
        return err_set(err, ERR_INPUT, "an empirical law has a value above 2^62");
    }
    for (uint32_t index = 1; index < dist->point_count; index++) {
        if (dist->points[index].cumulative < dist->points[index - 1].cumulative) {
            return err_set(err, ERR_INPUT,
                           "point %" PRIu32 " of an empirical law is less likely "
                           "than the one before it: put points in order of their percentage",
                           index + 1);
        }
        if (dist->points[index].value < dist->points[index - 1].value) {
            return err_set(err, ERR_INPUT,
                           "point %" PRIu32 " of an empirical law is smaller than "
                           "the one before it: values must not fall",
                           index + 1);
        }
    }
    return true;
}

static bool check_range(const char *what, int64_t value, int64_t minimum, struct err *err)
{
    if (value < minimum) {
        return err_set(err, ERR_INPUT, "the %s is %" PRId64 ": it must be at least %" PRId64, what,
                       value, minimum);
    }
    if (value > VALUE_MAX) {
        return err_set(err, ERR_INPUT, "the %s is %" PRId64 ": it must be at most 2^62", what,
                       value);
    }
    return true;
}

static bool check_pareto(const struct dist *dist, struct err *err)
{
    if (!check_range("minimum of a pareto law", dist->a, 1, err)) {
        return false;
    }
    if (dist->c < 1 || dist->c > 1000000) {
        return err_set(err, ERR_INPUT,
                       "the shape of a pareto law is %" PRId64
                       " thousandths: it must be within 0.001 and 1000",
                       dist->c);
    }
    return dist->b == 0 || check_range("cap of a pareto law", dist->b, dist->a, err);
}

bool dist_check(const struct dist *dist, struct err *err)
{
    ASSERT(dist != NULL);
    switch (dist->kind) {
    case DIST_CONSTANT:
        return check_range("constant", dist->a, 0, err);
    case DIST_UNIFORM:
        return check_range("lower end of a uniform law", dist->a, 0, err) &&
               check_range("upper end of a uniform law", dist->b, dist->a, err);
    case DIST_EXPONENTIAL:
        return check_range("mean of an exponential law", dist->a, 0, err);
    case DIST_LOGNORMAL:
        return check_range("median of a lognormal law", dist->a, 1, err) &&
               check_range("99th percentile of a lognormal law", dist->b, dist->a, err);
    case DIST_PARETO:
        return check_pareto(dist, err);
    case DIST_EMPIRICAL:
        return check_empirical(dist, err);
    }
    return err_set(err, ERR_INPUT, "unknown kind of distribution %d", (int)dist->kind);
}

int64_t dist_sample(const struct dist *dist, struct rng *rng)
{
    switch (dist->kind) {
    case DIST_CONSTANT:
        return dist->a;
    case DIST_UNIFORM:
        return dist->a + (int64_t)rng_below(rng, (uint64_t)(dist->b - dist->a) + 1);
    case DIST_EXPONENTIAL:
        return exponential_value(dist->a, exponential_draw(rng));
    case DIST_LOGNORMAL:
        return lognormal_at(dist, rng_u64(rng));
    case DIST_PARETO:
        return pareto_value(dist, exponential_draw(rng));
    case DIST_EMPIRICAL:
        return empirical_at(dist, rng_u64(rng));
    }
    UNREACHABLE();
}

/* Integer square root of `value`, digit by digit. */
static uint64_t square_root(wide value)
{
    wide root = 0;
    for (wide bit = (wide)1 << 126; bit != 0; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint64_t)root;
}

bool dist_lognormal_of_mean(struct dist *dist, int64_t mean, int64_t p99, struct err *err)
{
    ASSERT(dist != NULL);
    if (!check_range("mean of a lognormal law", mean, 1, err)) {
        return false;
    }
    if (p99 < mean) {
        return err_set(err, ERR_INPUT,
                       "the 99th percentile %" PRId64 " of a lognormal law is below "
                       "its mean %" PRId64,
                       p99, mean);
    }
    if (!check_range("99th percentile of a lognormal law", p99, mean, err)) {
        return false;
    }
    /* With k the slope in log2: log2(p99 / mean) = k z - k^2 ln2 / 2; the smaller root is meant. */
    uint64_t span = log2_q48((uint64_t)p99) - log2_q48((uint64_t)mean);
    uint64_t loss = multiply(span, 2 * LN2_Q48, 48);
    if (loss > Z99_SQUARED_Q48) {
        return err_set(err, ERR_INPUT,
                       "no lognormal law has a 99th percentile of %" PRId64
                       " and a mean of %" PRId64 ": their ratio must be at most 14.96",
                       p99, mean);
    }
    uint64_t root = square_root((wide)(Z99_SQUARED_Q48 - loss) << 48);
    uint64_t sigma = root < Z99_Q48 ? Z99_Q48 - root : 0;
    uint64_t slope = multiply(sigma, LOG2_E_Q48, 48);
    /* mean / median = 2^(sigma * slope / 2). */
    int64_t median = scale_exp2(mean, -(swide)(multiply(sigma, slope, 48) / 2));
    median = median < 1 ? 1 : median;
    *dist = (struct dist){.kind = DIST_LOGNORMAL, .a = median, .b = p99};
    ASSERT(median <= p99);
    return true;
}

/* Mean of min(X, cap) with cap = b, or where values saturate. */
static int64_t pareto_mean(const struct dist *dist)
{
    uint64_t cap = (uint64_t)(dist->b > 0 ? dist->b : VALUE_MAX);
    uint64_t span = log2_q48(cap) - log2_q48((uint64_t)dist->a);
    if (span == 0) {
        return dist->a;
    }
    wide above; /* mean - minimum */
    if (dist->c == 1000) {
        above = ((wide)(uint64_t)dist->a * multiply(span, LN2_Q62, 62)) >> 48;
    } else {
        /* minimum / (c - 1) * (1 - (minimum / cap)^(c - 1)) for c > 1; for c < 1 the same with
         * the signs turned is minimum (cap / minimum)^(1 - c) / (1 - c) * (1 - ...^(1 - c)). */
        uint64_t gap = (uint64_t)(dist->c > 1000 ? dist->c - 1000 : 1000 - dist->c);
        swide exponent = (swide)span * (int64_t)gap / 1000;
        int64_t base = dist->c > 1000 ? dist->a : scale_exp2(dist->a, exponent);
        int64_t rest = VALUE_MAX - scale_exp2(VALUE_MAX, -exponent);
        above = ((((wide)(uint64_t)base * (uint64_t)rest) >> 52) * 1000 / gap) >> 10;
    }
    wide mean = (uint64_t)dist->a + above;
    return mean > cap ? (int64_t)cap : (int64_t)mean;
}

static int64_t empirical_mean(const struct dist *dist)
{
    wide sum = 0; /* of twice the area */
    for (uint32_t index = 1; index < dist->point_count; index++) {
        const struct dist_point *from = &dist->points[index - 1];
        const struct dist_point *to = &dist->points[index];
        sum += (wide)((uint64_t)from->value + (uint64_t)to->value) *
               (to->cumulative - from->cumulative);
    }
    return (int64_t)((sum + CUMULATIVE_ONE) >> 33);
}

int64_t dist_mean(const struct dist *dist)
{
    ASSERT(dist_check(dist, NULL));
    switch (dist->kind) {
    case DIST_CONSTANT:
    case DIST_EXPONENTIAL:
        return dist->a;
    case DIST_UNIFORM:
        return dist->a + (dist->b - dist->a) / 2;
    case DIST_LOGNORMAL: {
        uint64_t slope = lognormal_slope(dist);
        uint64_t half_square = (uint64_t)(((wide)slope * slope) >> 49);
        return scale_exp2(dist->a, ((swide)half_square * (swide)LN2_Q48) >> 48);
    }
    case DIST_PARETO:
        return pareto_mean(dist);
    case DIST_EMPIRICAL:
        return empirical_mean(dist);
    }
    UNREACHABLE();
}

int64_t dist_quantile(const struct dist *dist, uint64_t cumulative)
{
    ASSERT(dist_check(dist, NULL));
    ASSERT(cumulative < CUMULATIVE_ONE);
    uint64_t position = cumulative << 32;
    switch (dist->kind) {
    case DIST_CONSTANT:
        return dist->a;
    case DIST_UNIFORM:
        return uniform_at(dist, position);
    case DIST_EXPONENTIAL:
        return exponential_value(dist->a, exponential_at(~position));
    case DIST_LOGNORMAL:
        return lognormal_at(dist, position);
    case DIST_PARETO:
        return pareto_value(dist, exponential_at(~position));
    case DIST_EMPIRICAL:
        return empirical_at(dist, position);
    }
    UNREACHABLE();
}

/* (rank + 1)^-theta with 62 fraction bits. */
static uint64_t zipf_weight(uint32_t rank, uint64_t theta_q48)
{
    uint64_t exponent = multiply(log2_q48((uint64_t)rank + 1), theta_q48, 48);
    return (uint64_t)scale_exp2(VALUE_MAX, -(swide)exponent);
}

/* Fills `threshold` with weights that sum to count * 2^32 and fall with the rank. */
static void fill_weights(struct zipf *zipf, uint64_t theta_q48)
{
    wide sum = 0;
    for (uint32_t rank = 0; rank < zipf->count; rank++) {
        uint64_t weight = zipf_weight(rank, theta_q48);
        if (rank > 0 && weight > zipf->threshold[rank - 1]) {
            weight = zipf->threshold[rank - 1]; /* never by more than a rounding */
        }
        zipf->threshold[rank] = weight;
        sum += weight;
    }
    wide total = (wide)zipf->count << 32;
    wide factor = (total << 70) / sum; /* floored, so the sum stays at or below the total */
    ASSERT(factor >> 64 == 0);
    uint64_t left = (uint64_t)total;
    for (uint32_t rank = 0; rank < zipf->count; rank++) {
        zipf->threshold[rank] = multiply(zipf->threshold[rank], (uint64_t)factor, 70);
        ASSERT(zipf->threshold[rank] <= left);
        left -= zipf->threshold[rank];
    }
    /* What rounding left over goes to all in turn, the first ones first. */
    for (uint32_t rank = 0; rank < zipf->count; rank++) {
        zipf->threshold[rank] += left / zipf->count + (rank < left % zipf->count ? 1 : 0);
    }
}

void zipf_init(struct zipf *zipf, uint32_t count, uint32_t theta_milli)
{
    ASSERT(zipf != NULL);
    ASSERT(count >= 1);
    ASSERT(count <= UINT32_C(1) << 24);
    ASSERT(theta_milli <= 4000);
    *zipf = (struct zipf){.count = count};
    zipf->alias = malloc(count * sizeof(*zipf->alias));
    zipf->threshold = malloc(count * sizeof(*zipf->threshold));
    if (zipf->alias == NULL || zipf->threshold == NULL) {
        fprintf(stderr, "squall: out of memory (zipf law of %" PRIu32 " keys)\n", count);
        abort();
    }
    fill_weights(zipf, ((uint64_t)theta_milli << 48) / 1000);
    uint32_t large = 0; /* the first rank that is still too large */
    uint32_t small = 0; /* the first rank that was too small from the start and is not done */
    while (small < count && zipf->threshold[small] >= CUMULATIVE_ONE) {
        zipf->alias[small] = small;
        small++;
    }
    uint32_t rank = small;
    while (rank < count) {
        uint64_t lack = CUMULATIVE_ONE - zipf->threshold[rank];
        ASSERT(zipf->threshold[large] > CUMULATIVE_ONE);
        zipf->alias[rank] = large;
        zipf->threshold[large] -= lack;
        if (zipf->threshold[large] < CUMULATIVE_ONE) {
            /* Now it is itself too small: it is filled next, by the large one behind it. */
            rank = large;
            large++;
            continue;
        }
        if (zipf->threshold[large] == CUMULATIVE_ONE) {
            large++;
        }
        small++;
        rank = small;
    }
}

void zipf_release(struct zipf *zipf)
{
    ASSERT(zipf != NULL);
    free(zipf->alias);
    free(zipf->threshold);
    *zipf = (struct zipf){0};
}

uint32_t zipf_sample(const struct zipf *zipf, struct rng *rng)
{
    wide product = (wide)rng_u64(rng) * zipf->count;
    uint32_t bucket = (uint32_t)(product >> 64);
    uint64_t coin = (uint64_t)product >> 32;
    return coin < zipf->threshold[bucket] ? bucket : zipf->alias[bucket];
}
