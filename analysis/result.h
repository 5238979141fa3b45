/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What came out of one run, as plain data: the judge fills it, a worker sends it through a pipe,
 * results.sqlite keeps it. Everything but cpu_ns is a function of (spec, seed). Texts are stored in
 * place and cut to fit, never overrun. */
#ifndef SQUALL_ANALYSIS_RESULT_H
#define SQUALL_ANALYSIS_RESULT_H

#include "analysis/estimate.h"
#include "sim/base/err.h"
#include "sim/base/histogram.h"
#include "sim/base/vec.h"
#include "squall.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum verdict {
    VERDICT_PASS,
    VERDICT_FAIL,
    VERDICT_UNKNOWN, /* a limit was reached, or a checker could not decide: never green */
    /* the code under test, or squall, ended the process: `reason` says how ("crash:SIGSEGV") */
    VERDICT_ERROR,
    VERDICT_COUNT
};

#define RESULT_NAME_SIZE    64
#define RESULT_TARGET_SIZE  128
#define RESULT_MESSAGE_SIZE 512
#define RESULT_METRIC_SIZE  192
#define RESULT_EVENT_NONE   UINT64_MAX

struct result_violation {
    char check[RESULT_NAME_SIZE]; /* name of the check, or of the model's own invariant */
    int64_t time_ns;              /* virtual time at which it became evident */
    /* number of that event; RESULT_EVENT_NONE: only the time is known (history checks) */
    uint64_t event;
    uint32_t node;                    /* SQ_NODE_NONE when no single node did it */
    char node_name[RESULT_NAME_SIZE]; /* "" with SQ_NODE_NONE */
    char message[RESULT_MESSAGE_SIZE];
    bool is_known; /* a known defect of the code under test (spec->known): does not fail the run */
};

struct result_fault {
    char name[RESULT_NAME_SIZE];
    char kind[RESULT_NAME_SIZE];
    char action[RESULT_NAME_SIZE];
    char target[RESULT_TARGET_SIZE];
    int64_t start_ns;
    int64_t end_ns; /* INT64_MAX: still there at the end of the run */
};

/* "Sometimes": how often a probe was hit in this run. Those that the spec asks for are listed even
 * with 0 hits. */
struct result_probe {
    char name[RESULT_NAME_SIZE];
    uint64_t hits;
    bool is_asked; /* named by a `sometimes` check of the spec */
};

/* How much a check compared. Zero comparisons of an `always` check is a violation of it. */
struct result_check {
    char name[RESULT_NAME_SIZE];
    uint64_t comparisons;
    bool is_violated; /* by a violation that is not a known defect */
    bool is_known;    /* by a known defect */
    bool is_unknown;  /* it could not decide (step budget, too little time) */
};

/* One bin of the time series, [t_ns, t_ns + duration_ns). Operations are counted where they were
 * intended (offered), sent (attempts) and completed (the others). */
struct result_window {
    int64_t t_ns;
    int64_t duration_ns; /* the last one may be shorter than the others */
    uint32_t offered;
    uint32_t attempts;
    uint32_t ok;
    uint32_t failed;
    uint32_t info;
    uint32_t in_flight; /* operations invoked and not completed at its end */
    /* Four arms only: attempts that timed out in it; good answers in it that nobody waited for;
     * of the operations intended in it, those that the end of the run did not cut off before
     * their first time-out, and those that were OK within one time-out. */
    uint32_t timeouts;
    uint32_t unwanted;
    uint32_t judged;
    uint32_t good;
    /* latency of the OK ones, completion minus intended start; -1 when there was none */
    int64_t p50_ns;
    int64_t p99_ns;
    /* goodput and latency met the availability predicate in the availability window that holds its
     * start */
    bool is_up;
};

/* The four arms on one seed (analysis/metastability.h). */
enum run_arm {
    ARM_TRIGGER, /* the run as the scenario has it */
    ARM_CONTROL, /* the trigger left out */
    ARM_DOUBLED, /* the trigger arm, going on for twice as long */
    ARM_PROBE,   /* the trigger arm, relieved when it would have ended */
    ARM_COUNT
};

