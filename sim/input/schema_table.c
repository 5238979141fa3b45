/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of the scenario language. Nothing here but data: objects from the innermost outwards,
 * each a list of its
 * keys. The presets of retries have a table of their own (preset.c).
 *
 * Sources of the words: k6 (load), Chaos Mesh (faults), gRPC A6 and the AWS SDKs (retries),
 * Maelstrom (names of
 * errors), SimGrid (network, disk), YCSB (workload), Antithesis (checks). */
#include "sim/input/schema.h"

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/input/preset.h"

#define HOUR    (3600 * NS_PER_S)
#define DAY     (24 * HOUR)
#define CENTURY (100 * 365 * DAY)
#define OBJECT(name_, keys_)                                                                       \
    {                                                                                              \
        .name = (name_), .keys = (keys_), .key_count = ARRAY_COUNT(keys_)                          \
    }
#define OBJECT_SHORT(name_, keys_, short_)                                                         \
    {                                                                                              \
        .name = (name_), .keys = (keys_), .key_count = ARRAY_COUNT(keys_), .short_key = (short_)   \
    }

/* "|ok|timeout|..." */
#define STATUS_CHOICE(code, number, name, definite) "|" name
static const char status_choices[] = SQ_STATUS_MAP(STATUS_CHOICE);
/* Without "ok": the index of a choice is the status minus 1. */
#define FAILURES (status_choices + sizeof("|ok|") - 1)

static_assert(SQ_OK == 0, "the failures follow success");

/* ------------------------------------------------------------------------------- laws */

static const struct schema_key point_keys[] = {
    {.name = "at",
     .type = SCHEMA_PERCENT,
     .is_required = true,
     .example = "99%",
     .description = "share of the values that are at most 'value'"},
    {.name = "value",
     .type = SCHEMA_DURATION,
     .is_required = true,
     .max = CENTURY,
     .example = "5ms",
     .description = "duration at this quantile"},
};
static const struct schema_object point_object = OBJECT("point", point_keys);

static const struct schema_key law_keys[] = {
    {.name = "distribution",
     .type = SCHEMA_CHOICE,
     .example = "lognormal",
     .choices = "constant|uniform|exponential|lognormal|pareto|empirical|weibull|gamma",
     .description = "shape; without it the other keys decide: p99 lognormal, min and max uniform, "
                    "mean exponential, points empirical"},
    {.name = "value",
     .type = SCHEMA_DURATION,
     .max = CENTURY,
     .example = "5ms",
     .description = "constant: the duration itself"},
    {.name = "latency",
     .type = SCHEMA_DURATION,
     .max = CENTURY,
     .example = "800us",
     .description = "another word for median, or without p99 for value"},
    {.name = "median",
     .type = SCHEMA_DURATION,
     .max = CENTURY,
     .example = "800us",
     .description = "lognormal: half of the values are below"},
    {.name = "mean",
     .type = SCHEMA_DURATION,
     .max = CENTURY,
     .example = "30s",
     .description = "exponential, weibull, gamma, or lognormal with p99: the mean"},
    {.name = "min",
     .type = SCHEMA_DURATION,
     .max = CENTURY,
     .example = "1ms",
     .description = "uniform and pareto: the least value"},
    {.name = "max",
     .type = SCHEMA_DURATION,
     .max = CENTURY,
     .example = "10ms",
     .description = "uniform: the largest value; pareto: where the tail is cut"},
    {.name = "p99",
     .type = SCHEMA_DURATION,
     .max = CENTURY,
     .example = "6ms",
     .description = "lognormal: 99 % of the values are below"},
    {.name = "shape",
     .type = SCHEMA_DECIMAL,
     .min = 100,
     .max = 100000,
     .example = "1.5",
     .description = "pareto: exponent of the tail, 1.5 when absent; weibull and gamma: the shape"},
    {.name = "points",
     .form = SCHEMA_LIST,
     .object = &point_object,
     .example = "[{at: 0%, value: 1ms}, {at: 100%, value: 9ms}]",
     .description = "empirical: quantiles from 0% to 100%, joined by straight lines"},
};
static const struct schema_object law_object = OBJECT_SHORT("law", law_keys, "value");

/* ------------------------------------------------------------------------------- host */

static const struct schema_key host_queue_keys[] = {
    {.name = "limit",
     .type = SCHEMA_COUNT,
     .initial = "1000",
     .min = 1,
     .max = 1000000000,
     .description = "messages, requests and timers that may wait for a node",
     .example = "20000"},
    {.name = "onFull",
     .type = SCHEMA_CHOICE,
     .choices = "drop|reject",
     .initial = "drop",
     .description = "what happens to a request that does not fit: lost, or answered 'overloaded'",
     .example = "reject"},
};
static const struct schema_object host_queue_object = OBJECT("hostQueue", host_queue_keys);

static const struct schema_key cpu_keys[] = {
    {.name = "perMessage",
     .type = SCHEMA_DURATION,
     .initial = "10us",
     .max = HOUR,
     .description = "processor time to handle one message or request",
     .example = "200us"},
    {.name = "perByte",
     .type = SCHEMA_FINE,
     .initial = "1ns",
     .max = 1000000000,
     .description = "processor time for each byte of it; picoseconds count",
     .example = "250ps"},
    {.name = "perOperation",
     .type = SCHEMA_DURATION,
     .initial = "20us",
     .max = HOUR,
     .description = "processor time that a model charges for one operation of its store",
     .example = "100us"},
    {.name = "perTimer",
     .type = SCHEMA_DURATION,
     .initial = "1us",
     .max = HOUR,
     .description = "processor time to handle one timer",
     .example = "5us"},
};
static const struct schema_object cpu_object = OBJECT("cpu", cpu_keys);

static const struct schema_key clock_keys[] = {
    {.name = "offset",
     .type = SCHEMA_DURATION,
     .initial = "0s",
     .max = 365 * DAY,
     .description = "time of day of a node differs by up to this much, either way",
     .example = "10ms"},
    {.name = "drift",
     .type = SCHEMA_PPM,
     .initial = "0ppm",
     .min = 0,
     .max = 100000,
     .description = "clock of a node runs faster or slower by up to this much",
     .example = "50ppm"},
};
static const struct schema_object clock_object = OBJECT("clock", clock_keys);

static const struct schema_key host_keys[] = {
    {.name = "cores",
     .type = SCHEMA_COUNT,
     .initial = "1",
     .min = 1,
     .max = 1024,
     .description = "processors of a host",
     .example = "4"},
    {.name = "queue",
     .form = SCHEMA_OBJECT,
     .object = &host_queue_object,
     .initial = "{}",
     .description = "inbox of a node"},
    {.name = "cpu",
     .form = SCHEMA_OBJECT,
     .object = &cpu_object,
     .initial = "{}",
     .description = "what work costs"},
    {.name = "clock",
     .form = SCHEMA_OBJECT,
     .object = &clock_object,
     .initial = "{}",
     .description = "how wrong the clocks are"},
};
static const struct schema_object host_object = OBJECT("host", host_keys);

/* ------------------------------------------------------------------------------- client */

static const struct schema_key budget_keys[] = {
    {.name = "type",
     .type = SCHEMA_CHOICE,
     .choices = "none|token-bucket|grpc|concurrency",
     .initial = "none",
     .description = "limit over all retries and hedges of a caller: a bucket of tokens (AWS), "
                    "failures against successes (gRPC's retryThrottling), a share of what is under "
                    "way (Envoy's retry_budget); the one that its other keys belong to when absent",
     .example = "token-bucket"},
    {.name = "capacity",
     .type = SCHEMA_COUNT,
     .initial = "500",
     .min = 1,
     .max = 1000000,
     .description = "token-bucket: tokens at the start, and at most",
     .example = "500"},
    {.name = "retryCost",
     .type = SCHEMA_COUNT,
     .initial = "5",
     .min = 0,
     .max = 1000000,
     .description = "token-bucket: tokens that a retry takes",
     .example = "5"},
    {.name = "timeoutCost",
     .type = SCHEMA_COUNT,
     .initial = "10",
     .min = 0,
     .max = 1000000,
     .description = "token-bucket: tokens that a retry after a time-out takes",
     .example = "10"},
    {.name = "throttlingCost",
     .type = SCHEMA_COUNT,
     .min = 0,
     .max = 1000000,
     .description = "token-bucket: tokens that a retry after 'overloaded' takes; as retryCost when "
                    "absent",
     .example = "5"},
    {.name = "successCredit",
     .type = SCHEMA_DECIMAL,
     .initial = "1",
     .min = 0,
     .max = 1000000000,
     .description = "token-bucket: tokens that a success gives back",
     .example = "0.1"},
    {.name = "refund",
     .type = SCHEMA_BOOLEAN,
     .initial = "false",
     .description = "token-bucket: a success after retries gives back what the last of them took, "
                    "instead of successCredit",
     .example = "true"},
    {.name = "maxTokens",
     .type = SCHEMA_COUNT,
     .initial = "10",
     .min = 1,
     .max = 1000,
     .description = "grpc: tokens at the start, and at most; a failure takes one, and there are "
                    "retries only while more than half of them are there",
     .example = "10"},
    {.name = "tokenRatio",
     .type = SCHEMA_DECIMAL,
     .initial = "0.1",
     .min = 1,
     .max = 1000000,
     .description = "grpc: tokens that a success gives",
     .example = "0.1"},
    {.name = "percent",
     .type = SCHEMA_PERCENT,
     .initial = "20%",
     .description = "concurrency: retries in parallel, of the attempts that are under way",
     .example = "20%"},
    {.name = "minRetryConcurrency",
     .type = SCHEMA_COUNT,
     .initial = "3",
     .min = 0,
     .max = 1000000,
     .description = "concurrency: retries in parallel that are always allowed",
     .example = "3"},
};
static const struct schema_object budget_object = OBJECT("budget", budget_keys);

