#include "drivers/core/tree_walk.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace homeport::drivers {
namespace {

using nlohmann::json;

constexpr std::size_t kAtOnce = 32;
constexpr std::size_t kMostListed = 100'000;  // ids kept of one directory
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kBytesOfId = 12;  // of a number in JSON, with its comma

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

std::optional<std::string> from_hex(const json& in) {
  if (!in.is_string()) return std::nullopt;
  const auto& text = in.get_ref<const std::string&>();
  if (text.size() % 2 != 0 || text.find_first_not_of("0123456789abcdef") != std::string::npos) return std::nullopt;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) out += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  return out;
}

// The numbers of the totals, in one order for both directions.
template <class Totals>
auto numbers_of(Totals& t) {
  return std::array{&t.entries,  &t.directories,       &t.files, &t.more_names, &t.allocated,
                    &t.apparent, &t.other_filesystems, &t.unread};
}

bool is_number(const json& in) {
  return in.is_number_unsigned();
}

}  // namespace

TreeWalk::TreeWalk(Tree& tree, Resumed /*tag*/) : tree_(&tree), fs_(tree.root().attributes.fs) {}

TreeWalk::TreeWalk(Tree& tree) : TreeWalk(tree, Resumed{}) {
  const auto root = tree.root();
  count(root.attributes);
  waiting_.push_back({.node = root.node});
}

void TreeWalk::count(const EntryAttributes& attributes) {
  if (attributes.type == EntryType::directory) {
    ++totals_.directories;
  } else if (attributes.links > 1 && !several_names_.insert(attributes.id).second) {
    ++totals_.more_names;
    return;
  } else {
    ++totals_.files;
  }
  totals_.allocated += attributes.used;
  totals_.apparent += attributes.size;
}

void TreeWalk::note_unread(const Error& why) {
  if (totals_.unread++ == 0) totals_.unread_why = why.sentence();
}

void TreeWalk::take(const Directory& directory, ListPage page) {
  const bool last = !page.next;
  const bool in_pages = directory.next || !last;
  for (const auto& unseen : page.unseen) {
    const bool mounted = unseen.why.code == Errc::failed_precondition;  // behind a border that the server does not show
    if (mounted) {
      ++totals_.other_filesystems;
    } else {
      note_unread(unseen.why);
    }
  }
  if (!last) waiting_.push_back({.node = directory.node, .next = std::move(page.next)});
  for (auto& entry : page.entries) {
    const auto& attributes = entry.attributes;
    if (attributes.fs != fs_) {
      ++totals_.other_filesystems;
      continue;
    }
    const bool several = attributes.type != EntryType::directory && attributes.links > 1;
    if (in_pages && !several && again(directory, attributes.id)) continue;
    ++totals_.entries;
    count(attributes);
    if (attributes.type == EntryType::directory) waiting_.push_back({.node = std::move(entry.node)});
  }
  if (last) listed_.erase(directory.node.handle);
}

bool TreeWalk::again(const Directory& directory, std::uint64_t id) {
  auto& ids = listed_[directory.node.handle];
  if (ids.size() < kMostListed) return !ids.insert(id).second;
  return ids.contains(id);
}

Result<bool> TreeWalk::step(const OpContext& op) {
  const auto n = static_cast<std::ptrdiff_t>(std::min(kAtOnce, waiting_.size()));
  const std::vector<Directory> batch(std::make_move_iterator(waiting_.end() - n),
                                     std::make_move_iterator(waiting_.end()));
  waiting_.resize(waiting_.size() - static_cast<std::size_t>(n));
  std::vector<ListRequest> requests;
  for (const auto& directory : batch)
    requests.push_back({.directory = directory.node, .from = directory.next, .with_unseen = true});
  auto pages = tree_->list(op, requests);
  std::optional<Error> failure;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (pages[i]) {
      take(batch[i], std::move(pages[i]).value());
      continue;
    }
    auto why = std::move(pages[i]).error();
    if (is_transient(why.code) || why.code == Errc::internal) {
      waiting_.push_back(batch[i]);
      failure = std::move(why);
    } else if (why.code != Errc::not_found || batch[i].node.handle == tree_->root().node.handle) {
      note_unread(why);
    }
  }
  if (failure) return *std::move(failure);
  return waiting_.empty();
}

Result<TreeWalk> TreeWalk::from(Tree& tree, std::string_view position) {
  const auto in = json::parse(position, nullptr, false);
  TreeWalk walk(tree, Resumed{});
  if (walk.read(in)) return walk;
  return Error{.code = Errc::invalid_argument,
               .message = "the place where the walk stopped cannot be read",
               .hint = "walk from the beginning"};
}

bool TreeWalk::read(const json& in) {
  if (!in.is_object() || in.value("version", json()) != kVersion) return false;
  const auto list = [&](const char* name) { return in.contains(name) && in[name].is_array() ? in[name] : json(); };
  const auto totals = list("totals");
  const auto numbers = numbers_of(totals_);
  if (totals.size() != numbers.size() || !std::ranges::all_of(totals, is_number)) return false;
  for (std::size_t i = 0; i < numbers.size(); ++i) *numbers[i] = totals[i].get<std::uint64_t>();
  const auto unread_why = in.value("unread_why", json());
  if (!unread_why.is_string()) return false;
  totals_.unread_why = unread_why.get<std::string>();
  for (const auto& item : list("waiting")) {
    if (!item.is_array() || item.size() != 2) return false;
    const auto handle = from_hex(item[0]);
    const auto next = from_hex(item[1]);
    if (!handle || (!next && !item[1].is_null())) return false;
    waiting_.push_back({.node = {*handle}, .next = next});
  }
  for (const auto& id : list("several_names")) {
    if (!is_number(id)) return false;
    several_names_.insert(id.get<std::uint64_t>());
  }
  for (const auto& item : list("listed")) {
    const auto handle = item.is_array() && item.size() == 2 ? from_hex(item[0]) : std::nullopt;
    if (!handle || !item[1].is_array() || !std::ranges::all_of(item[1], is_number)) return false;
    for (const auto& id : item[1]) listed_[*handle].insert(id.get<std::uint64_t>());
  }
  return true;
}

std::optional<std::string> TreeWalk::position(std::size_t most) const {
  std::size_t size = several_names_.size() * kBytesOfId;
  for (const auto& directory : waiting_)
    size += directory.node.handle.size() * 2 + directory.next.value_or("").size() + 8;
  for (const auto& [handle, ids] : listed_) size += handle.size() * 2 + ids.size() * kBytesOfId;
  if (size > most) return std::nullopt;
  json out{{"version", kVersion}, {"totals", json::array()}, {"unread_why", totals_.unread_why}};
  for (const auto* number : numbers_of(totals_)) out["totals"].push_back(*number);
  auto& waiting = out["waiting"] = json::array();
  for (const auto& directory : waiting_) {
    waiting.push_back(
        json::array({to_hex(directory.node.handle), directory.next ? json(to_hex(*directory.next)) : json()}));
  }
  out["several_names"] = several_names_;
  auto& listed = out["listed"] = json::array();
  for (const auto& [handle, ids] : listed_) listed.push_back(json::array({to_hex(handle), ids}));
  auto text = out.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > most) return std::nullopt;
  return text;
}

}  // namespace homeport::drivers
