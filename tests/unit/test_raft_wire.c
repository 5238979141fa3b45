/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The wire format of raft's messages: every type comes back as it was, and nothing malformed gets
 * in. */
#include "models/raft/wire.h"

#include <stdlib.h>

#include "tests/unit/harness.h"

#define STAMP UINT64_C(0x1122334455667788)

/* Encodes into a block of exactly the right size, so that a sanitizer sees any overrun. */
static uint8_t *encode(const struct raft_message *message, size_t *size)
{
    *size = wire_size(message);
    uint8_t *bytes = malloc(*size);
    memset(bytes, 0xa5, *size);
    wire_encode(message, STAMP, bytes);
    return bytes;
}

/* Frees what a decoded message owns. */
static void release(struct raft_message *message)
{
    if (message->type == RAFT_IO_APPEND_ENTRIES && message->append_entries.n_entries > 0) {
        raft_free(message->append_entries.entries[0].batch);
        raft_free(message->append_entries.entries);
    }
    if (message->type == RAFT_IO_INSTALL_SNAPSHOT) {
        raft_configuration_close(&message->install_snapshot.conf);
        raft_free(message->install_snapshot.data.base);
    }
}

static bool decode_copy(const uint8_t *bytes, size_t size, struct raft_message *message)
{
    uint64_t stamp;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, bytes, size);
    bool is_sound = wire_decode(copy, size, message, &stamp);
    free(copy);
    return is_sound;
}

static struct raft_message round_trip(const struct raft_message *message)
{
    struct raft_message result;
    uint64_t stamp = 0;
    size_t size;
    uint8_t *bytes = encode(message, &size);
    memset(&result, 0x5a, sizeof(result));
    CHECK(wire_decode(bytes, size, &result, &stamp));
    CHECK_EQUAL(stamp, STAMP);
    CHECK_EQUAL(result.type, message->type);
    CHECK_EQUAL(wire_type(bytes, size), message->type);
    free(bytes);
    return result;
}

static struct raft_entry sample_entries[3];
static char sample_payloads[3][24] = {"eleven byte", "", "a payload of 23 bytes.."};

static struct raft_message sample_append(void)
{
    for (unsigned i = 0; i < 3; i++) {
        sample_entries[i] = (struct raft_entry){
            .term = 7 + i,
            .type = (unsigned short)(1 + i),
            .buf = {sample_payloads[i], strlen(sample_payloads[i])},
        };
    }
    return (struct raft_message){
        .type = RAFT_IO_APPEND_ENTRIES,
        .append_entries = {.term = 9,
                           .prev_log_index = 41,
                           .prev_log_term = 6,
                           .leader_commit = 40,
                           .entries = sample_entries,
                           .n_entries = 3},
    };
}

static struct raft_message sample_snapshot(struct raft_configuration *configuration)
{
    static char content[] = "content of a snapshot";
    raft_configuration_init(configuration);
    CHECK_EQUAL(raft_configuration_add(configuration, 1, "1", RAFT_VOTER), 0);
    CHECK_EQUAL(raft_configuration_add(configuration, 22, "twenty-two", RAFT_STANDBY), 0);
    return (struct raft_message){
        .type = RAFT_IO_INSTALL_SNAPSHOT,
        .install_snapshot = {.term = 5,
                             .last_index = 1000,
                             .last_term = 4,
                             .conf_index = 1,
                             .conf = *configuration,
                             .data = {content, sizeof(content)}},
    };
}

TEST(raft_wire, append_entries_come_back_with_one_batch)
{
    struct raft_message message = sample_append();
    struct raft_message result = round_trip(&message);
    const struct raft_append_entries *args = &result.append_entries;
    CHECK_EQUAL(args->term, 9);
    CHECK_EQUAL(args->prev_log_index, 41);
    CHECK_EQUAL(args->prev_log_term, 6);
    CHECK_EQUAL(args->leader_commit, 40);
    REQUIRE(args->n_entries == 3);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQUAL(args->entries[i].term, 7 + i);
        CHECK_EQUAL(args->entries[i].type, 1 + i);
        CHECK_EQUAL(args->entries[i].buf.len, strlen(sample_payloads[i]));
        CHECK(memcmp(args->entries[i].buf.base, sample_payloads[i], args->entries[i].buf.len) == 0);
        CHECK(args->entries[i].batch == args->entries[0].batch);
    }
    CHECK(args->entries[0].batch == args->entries[0].buf.base);
    release(&result);
}

