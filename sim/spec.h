/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * run_spec: everything that decides a run but its seed, as plain data. The input layer makes it
 * from a scenario, the engine and the analysis read it; nobody writes to it afterwards. All memory
 * belongs to the arena of the plan that made it. Durations are ns, probabilities are out of 2^32
 * (RNG_ALWAYS), rates are per 1000 s, sizes are bytes. */
#ifndef SQUALL_SIM_SPEC_H
#define SQUALL_SIM_SPEC_H

#include "sim/base/dist.h"
#include "squall.h"

/* A value's place in the scenario file, for messages; line 0 = not from a file. */
struct spec_place {
    const char *file;
    uint32_t line;
    uint32_t column;
};

/* ----------------------------------------------------------------------------- groups and hosts */

enum spec_full {
    SPEC_FULL_DROP,   /* what does not fit is lost silently */
    SPEC_FULL_REJECT, /* a request gets SQ_E_OVERLOADED; a message is lost */
};

struct spec_host {
    uint32_t cores;       /* >= 1 */
    uint32_t queue_limit; /* inbox of a node, items; >= 1 */
    enum spec_full on_full;
    int64_t per_message_ns;   /* processor time to handle one message or request */
    int64_t per_byte_ps;      /* PICOseconds per payload byte, on top */
    int64_t per_operation_ns; /* charged by the model through cpu->charge */
    int64_t per_timer_ns;     /* processor time to handle one timer */
    int64_t clock_offset_ns;  /* realtime offset of each node: uniform in +-offset */
    int64_t clock_drift_ppm;  /* each node's drift: uniform in +-drift, |drift| <= 100000 */
};

enum spec_jitter {
    SPEC_JITTER_NONE,
    SPEC_JITTER_FULL,         /* U(0, c) */
    SPEC_JITTER_EQUAL,        /* c/2 + U(0, c/2) */
    SPEC_JITTER_DECORRELATED, /* min(cap, U(base, 3 * previous)) */
    SPEC_JITTER_PROPORTIONAL, /* c * U(1 - x, 1 + x) */
};

enum spec_backoff {
    SPEC_BACKOFF_NONE,
    SPEC_BACKOFF_FIXED,
    SPEC_BACKOFF_EXPONENTIAL,
};

enum spec_route {
    SPEC_ROUTE_LEADER, /* the node believed to lead; redirects and time-outs move the belief */
    SPEC_ROUTE_RANDOM, /* each attempt to a random node */
    SPEC_ROUTE_FIRST,  /* node 0 of the group, the next one after a failure */
};

/* What limits the retries (and hedges) of a caller as a whole. */
enum spec_budget {
    SPEC_BUDGET_NONE,
    SPEC_BUDGET_TOKENS,      /* a bucket that retries take from (AWS SDKs: the retry quota) */
    SPEC_BUDGET_GRPC,        /* a count of failures against successes (gRPC A6: retryThrottling) */
    SPEC_BUDGET_CONCURRENCY, /* a share of what is under way (Envoy: retry_budget) */
};

#define SPEC_HEDGES_MAX 5 /* attempts of a hedged call, as gRPC A6 limits them */

/* gRPC A6: the same request again before there is an answer to the first. */
struct spec_hedging {
    bool is_enabled;
    uint32_t attempts_max; /* the first included; at most SPEC_HEDGES_MAX */
    int64_t delay_ns;
    uint64_t non_fatal; /* bit (1 << enum sq_status): answers that do not end the call */
};

/* resilience4j's CircuitBreaker, of all attempts of a caller. Shares are millionths. */
struct spec_breaker {
    bool is_enabled;
    bool only_retries;      /* first attempts are not stopped */
    bool is_time_based;     /* the window is seconds, not calls */
    uint32_t window;        /* calls or seconds; >= 1 */
    uint32_t calls_min;     /* outcomes before there is a judgement; >= 1 */
    uint32_t failure_share; /* opens the breaker, 1 .. 1000000 */
    uint32_t slow_share;
    int64_t slow_ns; /* an attempt that takes longer is slow */
    int64_t open_ns;
    uint32_t trial_calls; /* permitted while half open; >= 1 */
    uint64_t failure_on;  /* bit (1 << enum sq_status) */
};

