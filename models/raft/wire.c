/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Wire: every length is checked against what is left before it is used, so a message from anywhere
 * is either decoded whole or refused. Entries are given the layout that libraft expects of a
 * receiver: one raft_malloc'd array, and one raft_malloc'd batch that all payloads point into. */
#include "wire.h"

#include "../plant.h"
#include "bytes.h"

#define WIRE_VERSION  1
#define WIRE_HEADER   16
#define ENTRY_HEADER  16
#define SERVER_HEADER 16
#define ADDRESS_MAX   255

enum {
    FLAG_DISRUPT_LEADER = 1,
    FLAG_PRE_VOTE = 2,
    FLAG_GRANTED = 1,
    TRIBOOL_SHIFT = 1,
    TRIBOOL_MASK = 3,
};

/* ------------------------------------------------------------------------------- configuration */

size_t wire_configuration_size(const struct raft_configuration *configuration)
{
    size_t size = 4;
    for (unsigned i = 0; i < configuration->n; i++) {
        size += SERVER_HEADER + strlen(configuration->servers[i].address);
    }
    return size;
}

void wire_configuration_encode(const struct raft_configuration *configuration, uint8_t *bytes)
{
    uint8_t *at = put_u32(bytes, configuration->n);
    for (unsigned i = 0; i < configuration->n; i++) {
        const struct raft_server *server = &configuration->servers[i];
        uint32_t length = (uint32_t)strlen(server->address);
        at = put_u64(at, server->id);
        at = put_u32(at, (uint32_t)server->role);
        at = put_u32(at, length);
        memcpy(at, server->address, length);
        at += length;
    }
}

bool wire_configuration_decode(const uint8_t *bytes, size_t size,
                               struct raft_configuration *configuration)
{
    raft_configuration_init(configuration);
    if (size < 4) {
        return false;
    }
    uint32_t count = get_u32(bytes);
    const uint8_t *at = bytes + 4;
    size_t left = size - 4;
    bool is_sound = true;
    for (uint32_t i = 0; is_sound && i < count; i++) {
        char address[ADDRESS_MAX + 1];
        is_sound = left >= SERVER_HEADER;
        uint32_t length = is_sound ? get_u32(at + 12) : 0;
        is_sound = is_sound && length <= ADDRESS_MAX && length <= left - SERVER_HEADER;
        if (is_sound) {
            memcpy(address, at + SERVER_HEADER, length);
            address[length] = '\0';
            /* It refuses an id of 0, an unknown role, and what is there already. */
            is_sound = strlen(address) == length &&
                       raft_configuration_add(configuration, get_u64(at), address,
                                              (int)get_u32(at + 8)) == 0;
            at += SERVER_HEADER + length;
            left -= SERVER_HEADER + length;
        }
    }
    if (!is_sound || left != 0) {
        raft_configuration_close(configuration);
        raft_configuration_init(configuration);
        return false;
    }
    return true;
}

/* -------------------------------------------------------------------------------------- encode */

static size_t append_entries_size(const struct raft_append_entries *args)
{
    size_t size = 32;
    for (unsigned i = 0; i < args->n_entries; i++) {
        size += ENTRY_HEADER + pad8(args->entries[i].buf.len);
    }
    return size;
}

size_t wire_size(const struct raft_message *message)
{
    switch (message->type) {
    case RAFT_IO_APPEND_ENTRIES:
        return WIRE_HEADER + append_entries_size(&message->append_entries);
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        return WIRE_HEADER + 24;
    case RAFT_IO_REQUEST_VOTE:
        return WIRE_HEADER + 32;
    case RAFT_IO_REQUEST_VOTE_RESULT:
        return WIRE_HEADER + 8;
    case RAFT_IO_INSTALL_SNAPSHOT:
        return WIRE_HEADER + 48 + pad8(wire_configuration_size(&message->install_snapshot.conf)) +
               message->install_snapshot.data.len;
    case RAFT_IO_TIMEOUT_NOW:
        return WIRE_HEADER + 24;
    default:
        return 0;
    }
}

static uint8_t *put_header(uint8_t *at, unsigned type, uint16_t flags, uint32_t count,
                           uint64_t stamp)
{
    *at++ = WIRE_VERSION;
    *at++ = (uint8_t)type;
    at = put_u16(at, flags);
    at = put_u32(at, count);
    return put_u64(at, stamp);
}

