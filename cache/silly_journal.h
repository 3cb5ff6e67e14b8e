// SillyJournal: the names of unlinked files that are still open here, where they outlive the daemon, so that the next
// mount removes what a crash left behind.
//
// One line of JSON a change, appended before the server hears of it; the file exists only while something is recorded.
// A path that another live daemon holds, or that cannot be opened, turns the journal off with one log line; the mount
// works without.
// Thread-safety: every member may be called from any thread. Writes a few hundred bytes to a local file.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "cache/node.h"

namespace cache {

class SillyJournal {
 public:
  // An empty path keeps no journal.
  explicit SillyJournal(const std::string& path);
  ~SillyJournal();
  SillyJournal(const SillyJournal&) = delete;
  SillyJournal& operator=(const SillyJournal&) = delete;

  // What an earlier daemon left behind; each stays recorded until removed() is called for it.
  std::vector<SillyName> leftovers() const { return leftovers_; }
  void added(const SillyName& silly);
  void removed(const SillyName& silly);

 private:
  // Opens and locks the file; turns the journal off where that fails.
  void open();
  void load();
  void append(const char* what, const SillyName& silly);

  std::vector<SillyName> leftovers_;
  std::mutex mutex_;
  std::string path_;          // GUARDED_BY(mutex_); empty: the journal is off
  int descriptor_ = -1;       // GUARDED_BY(mutex_); open while something is recorded
  bool torn_ = false;         // GUARDED_BY(mutex_); the file ends in the middle of a line
  std::size_t recorded_ = 0;  // GUARDED_BY(mutex_); names in the file
};

}  // namespace cache
