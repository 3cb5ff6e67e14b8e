// Decoder: from libnfs's XDR structures to the project's vocabulary, trusting nothing the server says.
//
// The first rule that is broken is remembered and makes the whole reply unsound; what is returned after that means
// nothing. One Decoder per reply. Values only, no locks, never blocks. Rules: RFC 1813 sections 2.4 to 2.6.
#pragma once

#include <optional>
#include <string_view>

#include "nfsbackend/client.h"
#include "nfsbackend/libnfs_headers.h"
#include "nfsbackend/types.h"

namespace nfs {

class Decoder {
 public:
  bool sound() const { return fault_.empty(); }
  // What was wrong, for the log.
  std::string_view fault() const { return fault_; }

  Status status(nfsstat3 status);
  Attributes attributes(const fattr3& attributes);
  std::optional<Attributes> attributes(const post_op_attr& attributes);
  WccData wcc(const wcc_data& wcc);
  FileHandle handle(const nfs_fh3& handle);
  // An empty handle when the server left it out.
  FileHandle handle(const post_op_fh3& handle);
  Time time(const nfstime3& time);

  // Notes `fault` unless `rule` holds.
  void require(bool rule, std::string_view fault);

 private:
  std::string_view fault_;
};

Verifier decode_verifier(const char (&verifier)[8]);

// May this name stand in a listing? "." and ".." may not either, but are no fault.
enum class NameKind { kValid, kDots, kInvalid };
NameKind classify_name(std::string_view name);

}  // namespace nfs