TEST(raft_wire, a_heartbeat_has_no_entries_and_no_memory)
{
    struct raft_message message = sample_append();
    message.append_entries.n_entries = 0;
    message.append_entries.entries = NULL;
    struct raft_message result = round_trip(&message);
    CHECK_EQUAL(result.append_entries.n_entries, 0);
    CHECK(result.append_entries.entries == NULL);
}

TEST(raft_wire, votes_and_results_come_back_with_every_flag)
{
    for (unsigned flags = 0; flags < 4; flags++) {
        struct raft_message message = {.type = RAFT_IO_REQUEST_VOTE,
                                       .request_vote = {.term = 3,
                                                        .candidate_id = 2,
                                                        .last_log_index = 17,
                                                        .last_log_term = 1,
                                                        .disrupt_leader = (flags & 1) != 0,
                                                        .pre_vote = (flags & 2) != 0}};
        struct raft_message result = round_trip(&message);
        CHECK_EQUAL(result.request_vote.term, 3);
        CHECK_EQUAL(result.request_vote.candidate_id, 2);
        CHECK_EQUAL(result.request_vote.last_log_index, 17);
        CHECK_EQUAL(result.request_vote.last_log_term, 1);
        CHECK_EQUAL(result.request_vote.disrupt_leader, flags & 1);
        CHECK_EQUAL(result.request_vote.pre_vote, flags >> 1);
    }
    for (unsigned flags = 0; flags < 6; flags++) {
        struct raft_message message = {
            .type = RAFT_IO_REQUEST_VOTE_RESULT,
            .request_vote_result = {.term = 8,
                                    .vote_granted = (flags & 1) != 0,
                                    .pre_vote = (raft_tribool)(flags >> 1)}};
        struct raft_message result = round_trip(&message);
        CHECK_EQUAL(result.request_vote_result.term, 8);
        CHECK_EQUAL(result.request_vote_result.vote_granted, flags & 1);
        CHECK_EQUAL(result.request_vote_result.pre_vote, flags >> 1);
    }
}

TEST(raft_wire, results_and_timeout_now_come_back)
{
    struct raft_message message = {
        .type = RAFT_IO_APPEND_ENTRIES_RESULT,
        .append_entries_result = {.term = 12, .rejected = 34, .last_log_index = UINT64_MAX}};
    struct raft_message result = round_trip(&message);
    CHECK_EQUAL(result.append_entries_result.term, 12);
    CHECK_EQUAL(result.append_entries_result.rejected, 34);
    CHECK(result.append_entries_result.last_log_index == UINT64_MAX);
    message =
        (struct raft_message){.type = RAFT_IO_TIMEOUT_NOW,
                              .timeout_now = {.term = 2, .last_log_index = 3, .last_log_term = 1}};
    result = round_trip(&message);
    CHECK_EQUAL(result.timeout_now.term, 2);
    CHECK_EQUAL(result.timeout_now.last_log_index, 3);
    CHECK_EQUAL(result.timeout_now.last_log_term, 1);
}