static void encode_append_entries(const struct raft_append_entries *args, uint64_t stamp,
                                  uint8_t *at)
{
    at = put_header(at, RAFT_IO_APPEND_ENTRIES, 0, args->n_entries, stamp);
    at = put_u64(at, args->term);
    at = put_u64(at, args->prev_log_index);
    at = put_u64(at, args->prev_log_term);
    at = put_u64(at, args->leader_commit);
    for (unsigned i = 0; i < args->n_entries; i++) {
        const struct raft_entry *entry = &args->entries[i];
        at = put_u64(at, entry->term);
        at = put_u32(at, (uint32_t)entry->buf.len);
        at = put_u16(at, entry->type);
        at = put_u16(at, 0);
    }
    for (unsigned i = 0; i < args->n_entries; i++) {
        const struct raft_buffer *buffer = &args->entries[i].buf;
        if (buffer->len > 0) {
            memcpy(at, buffer->base, buffer->len);
        }
        memset(at + buffer->len, 0, pad8(buffer->len) - buffer->len);
        at += pad8(buffer->len);
    }
}

static void encode_install_snapshot(const struct raft_install_snapshot *args, uint64_t stamp,
                                    uint8_t *at)
{
    size_t size = wire_configuration_size(&args->conf);
    at = put_header(at, RAFT_IO_INSTALL_SNAPSHOT, 0, 0, stamp);
    at = put_u64(at, args->term);
    at = put_u64(at, args->last_index);
    at = put_u64(at, args->last_term);
    at = put_u64(at, args->conf_index);
    at = put_u64(at, size);
    at = put_u64(at, args->data.len);
    wire_configuration_encode(&args->conf, at);
    memset(at + size, 0, pad8(size) - size);
    at += pad8(size);
    if (args->data.len > 0) {
        memcpy(at, args->data.base, args->data.len);
    }
}

static void encode_request_vote(const struct raft_request_vote *args, uint64_t stamp, uint8_t *at)
{
    uint16_t flags = (uint16_t)((args->disrupt_leader ? FLAG_DISRUPT_LEADER : 0) |
                                (args->pre_vote ? FLAG_PRE_VOTE : 0));
    at = put_header(at, RAFT_IO_REQUEST_VOTE, flags, 0, stamp);
    at = put_u64(at, args->term);
    at = put_u64(at, args->candidate_id);
    at = put_u64(at, args->last_log_index);
    put_u64(at, PLANTED(sq_env_current(), LOG_TERM_FORGED) ? args->term : args->last_log_term);
}

void wire_encode(const struct raft_message *message, uint64_t stamp, uint8_t *bytes)
{
    uint8_t *at = bytes;
    switch (message->type) {
    case RAFT_IO_APPEND_ENTRIES:
        encode_append_entries(&message->append_entries, stamp, at);
        break;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        at = put_header(at, message->type, 0, 0, stamp);
        at = put_u64(at, message->append_entries_result.term);
        at = put_u64(at, message->append_entries_result.rejected);
        put_u64(at, message->append_entries_result.last_log_index);
        break;
    case RAFT_IO_REQUEST_VOTE:
        encode_request_vote(&message->request_vote, stamp, at);
        break;
    case RAFT_IO_REQUEST_VOTE_RESULT: {
        const struct raft_request_vote_result *args = &message->request_vote_result;
        unsigned pre_vote =
            args->pre_vote <= raft_tribool_false ? args->pre_vote : raft_tribool_unknown;
        uint16_t flags =
            (uint16_t)((args->vote_granted ? FLAG_GRANTED : 0) | (pre_vote << TRIBOOL_SHIFT));
        at = put_header(at, message->type, flags, 0, stamp);
        put_u64(at, args->term);
        break;
    }
    case RAFT_IO_INSTALL_SNAPSHOT:
        encode_install_snapshot(&message->install_snapshot, stamp, at);
        break;
    case RAFT_IO_TIMEOUT_NOW:
        at = put_header(at, message->type, 0, 0, stamp);
        at = put_u64(at, message->timeout_now.term);
        at = put_u64(at, message->timeout_now.last_log_index);
        put_u64(at, message->timeout_now.last_log_term);
        break;
    default:
        break;
    }
}

/* -------------------------------------------------------------------------------------- decode */

/* The headers have been checked: `count` of them, whose padded sizes add up to `total` bytes at
 * `payloads`. */
static void take_entries(const uint8_t *headers, uint32_t count, size_t total,
                         struct raft_append_entries *args)
{
    const uint8_t *payloads = headers + (size_t)count * ENTRY_HEADER;
    uint8_t *batch = raft_malloc(total > 0 ? total : 1);
    memcpy(batch, payloads, total);
    args->entries = raft_malloc(count * sizeof(*args->entries));
    size_t offset = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = headers + (size_t)i * ENTRY_HEADER;
        size_t length = get_u32(at + 8);
        args->entries[i] = (struct raft_entry){
            .term = get_u64(at),
            .type = get_u16(at + 12),
            .buf = {.base = batch + offset, .len = length},
            .batch = batch,
        };
        if (!PLANTED(sq_env_current(), PAYLOADS_MIXED_UP) || i > 0) {
            offset += pad8(length);
        }
    }
}