/* Envoy's circuit breakers; 0: no limit. */
struct spec_limits {
    uint32_t connections; /* attempts that wait for their answer; more wait for a connection */
    uint32_t pending;     /* attempts that wait for a connection; more are refused */
    uint32_t requests;    /* attempts that wait for their answer; more are refused */
    uint32_t retries;     /* retries that back off or wait; SPEC_BUDGET_CONCURRENCY overrides it */
};

/* Send rate by CUBIC (AWS SDKs: adaptive mode). */
struct spec_pacing {
    bool is_enabled;
    uint32_t beta_milli;      /* what is left of the rate after a throttling error; < 1000 */
    uint32_t scale_milli;     /* of the cubic; >= 1 */
    uint32_t smoothing_milli; /* weight of the newest measurement; <= 1000 */
    uint32_t rate_min_milli;  /* a second */
};

/* What a caller makes of a server that says when to try again (sq_reply_options.retry_after). */
enum spec_pushback {
    SPEC_PUSHBACK_IGNORE,
    SPEC_PUSHBACK_EXACT,   /* then, and not at all if it says never (gRPC A6) */
    SPEC_PUSHBACK_BOUNDED, /* not before the back-off is over, nor long after (AWS SDKs) */
};

/* Policy of a caller: of a load, or of a group that calls another. In the parts that limit
 * something, 0 and false are "no limit". */
struct spec_client {
    const char *target; /* group called; index below */
    uint32_t target_group;
    uint32_t count; /* client identities at the start (loads); more are made when all are busy */
    int64_t deadline_ns; /* from the intended start; INT64_MAX = none */
    int64_t timeout_ns;  /* per attempt */
    enum spec_route route;
    bool ignores_late;     /* an answer to an attempt that timed out is not heard */
    uint32_t attempts_max; /* sends of one operation, the first included; UINT32_MAX = unlimited */
    enum spec_backoff backoff;
    int64_t backoff_initial_ns;
    int64_t backoff_throttled_ns; /* initial one after SQ_E_OVERLOADED; 0 = backoff_initial_ns */
    int64_t backoff_max_ns;
    uint32_t backoff_multiplier_milli; /* 2000 = doubles */
    enum spec_jitter jitter;
    uint64_t jitter_proportion; /* for PROPORTIONAL, out of 2^32 */
    enum spec_pushback pushback;
    int64_t pushback_max_ns;              /* BOUNDED: most that is added to the back-off */
    struct spec_place pushback_max_place; /* line 0: it is the usual one */
    bool is_transparent; /* a request that a full inbox turned away is sent again, once (A6) */
    uint32_t
        redirects_max; /* not-leader answers followed at once per operation before backing off */
    uint64_t retry_on; /* bit (1 << enum sq_status): statuses that are retried */
    enum spec_budget budget;
    uint32_t budget_capacity;   /* TOKENS: whole tokens (AWS: 500; costs 5 and 10, credit 1) */
    uint32_t budget_retry_cost; /* of a retry, by what it follows: */
    uint32_t budget_timeout_cost;
    uint32_t budget_throttling_cost; /* SQ_E_OVERLOADED */
    uint32_t budget_success_milli;   /* credit of a success, thousandths of a token */
    bool budget_refunds;             /* a success after retries gives back what the last one took */
    uint32_t budget_tokens_max;      /* GRPC: maxTokens, 1 .. 1000 */
    uint32_t budget_ratio_milli;     /* GRPC: tokenRatio */
    uint32_t budget_share;           /* CONCURRENCY: millionths of the attempts under way */
    uint32_t budget_retries_min;     /* CONCURRENCY: so many retries are always allowed */
    uint32_t concurrency_max;        /* operations under way; 0 = no limit */
    uint32_t queue_limit;            /* operations that wait to begin */
    int64_t queue_timeout_ns;        /* how long they do; 0 = no limit */
    struct spec_hedging hedging;
    struct spec_breaker breaker;
    struct spec_limits limits;
    struct spec_pacing pacing;
};

