/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Wire: libraft's messages as bytes. All fields are little-endian, written one by one (never a
 * struct, whose padding and unused union bytes would differ between two equal runs):
 *
 *   u8 version (1), u8 type, u16 flags, u32 count, u64 stamp, then by type
 *   APPEND_ENTRIES         u64 term, previous index, its term, leader's commit index; per entry u64
 *                          term, u32 size, u16 type, u16 0; then the payloads, each padded with
 *                          zeros to 8 bytes; count = entries
 *   APPEND_ENTRIES_RESULT  u64 term, rejected, last log index
 *   REQUEST_VOTE           u64 term, candidate, last index, last term; flags 1: disrupt leader, 2:
 *                          pre-vote
 *   REQUEST_VOTE_RESULT    u64 term; flags 1: granted, bits 1-2: pre-vote (raft_tribool)
 *   INSTALL_SNAPSHOT       u64 term, last index, last term, configuration's index, u64 size of the
 *                          configuration, u64 size of the data; configuration (padded to 8), data
 *   TIMEOUT_NOW            u64 term, last index, last term
 *
 * A configuration: u32 servers, then per server u64 id, u32 role, u32 address size, address
 * without NUL.
 *
 * `stamp` is not libraft's: the sender's clock in an APPEND_ENTRIES, echoed in its result, for the
 * leader's lease. */
#ifndef SQUALL_MODELS_RAFT_WIRE_H
#define SQUALL_MODELS_RAFT_WIRE_H

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of `message` when encoded; 0 for an unknown type. */
size_t wire_size(const struct raft_message *message);
/* Writes wire_size(message) bytes. */
void wire_encode(const struct raft_message *message, uint64_t stamp, uint8_t *bytes);
/* Reads a message; server_id and server_address are the caller's affair. What libraft will free
 * (entries and their batch, configuration, snapshot data) comes from raft_malloc. False, and
 * nothing allocated: malformed. */
bool wire_decode(const uint8_t *bytes, size_t size, struct raft_message *message, uint64_t *stamp);

/* Type of an encoded message (RAFT_IO_...), 0 for what is too short to have one. */
static inline unsigned wire_type(const uint8_t *bytes, size_t size)
{
    return size < 2 ? 0 : bytes[1];
}

size_t wire_configuration_size(const struct raft_configuration *configuration);
void wire_configuration_encode(const struct raft_configuration *configuration, uint8_t *bytes);
/* As wire_decode; *configuration is initialised here. */
bool wire_configuration_decode(const uint8_t *bytes, size_t size,
                               struct raft_configuration *configuration);

#endif
