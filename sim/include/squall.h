/* SPDX-License-Identifier: MIT
 *
 * squall.h: all that a node under simulation sees.
 *
 * A model is a table of functions (struct sq_model) that squall calls, and a node is one running
 * instance of it. A node is a single-threaded process on a host: squall calls boot once for every
 * incarnation, then deliver, request and timer, one at a time. Every such call runs on the node's
 * main fiber, so it may block in virtual time: sleep, disk and cpu calls return when the simulated
 * thing is done. While it blocks, other nodes go on, and calls for this node wait in its inbox, in
 * order. A node may spawn further fibers for work in the background; fibers of one node never run
 * at the same time, they only interleave where one blocks.
 *
 * A crash abandons all fibers of the node in mid-call and drops all that it allocated through
 * env->mem; what it had synced to its disk stays. No code of the node runs at a crash.
 *
 * Rules that keep a run replayable: no globals that outlive a call (they would survive a crash and
 * leak between worlds), no threads, no real clock, entropy or environment. Everything comes from
 * env. */
#ifndef SQUALL_H
#define SQUALL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised with whatever is added below: a plug-in runs in the squall that it was built with the
 * header of and in later ones, and an older one, which lacks what the plug-in may use, refuses it.
 *     3: sq_call_ops.reply_with, sq_request.previous_attempts, SQ_SEE_STORED, _READ and _VISITED
 *     2: sq_model.signal, sq_call_ops.call_with and .group_size, SQ_SEE_GAUGE and _COUNTER */
#define SQ_ABI_VERSION 3

typedef int64_t sq_time;  /* ns of virtual time */
typedef uint32_t sq_node; /* index of a node in the whole system, from 0 */
#define SQ_NODE_NONE UINT32_MAX

/* What can go wrong in the simulated world, with Maelstrom's number, its name, and whether the
 * error is definite (the operation certainly did not and will not happen). */
#define SQ_STATUS_MAP(X)                                                                           \
    X(SQ_OK, -1, "ok", true)                                                                       \
    X(SQ_E_TIMEOUT, 0, "timeout", false)                                                           \
    X(SQ_E_NODE_NOT_FOUND, 1, "node-not-found", true)                                              \
    X(SQ_E_NOT_SUPPORTED, 10, "not-supported", true)                                               \
    X(SQ_E_UNAVAILABLE, 11, "temporarily-unavailable", true)                                       \
    X(SQ_E_MALFORMED, 12, "malformed-request", true)                                               \
    X(SQ_E_CRASH, 13, "crash", false)                                                              \
    X(SQ_E_ABORT, 14, "abort", true)                                                               \
    X(SQ_E_KEY_NOT_FOUND, 20, "key-does-not-exist", true)                                          \
    X(SQ_E_KEY_EXISTS, 21, "key-already-exists", true)                                             \
    X(SQ_E_PRECONDITION, 22, "precondition-failed", true)                                          \
    X(SQ_E_CONFLICT, 30, "txn-conflict", true)                                                     \
    X(SQ_E_NOT_LEADER, 31, "not-leader", true)                                                     \
    X(SQ_E_OVERLOADED, 32, "overloaded", true)                                                     \
    X(SQ_E_REFUSED, 33, "connection-refused", true)                                                \
    X(SQ_E_IO, 40, "EIO", false)                                                                   \
    X(SQ_E_NOSPC, 41, "ENOSPC", true)                                                              \
    X(SQ_E_NOENT, 42, "ENOENT", true)                                                              \
    X(SQ_E_EXIST, 43, "EEXIST", true)                                                              \
    X(SQ_E_INVALID, 44, "EINVAL", true)

enum sq_status {
#define SQ_STATUS_ENUM(code, number, name, definite) code,
    SQ_STATUS_MAP(SQ_STATUS_ENUM)
#undef SQ_STATUS_ENUM
        SQ_STATUS_COUNT
};

struct sq_env;

struct sq_buffer {
    const void *data;
    size_t size;
};

/* ----------------------------------------------------------------------------------------- time */

typedef uint64_t sq_timer; /* 0 is never a timer */

struct sq_clock_ops {
    /* This node's monotonic clock: starts near zero at boot of the host, runs with the node's
     * drift. ns. */
    sq_time (*monotonic)(struct sq_env *env);
    /* This node's idea of the time of day: ns since 1970, with its offset and drift. */
    sq_time (*realtime)(struct sq_env *env);
    /* model->timer(env, state, tag) after `delay` ns (>= 0) of this node's clock; goes through the
     * inbox. */
    sq_timer (*start)(struct sq_env *env, sq_time delay, uint64_t tag);
    /* Moves a running timer to `delay` from now; false when it has already fired. */
    bool (*rearm)(struct sq_env *env, sq_timer timer, sq_time delay);
    /* False when it has already fired. A timer that waits in the inbox of a busy node counts as
     * fired. */
    bool (*cancel)(struct sq_env *env, sq_timer timer);
    /* Blocks the calling fiber. */
    void (*sleep)(struct sq_env *env, sq_time delay);
};