struct spec_group {
    const char *name;
    const struct sq_model *model;
    const char *model_name;         /* as written: "raft", "./mine.so" */
    const struct sq_value *options; /* model->option_count of them */
    sq_node first;
    uint32_t count;
    uint32_t nodes_per_host;
    struct spec_host host;
    struct spec_client *clients; /* policies of the calls that this group makes, one for each group
                                    that it calls */
    uint32_t client_count;
};

struct spec_zone {
    const char *name;
    sq_node first; /* zones are runs of nodes */
    uint32_t count;
};

/* -------------------------------------------------------------------------------- network, disk */

struct spec_link {
    int64_t latency_ns;   /* fixed part, one way */
    struct dist jitter;   /* added to it; DIST_CONSTANT 0 = none */
    uint64_t loss;        /* probability of losing a message */
    uint64_t duplicate;   /* probability of a second copy, delivered with its own jitter */
    int64_t bandwidth;    /* bytes/s; 0 = infinite */
    uint32_t queue_limit; /* messages waiting for the wire; 0 = unlimited */
    bool is_fifo;         /* deliver in order of sending (TCP-like), else jitter reorders */
};

enum spec_directory {
    SPEC_DIRECTORY_STRICT,  /* POSIX: names are durable only after sync_dir */
    SPEC_DIRECTORY_ORDERED, /* journalled: syncing a file makes all earlier directory changes
                               durable too */
};

struct spec_disk {
    struct dist read;        /* latency of one read that misses the page cache */
    struct dist write;       /* latency of one write into the page cache, usually 0 */
    struct dist sync;        /* latency of a flush, on top of transferring the dirty bytes */
    int64_t read_bandwidth;  /* bytes/s; 0 = infinite */
    int64_t write_bandwidth; /* at sync; 0 = infinite */
    uint32_t iops;           /* device operations per second; 0 = unlimited */
    int64_t capacity_bytes;  /* INT64_MAX = none */
    enum spec_directory directory;
    uint32_t sector_bytes; /* 512 or 4096: unit of tearing */
};

/* Link between two sets of nodes that differs from the default; both directions. Masks are of
 * nodes (bit = index). */
struct spec_link_rule {
    uint64_t from;
    uint64_t to;
    struct spec_link link;
};

/* ----------------------------------------------------------------------------------------- load */

enum spec_executor {
    SPEC_CONSTANT_ARRIVAL_RATE,
    SPEC_RAMPING_ARRIVAL_RATE,
    SPEC_CONSTANT_VUS, /* closed loop: `vus` clients, each with `think` between operations */
    SPEC_RAMPING_VUS,  /* the same, and their number changes */
};

enum spec_arrivals {
    SPEC_ARRIVALS_POISSON,
    SPEC_ARRIVALS_UNIFORM, /* evenly spaced */
};

struct spec_stage {
    int64_t duration_ns;
    int64_t target_per_1000s; /* reached linearly at the end of the stage; RAMPING_VUS: that many
                                 users, no rate */
};

struct spec_load {
    const char *name;
    enum spec_executor executor;
    enum spec_arrivals arrivals;
    int64_t start_ns;
    int64_t duration_ns; /* INT64_MAX = to the end */
    int64_t rate_per_1000s;
    const struct spec_stage *stages; /* RAMPING: from rate_per_1000s, or vus */
    uint32_t stage_count;
    uint32_t vus;
    struct dist think;
    uint32_t record_count;      /* keys */
    uint32_t zipf_theta_milli;  /* 0 = uniform */
    uint64_t update_proportion; /* the rest are reads */
    bool is_paired; /* closed loop: each user updates a key and then reads it, again and again */
    uint32_t value_bytes; /* padding of an update */
    bool is_trigger;      /* of the four arms: the control arm does without it */
    struct spec_client client;
};

/* --------------------------------------------------------------------------------------- faults */

