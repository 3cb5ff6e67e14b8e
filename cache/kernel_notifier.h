// KernelNotifier: how the cache takes back what the kernel was told. Implemented by the FUSE session.
//
// The calls queue and return at once; the kernel hears of them a moment later, from a thread that holds no lock.
// Failures (a node the kernel forgot) are nothing. Exception: invalidate_attributes_now() and distrust_all_names_now()
// have taken effect when they return. Thread-safety: every member may be called from any thread, also with locks held.
#pragma once

#include <string>

#include "cache/file_system.h"

namespace cache {

class KernelNotifier {
 public:
  virtual ~KernelNotifier() = default;
  // Drops the node's attributes and cached pages.
  virtual void invalidate_data(NodeId node) = 0;
  // Drops the meaning of a name.
  virtual void invalidate_name(NodeId parent, std::string name) = 0;
  // Makes the kernel ask for the attributes again.
  virtual void invalidate_attributes_now(NodeId node) = 0;
  // Makes the kernel look up every name again before it uses it. Returns false where the kernel cannot (before 6.16);
  // then the names have to be invalidated one by one.
  virtual bool distrust_all_names_now() = 0;
};

}  // namespace cache