static const struct schema_key retry_keys[] = {
    {.name = "preset",
     .type = SCHEMA_CHOICE,
     .initial = "none",
     .choices = preset_choices + 1,
     .description =
         "where the other keys, and hedging, circuitBreaker, limits and rateLimiter, get "
         "their values from when they are not written; whoever sets it anew (a sweep, "
         "an override, a load) starts from the preset alone; see 'preset'",
     .example = "aws-standard"},
    {.name = "maxAttempts",
     .type = SCHEMA_COUNT,
     .word = "unlimited",
     .min = 1,
     .max = 1000000,
     .description = "sends of one operation, the first and redirects included",
     .example = "3"},
    {.name = "backoff",
     .type = SCHEMA_CHOICE,
     .choices = "none|fixed|exponential",
     .description = "how the waiting time before a retry grows",
     .example = "exponential"},
    {.name = "initialBackoff",
     .type = SCHEMA_DURATION,
     .max = HOUR,
     .description = "waiting time before the first retry",
     .example = "50ms"},
    {.name = "throttlingBackoff",
     .type = SCHEMA_DURATION,
     .min = 1,
     .max = HOUR,
     .description = "the same when the retry follows 'overloaded'; as initialBackoff when absent",
     .example = "1s"},
    {.name = "maxBackoff",
     .type = SCHEMA_DURATION,
     .max = DAY,
     .description = "longest waiting time, before jitter",
     .example = "20s"},
    {.name = "backoffMultiplier",
     .type = SCHEMA_DECIMAL,
     .min = 1000,
     .max = 100000,
     .description = "growth of the waiting time from retry to retry",
     .example = "2"},
    {.name = "jitter",
     .type = SCHEMA_JITTER,
     .choices = "none|full|equal|decorrelated|proportional(20%)",
     .description = "randomness of the waiting time c: full U(0, c), equal c/2 + U(0, c/2), "
                    "decorrelated U(initial, 3 x previous), proportional(x) c x U(1 - x, 1 + x)",
     .example = "full"},
    {.name = "pushback",
     .type = SCHEMA_CHOICE,
     .choices = "ignore|exact|bounded",
     .initial = "ignore",
     .description = "what is made of a server that says when to try again: nothing; exact: then, "
                    "and never if it says so, and the back-off begins anew (gRPC); bounded: then, "
                    "but not before the back-off is over, nor more than pushbackMax after (AWS)",
     .example = "exact"},
    {.name = "pushbackMax",
     .type = SCHEMA_DURATION,
     .initial = "5s",
     .max = DAY,
     .description = "bounded: most that a server adds to the back-off",
     .example = "5s"},
    {.name = "transparent",
     .type = SCHEMA_BOOLEAN,
     .initial = "false",
     .description = "a request that a full host turned away (host.queue, onFull: reject) is sent "
                    "again, at once, once in a call, and is no attempt more (gRPC)",
     .example = "true"},
    {.name = "retryOn",
     .form = SCHEMA_LIST,
     .type = SCHEMA_CHOICE,
     .choices = FAILURES,
     .description = "failures that are retried",
     .example = "[timeout, temporarily-unavailable]"},
    {.name = "redirects",
     .type = SCHEMA_COUNT,
     .max = 100,
     .description = "not-leader answers of an operation that are followed at once",
     .example = "3"},
    {.name = "budget",
     .form = SCHEMA_OBJECT,
     .object = &budget_object,
     .initial = "{}",
     .description = "limit over all retries"},
};
static const struct schema_object retry_object = {.name = "retry",
                                                  .keys = retry_keys,
                                                  .key_count = ARRAY_COUNT(retry_keys),
                                                  .restart_key = "preset"};

static const struct schema_key queue_keys[] = {
    {.name = "limit",
     .type = SCHEMA_COUNT,
     .word = "unlimited",
     .initial = "0",
     .max = 100000000,
     .description = "operations that wait to begin; one more is dropped: it ends with 'overloaded'",
     .example = "100"},
    {.name = "timeout",
     .type = SCHEMA_DURATION,
     .word = "none",
     .initial = "none",
     .min = 1,
     .max = DAY,
     .description = "an operation that has waited so long is dropped",
     .example = "200ms"},
};
static const struct schema_object queue_object = OBJECT("clientQueue", queue_keys);

#define FAULTY                                                                                     \
    "[timeout, node-not-found, temporarily-unavailable, crash, not-leader, overloaded, "           \
    "connection-refused, EIO, ENOSPC]"

static const struct schema_key hedging_keys[] = {
    {.name = "enabled",
     .type = SCHEMA_BOOLEAN,
     .initial = "false",
     .description = "the same request again before the first is answered; excludes retries",
     .example = "true"},
    {.name = "maxAttempts",
     .type = SCHEMA_COUNT,
     .initial = "2",
     .min = 2,
     .max = 5,
     .description = "sends of one operation, the first included",
     .example = "3"},
    {.name = "hedgingDelay",
     .type = SCHEMA_DURATION,
     .initial = "50ms",
     .max = HOUR,
     .description = "without an answer for so long, the next attempt is sent",
     .example = "50ms"},
    {.name = "nonFatal",
     .form = SCHEMA_LIST,
     .type = SCHEMA_CHOICE,
     .choices = FAILURES,
     .initial = "[timeout, temporarily-unavailable, crash, not-leader, overloaded, "
                "connection-refused]",
     .description =
         "failures after which the next attempt is sent at once; others end the operation",
     .example = "[temporarily-unavailable]"},
};
static const struct schema_object hedging_object = OBJECT("hedging", hedging_keys);

static const struct schema_key breaker_keys[] = {
    {.name = "enabled",
     .type = SCHEMA_BOOLEAN,
     .initial = "false",
     .description = "resilience4j's breaker: after too many failures attempts are not permitted; "
                    "they end with 'temporarily-unavailable' at once",
     .example = "true"},
    {.name = "scope",
     .type = SCHEMA_CHOICE,
     .choices = "attempts|retries",
     .initial = "attempts",
     .description = "what an open breaker stops: every attempt, or only retries and hedges",
     .example = "retries"},
    {.name = "slidingWindowType",
     .type = SCHEMA_CHOICE,
     .choices = "count|time",
     .initial = "count",
     .description = "the window holds the last calls, or those of the last seconds",
     .example = "time"},
    {.name = "slidingWindowSize",
     .type = SCHEMA_COUNT,
     .initial = "100",
     .min = 1,
     .max = 100000,
     .description = "size of the window: a number of calls, or of seconds",
     .example = "100"},
    {.name = "failureRateThreshold",
     .type = SCHEMA_PERCENT,
     .initial = "50%",
     .description = "share of failures in the window that opens the breaker",
     .example = "50%"},
    {.name = "slowCallRateThreshold",
     .type = SCHEMA_PERCENT,
     .initial = "100%",
     .description = "share of slow calls in the window that opens the breaker",
     .example = "80%"},
    {.name = "slowCallDurationThreshold",
     .type = SCHEMA_DURATION,
     .initial = "1m",
     .max = DAY,
     .description = "an attempt that takes longer is slow",
     .example = "1s"},
    {.name = "minimumNumberOfCalls",
     .type = SCHEMA_COUNT,
     .initial = "100",
     .min = 1,
     .max = 1000000,
     .description = "calls in the window before there is a judgement",
     .example = "20"},
    {.name = "waitDurationInOpenState",
     .type = SCHEMA_DURATION,
     .initial = "1m",
     .min = 1,
     .max = DAY,
     .description = "how long the breaker stays open",
     .example = "5s"},
    {.name = "permittedNumberOfCallsInHalfOpenState",
     .type = SCHEMA_COUNT,
     .initial = "10",
     .min = 1,
     .max = 100000,
     .description = "attempts that are then permitted, and decide whether it closes or opens again",
     .example = "10"},
    {.name = "failureOn",
     .form = SCHEMA_LIST,
     .type = SCHEMA_CHOICE,
     .choices = FAILURES,
     .initial = FAULTY,
     .description = "what counts as a failure; other statuses count as success",
     .example = "[timeout, overloaded]"},
};
static const struct schema_object breaker_object = OBJECT("circuitBreaker", breaker_keys);

static const struct schema_key limits_keys[] = {
    {.name = "maxConnections",
     .type = SCHEMA_COUNT,
     .word = "none",
     .initial = "none",
     .min = 1,
     .max = 100000000,
     .description = "attempts that wait for an answer, one on each connection; more wait for a "
                    "connection",
     .example = "1024"},
    {.name = "maxPendingRequests",
     .type = SCHEMA_COUNT,
     .word = "none",
     .initial = "none",
     .min = 1,
     .max = 100000000,
     .description = "attempts that wait for a connection; one more ends with 'overloaded', and is "
                    "not retried",
     .example = "1024"},
    {.name = "maxRequests",
     .type = SCHEMA_COUNT,
     .word = "none",
     .initial = "none",
     .min = 1,
     .max = 100000000,
     .description = "attempts that wait for an answer; one more ends with 'overloaded', and is not "
                    "retried",
     .example = "1024"},
    {.name = "maxRetries",
     .type = SCHEMA_COUNT,
     .word = "none",
     .initial = "none",
     .min = 1,
     .max = 100000000,
     .description =
         "retries that back off or wait for an answer; one more is not made; a budget of "
         "type concurrency overrides it",
     .example = "3"},
};
static const struct schema_object limits_object = OBJECT("limits", limits_keys);

