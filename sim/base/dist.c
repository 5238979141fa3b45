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
 * Weibull. scale * E^(1 / shape) with an exponential E.
 *
 * Remaining life. Where the law is a function of an exponential draw E, the age is turned into the
 * E that it stands for, and a fresh draw is added: the exponential law forgets. Elsewhere the age
 * is turned into its position, by bisection, and the rest of the positions is drawn from.
 *
 * Not here: mixtures. An empirical law covers them; sim/base/dist_gamma.c makes one of a gamma
 * law. */
#include "sim/base/dist.h"

#include "sim/base/base.h"
#include "sim/base/dist_tables.h"
#include "sim/base/fixed.h"
#include "sim/base/units.h"

#include <inttypes.h>
#include <stdlib.h>

#define VALUE_MAX      FIXED_VALUE_MAX
#define CUMULATIVE_ONE (UINT64_C(1) << 32)

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

/* Rare, and so large that dist_sample would pay for it with every law. */
__attribute__((noinline)) static int64_t weibull_value(const struct dist *dist,
                                                       uint64_t exponential)
{
    if (exponential == 0) {
        return 0;
    }
    swide exponent = (swide)log2_q48(exponential) - ((swide)40 << 48);
    return scale_exp2(dist->a, exponent * 1000 / dist->c);
}

/* The law's value for an exponential draw with 40 fraction bits. */
static int64_t value_of_exponential(const struct dist *dist, uint64_t exponential)
{
    ASSERT(dist->kind == DIST_EXPONENTIAL || dist->kind == DIST_PARETO ||
           dist->kind == DIST_WEIBULL);
    return dist->kind == DIST_EXPONENTIAL ? exponential_value(dist->a, exponential)
           : dist->kind == DIST_PARETO    ? pareto_value(dist, exponential)
                                          : weibull_value(dist, exponential);
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
    char shown[2][32];
    if (value < minimum) {
        return err_set(err, ERR_INPUT, "the %s is %s: it must be at least %s", what,
                       units_format_duration(value, shown[0], sizeof(shown[0])),
                       units_format_duration(minimum, shown[1], sizeof(shown[1])));
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

static bool check_weibull(const struct dist *dist, struct err *err)
{
    if (!check_range("scale of a weibull law", dist->a, 1, err)) {
        return false;
    }
    return (dist->c >= 100 && dist->c <= 100000) ||
           err_set(err, ERR_INPUT,
                   "the shape of a weibull law is %" PRId64
                   " thousandths: it must be within 0.1 and 100",
                   dist->c);
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
    case DIST_WEIBULL:
        return check_weibull(dist, err);
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
    case DIST_WEIBULL:
        return weibull_value(dist, exponential_draw(rng));
    }
    UNREACHABLE();
}

/* -------------------------------------------------------------------------------- given the age */

/* The value at a 64-bit position of a law that is drawn by position. */
static int64_t value_at(const struct dist *dist, uint64_t position)
{
    return dist->kind == DIST_UNIFORM     ? uniform_at(dist, position)
           : dist->kind == DIST_LOGNORMAL ? lognormal_at(dist, position)
                                          : empirical_at(dist, position);
}

static int64_t remaining_by_position(const struct dist *dist, int64_t age, struct rng *rng)
{
    uint64_t low = 0;           /* the first position from which on values are above the age ... */
    uint64_t high = UINT64_MAX; /* ... if this one's is */
    if (value_at(dist, high) <= age) {
        return 0;
    }
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (value_at(dist, middle) > age) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    uint64_t count = UINT64_MAX - low; /* positions but one */
    uint64_t draw = count == UINT64_MAX ? rng_u64(rng) : rng_below(rng, count + 1);
    return value_at(dist, low + draw) - age;
}

/* The exponential draw, 40 fraction bits, that gives `age`, and at least 0. */
static uint64_t exponential_of(const struct dist *dist, int64_t age)
{
    ASSERT(dist->kind == DIST_PARETO || dist->kind == DIST_WEIBULL);
    if (age == 0 || (dist->kind == DIST_PARETO && age <= dist->a)) {
        return 0;
    }
    swide ratio = (swide)log2_q48((uint64_t)age) - (swide)log2_q48((uint64_t)dist->a);
    if (dist->kind == DIST_WEIBULL) {
        return (uint64_t)scale_exp2(INT64_C(1) << 40, ratio * dist->c / 1000);
    }
    return (uint64_t)((ratio * (swide)LN2_Q48 >> 56) * dist->c / 1000);
}

static int64_t remaining_by_draw(const struct dist *dist, int64_t age, struct rng *rng)
{
    uint64_t before = exponential_of(dist, age);
    uint64_t after = before + exponential_draw(rng);
    int64_t value = value_of_exponential(dist, after);
    return value > age ? value - age : 0;
}

int64_t dist_remaining(const struct dist *dist, int64_t age, struct rng *rng)
{
    ASSERT(age >= 0);
    switch (dist->kind) {
    case DIST_CONSTANT:
        return dist->a > age ? dist->a - age : 0;
    case DIST_EXPONENTIAL:
        return dist_sample(dist, rng);
    case DIST_PARETO:
    case DIST_WEIBULL:
        return remaining_by_draw(dist, age, rng);
    case DIST_UNIFORM:
    case DIST_LOGNORMAL:
    case DIST_EMPIRICAL:
        return remaining_by_position(dist, age, rng);
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
        char shown[2][32];
        return err_set(err, ERR_INPUT,
                       "the 99th percentile of a lognormal law is %s, which is below its mean, %s",
                       units_format_duration(p99, shown[0], sizeof(shown[0])),
                       units_format_duration(mean, shown[1], sizeof(shown[1])));
    }
    if (!check_range("99th percentile of a lognormal law", p99, mean, err)) {
        return false;
    }
    /* With k the slope in log2: log2(p99 / mean) = k z - k^2 ln2 / 2; the smaller root is meant. */
    uint64_t span = log2_q48((uint64_t)p99) - log2_q48((uint64_t)mean);
    uint64_t loss = multiply(span, 2 * LN2_Q48, 48);
    if (loss > Z99_SQUARED_Q48) {
        return err_set(err, ERR_INPUT,
                       "the 99th percentile of a lognormal law is at most 14.96 times its mean, "
                       "and not %" PRId64 " times",
                       p99 / mean);
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

/* 1 / shape with 32 fraction bits. */
static uint64_t weibull_inverse(int64_t shape_milli)
{
    return (UINT64_C(1000) << 32) / (uint64_t)shape_milli;
}

bool dist_weibull_of_mean(struct dist *dist, int64_t mean, int64_t shape_milli, struct err *err)
{
    ASSERT(dist != NULL);
    *dist = (struct dist){.kind = DIST_WEIBULL, .a = 1, .c = shape_milli};
    if (!check_range("mean of a weibull law", mean, 1, err) || !check_weibull(dist, err)) {
        return false;
    }
    swide gamma = fixed_log2_gamma(FIXED_ONE_Q32 + weibull_inverse(shape_milli));
    int64_t scale = scale_exp2(mean, -gamma);
    dist->a = scale < 1 ? 1 : scale;
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
    case DIST_WEIBULL: /* scale Gamma(1 + 1 / shape) */
        return scale_exp2(dist->a, fixed_log2_gamma(FIXED_ONE_Q32 + weibull_inverse(dist->c)));
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
    case DIST_WEIBULL:
        return weibull_value(dist, exponential_at(~position));
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