enum spec_fault_kind {
    SPEC_NODE_CHAOS,
    SPEC_NETWORK_CHAOS,
    SPEC_IO_CHAOS,
    SPEC_TIME_CHAOS,
    SPEC_STRESS_CHAOS,
    SPEC_APP_CHAOS,
    SPEC_LOAD_CHAOS,   /* strikes loads, not nodes */
    SPEC_CLIENT_CHAOS, /* loads, and the calls that groups make */
};

enum spec_fault_action {
    SPEC_ACTION_KILL,       /* NodeChaos: process crash; restarts after `duration` */
    SPEC_ACTION_PAUSE,      /* process stopped; goes on after `duration` */
    SPEC_ACTION_RESTART,    /* kill and start again at once */
    SPEC_ACTION_POWER_LOSS, /* host off: unsynced data lost or torn; boots after `duration` */
    SPEC_ACTION_WIPE,       /* power loss, and the disk comes back empty */
    SPEC_ACTION_PARTITION,  /* NetworkChaos */
    SPEC_ACTION_DELAY,
    SPEC_ACTION_LOSS,
    SPEC_ACTION_DUPLICATE,
    SPEC_ACTION_BANDWIDTH,
    SPEC_ACTION_IO_LATENCY, /* IOChaos */
    SPEC_ACTION_IO_FAULT,
    SPEC_ACTION_LOST_FSYNC, /* sync says done and is not */
    SPEC_ACTION_BIT_ROT,    /* a bit of what is read from the device flips */
    SPEC_ACTION_CLOCK,      /* TimeChaos: offset and drift */
    SPEC_ACTION_CPU,        /* StressChaos: everything takes `slowdown` times as long */
    SPEC_ACTION_SIGNAL,     /* AppChaos: the model is told `signal` */
    SPEC_ACTION_CAPACITY, /* StressChaos: what runs on the host gets on at `factor` of its speed */
    SPEC_ACTION_SCALE,    /* LoadChaos: `factor` times as many operations */
    SPEC_ACTION_POLICY,   /* ClientChaos: calls are made by another policy */
};

enum spec_mode {
    SPEC_MODE_ONE,
    SPEC_MODE_ALL,   /* all selected nodes together */
    SPEC_MODE_EACH,  /* every selected node by itself, each with its own timing and stream */
    SPEC_MODE_FIXED, /* `value` nodes */
    SPEC_MODE_FIXED_PERCENT,
    SPEC_MODE_RANDOM_MAX_PERCENT,
    SPEC_MODE_MINORITY, /* a random number below half, at least 1 */
    SPEC_MODE_MAJORITY, /* the smallest majority */
    SPEC_MODE_ROLLING,  /* all selected nodes, one batch after the other in order of index */
};

struct spec_selector {
    uint64_t nodes;    /* mask of candidates; ~0 = any */
    enum sq_role role; /* SQ_ROLE_NONE = any; judged when the fault strikes */
};

enum spec_direction {
    SPEC_DIRECTION_BOTH,
    SPEC_DIRECTION_TO,   /* only from the selected nodes to the target */
    SPEC_DIRECTION_FROM, /* only from the target to the selected nodes */
};

enum spec_io_method {
    SPEC_IO_READ = 1,
    SPEC_IO_WRITE = 2,
    SPEC_IO_SYNC = 4,
    SPEC_IO_OPEN = 8,
    SPEC_IO_DIRECTORY = 16, /* create, remove, rename, sync_dir */
};