static const struct schema_key pacing_keys[] = {
    {.name = "type",
     .type = SCHEMA_CHOICE,
     .choices = "none|adaptive",
     .initial = "none",
     .description = "limit of the rate of all attempts, first ones too: adaptive is the AWS SDKs' "
                    "token bucket with CUBIC; it begins with the first answer 'overloaded'",
     .example = "adaptive"},
    {.name = "beta",
     .type = SCHEMA_DECIMAL,
     .initial = "0.7",
     .min = 0,
     .max = 999,
     .description = "what is left of the rate after an answer 'overloaded'",
     .example = "0.7"},
    {.name = "scaleConstant",
     .type = SCHEMA_DECIMAL,
     .initial = "0.4",
     .min = 1,
     .max = 100000,
     .description = "of the cubic: how fast the rate grows again",
     .example = "0.4"},
    {.name = "smoothing",
     .type = SCHEMA_DECIMAL,
     .initial = "0.8",
     .min = 1,
     .max = 1000,
     .description = "weight of the last half second in the measured rate",
     .example = "0.8"},
    {.name = "minRate",
     .type = SCHEMA_RATE,
     .initial = "0.5/s",
     .description = "the rate is never lower",
     .example = "0.5/s"},
};
static const struct schema_object pacing_object = OBJECT("rateLimiter", pacing_keys);

static const struct schema_key client_keys[] = {
    {.name = "target",
     .type = SCHEMA_NAME,
     .description = "group that a group with this client calls; a load has its own 'target'",
     .example = "store"},
    {.name = "count",
     .type = SCHEMA_COUNT,
     .initial = "10",
     .min = 1,
     .max = 1000000,
     .description = "client identities at the start; more are made when all are busy",
     .example = "200"},
    {.name = "deadline",
     .type = SCHEMA_DURATION,
     .word = "none",
     .initial = "5s",
     .min = 1,
     .max = DAY,
     .description = "of an operation with all its retries, from its intended start",
     .example = "2s"},
    {.name = "timeout",
     .type = SCHEMA_DURATION,
     .initial = "500ms",
     .min = 1,
     .max = DAY,
     .description = "of one attempt",
     .example = "300ms"},
    {.name = "route",
     .type = SCHEMA_CHOICE,
     .choices = "leader|random|first",
     .initial = "leader",
     .description = "node that an attempt goes to",
     .example = "random"},
    {.name = "lateAnswers",
     .type = SCHEMA_CHOICE,
     .choices = "accept|ignore",
     .initial = "accept",
     .description = "an answer to an attempt that timed out while its operation goes on: ends the "
                    "operation, or is not heard (the connection was closed)",
     .example = "ignore"},
    {.name = "retry",
     .form = SCHEMA_OBJECT,
     .object = &retry_object,
     .initial = "{}",
     .description = "what happens after a failed attempt"},
    {.name = "hedging",
     .form = SCHEMA_OBJECT,
     .object = &hedging_object,
     .initial = "{}",
     .description = "attempts in parallel (gRPC A6)"},
    {.name = "circuitBreaker",
     .form = SCHEMA_OBJECT,
     .object = &breaker_object,
     .initial = "{}",
     .description = "stops attempts while most of them fail (resilience4j)"},
    {.name = "limits",
     .form = SCHEMA_OBJECT,
     .object = &limits_object,
     .initial = "{}",
     .description = "limits of what is under way (Envoy's circuit breakers)"},
    {.name = "rateLimiter",
     .form = SCHEMA_OBJECT,
     .object = &pacing_object,
     .initial = "{}",
     .description = "limits the rate of sending (AWS, adaptive mode)"},
    {.name = "maxConcurrency",
     .type = SCHEMA_COUNT,
     .word = "unlimited",
     .initial = "unlimited",
     .min = 1,
     .max = 100000000,
     .description = "operations under way, with their retries; more wait in 'queue'",
     .example = "100"},
    {.name = "queue",
     .form = SCHEMA_OBJECT,
     .object = &queue_object,
     .initial = "{}",
     .description = "operations that wait because maxConcurrency is reached; what is dropped sends "
                    "nothing (k6: dropped_iterations)"},
};
static const struct schema_object client_object = OBJECT("client", client_keys);

/* ------------------------------------------------------------------------------- system */

static const struct schema_key group_keys[] = {
    {.name = "name",
     .type = SCHEMA_NAME,
     .is_required = true,
     .description = "name of the group, unique",
     .example = "store"},
    {.name = "model",
     .type = SCHEMA_TEXT,
     .is_required = true,
     .description = "built-in model, or path of a plug-in",
     .example = "raft"},
    {.name = "nodes",
     .type = SCHEMA_COUNT,
     .is_required = true,
     .min = 1,
     .max = 64,
     .description = "nodes of the group",
     .example = "3"},
    {.name = "nodesPerHost",
     .type = SCHEMA_COUNT,
     .initial = "1",
     .min = 1,
     .max = 64,
     .description = "nodes that share a host, its processors and its power",
     .example = "1"},
    {.name = "options",
     .form = SCHEMA_OPTIONS,
     .initial = "{}",
     .description = "options of the model",
     .example = "{electionTimeout: 1s}"},
    {.name = "host",
     .form = SCHEMA_OBJECT,
     .object = &host_object,
     .initial = "{}",
     .is_inherited = true,
     .description = "host of these nodes; what is not written is as in 'system.host'"},
    {.name = "client",
     .form = SCHEMA_OBJECT,
     .object = &client_object,
     .is_inherited = true,
     .description = "policy of the calls that these nodes make to the group 'target'; what is not "
                    "written is as in 'client'"},
    {.name = "clients",
     .form = SCHEMA_LIST,
     .object = &client_object,
     .is_inherited = true,
     .description = "instead of 'client', for nodes that call several groups: one policy for each",
     .example = "[{target: cache, timeout: 50ms}, {target: store}]"},
};
static const struct schema_object group_object = OBJECT("group", group_keys);

static const struct schema_key zone_keys[] = {
    {.name = "name",
     .type = SCHEMA_NAME,
     .is_required = true,
     .description = "name of the zone, unique",
     .example = "a"},
    {.name = "nodes",
     .type = SCHEMA_COUNT,
     .min = 1,
     .max = 64,
     .description = "nodes of the zone, in the order of nodes; zones without it share the rest "
                    "evenly",
     .example = "2"},
};
static const struct schema_object zone_object = OBJECT("zone", zone_keys);

static const struct schema_key system_keys[] = {
    {.name = "model",
     .type = SCHEMA_TEXT,
     .description = "built-in model, or path of a plug-in ('./mine.so')",
     .example = "raft"},
    {.name = "nodes",
     .type = SCHEMA_COUNT,
     .min = 1,
     .max = 64,
     .description = "nodes, named n1, n2, ...; 3 when absent",
     .example = "5"},
    {.name = "nodesPerHost",
     .type = SCHEMA_COUNT,
     .min = 1,
     .max = 64,
     .description = "nodes that share a host, its processors and its power; 1 when absent",
     .example = "1"},
    {.name = "options",
     .form = SCHEMA_OPTIONS,
     .description = "options of the model; 'squall explain model.NAME' lists them",
     .example = "{electionTimeout: 1s}"},
    {.name = "groups",
     .form = SCHEMA_LIST,
     .object = &group_object,
     .description = "several groups of nodes instead of one model; nodes are named store-1, "
                    "store-2, ... after their group"},
    {.name = "host",
     .form = SCHEMA_OBJECT,
     .object = &host_object,
     .initial = "{}",
     .description = "hosts of all nodes"},
    {.name = "zones",
     .form = SCHEMA_LIST,
     .object = &zone_object,
     .description = "runs of nodes that selectors can name",
     .example = "[{name: a, nodes: 2}, {name: b, nodes: 1}]"},
};
static const struct schema_object system_object = OBJECT("system", system_keys);

/* ------------------------------------------------------------------------------- network, disk */

static const struct schema_key loss_keys[] = {
    {.name = "loss",
     .type = SCHEMA_PERCENT,
     .is_required = true,
     .description = "probability of losing a message",
     .example = "1%"},
};
static const struct schema_object loss_object = OBJECT_SHORT("loss", loss_keys, "loss");

static const struct schema_key duplicate_keys[] = {
    {.name = "duplicate",
     .type = SCHEMA_PERCENT,
     .is_required = true,
     .description = "probability of a second copy of a message",
     .example = "1%"},
};
static const struct schema_object duplicate_object =
    OBJECT_SHORT("duplicate", duplicate_keys, "duplicate");

#define JITTER_DISTRIBUTIONS "none|uniform|exponential|lognormal|pareto"
#define LINK_KEYS                                                                                  \
    {.name = "latency",                                                                            \
     .type = SCHEMA_DURATION,                                                                      \
     .initial = "500us",                                                                           \
     .max = HOUR,                                                                                  \
     .description = "time of a message on its way, one way",                                       \
     .example = "1ms"},                                                                            \
        {.name = "jitter",                                                                         \
         .type = SCHEMA_DURATION,                                                                  \
         .initial = "0s",                                                                          \
         .max = HOUR,                                                                              \
         .description = "size of the random part of the latency",                                  \
         .example = "100us"},                                                                      \
        {.name = "distribution",                                                                   \
         .type = SCHEMA_CHOICE,                                                                    \
         .choices = JITTER_DISTRIBUTIONS,                                                          \
         .initial = "uniform",                                                                     \
         .example = "lognormal",                                                                   \
         .description =                                                                            \
             "shape for a jitter J: uniform latency +- J, exponential latency + Exp(mean "         \
             "J), lognormal latency + (median J, p99 4 J), pareto latency + (min J/2, "            \
             "shape 1.5, at most 100 J)"},                                                         \
        {.name = "loss",                                                                           \
         .form = SCHEMA_EITHER,                                                                    \
         .type = SCHEMA_PERCENT,                                                                   \
         .object = &loss_object,                                                                   \
         .initial = "0%",                                                                          \
         .description = "probability of losing a message",                                         \
         .example = "0.01%"},                                                                      \
        {.name = "duplicate",                                                                      \
         .form = SCHEMA_EITHER,                                                                    \
         .type = SCHEMA_PERCENT,                                                                   \
         .object = &duplicate_object,                                                              \
         .initial = "0%",                                                                          \
         .example = "0.01%",                                                                       \
         .description = "probability of a second copy of a message"},                              \
        {.name = "bandwidth",                                                                      \
         .type = SCHEMA_BANDWIDTH,                                                                 \
         .word = "unlimited",                                                                      \
         .initial = "10gbit",                                                                      \
         .min = 1,                                                                                 \
         .max = INT64_MAX - 1,                                                                     \
         .description = "of each direction between two nodes",                                     \
         .example = "100mbit"},                                                                    \
    {                                                                                              \
        .name = "order", .type = SCHEMA_CHOICE, .choices = "fifo|any", .initial = "fifo",          \
        .description = "do messages between two nodes keep their order, as over TCP?",             \
        .example = "any"                                                                           \
    }

