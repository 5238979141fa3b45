/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fleet: machines, groups of them, shocks and repair crews as nothing but clocks. It knows when
 * machines fail and are back, and nothing of what runs on them; estimators run it by itself for
 * simulated centuries.
 *
 * Every clock is kept as (law, age), never only as the instant at which it fires, so that a split
 * of a trajectory can draw it again by its age. A fleet is plain data: a copy is a split.
 *
 * A machine is in one group of every kind of groups, machine i in group i modulo their number, and
 * is available when it and all of them are. So the kinds nest where one number divides the other
 * (nine racks, three to each of three zones), and cross where the numbers have nothing in common
 * (every rack has machines on both of two power feeds).
 *
 * Streams are named by (seed, path, machine or group, life or repair), so variants of a scenario
 * share what they have in common. */
#ifndef SQUALL_SIM_FLEET_H
#define SQUALL_SIM_FLEET_H

#include "sim/base/rng.h"
#include "sim/spec.h"

#define FLEET_MACHINES 64
#define FLEET_GROUPS   16 /* of all kinds together */
#define FLEET_PARTS    (FLEET_MACHINES + FLEET_GROUPS)
#define FLEET_SERVICES 8
#define FLEET_NEVER    INT64_MAX

enum fleet_part_state {
    FLEET_UP,
    FLEET_WAITS,    /* for a crew */
    FLEET_REPAIRED, /* a crew is at it */
};

/* A machine or a group. */
struct fleet_part {
    enum fleet_part_state state;
    int64_t age_ns;   /* of its life or repair at since_ns */
    int64_t since_ns; /* its clock has run since then */
    int64_t fires_ns; /* end of its life or repair; FLEET_NEVER while it waits */
    uint64_t turn;    /* order of failure: who waits longest is served first */
    struct rng rng;
};

enum fleet_leader {
    FLEET_LEADER_KNOWN, /* or none is asked for */
    FLEET_LEADER_SOUGHT,
    FLEET_LEADER_NONE, /* no quorum to choose one */
};

struct fleet_service {
    enum fleet_leader leader;
    uint32_t machine; /* of the leader */
    int64_t fires_ns; /* the next one is known */
    struct rng rng;
};

/* A source of shocks; they come as a Poisson process. */
struct fleet_shock {
    int64_t fires_ns;
    struct rng rng;
};

struct fleet {
    const struct spec_fleet *spec;
    uint32_t groups; /* of all kinds; the parts behind the machines, kind after kind */
    int64_t now_ns;
    uint64_t key; /* of the path */
    uint64_t turn;
    uint64_t events;
    uint64_t digest; /* of all events so far */
    uint64_t broken; /* machines that have failed, by themselves */
    uint32_t dark;   /* groups that have failed */
    uint32_t absent; /* machine away for maintenance; UINT32_MAX: none */
    uint32_t next_absent;
    int64_t maintenance_ns; /* it goes, or is back */
    uint64_t alone;         /* share of a machine's failures that are its own, out of 2^32 */
    uint32_t shock_count;   /* 0: none; 1: of all machines only; else also of each group */
    struct fleet_shock shocks[1 + FLEET_GROUPS]; /* of all machines, then of each group */
    struct fleet_service services[FLEET_SERVICES];
    struct fleet_part parts[FLEET_PARTS]; /* machines, then groups */
};

/* Everything is new and up at time 0. */
void fleet_begin(struct fleet *fleet, const struct spec_fleet *spec, uint64_t seed);
/* Goes to the next event and does it. */
void fleet_step(struct fleet *fleet);
/* What the next step is about. */
enum fleet_event_kind {
    FLEET_EVENT_NONE, /* nothing will ever happen */
    FLEET_EVENT_FAILS,
    FLEET_EVENT_REPAIRED,
    FLEET_EVENT_SHOCK,
    FLEET_EVENT_MAINTENANCE, /* a machine goes, is back, or is passed over */
    FLEET_EVENT_LEADER,
};
struct fleet_event {
    enum fleet_event_kind kind;
    int64_t time_ns;
    uint32_t index; /* machine, then group; for a leader the service; for a shock the group, or 0:
                       of all machines; else 0 */
};
struct fleet_event fleet_peek(const struct fleet *fleet);
/* Lets time pass until event->time_ns, at most that of the next event, and lets something happen
 * there that no clock has told: a shock, or the failure of a part that is up. Clocks of the others
 * go on; that of these shocks begins anew, which to them is the same. */
void fleet_force(struct fleet *fleet, const struct fleet_event *event);
/* When that will be; FLEET_NEVER: nothing will ever happen. */
int64_t fleet_next(const struct fleet *fleet);
/* The same as an assignment, without what this fleet does not use. */
void fleet_copy(struct fleet *to, const struct fleet *from);
/* Gives the fleet a name of its own below its path, and draws every running clock again, by its
 * age: what was a copy goes its own way from here. */
void fleet_branch(struct fleet *fleet, uint32_t branch);
/* Moves the origin of time to now, ages kept: a fleet may run for longer than 292 years. */
void fleet_rebase(struct fleet *fleet);
/* Number of groups of all kinds, and the kind of one of them: an index of spec->groups. */
uint32_t fleet_group_count(const struct spec_fleet *spec);
uint32_t fleet_group_kind(const struct spec_fleet *spec, uint32_t group);
/* Number of a group among those of its kind. */
uint32_t fleet_group_number(const struct spec_fleet *spec, uint32_t group);
/* Mask of the machines in it. */
uint64_t fleet_group_members(const struct spec_fleet *spec, uint32_t group);
/* Mask and number of the machines that are available. */
uint64_t fleet_available(const struct fleet *fleet);
uint32_t fleet_available_count(const struct fleet *fleet);
/* Is that service up? index < spec->service_count. */
bool fleet_is_up(const struct fleet *fleet, uint32_t service);
/* Are all machines and groups up, none away, and all leaders known? With exponential laws the
 * process begins anew then. */
bool fleet_is_whole(const struct fleet *fleet);
/* Is every law of the fleet exponential, and is nothing planned? Then it is a Markov chain. */
bool fleet_is_markov(const struct spec_fleet *spec);

#endif