struct spec_fault {
    const char *name;
    enum spec_fault_kind kind;
    enum spec_fault_action action;
    enum spec_mode mode;
    uint32_t mode_value; /* FIXED: nodes; percents: 0..100 */
    struct spec_selector selector;
    bool has_target;
    struct spec_selector target; /* NetworkChaos: other side; without: everybody else (partition),
                                    or whoever has a link to a struck node (others). Clients are
                                    never cut off unless `clients` */
    bool targets_clients;        /* links between selected nodes and clients are affected too */
    enum spec_direction direction;
    /* When: at `at_ns` once, or a renewal process: wait `every`, strike, hold `duration`, and so
     * on, inside [from, until). */
    bool has_at;
    int64_t at_ns;
    struct dist every;
    int64_t from_ns;
    int64_t until_ns;
    struct dist duration; /* 0: instantaneous (kill: stays down for ever when has_no_end) */
    bool has_no_end;
    /* What: */
    struct dist delay; /* DELAY, IO_LATENCY: added */
    uint64_t
        probability; /* LOSS, DUPLICATE, IO_FAULT, LOST_FSYNC, BIT_ROT, IO_LATENCY: per operation */
    int64_t bandwidth;    /* BANDWIDTH: bytes/s */
    enum sq_status error; /* IO_FAULT: SQ_E_IO or SQ_E_NOSPC */
    uint32_t methods;     /* enum spec_io_method bits */
    const char *path;     /* glob of file names */
    int64_t clock_offset_ns;
    int64_t clock_drift_ppm;
    uint32_t slowdown_milli; /* CPU: 3000 = three times slower */

    const char *signal;       /* SIGNAL: its name ... */
    int64_t signal_value;     /* ... what it carries when the fault strikes ... */
    bool has_end_value;       /* ... and is it sent again at the end, ... */
    int64_t signal_end_value; /* ... with this? */
    uint32_t factor;          /* millionths. CAPACITY: at most 1000000, SCALE: at most 100000000 */
    const bool *loads;        /* SCALE, POLICY: which, by index; NULL: none */
    const bool *groups;       /* POLICY: whose calls, by index; NULL: none */
    const struct spec_client *load_policies; /* POLICY: of each of `loads`, its own with what the
                                                fault changes */
    const struct spec_client *const *group_policies; /* the same of `groups`: one for each of the
                                                        group's clients */
    uint32_t batch; /* ROLLING: nodes at a time, or a percentage of those selected */
    bool is_batch_percent;
    int64_t interval_ns; /* ROLLING: from the end of one batch to the next */

    bool is_swarm;   /* on or off by a coin of the seed */
    bool is_trigger; /* of the four arms: the control arm does without it */
    struct spec_place place;
};

/* -------------------------------------------------------------------------------------- judging */

enum spec_check_word {
    SPEC_ALWAYS,
    SPEC_SOMETIMES,
    SPEC_EVENTUALLY,
};

struct spec_check {
    enum spec_check_word word;
    const char *name; /* "raft.election-safety", "no-lost-acked-write", "linearizable", probe name,
                         "recovers" */
    /* EVENTUALLY: goodput >= ratio of its mean before the first fault, within `within_ns` after
     * the last fault ended. */
    int64_t ratio_millionths;
    int64_t within_ns;
    int64_t hold_ns; /* it must last so long; 0: an availability window */
    struct spec_place place;
};

/* A violation that is a known defect of the shipped code under test: counted apart, does not fail
 * the run. */
struct spec_known {
    const char *check;   /* the oracle that sees it */
    const char *library; /* applies only when the model's version contains this text */
    const char *reason;
};

enum spec_expect {
    SPEC_EXPECT_PASS,
    SPEC_EXPECT_VIOLATED, /* at least one seed must violate the named check, and no other check may
                             be violated */
};

/* What a threshold on a model's gauge or counter looks at. */
struct spec_gauge {
    const char *name;
    const char *node; /* NULL: all nodes that show it */
    int64_t from_ns;
    int64_t until_ns; /* INT64_MAX: the end of the run */
};

/* What a threshold on an estimate of the fleet looks at. */
struct spec_estimate_tags {
    const char *service; /* NULL: it is no such threshold */
    const char *cell;    /* only cells whose label has this text; NULL: any */
    const char *method;  /* only cells that were estimated so; NULL: any */
    uint32_t machines;   /* only cells with so many; 0: any */
    bool is_ratio;       /* not the value, but its ratio to that of the exact model */
};

