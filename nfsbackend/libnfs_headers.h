// libnfs's raw headers, in the one order in which they compile as C++. Only sources of this folder include this.
#pragma once

// libnfs.h uses timeval without declaring it.
#include <sys/time.h>

// Defines what all of the raw headers use.
#include <nfsc/libnfs.h>

#include <nfsc/libnfs-raw-mount.h>
#include <nfsc/libnfs-raw-nfs.h>
#include <nfsc/libnfs-raw-portmap.h>
#include <nfsc/libnfs-raw.h>
