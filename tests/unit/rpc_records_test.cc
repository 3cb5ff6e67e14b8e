// Messages are found in a stream however it is cut into pieces.
#include "tests/support/rpc_records.h"

#include <gtest/gtest.h>

#include <vector>

namespace {

using support::RpcMessage;
using support::RpcRecords;

using Stream = std::vector<std::byte>;

void add_word(Stream& stream, std::uint32_t word) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    stream.push_back(static_cast<std::byte>(word >> shift));
  }
}

void add_call(Stream& stream, std::uint32_t xid, std::uint32_t procedure, std::uint32_t more_words) {
  add_word(stream, 0x80000000 | (24 + 4 * more_words));
  for (std::uint32_t word : {xid, 0u, 2u, 100003u, 3u, procedure}) {
    add_word(stream, word);
  }
  stream.resize(stream.size() + 4 * more_words, std::byte{0xff});
}

void add_reply(Stream& stream, std::uint32_t xid) {
  add_word(stream, 0x80000000 | 12);
  for (std::uint32_t word : {xid, 1u, 0u}) {
    add_word(stream, word);
  }
}

TEST(RpcRecordsTest, FindsMessagesInPiecesOfAnySize) {
  Stream stream;
  add_call(stream, 7, 3, 10);
  add_call(stream, 8, 6, 0);
  add_reply(stream, 9);
  add_call(stream, 10, 21, 1);
  for (std::size_t piece_bytes : {std::size_t{1}, std::size_t{3}, std::size_t{28}, stream.size()}) {
    RpcRecords records;
    std::vector<RpcMessage> found;
    for (std::size_t at = 0; at < stream.size(); at += piece_bytes) {
      auto piece = std::span(stream).subspan(at, std::min(piece_bytes, stream.size() - at));
      std::vector<RpcMessage> messages = records.feed(piece);
      found.insert(found.end(), messages.begin(), messages.end());
    }
    ASSERT_EQ(found.size(), 4u) << piece_bytes;
    EXPECT_EQ(found[0].xid, 7u);
    EXPECT_TRUE(found[0].is_call);
    EXPECT_EQ(found[0].program, 100003u);
    EXPECT_EQ(found[0].procedure, 3u);
    EXPECT_EQ(found[1].procedure, 6u);
    EXPECT_EQ(found[2].xid, 9u);
    EXPECT_FALSE(found[2].is_call);
    EXPECT_EQ(found[3].procedure, 21u);
  }
}

TEST(RpcRecordsTest, TellsWhereInThePieceARecordBegan) {
  Stream stream;
  add_reply(stream, 1);
  std::size_t second = stream.size();
  add_reply(stream, 2);
  RpcRecords records;
  std::vector<RpcMessage> messages = records.feed(stream);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].begin, 0u);
  EXPECT_EQ(messages[1].begin, second);
}

TEST(RpcRecordsTest, LaterFragmentsBelongToTheSameMessage) {
  Stream stream;
  add_word(stream, 24);  // not the last fragment
  for (std::uint32_t word : {5u, 0u, 2u, 100003u, 3u, 7u}) {
    add_word(stream, word);
  }
  add_word(stream, 0x80000000 | 8);
  add_word(stream, 0);
  add_word(stream, 0);
  add_call(stream, 6, 1, 0);
  RpcRecords records;
  std::vector<RpcMessage> messages = records.feed(stream);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].procedure, 7u);
  EXPECT_EQ(messages[1].procedure, 1u);
}

}  // namespace