/* Verdicts of the four arms that an expectation can be about; what is undecided never is. */
enum spec_verdict {
    SPEC_VERDICT_STABLE,
    SPEC_VERDICT_METASTABLE,
    SPEC_VERDICT_UNSTABLE,
    SPEC_VERDICT_PERMANENT,
    SPEC_VERDICT_COUNT
};

/* Cells that are to have one of these verdicts: those whose label contains one of the texts; for
 * the text "all", those that no other text of any verdict is about. */
struct spec_verdict_cells {
    const char **texts;
    uint32_t count;
    struct spec_place place;
};

struct spec_threshold {
    const char *metric;      /* "latency", "availability", "goodput", "gauge", "counter", ... */
    const char *text;        /* as written: "gauge{name:bolt.bytes-per-commit,from:30s}" */
    struct spec_gauge gauge; /* of gauge and counter */
    int64_t window_ns;       /* of mcr; else 0 */
    struct spec_estimate_tags estimate; /* of unavailability and downtime */
    const char *expression;             /* "p(99) < 250ms" as written */
    struct spec_place place;
    const char *cell;  /* "rate=9/s", of the tag {cell:rate=9/s}: only of cells whose label contains
                          it; NULL: of all */
    bool is_elsewhere; /* not of this cell; set by the plan */
    /* "rate=5/s", of the tag {than:rate=5/s}, which needs `cell`: not the value of this cell, but
     * what it has more than another one, whose label contains the text and which differs on the
     * fewest axes; NULL: no difference. */
    const char *than;
    uint32_t than_cell; /* that cell's number in the plan, which sets it; meaningless elsewhere */
};

/* The question of the four arms (analysis/metastability.h): does a run that its trigger has pushed
 * over come back by itself? */
enum spec_probe {
    SPEC_PROBE_RETRIES_OFF, /* clients send every operation once */
    SPEC_PROBE_SHED,        /* loads start only a share of their operations */
    SPEC_PROBE_RESTART,     /* every node is killed and started again, once */
    SPEC_PROBE_NONE,        /* nothing: there is no probe arm, and what is stuck is undecided */
};

struct spec_metastability {
    bool is_asked; /* the scenario has the block; the rest is meaningless otherwise */
    enum spec_probe probe;
    uint64_t shed_to;         /* SHED: share of operations that are still started, out of 2^32 */
    int64_t probe_ns;         /* how long the probe lasts */
    int64_t ratio_millionths; /* recovered: so much of what is asked is answered in time ... */
    uint64_t timeouts_max; /* ... and at most this share of attempts times out, out of 2^32 ... */
    int64_t hold_ns;       /* ... for so long */
    int64_t within_ns;     /* what is back so soon after the trigger is not run any longer */
    struct spec_place within_place; /* line 0: it is the usual one */
    int64_t left_ns; /* of the run after the trigger, by its times; chance may take more */
    bool has_gate;   /* a sequential test over the seeds decides on the cells that must be
                        stable: P(stuck) <= gate_accept against >= gate_reject, shares out of
                        2^32, either decision wrong with a chance of gate_error */
    uint64_t gate_accept;
    uint64_t gate_reject;
    uint64_t gate_error;
    struct spec_place place;
};

/* Relief of an overloaded system from outside, in [from_ns, until_ns); none where until_ns is 0.
 * Scenarios cannot ask for it: it is how a probe arm is derived. */
struct spec_relief {
    int64_t from_ns;
    int64_t until_ns;
    bool is_retries_off; /* loads send nothing again; what backs off ends as it stands */
    bool is_shed;        /* loads start only shed_to of their operations */
    uint64_t shed_to;    /* out of 2^32 */
};

/* The fleet: machines that fail and are repaired, whatever runs on them. It decides when machines
 * are there; which service is up then is a question of its own. */
enum spec_estimator {
    SPEC_ESTIMATOR_AUTO, /* exact when it can be, else is, else restart */
    SPEC_ESTIMATOR_EXACT,
    SPEC_ESTIMATOR_CRUDE,
    SPEC_ESTIMATOR_IS, /* importance sampling: balanced failure biasing on the jump chain */
    SPEC_ESTIMATOR_RESTART,
    SPEC_ESTIMATOR_DECOMPOSE, /* with the real code, in episodes around each transition */
};