/* -------------------------------------------------------------------------------------- network */

struct sq_net_ops {
    /* Sends one message, the concatenation of `count` buffers, to another node (or to itself). The
     * bytes are copied before it returns. Never blocks, never fails: what becomes of a message is
     * the network's affair. */
    void (*send)(struct sq_env *env, sq_node to, const struct sq_buffer *buffers, uint32_t count);
};

/* ----------------------------------------------------------------------------------------- disk */

typedef uint32_t sq_file; /* 0 is never a file */

enum sq_open_flags {
    SQ_OPEN_CREATE = 1,    /* create when absent */
    SQ_OPEN_EXCLUSIVE = 2, /* with CREATE: SQ_E_EXIST when present */
    SQ_OPEN_TRUNCATE = 4,
};

/* The host's local file system: flat names (any bytes but NUL, up to 255; '/' has no meaning).
 * Every call blocks the calling fiber for as long as the disk takes. Results are statuses: SQ_OK,
 * SQ_E_IO, SQ_E_NOSPC, SQ_E_NOENT, ... What was written is visible at once to this node (page
 * cache); it survives a power loss only once synced. */
struct sq_disk_ops {
    enum sq_status (*open)(struct sq_env *env, const char *name, uint32_t flags, sq_file *file);
    void (*close)(struct sq_env *env, sq_file file);
    /* Reads up to `size` bytes; *got says how many (short only at the end of the file). */
    enum sq_status (*read)(struct sq_env *env, sq_file file, void *data, size_t size,
                           uint64_t offset, size_t *got);
    /* Writes all or fails; extends the file, a gap reads as zeros. */
    enum sq_status (*write)(struct sq_env *env, sq_file file, const void *data, size_t size,
                            uint64_t offset);
    /* Makes this file's content and size durable (fdatasync). A newly created file's NAME is
     * durable only after sync_dir, unless the scenario says directory: ordered. */
    enum sq_status (*sync)(struct sq_env *env, sq_file file);
    enum sq_status (*truncate)(struct sq_env *env, sq_file file, uint64_t size);
    enum sq_status (*size)(struct sq_env *env, sq_file file, uint64_t *size);
    enum sq_status (*remove)(struct sq_env *env, const char *name);
    /* Atomic replacement, as rename(2). */
    enum sq_status (*rename)(struct sq_env *env, const char *from, const char *to);
    bool (*exists)(struct sq_env *env, const char *name);
    /* Makes creations, removals and renames durable. */
    enum sq_status (*sync_dir)(struct sq_env *env);
    /* The index-th name in order of creation of the directory entry; NULL past the end. Good until
     * the next change. */
    const char *(*list)(struct sq_env *env, uint32_t index);
};

/* ------------------------------------------------------------------------------------ processor */

struct sq_cpu_ops {
    /* Uses `ns` of processor time: blocks the calling fiber until a core of the host has done that
     * much work. */
    void (*work)(struct sq_env *env, sq_time ns);
    /* Uses what the scenario states for `operations` operations on `bytes` bytes (cpu:
     * perOperation, perByte). */
    void (*charge)(struct sq_env *env, uint32_t operations, size_t bytes);
    /* Lets `ns` of the node's own work pass that needs no core: it never waits for one and leaves
     * them to others. Like work it takes longer while a fault cuts the capacity of the host, and
     * stands still while the node is paused; unlike clock->sleep, which only waits. */
    void (*pass)(struct sq_env *env, sq_time ns);
};

/* --------------------------------------------------------------------------------------- fibers */

typedef uint64_t sq_fiber; /* 0 is never a fiber */

struct sq_fiber_ops {
    /* Starts entry(env, argument) on a fiber of its own, once the caller blocks or returns. */
    sq_fiber (*spawn)(struct sq_env *env, void (*entry)(struct sq_env *env, void *argument),
                      void *argument);
    /* The running fiber. */
    sq_fiber (*self)(struct sq_env *env);
    /* Blocks until someone unparks this fiber. An unpark that came before makes the next park
     * return at once. */
    void (*park)(struct sq_env *env);
    void (*unpark)(struct sq_env *env, sq_fiber fiber);
    /* Calls run(env, argument) on the main fiber, in turn with deliver, request and timer (costs
     * no processor). */
    void (*post)(struct sq_env *env, void (*run)(struct sq_env *env, void *argument),
                 void *argument);
};