static const struct schema_key link_keys[] = {LINK_KEYS};
static const struct schema_object link_object = OBJECT("link", link_keys);

static const struct schema_key rule_keys[] = {
    {.name = "between",
     .form = SCHEMA_LIST,
     .type = SCHEMA_TEXT,
     .is_required = true,
     .description = "the two ends, each node=, zone= or group=; both directions",
     .example = "[zone=a, zone=b]"},
    LINK_KEYS,
};
static const struct schema_object rule_object = OBJECT("linkRule", rule_keys);

static const struct schema_key network_queue_keys[] = {
    {.name = "limit",
     .type = SCHEMA_COUNT,
     .word = "unlimited",
     .initial = "10000",
     .min = 1,
     .max = 1000000000,
     .description = "messages that may wait for the wire between two nodes",
     .example = "1000"},
};
static const struct schema_object network_queue_object = OBJECT("networkQueue", network_queue_keys);

static const struct schema_key network_keys[] = {
    {.name = "default",
     .form = SCHEMA_OBJECT,
     .object = &link_object,
     .initial = "{}",
     .description = "link between any two nodes"},
    {.name = "clients",
     .form = SCHEMA_OBJECT,
     .object = &link_object,
     .initial = "{}",
     .is_inherited = true,
     .description = "link between loads and nodes; what is not written is as in 'default'"},
    {.name = "links",
     .form = SCHEMA_LIST,
     .object = &rule_object,
     .is_inherited = true,
     .description = "links that differ from 'default'; the last one that matches wins",
     .example = "[{between: [zone=a, zone=b], latency: 12ms}]"},
    {.name = "queue",
     .form = SCHEMA_OBJECT,
     .object = &network_queue_object,
     .initial = "{}",
     .description = "what waits for the wire"},
};
static const struct schema_object network_object = OBJECT("network", network_keys);

static const struct schema_key device_keys[] = {
    {.name = "read",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &law_object,
     .initial = "100us",
     .max = DAY,
     .example = "100us",
     .description = "latency of a read that misses the page cache"},
    {.name = "write",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &law_object,
     .initial = "2us",
     .max = DAY,
     .example = "2us",
     .description = "latency of a write into the page cache"},
    {.name = "fsync",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &law_object,
     .initial = "{median: 800us, p99: 6ms}",
     .max = DAY,
     .example = "{latency: 800us, p99: 6ms}",
     .description = "latency of a flush, on top of moving the bytes"},
    {.name = "readBandwidth",
     .type = SCHEMA_BANDWIDTH,
     .word = "unlimited",
     .initial = "2GB/s",
     .min = 1,
     .max = INT64_MAX - 1,
     .description = "of reads",
     .example = "500MB/s"},
    {.name = "writeBandwidth",
     .type = SCHEMA_BANDWIDTH,
     .word = "unlimited",
     .initial = "1GB/s",
     .min = 1,
     .max = INT64_MAX - 1,
     .description = "of flushes",
     .example = "200MB/s"},
    {.name = "iops",
     .type = SCHEMA_COUNT,
     .word = "unlimited",
     .initial = "unlimited",
     .min = 1,
     .max = 1000000000,
     .description = "device operations a second",
     .example = "3000"},
    {.name = "capacity",
     .type = SCHEMA_SIZE,
     .word = "unlimited",
     .initial = "unlimited",
     .min = 1,
     .max = INT64_MAX - 1,
     .description = "room; what does not fit fails with ENOSPC",
     .example = "1GiB"},
    {.name = "directory",
     .type = SCHEMA_CHOICE,
     .choices = "strict|ordered",
     .initial = "strict",
     .description = "when names become durable: after a sync of the directory (POSIX), or with the "
                    "next sync of any file (ordered journal)",
     .example = "ordered"},
    {.name = "sector",
     .type = SCHEMA_SIZE,
     .initial = "512B",
     .min = 512,
     .max = 4096,
     .description = "unit of torn writes: 512B or 4KiB",
     .example = "4KiB"},
};
static const struct schema_object device_object = OBJECT("device", device_keys);

static const struct schema_key disk_keys[] = {
    {.name = "default",
     .form = SCHEMA_OBJECT,
     .object = &device_object,
     .initial = "{}",
     .description = "disk of every host"},
};
static const struct schema_object disk_object = OBJECT("disk", disk_keys);

/* ------------------------------------------------------------------------------- load */

static const struct schema_key stage_keys[] = {
    {.name = "target",
     .type = SCHEMA_RATE,
     .is_required = true,
     .description = "rate (ramping-vus: number of users) at the end of the stage, reached in a "
                    "straight line",
     .example = "2000/s"},
    {.name = "duration",
     .type = SCHEMA_DURATION,
     .is_required = true,
     .max = 365 * DAY,
     .description = "length of the stage",
     .example = "5s"},
};
static const struct schema_object stage_object = OBJECT("stage", stage_keys);

static const struct schema_key workload_keys[] = {
    {.name = "recordCount",
     .type = SCHEMA_COUNT,
     .initial = "1000",
     .min = 1,
     .max = 16777216,
     .description = "keys",
     .example = "10000"},
    {.name = "requestDistribution",
     .type = SCHEMA_CHOICE,
     .choices = "uniform|zipfian",
     .initial = "zipfian",
     .description = "how keys are chosen",
     .example = "uniform"},
    {.name = "zipfTheta",
     .type = SCHEMA_DECIMAL,
     .initial = "0.99",
     .min = 0,
     .max = 4000,
     .description = "zipfian: skew; 0 is uniform",
     .example = "0.99"},
    {.name = "readProportion",
     .type = SCHEMA_PERCENT,
     .description = "share of reads; 50% when neither proportion is written",
     .example = "95%"},
    {.name = "updateProportion",
     .type = SCHEMA_PERCENT,
     .description = "share of updates; together with the reads 100%",
     .example = "5%"},
    {.name = "order",
     .type = SCHEMA_CHOICE,
     .choices = "random|update-then-read",
     .initial = "random",
     .description =
         "update-then-read: each virtual user updates a key and then reads the same key; "
         "the proportions do not count then",
     .example = "update-then-read"},
    {.name = "valueSize",
     .type = SCHEMA_SIZE,
     .initial = "100B",
     .min = 0,
     .max = 1048576,
     .description = "bytes of a value",
     .example = "1KiB"},
};
static const struct schema_object workload_object = OBJECT("workload", workload_keys);

static const struct schema_key load_keys[] = {
    {.name = "executor",
     .type = SCHEMA_CHOICE,
     .initial = "constant-arrival-rate",
     .choices = "constant-arrival-rate|ramping-arrival-rate|constant-vus|ramping-vus",
     .description = "open loop at a constant or changing rate, or a closed loop of a constant or "
                    "changing number of users",
     .example = "ramping-arrival-rate"},
    {.name = "rate",
     .type = SCHEMA_RATE,
     .example = "200/s",
     .description = "constant-arrival-rate: operations a second, or a number for each 'timeUnit'"},
    {.name = "timeUnit",
     .type = SCHEMA_DURATION,
     .min = 1000,
     .max = DAY,
     .description = "what rates without a unit refer to",
     .example = "1s"},
    {.name = "arrivals",
     .type = SCHEMA_CHOICE,
     .choices = "poisson|uniform",
     .initial = "poisson",
     .description = "random or evenly spaced starts",
     .example = "uniform"},
    {.name = "startTime",
     .type = SCHEMA_DURATION,
     .initial = "0s",
     .max = 365 * DAY,
     .description = "when the load begins",
     .example = "70s"},
    {.name = "duration",
     .type = SCHEMA_DURATION,
     .word = "forever",
     .min = 1,
     .max = 365 * DAY,
     .description = "how long it lasts, to the end when absent; stages have their own",
     .example = "10s"},
    {.name = "startRate",
     .type = SCHEMA_RATE,
     .description = "ramping-arrival-rate: the rate at the start, 0 when absent",
     .example = "0"},
    {.name = "stages",
     .form = SCHEMA_LIST,
     .object = &stage_object,
     .description = "ramping-arrival-rate: the course of the rate; ramping-vus: of the number of "
                    "users",
     .example = "[{target: 2000/s, duration: 2s}, {target: 0, duration: 1s}]"},
    {.name = "startVUs",
     .type = SCHEMA_COUNT,
     .min = 0,
     .max = 1000000,
     .description = "ramping-vus: users at the start, 1 when absent",
     .example = "10"},
    {.name = "vus",
     .type = SCHEMA_COUNT,
     .min = 1,
     .max = 1000000,
     .description = "constant-vus: users, each with one operation at a time",
     .example = "50"},
    {.name = "thinkTime",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &law_object,
     .max = DAY,
     .description = "constant-vus, ramping-vus: pause of a user between operations, none when "
                    "absent",
     .example = "100ms"},
    {.name = "target",
     .type = SCHEMA_NAME,
     .description = "group that gets the load, the first one when absent",
     .example = "store"},
    {.name = "workload",
     .form = SCHEMA_OBJECT,
     .object = &workload_object,
     .initial = "{}",
     .description = "what the operations are"},
    {.name = "client",
     .form = SCHEMA_OBJECT,
     .object = &client_object,
     .initial = "{}",
     .is_inherited = true,
     .description = "policy of its clients; what is not written is as in 'client'"},
};
static const struct schema_object load_object = OBJECT("load", load_keys);

/* ------------------------------------------------------------------------------- faults */

