#include "fused/operations.h"

namespace fused {

fuse_lowlevel_ops make_operations(bool readdirplus) {
  fuse_lowlevel_ops operations{};
  add_name_operations(operations);
  add_attribute_operations(operations);
  add_file_operations(operations);
  add_directory_operations(operations, readdirplus);
  return operations;
}

}  // namespace fused