/* Up while at least `needed` machines are available, and, with a fail-over time, a leader is known.
 */
struct spec_service {
    const char *name;
    uint32_t needed;     /* 1 .. machines */
    int64_t failover_ns; /* mean time until the next leader is known, exponential; 0: no leader */
    struct spec_place place;
};

/* Episodes of the real code around the transitions of the fleet, and the long run that checks
 * what is made of them. The machines are the nodes of the first group. */
struct spec_episodes {
    int64_t settle_ns;   /* from the losses that come before to the earliest transition */
    int64_t phase_ns;    /* the transition comes uniformly within so long after that; 0: at once */
    int64_t window_ns;   /* it is watched for so long */
    uint32_t pilot;      /* episodes of each class that decide how many it gets; >= 2 */
    uint32_t count;      /* episodes of a seed, over all classes; each class gets at least two */
    int64_t validate_ns; /* length of the run with accelerated faults; 0: none */
    int64_t validate_life_ns;         /* mean life of a machine in it, ... */
    int64_t validate_repair_ns;       /* ... and mean repair; all laws are scaled alike */
    struct spec_place place;          /* of `episodes`; line 0: not given */
    struct spec_place validate_place; /* of `validate`, the same */
};

/* Where the replicas of data are, and how many nodes are lost at once (analysis/copysets.h): asked
 * for instead of machines that fail and are repaired. */
enum spec_placement_policy {
    SPEC_PLACEMENT_RANDOM,   /* the replicas of a chunk are anywhere */
    SPEC_PLACEMENT_WINDOW,   /* the others are among the next `scatter` nodes of a ring */
    SPEC_PLACEMENT_COPYSETS, /* random permutations, cut into sets of replicas */
};
struct spec_placement {
    bool is_asked;
    enum spec_placement_policy policy;
    uint32_t nodes;
    uint32_t lost; /* replicas .. nodes */
    uint32_t replicas;
    uint32_t scatter;
    uint32_t chunks; /* RANDOM: replicas that a node has */
    uint32_t trials; /* of a seed */
};

/* Groups of one kind: racks, zones, power feeds. Machine i is in group i modulo count. */
#define SPEC_GROUP_KINDS 4
struct spec_fleet_groups {
    const char *name; /* "rack" */
    uint32_t count;
    struct dist life; /* a group that is down takes its machines away, as they are; mean 0: groups
                         never fail by themselves */
    struct dist repair;
    uint64_t shock_share; /* as that of the fleet, of a machine's failures; they come to machines of
                             one group, which itself stays up */
};

struct spec_fleet {
    bool is_asked; /* the scenario says how machines fail; the rest is meaningless otherwise */
    struct spec_placement placement; /* is_asked: machines are its nodes, there is one service, and
                                        of the rest only estimator and precision mean something */
    uint32_t machines;               /* 1 .. 64; machine i is node i of the first group */
    struct dist life;                /* of a machine, from the end of its repair */
    struct dist repair;
    uint32_t crews;       /* that repair, groups first; 0: one for each machine and group */
    uint64_t shock_share; /* of the failures of a machine, those that come to all machines that
                             are up at once (Marshall-Olkin; beta factor), out of 2^32 */
    uint64_t correlation; /* rho of a beta-binomial number of machines that are down, out of
                             2^32: a still picture without dynamics */
    struct spec_fleet_groups groups[SPEC_GROUP_KINDS + 1]; /* those of count 0 end the list */
    int64_t maintenance_every_ns; /* every machine in turn is taken away for maintenance_ns, and no
                                     two at once; 0: never */
    int64_t maintenance_ns;
    struct spec_service *services;
    uint32_t service_count; /* >= 1 */
    enum spec_estimator estimator;
    int64_t half_width_millionths; /* of the interval, relative to the estimate */
    int64_t confidence_millionths;
    bool is_sequential; /* stop asking for seeds when all services are as precise as that */
    struct spec_place precision_place; /* line 0: not given */
    uint32_t runs_min;                 /* but not before so many */
    struct spec_episodes episodes;     /* of the estimator decompose */
    struct spec_place place;           /* of the estimator; of `life` when none is asked for */
};