static const struct schema_key selector_keys[] = {
    {.name = "node",
     .form = SCHEMA_ONE_OR_MANY,
     .type = SCHEMA_NAME,
     .description = "names of nodes",
     .example = "n1"},
    {.name = "zone",
     .form = SCHEMA_ONE_OR_MANY,
     .type = SCHEMA_NAME,
     .description = "names of zones",
     .example = "a"},
    {.name = "group",
     .form = SCHEMA_ONE_OR_MANY,
     .type = SCHEMA_NAME,
     .description = "names of groups",
     .example = "store"},
    {.name = "role",
     .type = SCHEMA_CHOICE,
     .choices = "follower|candidate|leader",
     .description = "role at the time when the fault strikes",
     .example = "leader"},
};
static const struct schema_object selector_object = OBJECT("selector", selector_keys);

static const struct schema_key delay_keys[] = {
    {.name = "latency",
     .type = SCHEMA_DURATION,
     .is_required = true,
     .max = HOUR,
     .description = "added time",
     .example = "90ms"},
    {.name = "jitter",
     .type = SCHEMA_DURATION,
     .initial = "0s",
     .max = HOUR,
     .description = "size of its random part",
     .example = "20ms"},
    {.name = "distribution",
     .type = SCHEMA_CHOICE,
     .choices = JITTER_DISTRIBUTIONS,
     .initial = "uniform",
     .description = "shape, as in 'network.default.distribution'",
     .example = "exponential"},
};
static const struct schema_object delay_object = OBJECT_SHORT("delay", delay_keys, "latency");

static const struct schema_key bandwidth_keys[] = {
    {.name = "rate",
     .type = SCHEMA_BANDWIDTH,
     .is_required = true,
     .min = 1,
     .max = INT64_MAX - 1,
     .description = "what is left of the bandwidth",
     .example = "1mbit"},
};
static const struct schema_object bandwidth_object =
    OBJECT_SHORT("bandwidth", bandwidth_keys, "rate");

static const struct schema_key fault_keys[] = {
    {.name = "name",
     .type = SCHEMA_NAME,
     .is_required = true,
     .description = "name of the fault, unique",
     .example = "leader-stall"},
    {.name = "kind",
     .type = SCHEMA_CHOICE,
     .is_required = true,
     .example = "NodeChaos",
     .choices = "NodeChaos|NetworkChaos|IOChaos|TimeChaos|StressChaos|AppChaos|LoadChaos|"
                "ClientChaos",
     .description = "what is hit"},
    {.name = "action",
     .type = SCHEMA_CHOICE,
     .example = "pause",
     .choices = "kill|pause|restart|power-loss|wipe|partition|delay|loss|duplicate|bandwidth|"
                "latency|fault|lostFsync|bitRot|clock|cpu|signal|capacity|scale|policy",
     .description =
         "NodeChaos: kill, pause, restart, power-loss, wipe; NetworkChaos: partition, "
         "delay, loss, duplicate, bandwidth; IOChaos: latency, fault, lostFsync, bitRot; "
         "TimeChaos: clock; StressChaos: cpu, capacity; AppChaos: signal; LoadChaos: scale; "
         "ClientChaos: policy; cpu, and what is the only one, may be left out"},
    {.name = "mode",
     .type = SCHEMA_CHOICE,
     .initial = "one",
     .example = "all",
     .choices = "one|all|each|fixed|fixed-percent|random-max-percent|minority|majority|rolling",
     .description = "how many of the selected nodes; 'each' strikes them one by one, with a timing "
                    "of its own; 'rolling' all of them, one batch after the other"},
    {.name = "value",
     .type = SCHEMA_SHARE,
     .description = "number for mode 'fixed', percentage for the percent modes; AppChaos: what the "
                    "signal carries, 0 when absent",
     .example = "20%"},
    {.name = "count",
     .type = SCHEMA_SHARE,
     .description = "AppChaos: number or percentage of the mode",
     .example = "2"},
    {.name = "selector",
     .form = SCHEMA_OBJECT,
     .object = &selector_object,
     .initial = "{}",
     .description = "which nodes may be hit; all when empty",
     .example = "{role: leader}"},
    {.name = "target",
     .form = SCHEMA_OBJECT,
     .object = &selector_object,
     .description = "NetworkChaos: the other side; everybody else when absent",
     .example = "{zone: c}"},
    {.name = "direction",
     .type = SCHEMA_CHOICE,
     .choices = "both|to|from",
     .description = "NetworkChaos: messages to the target, from it, or both (when absent)",
     .example = "to"},
    {.name = "clients",
     .type = SCHEMA_BOOLEAN,
     .description = "NetworkChaos: links to clients are hit too; false when absent",
     .example = "true"},
    {.name = "at",
     .type = SCHEMA_DURATION,
     .max = 365 * DAY,
     .description = "strikes once, at this time",
     .example = "30s"},
    {.name = "every",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &law_object,
     .max = 365 * DAY,
     .example = "{mean: 30s, distribution: exponential}",
     .description = "strikes again and again, with such pauses between"},
    {.name = "between",
     .form = SCHEMA_LIST,
     .type = SCHEMA_DURATION,
     .max = 365 * DAY,
     .description = "with 'every': only within this span; alone: all of this span",
     .example = "[40s, 60s]"},
    {.name = "duration",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &law_object,
     .word = "forever",
     .max = 365 * DAY,
     .description = "how long each strike lasts",
     .example = "4s"},
    {.name = "delay",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &delay_object,
     .max = HOUR,
     .description = "actions delay and latency: added time",
     .example = "{latency: 90ms, jitter: 20ms}"},
    {.name = "loss",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_PERCENT,
     .object = &loss_object,
     .description = "action loss: share of messages that is lost",
     .example = "10%"},
    {.name = "duplicate",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_PERCENT,
     .object = &duplicate_object,
     .example = "5%",
     .description = "action duplicate: share of messages that arrives twice"},
    {.name = "bandwidth",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_BANDWIDTH,
     .object = &bandwidth_object,
     .min = 1,
     .max = INT64_MAX - 1,
     .example = "{rate: 1mbit}",
     .description = "action bandwidth: what is left of it"},
    {.name = "methods",
     .form = SCHEMA_LIST,
     .type = SCHEMA_CHOICE,
     .choices = "read|write|fsync|open|directory",
     .example = "[write, fsync]",
     .description = "IOChaos: calls that are hit; read, write and fsync when absent"},
    {.name = "path",
     .type = SCHEMA_TEXT,
     .description = "IOChaos: pattern of file names, with * and ?; all when absent",
     .example = "log*"},
    {.name = "errno",
     .type = SCHEMA_CHOICE,
     .choices = "EIO|ENOSPC",
     .description = "action fault: the error, EIO when absent",
     .example = "ENOSPC"},
    {.name = "percent",
     .type = SCHEMA_PERCENT,
     .description = "IOChaos: share of the calls that is hit, 100% when absent",
     .example = "0.1%"},
    {.name = "timeOffset",
     .type = SCHEMA_DURATION,
     .min = -365 * DAY,
     .max = 365 * DAY,
     .description = "TimeChaos: the time of day jumps by this much",
     .example = "-300ms"},
    {.name = "drift",
     .type = SCHEMA_PPM,
     .min = -100000,
     .max = 100000,
     .description = "TimeChaos: the clock runs faster (or, negative, slower)",
     .example = "50ppm"},
    {.name = "slowdown",
     .type = SCHEMA_FACTOR,
     .min = 1001,
     .max = 1000000,
     .description = "StressChaos: everything takes this many times as long",
     .example = "3x"},
    {.name = "batch",
     .type = SCHEMA_SHARE,
     .description = "mode rolling: nodes at a time, or a percentage of the selected ones; 1 when "
                    "absent",
     .example = "25%"},
    {.name = "interval",
     .type = SCHEMA_DURATION,
     .max = 365 * DAY,
     .description = "mode rolling: from the end of one batch to the beginning of the next",
     .example = "5s"},
    {.name = "factor",
     .type = SCHEMA_RATIO,
     .max = 100000000,
     .description = "action capacity: what is left of the processors' speed, also for what is in "
                    "service; action scale: operations, as a share of those without it",
     .example = "20%"},
    {.name = "loads",
     .form = SCHEMA_LIST,
     .type = SCHEMA_NAME,
     .description = "LoadChaos, ClientChaos: names of the loads; all when absent (of ClientChaos: "
                    "when 'groups' is too)",
     .example = "[steady]"},
    {.name = "groups",
     .form = SCHEMA_LIST,
     .type = SCHEMA_NAME,
     .description = "ClientChaos: names of groups whose calls it is about",
     .example = "[web]"},
    {.name = "client",
     .form = SCHEMA_OBJECT,
     .object = &client_object,
     .is_overlay = true,
     .description = "ClientChaos: the policy; what is not written stays as it is",
     .example = "{retry: {preset: aws-standard}}"},
    {.name = "signal",
     .type = SCHEMA_NAME,
     .description = "AppChaos: what the models of the struck nodes are told",
     .example = "flush"},
    {.name = "endValue",
     .type = SCHEMA_COUNT,
     .description = "AppChaos: the signal is sent again at the end, and carries this",
     .example = "0"},
    {.name = "swarm",
     .type = SCHEMA_BOOLEAN,
     .description = "a coin of the seed decides whether the fault is on; as the file's 'swarm' "
                    "when absent",
     .example = "false"},
};
static const struct schema_object fault_object = OBJECT("fault", fault_keys);

/* ------------------------------------------------------------------------------- judging */

static const struct schema_key always_keys[] = {
    {.name = "invariant",
     .type = SCHEMA_TEXT,
     .description = "name of a check; 'squall list checks'",
     .example = "raft.election-safety"},
    {.name = "consistency",
     .type = SCHEMA_CHOICE,
     .choices = "linearizable",
     .description = "consistency model of the clients' history",
     .example = "linearizable"},
};
static const struct schema_object always_object = OBJECT("always", always_keys);