/* ------------------------------------------------------------------------------- chance, memory */

struct sq_rand_ops {
    /* The node's own stream; a new one for each incarnation. */
    uint64_t (*u64)(struct sq_env *env);
    uint64_t (*below)(struct sq_env *env, uint64_t bound); /* uniform in [0, bound) */
    void (*fill)(struct sq_env *env, void *data, size_t size);
};

struct sq_mem_ops {
    /* Aligned to 16, never NULL (running out of a node's memory ends the program). Not zeroed. */
    void *(*alloc)(struct sq_env *env, size_t size);
    void *(*realloc)(struct sq_env *env, void *pointer, size_t size); /* NULL pointer: alloc */
    void (*free)(struct sq_env *env, void *pointer);                  /* NULL: nothing */
    size_t (*size)(struct sq_env *env, const void *pointer);          /* usable bytes */
};

/* ---------------------------------------------------------------------------------------- calls */

/* Names a request that waits for its answer; a plain value, may be kept and copied, dead after a
 * crash. */
struct sq_reply_to {
    uint64_t call;
    uint32_t caller;
    uint32_t attempt; /* which request of the call this is, from 1; redirects and transparent
                         retries are requests too (cf. sq_request.previous_attempts) */
};

/* A request from a client or from a node of another group. */
struct sq_request {
    struct sq_reply_to reply_to;
    const void *data; /* good during the call only */
    size_t size;
    /* When the caller stops waiting for this attempt, on this node's monotonic clock (as if the
     * request carried what was left of its time-out and the link took no time); INT64_MAX: never.
     */
    sq_time deadline;
    /* Attempts of this call that its caller made before this one, be they answered or not: gRPC's
     * grpc-previous-rpc-attempts (A6, "Exposed Retry Metadata"). The first has 0; a redirect and a
     * transparent retry are the attempt that they stand for. */
    uint32_t previous_attempts;
};

struct sq_call_options {
    const char *group; /* as in the scenario; SQ_E_NODE_NOT_FOUND comes back for an unknown one */
    const void *data;  /* copied before the call returns */
    size_t size;
    /* Runs on the main fiber, exactly once unless this node crashes. */
    void (*on_reply)(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                     size_t size);
    void *argument;
    bool has_deadline;
    sq_time deadline; /* with has_deadline: as of call_before */
    /* All attempts go to this node of the group, counted from 0, whatever the policy's routing
     * says: how a load balancer or a scattered query calls. Without has_index the policy decides.
     */
    bool has_index;
    uint32_t index;
};

struct sq_reply_options {
    struct sq_reply_to to;
    enum sq_status status;
    bool has_leader;
    sq_node leader; /* with has_leader: a hint for SQ_E_NOT_LEADER */
    const void *data;
    size_t size;
    /* Pushback: the caller should try again after `retry_after` ns, not earlier; negative: never.
     * What a caller makes of it its policy says (retry.pushback), and most ignore it; next to SQ_OK
     * it means nothing. It is a word about this answer by the server that gives it: what a server
     * hears from those that it calls is used up by its own policy, on_reply does not see it, and a
     * server that wants it passed on says so itself. */
    bool has_retry_after;
    sq_time retry_after;
};

struct sq_call_ops {
    /* Answers a request, once. `leader` is a hint for SQ_E_NOT_LEADER (or SQ_NODE_NONE). A second
     * answer, or one to a caller that gave up, is ignored there. */
    void (*reply)(struct sq_env *env, struct sq_reply_to to, enum sq_status status, sq_node leader,
                  const void *data, size_t size);
    /* Calls a node of another group, with that group's client policy (time-outs, retries, routing)
     * from the scenario; on_reply runs on the main fiber, exactly once unless this node crashes.
     * `group` as in the scenario; SQ_E_NODE_NOT_FOUND comes back for an unknown one. */
    void (*call)(struct sq_env *env, const char *group, const void *data, size_t size,
                 void (*on_reply)(struct sq_env *env, void *argument, enum sq_status status,
                                  const void *data, size_t size),
                 void *argument);
    /* As call, but it also ends (SQ_E_TIMEOUT) at `deadline` of this node's monotonic clock,
     * whatever time the policy leaves: how a server hands on the deadline of a request. INT64_MAX:
     * none. */
    void (*call_before)(struct sq_env *env, const char *group, const void *data, size_t size,
                        void (*on_reply)(struct sq_env *env, void *argument, enum sq_status status,
                                         const void *data, size_t size),
                        void *argument, sq_time deadline);
    /* The general form of call. An index outside of the group gives SQ_E_NODE_NOT_FOUND. */
    void (*call_with)(struct sq_env *env, const struct sq_call_options *options);
    /* Nodes of a group; 0 when this node's group has no client policy for it. */
    uint32_t (*group_size)(struct sq_env *env, const char *group);
    /* The general form of reply. */
    void (*reply_with)(struct sq_env *env, const struct sq_reply_options *options);
};

