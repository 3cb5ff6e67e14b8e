#include "nfsbackend/reply_log.h"

#include <spdlog/spdlog.h>

namespace nfs {

namespace {

constexpr std::size_t kEscapedBytesMax = 300;
constexpr int kLinesPerWindowMax = 5;
constexpr std::chrono::seconds kWindow{10};

}  // namespace

std::string escape(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (char c : bytes.substr(0, kEscapedBytesMax)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\') {
      text += c;
    } else {
      text += "\\x";
      text += kDigits[byte >> 4];
      text += kDigits[byte & 0xf];
    }
  }
  if (bytes.size() > kEscapedBytesMax) {
    text += "...";
  }
  return text;
}

bool ReplyLog::may_log() {
  // Two threads may both open a new window; a line too many does no harm.
  std::int64_t window = clock_.now().time_since_epoch() / kWindow;
  if (window_.exchange(window) != window) {
    lines_ = 0;
  }
  return lines_.fetch_add(1) < kLinesPerWindowMax;
}

void ReplyLog::malformed(Procedure procedure, std::string_view what, std::string_view bytes) {
  if (!may_log()) {
    return;
  }
  if (bytes.empty()) {
    spdlog::warn("{}: malformed {} reply: {}", server_, procedure_name(procedure), what);
  } else {
    spdlog::warn("{}: malformed {} reply: {}: \"{}\"", server_, procedure_name(procedure), what, escape(bytes));
  }
}

}  // namespace nfs