static bool decode_append_entries(const uint8_t *at, size_t left, uint32_t count,
                                  struct raft_append_entries *args)
{
    if (left < 32 || count > (left - 32) / ENTRY_HEADER) {
        return false;
    }
    *args = (struct raft_append_entries){
        .term = get_u64(at),
        .prev_log_index = get_u64(at + 8),
        .prev_log_term = get_u64(at + 16),
        .leader_commit = get_u64(at + 24),
        .n_entries = count,
    };
    const uint8_t *headers = at + 32;
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        unsigned type = get_u16(headers + (size_t)i * ENTRY_HEADER + 12);
        total += pad8(get_u32(headers + (size_t)i * ENTRY_HEADER + 8));
        if (type < RAFT_COMMAND || type > RAFT_CHANGE) {
            return false;
        }
    }
    if (total != left - 32 - (size_t)count * ENTRY_HEADER) {
        return false;
    }
    if (count > 0) {
        take_entries(headers, count, total, args);
    }
    return true;
}

static bool decode_install_snapshot(const uint8_t *at, size_t left,
                                    struct raft_install_snapshot *args)
{
    if (left < 48) {
        return false;
    }
    uint64_t configuration_size = get_u64(at + 32);
    uint64_t data_size = get_u64(at + 40);
    if (configuration_size > left - 48 || pad8(configuration_size) > left - 48 ||
        data_size != left - 48 - pad8(configuration_size)) {
        return false;
    }
    *args = (struct raft_install_snapshot){
        .term = get_u64(at),
        .last_index = get_u64(at + 8),
        .last_term = get_u64(at + 16),
        .conf_index = get_u64(at + 24),
    };
    if (!wire_configuration_decode(at + 48, (size_t)configuration_size, &args->conf)) {
        return false;
    }
    args->data.len = (size_t)data_size;
    args->data.base = raft_malloc(data_size > 0 ? (size_t)data_size : 1);
    memcpy(args->data.base, at + 48 + pad8(configuration_size), (size_t)data_size);
    return true;
}

static bool decode_votes(const uint8_t *at, size_t left, uint16_t flags,
                         struct raft_message *message)
{
    if (message->type == RAFT_IO_REQUEST_VOTE) {
        if (left != 32 || flags > (FLAG_DISRUPT_LEADER | FLAG_PRE_VOTE)) {
            return false;
        }
        message->request_vote = (struct raft_request_vote){
            .term = get_u64(at),
            .candidate_id = get_u64(at + 8),
            .last_log_index = get_u64(at + 16),
            .last_log_term = get_u64(at + 24),
            .disrupt_leader = (flags & FLAG_DISRUPT_LEADER) != 0,
            .pre_vote = (flags & FLAG_PRE_VOTE) != 0,
        };
        return true;
    }
    unsigned pre_vote = (flags >> TRIBOOL_SHIFT) & TRIBOOL_MASK;
    if (left != 8 || flags >> 3 != 0 || pre_vote > raft_tribool_false) {
        return false;
    }
    message->request_vote_result = (struct raft_request_vote_result){
        .term = get_u64(at),
        .vote_granted = (flags & FLAG_GRANTED) != 0 || PLANTED(sq_env_current(), REFUSAL_COUNTS),
        .pre_vote = (raft_tribool)pre_vote,
    };
    return true;
}

bool wire_decode(const uint8_t *bytes, size_t size, struct raft_message *message, uint64_t *stamp)
{
    if (size < WIRE_HEADER || bytes[0] != WIRE_VERSION) {
        return false;
    }
    uint16_t flags = get_u16(bytes + 2);
    uint32_t count = get_u32(bytes + 4);
    const uint8_t *at = bytes + WIRE_HEADER;
    size_t left = size - WIRE_HEADER;
    *stamp = get_u64(bytes + 8);
    message->type = bytes[1];
    switch (message->type) {
    case RAFT_IO_APPEND_ENTRIES:
        return decode_append_entries(at, left, count, &message->append_entries);
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        if (left != 24) {
            return false;
        }
        message->append_entries_result = (struct raft_append_entries_result){
            .term = get_u64(at), .rejected = get_u64(at + 8), .last_log_index = get_u64(at + 16)};
        return true;
    case RAFT_IO_REQUEST_VOTE:
    case RAFT_IO_REQUEST_VOTE_RESULT:
        return decode_votes(at, left, flags, message);
    case RAFT_IO_INSTALL_SNAPSHOT:
        return decode_install_snapshot(at, left, &message->install_snapshot);
    case RAFT_IO_TIMEOUT_NOW:
        if (left != 24) {
            return false;
        }
        message->timeout_now = (struct raft_timeout_now){.term = get_u64(at),
                                                         .last_log_index = get_u64(at + 8),
                                                         .last_log_term = get_u64(at + 16)};
        return true;
    default:
        return false;
    }
}