/* What watches the system beside its clients: a load of its own (heartbeats, health checks), whose
 * operations are then not measured, or what a model says of its own checks. */
struct spec_detector {
    bool is_asked;
    uint32_t load;     /* UINT32_MAX: a gauge */
    uint32_t failures; /* operations of the load in a row that make it say "down" */
    const char *gauge; /* says "down" while its latest value is below gauge_min */
    uint64_t gauge_min;
};

struct spec_availability {
    int64_t window_ns;
    uint64_t success_min; /* share of operations that succeed, out of 2^32 */
    int64_t p99_max_ns;   /* INT64_MAX = not asked */
    int64_t idle_ns;      /* a user who asks nothing for so long is not there; 0: the 99th
                             percentile of the pauses of the run */
    struct spec_detector detector;
};

struct run_spec {
    const char *name;
    const char *description;
    const char *file;      /* path of the scenario, for the replay line */
    const char *canonical; /* normalised YAML of this cell */
    int64_t warmup_ns;
    int64_t limit_ns;
    int64_t cpu_limit_ns; /* real processor time of a run; exceeding it is "unknown" */
    uint64_t event_limit;
    int64_t window_ns; /* bin of the time series */

    struct spec_group *groups;
    uint32_t group_count;
    uint32_t node_count; /* of all groups; at most 64 */
    struct spec_zone *zones;
    uint32_t zone_count;
    struct spec_link link_default;
    struct spec_link link_clients;     /* between loads and nodes */
    struct spec_link_rule *link_rules; /* the last one that matches wins */
    uint32_t link_rule_count;
    struct spec_disk disk;
    struct spec_load *loads;
    uint32_t load_count;
    struct spec_fault *faults;
    uint32_t fault_count;
    bool is_swarm;
    struct spec_check *checks;
    uint32_t check_count;
    struct spec_known *known;
    uint32_t known_count;
    enum spec_expect expect;
    const char *
        *expect_checks; /* EXPECT_VIOLATED: names, any of which must be violated somewhere */
    uint32_t expect_check_count;
    const char **expect_cells; /* texts; EXPECT_VIOLATED is about cells whose label contains one;
                                  none: all */
    uint32_t expect_cell_count;
    const char *expect_library; /* the expectation holds for this library version only (else the
                                   scenario is skipped) */
    struct spec_verdict_cells expect_verdicts[SPEC_VERDICT_COUNT];
    uint64_t expect_share;      /* of the seeds of a cell, at least, out of 2^32 */
    uint32_t verdicts_expected; /* of this cell, bits (1 << enum spec_verdict), set by the plan; 0:
                                   no expectation is about it, so only `stable` passes */
    struct spec_threshold *thresholds;
    uint32_t threshold_count;
    struct spec_availability availability;
    struct spec_fleet fleet;
    struct spec_metastability metastability;
    struct spec_relief relief;
    /* The machines of the first group fail and come back as this fleet does, from the end of the
     * warm-up on; NULL: they do not. Scenarios cannot ask for it: it is how the run that checks a
     * decomposition is derived. */
    const struct spec_fleet *injected;
};

/* What the roof knows and the input layer asks about: models, names of checks, thresholds. */
struct catalog {
    void *context;
    /* Finds a built-in model by name or loads a plug-in by path (relative to the scenario's folder
     * `base`). NULL: err is set. */
    const struct sq_model *(*find_model)(void *context, const char *name, const char *base,
                                         struct err *err);
    const char *const *model_names; /* NULL-terminated, for did-you-mean and `list` */
    const char *const *check_names; /* always-checks, NULL-terminated */
    /* Is there this metric, is `expression` a threshold for it, and can it be of a difference where
     * that is asked for? False: err is set. Needed by scenarios with thresholds only. */
    bool (*check_threshold)(const struct spec_threshold *asked, struct err *err);
};

#endif