static const struct schema_key sometimes_keys[] = {
    {.name = "probe",
     .type = SCHEMA_TEXT,
     .is_required = true,
     .description = "must be seen in at least one seed",
     .example = "raft.leader-changed"},
};
static const struct schema_object sometimes_object = OBJECT("sometimes", sometimes_keys);

static const struct schema_key eventually_keys[] = {
    {.name = "predicate",
     .type = SCHEMA_TEXT,
     .is_required = true,
     .description = "what must hold: a share of the goodput before the first fault",
     .example = "goodput >= 0.9 * baseline"},
    {.name = "after",
     .type = SCHEMA_CHOICE,
     .choices = "last-fault",
     .initial = "last-fault",
     .description = "when the time begins to count",
     .example = "last-fault"},
    {.name = "within",
     .type = SCHEMA_DURATION,
     .initial = "10s",
     .min = 1,
     .max = 365 * DAY,
     .description = "how long it may take",
     .example = "10s"},
    {.name = "for",
     .type = SCHEMA_DURATION,
     .max = DAY,
     .description = "how long it must last to count, within that time; an availability window "
                    "when it is not given",
     .example = "5s"},
    {.name = "name",
     .type = SCHEMA_NAME,
     .initial = "recovers",
     .description = "name of the check",
     .example = "recovers"},
};
static const struct schema_object eventually_object = OBJECT("eventually", eventually_keys);

static const struct schema_key check_keys[] = {
    {.name = "always",
     .form = SCHEMA_OBJECT,
     .object = &always_object,
     .description = "holds at every moment",
     .example = "{invariant: raft.election-safety}"},
    {.name = "sometimes",
     .form = SCHEMA_OBJECT,
     .object = &sometimes_object,
     .description = "happens in at least one seed of the campaign",
     .example = "{probe: raft.leader-changed}"},
    {.name = "eventually",
     .form = SCHEMA_OBJECT,
     .object = &eventually_object,
     .description = "holds again some time after the last fault",
     .example = "{predicate: goodput >= 0.9 * baseline, within: 10s}"},
};
static const struct schema_object check_object = OBJECT("check", check_keys);

#define VERDICT_CELLS(name_, description_, example_)                                               \
    {                                                                                              \
        .name = (name_), .form = SCHEMA_ONE_OR_MANY, .type = SCHEMA_TEXT,                          \
        .description = (description_), .example = (example_)                                       \
    }

static const struct schema_key verdicts_keys[] = {
    VERDICT_CELLS("stable",
                  "cells whose runs come back by themselves: each text is part of a "
                  "cell's label, 'all' means every cell that is not named here",
                  "[maxAttempts=1]"),
    VERDICT_CELLS("metastable", "cells whose runs come back when relieved, and only then",
                  "[rate=280/s maxAttempts=2]"),
    VERDICT_CELLS("unstable", "cells whose load is not served even without the trigger", "all"),
    VERDICT_CELLS("permanent", "cells whose runs do not come back when relieved either",
                  "[action=wipe]"),
    {.name = "share",
     .type = SCHEMA_PERCENT,
     .initial = "100%",
     .description = "share of the seeds of each of these cells that must have a verdict that is "
                    "expected of it; a cell may be named under several",
     .example = "90%"},
};
static const struct schema_object verdicts_object = OBJECT("verdicts", verdicts_keys);

static const struct schema_key expect_keys[] = {
    {.name = "verdict",
     .type = SCHEMA_CHOICE,
     .choices = "pass",
     .description = "every check holds",
     .example = "pass"},
    {.name = "violated",
     .form = SCHEMA_ONE_OR_MANY,
     .type = SCHEMA_TEXT,
     .description =
         "some seed must violate one of these checks, and no other check may be violated",
     .example = "[no-lost-acked-write]"},
    {.name = "cells",
     .form = SCHEMA_ONE_OR_MANY,
     .type = SCHEMA_TEXT,
     .description =
         "only in cells of the sweep whose label contains one of these texts; the others must pass",
     .example = "[maxAttempts=unlimited]"},
    {.name = "verdicts",
     .form = SCHEMA_OBJECT,
     .object = &verdicts_object,
     .description = "with 'metastability': the verdict that the runs of a cell must have; a run "
                    "with another violates the check verdict, cells that are not named must be "
                    "stable",
     .example = "{metastable: [preset=naive], stable: all}"},
    {.name = "library",
     .type = SCHEMA_TEXT,
     .description = "only for versions of the model that contain this text; skipped for others",
     .example = "libraft 0.15.0"},
};
static const struct schema_object expect_object = OBJECT_SHORT("expect", expect_keys, "verdict");

static const struct schema_key known_keys[] = {
    {.name = "check",
     .type = SCHEMA_TEXT,
     .is_required = true,
     .description = "check that sees the defect",
     .example = "raft.log-matching"},
    {.name = "library",
     .type = SCHEMA_TEXT,
     .is_required = true,
     .description = "only for versions of the model that contain this text",
     .example = "libraft 0.15.0"},
    {.name = "reason",
     .type = SCHEMA_TEXT,
     .is_required = true,
     .description = "what the defect is, and where it is reported",
     .example = "a snapshot forgets the vote"},
};
static const struct schema_object known_object = OBJECT("knownDefect", known_keys);

static const struct schema_key placement_keys[] = {
    {.name = "name",
     .type = SCHEMA_TEXT,
     .description = "what it is called in thresholds and pictures; the policy when absent",
     .example = "chained"},
    {.name = "policy",
     .type = SCHEMA_CHOICE,
     .choices = "random|window|copysets",
     .is_required = true,
     .description = "where the replicas of a chunk are: on any nodes; on a node and others of the "
                    "next `scatter` of a ring, with data on each such set; or on one of the sets "
                    "that scatter / (replicas - 1) random permutations are cut into (Cidon et "
                    "al., ATC 2013)",
     .example = "copysets"},
    {.name = "nodes",
     .type = SCHEMA_COUNT,
     .initial = "1000",
     .min = 2,
     .max = 100000,
     .description = "that hold data",
     .example = "5000"},
    {.name = "lost",
     .type = SCHEMA_PERCENT,
     .initial = "1%",
     .description = "of the nodes, at once; rounded to whole nodes, at least as many as replicas",
     .example = "1%"},
    {.name = "replicas",
     .type = SCHEMA_COUNT,
     .initial = "3",
     .min = 2,
     .max = 8,
     .description = "of each chunk",
     .example = "3"},
    {.name = "scatter",
     .type = SCHEMA_COUNT,
     .initial = "10",
     .min = 1,
     .max = 100000,
     .description = "nodes that share a chunk with a given one (window and copysets)",
     .example = "10"},
    {.name = "chunks",
     .type = SCHEMA_COUNT,
     .initial = "8000",
     .min = 1,
     .max = 1000000,
     .description = "replicas that a node holds (random)",
     .example = "8000"},
    {.name = "trials",
     .type = SCHEMA_COUNT,
     .initial = "10000",
     .min = 1,
     .max = 10000000,
     .description = "losses that a seed draws; placements are drawn again every hundred",
     .example = "20000"},
};
static const struct schema_object placement_object = OBJECT("placement", placement_keys);

static const struct schema_key group_shock_keys[] = {
    {.name = "share",
     .type = SCHEMA_PERCENT,
     .is_required = true,
     .description = "of a machine's failures, those that strike all machines of its group at once; "
                    "it leaves the availability of one machine as it is",
     .example = "1%"},
};
static const struct schema_object group_shock_object =
    OBJECT_SHORT("groupShocks", group_shock_keys, "share");

static const struct schema_key fleet_group_keys[] = {
    {.name = "name",
     .type = SCHEMA_NAME,
     .initial = "rack",
     .description = "what the groups are",
     .example = "rack"},
    {.name = "count",
     .type = SCHEMA_COUNT,
     .is_required = true,
     .min = 1,
     .max = 16,
     .description = "number of groups, at most 16 of all kinds; machine i is in group i modulo "
                    "this of every kind, so racks lie within zones where the number of zones "
                    "divides that of racks, and else cross them",
     .example = "3"},
    {.name = "life",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &law_object,
     .description = "of a group, from the end of its repair; when absent, groups never fail by "
                    "themselves, and it is their 'shocks' that matter",
     .example = "{mean: 10000h}"},
    {.name = "repair",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &law_object,
     .description = "how long a group is down",
     .example = "{mean: 4h}"},
    {.name = "shocks",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_PERCENT,
     .object = &group_shock_object,
     .description = "failures with a common cause within a group: the group stays up, its machines "
                    "fail together, and each is repaired by itself",
     .example = "1%"},
};
static const struct schema_object fleet_group_object = OBJECT("groups", fleet_group_keys);

static const struct schema_key shock_keys[] = {
    {.name = "share",
     .type = SCHEMA_PERCENT,
     .is_required = true,
     .description = "of a machine's failures, those that strike all machines at once (the beta "
                    "factor); it leaves the availability of one machine as it is",
     .example = "1%"},
};
static const struct schema_object shock_object = OBJECT_SHORT("shocks", shock_keys, "share");

static const struct schema_key maintenance_keys[] = {
    {.name = "every",
     .type = SCHEMA_DURATION,
     .is_required = true,
     .min = 1,
     .max = CENTURY,
     .description =
         "each machine has its turn once in this time; turns are spread evenly, and one is "
         "skipped when not all is whole",
     .example = "720h"},
    {.name = "duration",
     .type = SCHEMA_DURATION,
     .is_required = true,
     .min = 1,
     .max = CENTURY,
     .description = "how long the machine is away",
     .example = "1h"},
};
static const struct schema_object maintenance_object = OBJECT("maintenance", maintenance_keys);