/* ----------------------------------------------------------------------------------- being seen */

enum sq_role {
    SQ_ROLE_NONE,
    SQ_ROLE_FOLLOWER,
    SQ_ROLE_CANDIDATE,
    SQ_ROLE_LEADER,
};

/* What a node can tell the checkers about its inner state. Words a..d as listed. */
#define SQ_SEE_MAP(X)                                                                              \
    X(SQ_SEE_LEADER, "leader")     /* a: term in which this node became leader */                  \
    X(SQ_SEE_VOTE, "vote")         /* a: term, b: voted-for node + 1 */                            \
    X(SQ_SEE_APPEND, "append")     /* a: index, b: term, c: hash of the entry; in memory */        \
    X(SQ_SEE_TRUNCATE, "truncate") /* a: first index removed from memory's log */                  \
    X(SQ_SEE_DURABLE, "durable") /* a: index, b: term, c: hash; the entry is on stable storage */  \
    X(SQ_SEE_CUT, "cut")         /* a: first index removed from the durable log */                 \
    X(SQ_SEE_COMMIT, "commit")   /* a: commit index; b: term of the node, c: 1 if leader */        \
    X(SQ_SEE_APPLY, "apply")     /* a: position, b: hash of the command */                         \
    X(SQ_SEE_STATE, "state")     /* a: position, b: digest of the content after it */              \
    X(SQ_SEE_SNAPSHOT,                                                                             \
      "snapshot") /* a: last index, b: its term; durable, stands for the log up to it */           \
    X(SQ_SEE_LOADED,                                                                               \
      "loaded") /* a: first index, b: last index found on disk at boot, c: snapshot index */       \
    X(SQ_SEE_INTEGRITY, "integrity") /* a: 1 = sound, 0 = corrupt; text says what */               \
    X(SQ_SEE_RECOVERED, "recovered") /* a: position recovered to at boot */                        \
    X(SQ_SEE_CONFIG, "config")       /* a: number of voters, b: bitmask of voters in the group */  \
    X(SQ_SEE_STRAY, "stray")         /* a: destination id; a message to nobody that exists */      \
    X(SQ_SEE_GAUGE, "gauge")     /* text: name, a: value from now on (a queue, a heap, bytes) */   \
    X(SQ_SEE_COUNTER, "counter") /* text: name, a: how many more of it (bytes written, hits) */    \
    X(SQ_SEE_STORED, "stored")   /* a: key, b: value of a write that reached this replica; c: 1 */ \
    /* if it has it from now on, 0 if it has a later one already */                                \
    X(SQ_SEE_READ, "read") /* a: id of a read, b: key; c: 0 = it begins, else the members of */    \
    /* the group, as bits, whose answers made the result */                                        \
    X(SQ_SEE_VISITED, "visited") /* a: id of a read, b: key; it looks at this replica now */

enum sq_see {
#define SQ_SEE_ENUM(code, name) code,
    SQ_SEE_MAP(SQ_SEE_ENUM)
#undef SQ_SEE_ENUM
        SQ_SEE_COUNT
};

struct sq_trace_ops {
    /* Feeds the white-box checkers. `text` may be NULL; it is copied. Costs a few ns. */
    void (*see)(struct sq_env *env, enum sq_see what, uint64_t a, uint64_t b, uint64_t c,
                const char *text);
    /* Lets selectors such as `role: leader` find this node. Reset at a crash. */
    void (*role)(struct sq_env *env, enum sq_role role);
    /* An invariant of the model itself. When `holds` is false the run fails under this name. */
    void (*always)(struct sq_env *env, bool holds, const char *name, const char *text);
    /* A branch that some seed of a campaign must reach (Antithesis: sometimes). */
    void (*sometimes)(struct sq_env *env, const char *name);
    /* One line in the text trace; formatted only when somebody reads it. */
    void (*log)(struct sq_env *env, const char *format, ...) __attribute__((format(printf, 2, 3)));
};

/* ------------------------------------------------------------------------------------- the node */

/* Value of an option after the scenario was read: number (durations in ns, sizes in bytes,
 * booleans 0/1, percentages out of 2^32, choices by their index) or text. */
