/* SPDX-License-Identifier: MIT
 *
 * squall_check.h: what a checker sees of a run, as it happens: client operations, faults, the life
 * of nodes, and what nodes tell about themselves (struct sq_seen). The engine calls an observer;
 * checkers, metrics and writers are observers. Everything arrives in the order of events, on one
 * thread; pointers are good during the call only. */
#ifndef SQUALL_CHECK_H
#define SQUALL_CHECK_H

#include "squall.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sq_outcome {
    SQ_OUTCOME_OPEN, /* invoked, not completed */
    SQ_OUTCOME_OK,
    SQ_OUTCOME_FAIL, /* definitely did not happen */
    SQ_OUTCOME_INFO, /* may have happened, may still happen, or never */
};

/* One client operation. The engine keeps all of a run; operation ids are dense, from 0, in order
 * of invocation. */
struct sq_operation {
    uint64_t id;
    uint32_t load;     /* index of the load in the scenario */
    uint32_t process;  /* client identity; never used again after INFO */
    uint32_t kind;     /* enum sq_kv_kind */
    uint32_t attempts; /* sends so far */
    uint64_t key;
    uint64_t argument; /* UPDATE: value written */
    uint64_t result;   /* READ that is OK: value seen, 0 = none */
    sq_time intended;  /* when the load wanted to start it (latency counts from here) */
    sq_time invoked;   /* when its first attempt left */
    sq_time completed; /* INT64_MAX while OPEN; for INFO when the client gave up */
    enum sq_outcome outcome;
    enum sq_status status;
    uint64_t invoke_order; /* position among all invocations and completions of the run: breaks ties
                              of time */
    uint64_t complete_order; /* UINT64_MAX while OPEN */
    sq_node replied_by;      /* node whose answer completed it, or SQ_NODE_NONE */
    /* Who asks, from 0: the virtual user of a closed load; the operations of an open one are dealt
     * out to `client.count` users in turn. Unlike the process, a user goes on after INFO. */
    uint32_t user;
};

/* What a node said through env->trace->see. */
struct sq_seen {
    sq_time time;
    uint64_t event; /* number of the event being dispatched */
    sq_node node;
    uint32_t incarnation;
    enum sq_see what;
    uint64_t a, b, c;
    const char *text; /* or NULL */
};

enum sq_life {
    SQ_LIFE_BOOT,  /* a new incarnation begins */
    SQ_LIFE_READY, /* boot returned SQ_OK */
    SQ_LIFE_PAUSE,
    SQ_LIFE_RESUME,
    SQ_LIFE_CRASH, /* process gone, page cache kept */
    SQ_LIFE_POWER, /* host gone, unsynced data lost */
    SQ_LIFE_WIPE,  /* disk emptied */
    SQ_LIFE_EXIT,  /* boot failed or the model gave up */
};

struct sq_life_event {
    sq_time time;
    uint64_t event;
    sq_node node;
    uint32_t incarnation;
    enum sq_life what;
};

/* A fault as it really happened. Called at its start (end == INT64_MAX) and again at its end. */
struct sq_fault_event {
    uint32_t id;    /* the same at start and end, dense from 0 in order of start */
    uint32_t fault; /* index in the scenario */
    const char *name;
    const char *kind;   /* "NodeChaos" */
    const char *action; /* "kill" */
    const char *target; /* "n3" or "n1,n2 | n3" */
    sq_time start;
    sq_time end;
};

/* Node as checkers know it. */
struct sq_node_info {
    const char *name;
    uint32_t group;
    sq_node group_first;
    uint32_t group_size;
};

struct sq_observer {
    void *context;
    /* Any of these may be NULL. */
    void (*on_invoke)(void *context, const struct sq_operation *operation);
    void (*on_attempt)(void *context, const struct sq_operation *operation, sq_time now);
    void (*on_complete)(void *context, const struct sq_operation *operation);
    void (*on_seen)(void *context, const struct sq_seen *seen);
    void (*on_life)(void *context, const struct sq_life_event *life);
    void (*on_fault)(void *context, const struct sq_fault_event *fault);
    void (*on_always)(void *context, sq_node node, sq_time time, uint64_t event, const char *name,
                      const char *text); /* called only when it does not hold */
    void (*on_sometimes)(void *context, sq_node node, sq_time time, const char *name);
    /* An attempt of an operation of this load was not answered within its time-out, or within the
     * operation's deadline when that came first. */
    void (*on_timeout)(void *context, uint32_t load, sq_time now);
    /* A good answer (SQ_OK) came for an operation of this load that nobody waits for any more: the
     * work behind it was useless. */
    void (*on_unwanted)(void *context, uint32_t load, sq_time now);
};

#ifdef __cplusplus
}
#endif

#endif
