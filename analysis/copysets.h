/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Copysets: when many machines are lost at once (a power cut that some do not survive), is there a
 * chunk of data all of whose replicas are among them? That depends on how many different sets of
 * machines hold the replicas of some chunk (Cidon, Rumble, Stutsman, Katti, Ousterhout and
 * Rosenblum, "Copysets: Reducing the Frequency of Data Loss in Cloud Storage", ATC 2013). */
#ifndef SQUALL_ANALYSIS_COPYSETS_H
#define SQUALL_ANALYSIS_COPYSETS_H

#include "sim/base/err.h"

#include <stdint.h>

#define COPYSETS_NODES_MAX    100000
#define COPYSETS_REPLICAS_MAX 8

struct copysets {
    uint32_t nodes;    /* replicas .. COPYSETS_NODES_MAX */
    uint32_t lost;     /* nodes that are lost at once, replicas .. nodes */
    uint32_t replicas; /* 2 .. COPYSETS_REPLICAS_MAX */
    uint32_t scatter;  /* nodes that share a chunk with a given one: a window, or a multiple of
                          replicas - 1 of permutations */
};

/* False (ERR_INPUT): out of range. */
bool copysets_check(const struct copysets *copysets, struct err *err);

/* Probability that `sets` different copysets, each lost on its own, do not all survive: 1 - (1 -
 * q)^sets, q = C(lost, replicas) / C(nodes, replicas). */
double copysets_loss(const struct copysets *copysets, double sets);
/* How many there are: a window has C(scatter, replicas - 1) for each node, copyset replication
 * scatter / (replicas - 1) permutations of nodes / replicas each, and no fewer than nodes /
 * replicas will do for anything. */
double copysets_of_window(const struct copysets *copysets);
double copysets_of_permutations(const struct copysets *copysets);

/* The same by placing replicas and drawing which nodes are lost, `trials` times. */
struct copysets_trials {
    uint64_t seed;
    uint32_t trials;
};
enum copysets_placement {
    COPYSETS_WINDOW,       /* the replicas - 1 others are among the next `scatter` nodes, in a ring,
                              and there is so much data that each such set holds some */
    COPYSETS_PERMUTATIONS, /* copyset replication: random permutations, cut into sets */
};
/* Trials in which data was lost. A trial costs as many steps as nodes are lost, or so. */
uint32_t copysets_simulate(const struct copysets *copysets, enum copysets_placement placement,
                           struct copysets_trials trials);
/* The same for replicas that are anywhere, `chunks` on each node: chunks * nodes / replicas chunks,
 * each on nodes of its own drawing. The scatter means nothing. A trial costs lost * chunks steps at
 * most. */
uint32_t copysets_simulate_random(const struct copysets *copysets, uint32_t chunks,
                                  struct copysets_trials trials);
/* How many chunks there are then: each is a copyset of its own, but for a few. */
double copysets_of_chunks(const struct copysets *copysets, uint32_t chunks);

#endif
