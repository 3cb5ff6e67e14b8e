// The FUSE operations: each converts its arguments, asks the file system and answers.
//
// Handlers run in the session's reader threads and never wait: an operation whose task has not ended goes on, and
// answers, in the thread that ends it. What libfuse passes by pointer is copied before that.
// Operations that are missing here answer ENOSYS, after which the kernel stops asking (extended attributes, fallocate,
// copy_file_range, lseek: the kernel then does these by itself or says "not supported"); locks hold on this node only,
// by the kernel alone. What each operation may answer: libfuse's fuse_lowlevel.h.
#pragma once

#include <fuse_lowlevel.h>

namespace fused {

// `readdirplus`: list directories with attributes.
fuse_lowlevel_ops make_operations(bool readdirplus);

void add_name_operations(fuse_lowlevel_ops& operations);
void add_attribute_operations(fuse_lowlevel_ops& operations);
void add_file_operations(fuse_lowlevel_ops& operations);
void add_directory_operations(fuse_lowlevel_ops& operations, bool readdirplus);

}  // namespace fused