static const struct schema_key service_keys[] = {
    {.name = "name",
     .type = SCHEMA_NAME,
     .is_required = true,
     .description = "of the service in tables and plots",
     .example = "writes"},
    {.name = "needed",
     .type = SCHEMA_TEXT,
     .initial = "majority",
     .description = "machines that must be available: a number, any, majority or all",
     .example = "majority"},
    {.name = "failover",
     .type = SCHEMA_DURATION,
     .initial = "0s",
     .max = DAY,
     .description = "mean time until the next leader is known when the leader's machine is lost, "
                    "or the quorum is back; 0s: there is no leader",
     .example = "10s"},
};
static const struct schema_object service_object = OBJECT("service", service_keys);

static const struct schema_key precision_keys[] = {
    {.name = "halfWidth",
     .type = SCHEMA_PERCENT,
     .initial = "10%",
     .description = "of the interval, relative to the estimate",
     .example = "10%"},
    {.name = "confidence",
     .type = SCHEMA_PERCENT,
     .initial = "95%",
     .description = "of the interval",
     .example = "95%"},
    {.name = "minRuns",
     .type = SCHEMA_COUNT,
     .initial = "10",
     .min = 2,
     .max = 1000000,
     .description = "seeds that are run however precise the estimate is; the most is 'seeds'",
     .example = "10"},
};
static const struct schema_object precision_object =
    OBJECT_SHORT("precision", precision_keys, "halfWidth");

static const struct schema_key episode_keys[] = {
    {.name = "settle",
     .type = SCHEMA_DURATION,
     .initial = "10s",
     .min = 1,
     .max = DAY,
     .description = "after the warm-up, machines that are down already are lost; so much later the "
                    "transition may come",
     .example = "10s"},
    {.name = "phase",
     .type = SCHEMA_DURATION,
     .initial = "1s",
     .max = DAY,
     .description = "the transition comes at a random instant within so long after that",
     .example = "1s"},
    {.name = "window",
     .type = SCHEMA_DURATION,
     .initial = "20s",
     .min = 1,
     .max = DAY,
     .description = "the clients are watched for so long after the transition; what has not "
                    "recovered by then is a finding",
     .example = "20s"},
    {.name = "pilot",
     .type = SCHEMA_COUNT,
     .initial = "4",
     .min = 2,
     .max = 1000,
     .description = "episodes of each class of transition, the same for all seeds, that decide how "
                    "many of the others it gets",
     .example = "4"},
    {.name = "count",
     .type = SCHEMA_COUNT,
     .initial = "40",
     .min = 2,
     .max = 10000,
     .description =
         "episodes of a seed; each class gets two, and the rest go where they narrow the "
         "interval most",
     .example = "40"},
};
static const struct schema_object episode_object = OBJECT("episodes", episode_keys);

static const struct schema_key validate_keys[] = {
    {.name = "life",
     .type = SCHEMA_DURATION,
     .is_required = true,
     .min = 1,
     .max = CENTURY,
     .description = "mean life of a machine in the run that checks; laws keep their shape, and "
                    "groups are accelerated as much",
     .example = "10m"},
    {.name = "repair",
     .type = SCHEMA_DURATION,
     .is_required = true,
     .min = 1,
     .max = CENTURY,
     .description = "mean repair in it",
     .example = "60s"},
    {.name = "duration",
     .type = SCHEMA_DURATION,
     .is_required = true,
     .min = 1,
     .max = CENTURY,
     .description = "how long each seed of it lasts",
     .example = "1h"},
};
static const struct schema_object validate_object = OBJECT("validate", validate_keys);

static const struct schema_key detector_keys[] = {
    {.name = "load",
     .type = SCHEMA_NAME,
     .description = "load whose operations are the heartbeats or health checks; clients are then "
                    "the other loads only",
     .example = "heartbeat"},
    {.name = "failures",
     .type = SCHEMA_COUNT,
     .min = 1,
     .max = 1000,
     .description = "failed operations of that load in a row that make it say \"down\" (3 when "
                    "absent); the next good one makes it say \"up\"",
     .example = "3"},
    {.name = "gauge",
     .type = SCHEMA_TEXT,
     .description = "gauge that a model shows of what it thinks is up; instead of 'load'",
     .example = "balancer.available"},
    {.name = "atLeast",
     .type = SCHEMA_COUNT,
     .min = 1,
     .max = INT64_MAX,
     .description = "below this value the gauge means \"down\"; before its first value it is up",
     .example = "3"},
};
static const struct schema_object detector_object = OBJECT("detector", detector_keys);

static const struct schema_key availability_keys[] = {
    {.name = "window",
     .type = SCHEMA_DURATION,
     .initial = "1s",
     .min = 1,
     .max = DAY,
     .description = "time is cut into windows of this length",
     .example = "1s"},
    {.name = "up",
     .type = SCHEMA_TEXT,
     .initial = "success_rate >= 99%",
     .description = "when a window counts as up",
     .example = "success_rate >= 99% and p(99) <= 500ms"},
    {.name = "idle",
     .type = SCHEMA_DURATION,
     .min = 1,
     .max = CENTURY,
     .description = "for the uptime of users: one who asks nothing for so long is not there any "
                    "more; the 99th percentile of the run's times between two operations of one "
                    "user when absent",
     .example = "30s"},
    {.name = "detector",
     .form = SCHEMA_OBJECT,
     .object = &detector_object,
     .description = "what else watches the system: its view is held against that of the clients",
     .example = "{load: heartbeat, failures: 3}"},
    {.name = "placement",
     .form = SCHEMA_OBJECT,
     .object = &placement_object,
     .description = "instead of a fleet that fails and is repaired: the chance that data is lost "
                    "when many nodes are lost at once, by where its replicas are; judged by "
                    "loss{service:NAME}",
     .example = "{policy: copysets, nodes: 5000, lost: 1%, scatter: 10}"},
    {.name = "machines",
     .type = SCHEMA_COUNT,
     .min = 1,
     .max = 64,
     .description =
         "machines of the fleet, which may be more than there are nodes unless real code "
         "runs on them; as many as the first group has nodes when absent",
     .example = "5"},
    {.name = "life",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &law_object,
     .description = "how long a machine lives; with it the scenario asks for the availability of a "
                    "fleet of machines that fail and are repaired",
     .example = "{mean: 99h}"},
    {.name = "repair",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_DURATION,
     .object = &law_object,
     .description = "how long its repair takes",
     .example = "{mean: 1h}"},
    {.name = "crews",
     .type = SCHEMA_COUNT,
     .word = "unlimited",
     .min = 1,
     .max = 64,
     .description = "repair crews; what waits for one is down; unlimited when absent",
     .example = "1"},
    {.name = "groups",
     .form = SCHEMA_ONE_OR_MANY,
     .object = &fleet_group_object,
     .description = "racks, zones or power feeds that fail by themselves and take their machines "
                    "away; a list of at most four where there are several kinds, of each of "
                    "which a machine is in one group, and it is there when it and all its groups "
                    "are up",
     .example = "{name: rack, count: 3, life: {mean: 10000h}, repair: {mean: 4h}}"},
    {.name = "shocks",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_PERCENT,
     .object = &shock_object,
     .description = "failures with a common cause",
     .example = "1%"},
    {.name = "correlation",
     .type = SCHEMA_PERCENT,
     .description =
         "between two machines, of a beta-binomial number that is down (a still picture: "
         "estimator exact only)",
     .example = "5%"},
    {.name = "maintenance",
     .form = SCHEMA_OBJECT,
     .object = &maintenance_object,
     .description = "planned: every machine in turn, no two at once",
     .example = "{every: 720h, duration: 1h}"},
    {.name = "services",
     .form = SCHEMA_LIST,
     .object = &service_object,
     .description = "what is asked of the fleet; when absent one that needs a majority, whose name "
                    "is majority",
     .example = "[{name: any-copy, needed: any}, {name: writes, needed: majority, failover: 10s}]"},
    {.name = "estimator",
     .type = SCHEMA_CHOICE,
     .choices = "auto|exact|crude|is|restart|decompose",
     .description = "how the unavailability is found: a Markov chain, plain simulation, importance "
                    "sampling, RESTART splitting, or episodes of the real code around each "
                    "transition of the fleet (for the first service); auto when absent",
     .example = "exact"},
    {.name = "precision",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_PERCENT,
     .object = &precision_object,
     .description =
         "when an estimate is good enough: a campaign asks for no more seeds of a cell then, but "
         "not before thirty outages were seen, none of which makes 5 % of all; without it all "
         "seeds "
         "are run",
     .example = "{halfWidth: 10%, confidence: 95%}"},
    {.name = "episodes",
     .form = SCHEMA_OBJECT,
     .object = &episode_object,
     .description = "how the real code is watched around each transition (estimator decompose)",
     .example = "{settle: 5s, window: 20s, count: 40}"},
    {.name = "validate",
     .form = SCHEMA_OBJECT,
     .object = &validate_object,
     .description = "also run the real code for long with accelerated faults, and compare what the "
                    "clients see with the decomposition at the same rates",
     .example = "{life: 10m, repair: 60s, duration: 1h}"},
};
static const struct schema_object availability_object = OBJECT("availability", availability_keys);

static const struct schema_key probe_keys[] = {
    {.name = "kind",
     .type = SCHEMA_CHOICE,
     .choices = "retries-off|shed|restart|none",
     .initial = "retries-off",
     .description = "retries-off: every operation is sent once; shed: only a share of the "
                    "operations is started; restart: every node is killed and started again; none: "
                    "what is stuck is not relieved, and stays undecided",
     .example = "shed"},
    {.name = "to",
     .type = SCHEMA_PERCENT,
     .initial = "30%",
     .description = "shed: share of the operations that is still started; choose it below the "
                    "hidden capacity",
     .example = "30%"},
    {.name = "for",
     .type = SCHEMA_DURATION,
     .initial = "30s",
     .min = 1,
     .max = DAY,
     .description = "how long the relief lasts; a restart is a moment",
     .example = "30s"},
};
static const struct schema_object probe_object = OBJECT_SHORT("probe", probe_keys, "kind");