enum arm_outcome {
    ARM_HELD,      /* control: goodput was there throughout */
    ARM_FAILED,    /* control: it was not */
    ARM_RECOVERED, /* back, and still there at the end */
    ARM_STUCK,     /* not back, and below half of the control's goodput at the end */
    ARM_DEGRADED,  /* neither */
    ARM_DRAINING,  /* probe: when the relief ended, answers still came that nobody waited for */
    ARM_CUT,       /* a limit ended it, or the trigger was still there: nothing can be said */
    ARM_OUTCOME_COUNT
};

enum metastability {
    METASTABILITY_NONE, /* the scenario does not ask, or the run died */
    METASTABILITY_STABLE,
    METASTABILITY_METASTABLE,
    METASTABILITY_UNSTABLE,
    METASTABILITY_PERMANENT,
    METASTABILITY_UNDECIDED,
    METASTABILITY_COUNT
};

struct result_arm {
    enum run_arm arm;
    enum arm_outcome outcome;
    uint64_t digest;
    uint64_t events;
    int64_t sim_ns;
    /* Over the time that its outcome was judged by (control: after the warm-up; probe: after the
     * relief; others: after the trigger). */
    uint64_t offered; /* judged operations */
    uint64_t good;    /* of them, OK within one time-out */
    uint64_t attempts;
    uint64_t ok;
    uint64_t timeouts;
    uint64_t unwanted;
    uint64_t control_offered; /* of the control arm in the same time */
    uint64_t control_good;
    int64_t
        since_ns; /* recovery counts from here: end of the trigger, of the relief, of the warm-up */
    int64_t after_ns;  /* RECOVERED: after so long; else RESULT_RECOVERY_NEVER */
    int64_t looked_ns; /* how long it was looked for: `after_ns` is longer than this, when never */
};

struct result_arm_window {
    enum run_arm arm;
    struct result_window window;
};

/* The real code around one transition of its fleet (sim/cli/episodes.h). */
struct result_episode {
    char class_[RESULT_NAME_SIZE]; /* "leader-lost:5-4" (analysis/decompose.h) */
    uint32_t number;               /* of its class in this run, from 0 */
    bool has_struck;               /* false: there was nobody to strike, nothing was measured */
    bool is_recovered;
    int64_t at_ns;          /* the transition */
    int64_t outage_ns;      /* that clients saw beyond what the quorum explains; may be negative */
    int64_t up_ns;          /* of the span that was looked at, with a quorum */
    int64_t recovery_ns;    /* from the transition until they saw nothing any more; -1: never */
    int64_t steady_ns;      /* before it, when nothing was wrong any more, ... */
    int64_t steady_down_ns; /* ... and what they saw down of that */
    uint64_t digest;
    uint64_t events;
    int64_t sim_ns;
};

/* What a model shows of itself (analysis/gauges.h). */
struct result_gauge {
    char name[RESULT_NAME_SIZE];
    char node[RESULT_NAME_SIZE];
    bool is_counter;
    int64_t window_ns;
};

/* Samples of gauge number `gauge` in the window that begins at t_ns. */
struct result_gauge_window {
    uint32_t gauge;
    int64_t t_ns;
    uint64_t count;
    int64_t sum;
    int64_t minimum;
    int64_t maximum;
    int64_t last;
    int64_t last_ns; /* when */
};

/* One number of the run, for a threshold on a gauge or counter: "<threshold's metric> <agg>". */
struct result_metric {
    char name[RESULT_METRIC_SIZE];
    double value;
};

