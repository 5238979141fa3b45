/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/hash.h"
#include "tests/unit/harness.h"

#include <stdlib.h>
#include <string.h>

/* FIPS 180-4 examples and NIST's byte-oriented test vectors. */
TEST(hash, sha256_gives_the_published_vectors)
{
    CHECK_TEXT(sha256_of(NULL, 0).hex,
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_TEXT(sha256_of("abc", 3).hex,
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    CHECK_TEXT(sha256_of(two_blocks, strlen(two_blocks)).hex,
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    const char *long_one = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                           "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    CHECK_TEXT(sha256_of(long_one, strlen(long_one)).hex,
               "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    CHECK_TEXT(sha256_of("\xbd", 1).hex,
               "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
}

TEST(hash, sha256_of_a_million_letters_is_right)
{
    char *letters = malloc(1000000);
    REQUIRE(letters != NULL);
    memset(letters, 'a', 1000000);
    CHECK_TEXT(sha256_of(letters, 1000000).hex,
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(letters);
}

/* Zero bytes around the edges of the padding (NIST's additional vectors for 55 .. 64). */
TEST(hash, sha256_pads_right_around_a_block)
{
    const char zeros[65] = {0};
    CHECK_TEXT(sha256_of(zeros, 55).hex,
               "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7");
    CHECK_TEXT(sha256_of(zeros, 56).hex,
               "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb");
    CHECK_TEXT(sha256_of(zeros, 57).hex,
               "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785");
    CHECK_TEXT(sha256_of(zeros, 64).hex,
               "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

TEST(hash, bytes_are_xxh3_with_seed_zero)
{
    CHECK(hash_bytes(NULL, 0) == UINT64_C(0x2d06800538d394c2));
    CHECK(hash_bytes("abc", 3) == UINT64_C(0x78af5f94892f3950));
    CHECK(hash_text("abc") == hash_bytes("abc", 3));
    CHECK(hash_text("abc") != hash_text("abd"));
}

TEST(hash, mix_is_not_commutative_and_chains_tell_order)
{
    CHECK(hash_mix(1, 2) != hash_mix(2, 1));
    CHECK(hash_mix(hash_mix(0, 1), 2) != hash_mix(hash_mix(0, 2), 1));
    CHECK(hash_mix(0, 0) != 0);
    CHECK(hash_mix(1, 2) == UINT64_C(0xede26bbdec1829b7));
}

/* One flipped bit changes about half of the result. */
TEST(hash, mix_spreads_single_bits)
{
    for (int bit = 0; bit < 64; bit++) {
        uint64_t left = hash_mix(12345, 678) ^ hash_mix(12345 ^ (UINT64_C(1) << bit), 678);
        uint64_t right = hash_mix(12345, 678) ^ hash_mix(12345, 678 ^ (UINT64_C(1) << bit));
        CHECK(__builtin_popcountll(left) >= 12);
        CHECK(__builtin_popcountll(right) >= 12);
    }
}