TEST(raft_wire, a_snapshot_comes_back_with_its_configuration)
{
    struct raft_configuration configuration;
    struct raft_message message = sample_snapshot(&configuration);
    struct raft_message result = round_trip(&message);
    const struct raft_install_snapshot *args = &result.install_snapshot;
    CHECK_EQUAL(args->term, 5);
    CHECK_EQUAL(args->last_index, 1000);
    CHECK_EQUAL(args->last_term, 4);
    CHECK_EQUAL(args->conf_index, 1);
    REQUIRE(args->conf.n == 2);
    CHECK_EQUAL(args->conf.servers[1].id, 22);
    CHECK_TEXT(args->conf.servers[1].address, "twenty-two");
    CHECK_EQUAL(args->conf.servers[1].role, RAFT_STANDBY);
    CHECK_EQUAL(args->data.len, message.install_snapshot.data.len);
    CHECK(memcmp(args->data.base, message.install_snapshot.data.base, args->data.len) == 0);
    release(&result);
    raft_configuration_close(&configuration);
}

/* The bytes of an unused part of the union must not travel. */
TEST(raft_wire, equal_messages_have_equal_bytes)
{
    struct raft_message messages[2];
    uint8_t *bytes[2];
    size_t sizes[2];
    for (int i = 0; i < 2; i++) {
        memset(&messages[i], i == 0 ? 0x00 : 0xff, sizeof(messages[i]));
        messages[i].type = RAFT_IO_REQUEST_VOTE_RESULT;
        messages[i].request_vote_result.term = 4;
        messages[i].request_vote_result.vote_granted = true;
        messages[i].request_vote_result.pre_vote = raft_tribool_false;
        bytes[i] = encode(&messages[i], &sizes[i]);
    }
    CHECK_EQUAL(sizes[0], sizes[1]);
    CHECK(memcmp(bytes[0], bytes[1], sizes[0]) == 0);
    free(bytes[0]);
    free(bytes[1]);
}

TEST(raft_wire, an_unknown_type_has_no_size)
{
    struct raft_message message = {.type = 99};
    CHECK_EQUAL(wire_size(&message), 0);
}

TEST(raft_wire, every_truncation_is_refused)
{
    struct raft_configuration configuration;
    struct raft_message messages[2] = {sample_append(), sample_snapshot(&configuration)};
    for (int i = 0; i < 2; i++) {
        size_t size;
        uint8_t *bytes = encode(&messages[i], &size);
        for (size_t length = 0; length < size; length++) {
            struct raft_message result;
            CHECK(!decode_copy(bytes, length, &result));
        }
        free(bytes);
    }
    raft_configuration_close(&configuration);
}

TEST(raft_wire, lengths_that_lie_are_refused)
{
    struct raft_message message = sample_append();
    struct raft_message result;
    size_t size;
    uint8_t *bytes = encode(&message, &size);
    memset(bytes + 4, 0xff, 4); /* count of entries */
    CHECK(!decode_copy(bytes, size, &result));
    free(bytes);
    bytes = encode(&message, &size);
    memset(bytes + 16 + 32 + 8, 0xff, 4); /* size of the first entry */
    CHECK(!decode_copy(bytes, size, &result));
    free(bytes);
    struct raft_configuration configuration;
    message = sample_snapshot(&configuration);
    bytes = encode(&message, &size);
    memset(bytes + 16 + 32, 0xff, 8); /* size of the configuration */
    CHECK(!decode_copy(bytes, size, &result));
    free(bytes);
    raft_configuration_close(&configuration);
}

/* Random damage: whatever is accepted must be safe to use and to free. Under AddressSanitizer this
 * is the test. */
TEST(raft_wire, damaged_messages_never_crash)
{
    struct raft_configuration configuration;
    struct raft_message messages[2] = {sample_append(), sample_snapshot(&configuration)};
    uint64_t state = 88172645463325252u;
    uint32_t refused = 0;
    for (uint32_t round = 0; round < 40000; round++) {
        size_t size;
        uint8_t *bytes = encode(&messages[round % 2], &size);
        for (uint32_t damage = 0; damage <= round % 4; damage++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes[state % size] = (uint8_t)(state >> 32);
        }
        struct raft_message result;
        if (decode_copy(bytes, size - (round % 7 == 0), &result)) {
            release(&result);
        } else {
            refused++;
        }
        free(bytes);
    }
    CHECK(refused > 1000);
    CHECK(refused < 40000);
    raft_configuration_close(&configuration);
}