static const struct schema_key gate_keys[] = {
    {.name = "accept",
     .type = SCHEMA_PERCENT,
     .initial = "1%",
     .description = "share of stuck runs that is fine",
     .example = "1%"},
    {.name = "reject",
     .type = SCHEMA_PERCENT,
     .initial = "10%",
     .description = "share of stuck runs that is not; larger than 'accept'",
     .example = "10%"},
    {.name = "error",
     .type = SCHEMA_PERCENT,
     .initial = "1%",
     .description = "chance that either decision is wrong",
     .example = "1%"},
};
static const struct schema_object gate_object = OBJECT("gate", gate_keys);

static const struct schema_key metastability_keys[] = {
    {.name = "trigger",
     .form = SCHEMA_ONE_OR_MANY,
     .type = SCHEMA_TEXT,
     .description = "names of the faults and loads that are the trigger: the control arm does "
                    "without them; all faults, and all loads that begin and end within the run, "
                    "when absent",
     .example = "[spike, leader-stall]"},
    {.name = "probe",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_CHOICE,
     .choices = "retries-off|shed|restart|none",
     .object = &probe_object,
     .initial = "retries-off",
     .description = "what relieves a run that is stuck: what comes back when it is over was held "
                    "down by nothing but itself",
     .example = "{kind: shed, to: 30%}"},
    {.name = "recovered",
     .type = SCHEMA_TEXT,
     .initial = "goodput >= 0.95 * offered",
     .description = "when it is back: the share of operations that are answered within one "
                    "time-out",
     .example = "goodput >= 0.95 * offered"},
    {.name = "timeouts",
     .type = SCHEMA_PERCENT,
     .initial = "1%",
     .description = "and at most this share of the attempts times out",
     .example = "1%"},
    {.name = "for",
     .type = SCHEMA_DURATION,
     .initial = "5s",
     .min = 1,
     .max = DAY,
     .description = "and it lasts so long",
     .example = "5s"},
    {.name = "within",
     .type = SCHEMA_DURATION,
     .initial = "30s",
     .min = 1,
     .max = 365 * DAY,
     .description = "how long it may take after the trigger, or after the relief; what is not "
                    "back by then is run for twice as long before it is called stuck",
     .example = "30s"},
    {.name = "gate",
     .form = SCHEMA_OBJECT,
     .object = &gate_object,
     .description = "judge the cells that must be stable by the share of their stuck runs instead "
                    "of by each run: a sequential test (Wald's SPRT) asks for seeds until it "
                    "accepts or rejects; 'seeds' is the most",
     .example = "{accept: 1%, reject: 10%, error: 1%}"},
};
static const struct schema_object metastability_object =
    OBJECT("metastability", metastability_keys);

/* ------------------------------------------------------------------------------- file */

static const struct schema_key seeds_keys[] = {
    {.name = "count",
     .type = SCHEMA_COUNT,
     .is_required = true,
     .min = 1,
     .max = 1000000000000,
     .description = "number of seeds",
     .example = "1000"},
    {.name = "first",
     .type = SCHEMA_COUNT,
     .initial = "1",
     .description = "the first one",
     .example = "1"},
};
static const struct schema_object seeds_object = {
    .name = "seeds", .keys = seeds_keys, .key_count = ARRAY_COUNT(seeds_keys)};

static const struct schema_key time_keys[] = {
    {.name = "warmup",
     .type = SCHEMA_DURATION,
     .initial = "5s",
     .max = 365 * DAY,
     .description = "time at the start that is not measured",
     .example = "10s"},
    {.name = "limit",
     .type = SCHEMA_DURATION,
     .initial = "1m",
     .min = 1,
     .max = 365 * DAY,
     .description = "simulated time of a run",
     .example = "120s"},
    {.name = "cpuLimit",
     .type = SCHEMA_DURATION,
     .initial = "1m",
     .min = 1000000,
     .max = DAY,
     .description = "real processor time of a run; a run that needs more is 'unknown'",
     .example = "20s"},
    {.name = "eventLimit",
     .type = SCHEMA_COUNT,
     .initial = "50000000",
     .min = 1,
     .max = 1000000000000,
     .description = "events of a run; a run that has more is 'unknown'",
     .example = "50000000"},
    {.name = "window",
     .type = SCHEMA_DURATION,
     .initial = "100ms",
     .min = 1000,
     .max = DAY,
     .description = "bin of the time series",
     .example = "100ms"},
};
static const struct schema_object time_object = OBJECT("time", time_keys);

static const struct schema_key root_keys[] = {
    {.name = "squall",
     .type = SCHEMA_COUNT,
     .is_required = true,
     .min = 1,
     .max = 1,
     .description = "version of the language",
     .example = "1"},
    {.name = "extends",
     .type = SCHEMA_TEXT,
     .description = "another scenario, relative to this one, whose keys hold where this one has "
                    "none; lists are replaced, not joined",
     .example = "base.yaml"},
    {.name = "name",
     .type = SCHEMA_NAME,
     .is_required = true,
     .description = "name of the scenario, unique in a results file",
     .example = "metastable-retry-storm"},
    {.name = "description",
     .type = SCHEMA_TEXT,
     .initial = "",
     .description = "what the scenario asks",
     .example = "Does the cluster come back by itself?"},
    {.name = "labels",
     .form = SCHEMA_MAP,
     .type = SCHEMA_TEXT,
     .description = "for choosing scenarios: squall run --label tier=pr",
     .example = "{class: metastable, tier: pr}"},
    {.name = "time",
     .form = SCHEMA_OBJECT,
     .object = &time_object,
     .initial = "{}",
     .description = "how long a run is"},
    {.name = "system",
     .form = SCHEMA_OBJECT,
     .object = &system_object,
     .is_required = true,
     .description = "what is simulated",
     .example = "{model: raft, nodes: 5}"},
    {.name = "network",
     .form = SCHEMA_OBJECT,
     .object = &network_object,
     .initial = "{}",
     .description = "links between nodes, and to clients"},
    {.name = "disk",
     .form = SCHEMA_OBJECT,
     .object = &disk_object,
     .initial = "{}",
     .description = "disks of hosts"},
    {.name = "load",
     .form = SCHEMA_MAP,
     .object = &load_object,
     .description = "what clients do, by name",
     .example = "{steady: {rate: 200/s}}"},
    {.name = "client",
     .form = SCHEMA_OBJECT,
     .object = &client_object,
     .initial = "{}",
     .description = "policy of all clients: time-outs, routing, retries"},
    {.name = "faults",
     .form = SCHEMA_LIST,
     .object = &fault_object,
     .description = "what goes wrong"},
    {.name = "swarm",
     .type = SCHEMA_BOOLEAN,
     .initial = "false",
     .description = "for each seed a coin decides which faults are on",
     .example = "true"},
    {.name = "checks",
     .form = SCHEMA_LIST,
     .object = &check_object,
     .description = "what must hold",
     .example = "[{always: {consistency: linearizable}}]"},
    {.name = "expect",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_CHOICE,
     .choices = "pass",
     .object = &expect_object,
     .initial = "pass",
     .description = "what the campaign should find",
     .example = "{violated: [no-lost-acked-write]}"},
    {.name = "knownDefects",
     .form = SCHEMA_LIST,
     .object = &known_object,
     .description = "violations that are counted apart and do not fail the run"},
    {.name = "metastability",
     .form = SCHEMA_OBJECT,
     .object = &metastability_object,
     .description = "run four arms on every seed and judge whether the system comes back by "
                    "itself; what does not violates the check metastable, permanent or unstable",
     .example = "{probe: retries-off, within: 30s}"},
    {.name = "availability",
     .form = SCHEMA_OBJECT,
     .object = &availability_object,
     .initial = "{}",
     .description = "when the system counts as up"},
    {.name = "thresholds",
     .form = SCHEMA_MAP_OF_LISTS,
     .type = SCHEMA_TEXT,
     .description =
         "limits of metrics, as in k6: latency and recovery (avg, min, max, med, p(N)), "
         "availability, success, failures, metastable, gray, user-uptime, mcr{window:1m}, yield "
         "and harvest (rate), goodput (rate, value), amplification (value); '@ 95%' judges the "
         "end of the interval; the tag "
         "{cell:TEXT} limits one to cells whose label contains the text, and {cell:TEXT,than:TEXT} "
         "judges what those have more than another cell on the same seeds, of availability, "
         "unavailability and downtime "
         "(\"downtime{service:x,cell:failover=10s,than:failover=30s}\": "
         "\"value < 0s @ 95%\"); what a model "
         "shows is gauge{name:x} (avg, min, max, med, p(N), last) or counter{name:x} (count, rate "
         "per second), with node:, from: and until: to look closer; estimates of the "
         "fleet are unavailability{service:x} and downtime{service:x} (value), with "
         "machines:, cell:, method: and against:exact, and loss{service:x} that of a placement; "
         "visibility is by how much reads came too early to see a write",
     .example = "{latency: [\"p(99) < 250ms\"], availability: [\"rate >= 99.9% @ 95%\"]}"},
    {.name = "seeds",
     .form = SCHEMA_EITHER,
     .type = SCHEMA_SEEDS,
     .object = &seeds_object,
     .description = "seeds to run: '42', '1..1000', '1000@1' (count@first), lists with commas; "
                    "1..100 when absent",
     .example = "1..1000"},
    {.name = "sweep",
     .form = SCHEMA_SWEEP,
     .type = SCHEMA_TEXT,
     .description = "paths of keys, each with values to try; every combination is a cell",
     .example = "{system.nodes: [1, 3, 5]}"},
    {.name = "zip",
     .form = SCHEMA_MAP_OF_LISTS,
     .type = SCHEMA_TEXT,
     .description = "names for paths of the sweep that go hand in hand: their first values "
                    "together, their second values together, and so on",
     .example = "{patience: [client.timeout, client.deadline]}"},
};
static const struct schema_object root_object = OBJECT("scenario", root_keys);

const struct schema_object *schema_root(void)
{
    return &root_object;
}