struct sq_value {
    int64_t number;
    const char *text;
};

struct sq_env {
    uint32_t abi_version;
    sq_node self;
    sq_node
        group_first; /* nodes of the own group are group_first .. group_first + group_size - 1 */
    uint32_t group_size;
    uint32_t incarnation;           /* 1 at the first boot */
    const char *name;               /* "n1"; "store-1" where there are several groups */
    const struct sq_value *options; /* in the order of model->options */
    const struct sq_clock_ops *clock;
    const struct sq_net_ops *net;
    const struct sq_disk_ops *disk;
    const struct sq_cpu_ops *cpu;
    const struct sq_fiber_ops *fiber;
    const struct sq_rand_ops *rand;
    const struct sq_mem_ops *mem;
    const struct sq_call_ops *call;
    const struct sq_trace_ops *trace;
    void *state; /* what boot stored; NULL before */
};

enum sq_option_type {
    SQ_OPTION_DURATION, /* "100ms" */
    SQ_OPTION_COUNT,    /* "1024" */
    SQ_OPTION_SIZE,     /* "4KiB" */
    SQ_OPTION_PERCENT,  /* "1%" */
    SQ_OPTION_BOOLEAN,  /* true | false */
    SQ_OPTION_CHOICE,   /* one of choices, separated by '|' */
    SQ_OPTION_TEXT,
};

struct sq_option {
    const char *name; /* lowerCamelCase */
    enum sq_option_type type;
    const char *initial; /* default, as the scenario would write it */
    const char *choices; /* "async|one|all" for CHOICE, else NULL */
    const char *description;
};

struct sq_model {
    uint32_t abi_version; /* SQ_ABI_VERSION */
    uint32_t size;        /* sizeof(struct sq_model) */
    const char *name;
    const char *version; /* of the code under test, e.g. "libraft 0.15.0, sqlite 3.40.1" */
    const char *description;
    const struct sq_option *options;
    uint32_t option_count;
    /* Called once a process before any world exists (library configuration). May be NULL. */
    void (*prepare)(void);
    /* Starts an incarnation: recover from env->disk, set env->state. Anything but SQ_OK is a crash
     * of this node. */
    enum sq_status (*boot)(struct sq_env *env);
    /* A message from another node (or itself). `data` is good during the call only, even across
     * blocking. May be NULL. */
    void (*deliver)(struct sq_env *env, sq_node from, const void *data, size_t size);
    /* A request; answer now or later with env->call->reply. NULL: every request gets
     * SQ_E_NOT_SUPPORTED. */
    void (*request)(struct sq_env *env, const struct sq_request *request);
    /* A timer. NULL when the model starts none. */
    void (*timer)(struct sq_env *env, uint64_t tag);
    /* A signal that the scenario sends (AppChaos): "flush" the cache, "compact" the log, "set" a
     * switch; what a name and its value mean is the model's affair. NULL: it has none. */
    void (*signal)(struct sq_env *env, const char *name, int64_t value);
};

/* The node whose code is running now, NULL outside of any: for libraries whose call-backs carry no
 * context. */
__attribute__((visibility("default"))) struct sq_env *sq_env_current(void);

/* What a plug-in exports:  const struct sq_model *squall_plugin_v1(void); */
#define SQ_PLUGIN_SYMBOL "squall_plugin_v1"

/* ------------------------------------------------------------------------------------------------
 * key-value workload The built-in load generator speaks this to every store. Little-endian, fixed
 * layout, then `padding` bytes of value. */

enum sq_kv_kind {
    SQ_KV_READ = 1,
    SQ_KV_UPDATE = 2,
};

struct sq_kv_request {
    uint32_t kind;     /* enum sq_kv_kind */
    uint32_t padding;  /* bytes that follow and count as value */
    uint64_t key;      /* from 0 */
    uint64_t value;    /* UPDATE: unique in the run, never 0 */
    uint64_t session;  /* client identity, from 1 */
    uint64_t sequence; /* of the operation within its session, from 1; the same in every retry */
};

struct sq_kv_reply {
    uint64_t value; /* READ: 0 = no such key */
};

/* The wire form is the struct itself: all supported machines are little-endian and the layout has
 * no holes. */
static inline bool sq_kv_decode(const void *data, size_t size, struct sq_kv_request *request)
{
    if (size < sizeof(*request)) {
        return false;
    }
    memcpy(request, data, sizeof(*request));
    return size == sizeof(*request) + request->padding &&
           (request->kind == SQ_KV_READ || request->kind == SQ_KV_UPDATE);
}

#ifdef __cplusplus
}
#endif

#endif
