// The daemon's reports as tables for people. Values only; never blocks.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fused {

std::string status_text(const nlohmann::json& status);

// `before`: an earlier report, whose counters are subtracted; null for the figures since the mount. Rows of calls that
// never happened are left out.
std::string statistics_text(const nlohmann::json& statistics, const nlohmann::json& before);

}  // namespace fused
