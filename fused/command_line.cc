#include "fused/command_line.h"

#include <boost/program_options.hpp>

namespace fused {

namespace po = boost::program_options;

std::expected<CommandLine, std::string> parse_command_line(const Words& words, const CommandForm& form) {
  po::options_description known;
  for (const std::string& flag : form.flags) {
    known.add_options()(flag.c_str(), "");
  }
  for (const std::string& option : form.options) {
    known.add_options()(option.c_str(), po::value<std::string>());
  }
  CommandLine line;
  try {
    using namespace po::command_line_style;
    po::positional_options_description positional;
    known.add_options()("operand", po::value<std::vector<std::string>>());
    positional.add("operand", -1);
    auto parsed =
        po::command_line_parser(words).options(known).positional(positional).style(unix_style & ~allow_guessing).run();
    for (const po::option& option : parsed.options) {
      if (option.position_key >= 0) {
        line.operands.insert(line.operands.end(), option.value.begin(), option.value.end());
      } else if (option.value.empty()) {
        line.flags.insert(option.string_key);
      } else {
        line.options[option.string_key].push_back(option.value.front());
      }
    }
  } catch (const po::error& error) {
    return std::unexpected(error.what());
  }
  if (line.operands.size() < form.operands_min) {
    return std::unexpected("operands are missing");
  }
  if (line.operands.size() > form.operands_max) {
    return std::unexpected("unexpected operand " + line.operands[form.operands_max]);
  }
  return line;
}

}  // namespace fused