struct run_result {
    uint64_t seed;
    enum verdict verdict;
    /* "" on pass; else the first check that failed, "event-limit", "crash:SIGSEGV" */
    char reason[RESULT_NAME_SIZE];
    uint64_t digest;
    uint64_t events;
    int64_t sim_ns;
    /* Operations intended after the warm-up, of the loads of the scenario (not of the closing
     * audit). */
    uint64_t offered;
    uint64_t attempts;
    uint64_t ok;
    uint64_t failed;
    uint64_t info;
    uint64_t timeouts; /* attempts that timed out, and good answers that nobody waited for, after */
    uint64_t unwanted; /* the warm-up */
    /* Time in availability windows: those that carried evidence, and those of them that were up. */
    int64_t up_ns;
    int64_t measured_ns;
    bool is_cut;          /* a limit of events or processor time ended it */
    uint64_t fault_total; /* that struck; `faults` holds the first RESULT_FAULTS_MAX */
    enum metastability metastability;
    bool is_metastable; /* set by the four-arm analysis only, never by the judge of a single run */
    /* goodput before the first fault; -1 when there was no full window to tell */
    int64_t baseline_per_1000s;
    /* from the end of the last fault until goodput was back; -1 = never; -2 = no fault struck */
    int64_t recovery_ns;
    int64_t cpu_ns;        /* real processor time of the run: not deterministic */
    struct vec violations; /* struct result_violation, in order of discovery, one for each check */
    struct vec faults;     /* struct result_fault, in order of start */
    struct vec probes;     /* struct result_probe, in order of name */
    struct vec checks;     /* struct result_check, in order of the spec */
    struct vec windows;    /* struct result_window, in order of time; empty unless kept */
    struct vec arms;       /* struct result_arm, in the order in which they were run */
    struct vec
        arm_windows;    /* struct result_arm_window, in order of arm and time; empty unless kept */
    struct vec metrics; /* struct result_metric, in order of the spec */
    struct vec gauges;  /* struct result_gauge; empty unless windows are kept */
    struct vec gauge_windows; /* struct result_gauge_window, in order of gauge and time; likewise */
    struct vec estimates;     /* struct estimate_sums, of a run that is an estimate of a fleet */
    struct vec episodes;      /* struct result_episode, in the order in which they were run */
    struct histogram latency; /* of OK operations that count, ns */
    struct histogram visibility; /* by how much reads came too early, ns (analysis/visibility.h) */
};

#define RESULT_RECOVERY_NEVER    (-1)
#define RESULT_RECOVERY_NO_FAULT (-2)
#define RESULT_VIOLATIONS_MAX    256
#define RESULT_FAULTS_MAX        4096
#define RESULT_PROBES_MAX        1024
#define RESULT_CHECKS_MAX        256
#define RESULT_WINDOWS_MAX       (1u << 20)
#define RESULT_ARM_WINDOWS_MAX   (1u << 22)
#define RESULT_METRICS_MAX       256
#define RESULT_ESTIMATES_MAX     64
#define RESULT_EPISODES_MAX      65536
#define RESULT_GAUGES_MAX        256
#define RESULT_GAUGE_WINDOWS_MAX (1u << 20)

void result_init(struct run_result *result);
void result_release(struct run_result *result);
/* Empty again, keeps the memory. */
void result_clear(struct run_result *result);
/* A run whose process died, or that squall could not carry out: cleared, VERDICT_ERROR with this
 * reason. */
void result_set_error(struct run_result *result, uint64_t seed, const char *reason);
/* The row of the check with this name, a new one behind the others when there is none. */
struct result_check *result_check_row(struct run_result *result, const char *name);
/* Marks the rows of the checks that `violations` are of; one that has none yet, such as a model's
 * own invariant, gets one. */
void result_mark_violated(struct run_result *result);
/* "pass", "fail", "unknown", "error": as in results.sqlite. */
const char *verdict_name(enum verdict verdict);
/* "control", "trigger", "doubled", "probe". */
const char *arm_name(enum run_arm arm);
/* "held", "failed", "recovered", "stuck", "degraded", "draining", "cut". */
const char *arm_outcome_name(enum arm_outcome outcome);
/* "stable", "metastable", "unstable", "permanent", "undecided"; "" for METASTABILITY_NONE. */
const char *metastability_name(enum metastability verdict);
/* NULL: it was not run. */
const struct result_arm *result_arm_find(const struct run_result *result, enum run_arm arm);
/* First violation that is not a known defect; NULL when there is none. */
const struct result_violation *result_first_violation(const struct run_result *result);
/* Copies a text into a field of `size` bytes, cutting it at a UTF-8 boundary; NULL becomes "". */
void result_copy_text(char *field, size_t size, const char *text);

/* Appends the flat form to `out` (uint8_t items): length, version, fields, XXH3 checksum. The same
 * result gives the same bytes. */
void result_encode(const struct run_result *result, struct vec *out);
#define RESULT_HEADER_SIZE 16
/* Total size of the message that starts with these RESULT_HEADER_SIZE bytes; 0 when they do not
 * start one. */
size_t result_encoded_size(const void *header);
/* Fills an initialised `result`. False (ERR_SYSTEM) for anything that result_encode did not write:
 * `result` is then cleared. Never reads outside of [data, data + size). */
bool result_decode(struct run_result *result, const void *data, size_t size, struct err *err);

#endif
