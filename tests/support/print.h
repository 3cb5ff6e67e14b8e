// How gtest shows the project's values in failures.
#pragma once

#include <ostream>

#include "nfsbackend/status.h"
#include "nfsbackend/types.h"

namespace nfs {

inline void PrintTo(Status status, std::ostream* out) {
  *out << status_name(status);
}
inline void PrintTo(const Time& time, std::ostream* out) {
  *out << time.seconds << '+' << time.nanoseconds << "ns";
}

}  // namespace nfs
