/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stub: how anyone calls a group of nodes: routing (leader, redirects), a time-out per attempt, an
 * overall deadline, retries with back-off, jitter and a budget, or hedging; a circuit breaker, a
 * limited rate, limits of what is under way. Loads use it, and nodes that call another group; the
 * policy is a struct spec_client. One stub serves all calls of one caller, so belief about the
 * leader, budget, breaker, rate and limits are shared.
 *
 * An operation that its client dropped, or did not permit, ends with 0 attempts, definite, and
 * SQ_E_OVERLOADED or SQ_E_UNAVAILABLE.
 *
 * Every random draw is from the stub's own streams (jitter; routing), so the policy of one caller
 * moves nothing elsewhere. */
#ifndef SQUALL_SIM_STUB_H
#define SQUALL_SIM_STUB_H

#include "sim/base/rng.h"
#include "sim/spec.h"

struct world;
struct packet;

/* How a call ended. */
struct stub_result {
    enum sq_status
        status;       /* SQ_OK, or of the last attempt; SQ_E_TIMEOUT when the deadline passed */
    bool is_definite; /* false when any attempt may have taken effect (indefinite error or lost
                         answer) and the status is not SQ_OK */
    uint32_t attempts;
    sq_node replied_by; /* or SQ_NODE_NONE */
    const void *data;   /* of the answer; good during the call-back only */
    size_t size;
};

struct stub_call_options {
    const void *data; /* copied */
    size_t size;
    int64_t intended_ns; /* the deadline counts from here */
    bool has_end;        /* end_ns means something: */
    int64_t end_ns;      /* the call ends then at the latest */
    bool has_index; /* all attempts go to this node of the group, and redirects are not followed: */
    uint32_t index;
    void (*on_attempt)(void *context, uint64_t word); /* may be NULL; called at each send */
    void (*on_done)(void *context, uint64_t word,
                    const struct stub_result *result); /* exactly once unless reset */
    void *context;
    uint64_t word;
};

struct stub;

/* `endpoint`: the caller's address on the network (a node, or node_count + load). `name` names the
 * random streams. */
struct stub *stub_new(struct world *world, uint32_t endpoint, uint32_t slot,
                      const struct spec_client *policy, const char *name, uint32_t incarnation);
/* Calls are made by this policy from now on; it must outlive the stub and call the same group. Of
 * a call under way the attempt that is out keeps its time-out, and the call its deadline; what
 * comes after that attempt (whether, when and where to it is sent again, how long it waits then) is
 * up to the new policy. Back-off starts anew; a budget keeps its tokens, as far as they fit, and
 * one that was not enabled before is full. */
void stub_set_policy(struct stub *stub, const struct spec_client *policy);
/* Calls in progress are forgotten. NULL is fine. The world's scheduler must still exist. */
void stub_free(struct stub *stub);
/* Starts a call; the first attempt leaves now. on_done never runs from inside it; on_done may
 * start the next call. */
void stub_call(struct stub *stub, const struct stub_call_options *options);
/* An answer arrived for this stub (packet->reply_to.call and .attempt name the attempt; late or
 * unknown ones are ignored). */
void stub_on_reply(struct stub *stub, const struct packet *packet);
/* Calls in progress. */
uint32_t stub_in_flight(const struct stub *stub);

#endif
