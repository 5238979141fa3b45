/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Store in bolt: term, vote and log of a raft node in one file of bolt.h, `raft.bolt`. The
 * functions stand behind those of store.h; nobody else calls them. */
#ifndef SQUALL_MODELS_RAFT_STORE_BOLT_H
#define SQUALL_MODELS_RAFT_STORE_BOLT_H

#include "store.h"

/* Opens or makes the file and reads term, vote and log into the image (snapshots are not looked
 * at). Statuses as store_open. *prev_term is that of the entry before the first. */
enum sq_status store_bolt_open(struct store *store, const struct bolt_options *options,
                               struct store_image *image, uint64_t *prev_term);
enum sq_status store_bolt_set_meta(struct store *store, uint64_t term, uint64_t vote);
enum sq_status store_bolt_append(struct store *store, const struct store_batch *batch);
enum sq_status store_bolt_cut(struct store *store, uint64_t index);
enum sq_status store_bolt_reset(struct store *store, uint64_t index, uint64_t term);
enum sq_status store_bolt_prune(struct store *store, uint64_t index);

#endif
