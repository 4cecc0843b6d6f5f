// A tree over one volume of a memory backend.
#pragma once

#include <memory>

#include "drivers/core/optional.h"
#include "drivers/memory/memory_driver.h"
#include "drivers/memory/world.h"

namespace homeport::drivers::memory {

enum class TreeMode { writable, read_only };

// The volume of a live object is shared with the world and changes under its lock; a frozen one never changes.
// The tree holds the world, so it may outlive the driver; the clock must outlive the tree.
[[nodiscard]] std::unique_ptr<Tree> make_tree(SharedWorld world, const Clock& clock, std::shared_ptr<Volume> volume,
                                              std::uint64_t root, TreeMode mode, std::string path);

}  // namespace homeport::drivers::memory
