#include "drivers/nfs/markers.h"

#include "drivers/nfs/nfs_status.h"

namespace homeport::drivers::nfs {
namespace {

constexpr std::uint32_t kMarkerMode = 0600;
constexpr std::uint32_t kMostMarkerBytes = 65536;
// Each one means that somebody else got on with their work; more than this in a row is something wrong.
constexpr int kMostReplacements = 8;

Result<Entry> write_file(const OpContext& op, Session& session, const Place& place, const std::string& text,
                         Existing existing) {
  AttributeChange attributes{.mode = kMarkerMode};
  if (existing == Existing::take) attributes.size = 0;
  HOMEPORT_TRY(auto file, session.make_file(op, place, attributes, existing));
  HOMEPORT_CHECK(session.write(op, file.node, place.path(), 0, std::as_bytes(std::span(text))));
  return file;
}

// What stands at the markers' names now.
Result<void> look_again(const OpContext& op, Session& session, const Node& dir, std::span<const std::size_t> which,
                        std::vector<MarkerFile>& markers) {
  std::vector<NameRequest> requests;
  requests.reserve(which.size());
  for (const auto i : which) requests.push_back({.dir = dir, .name = markers[i].file->name});
  auto found = session.lookup(op, requests);
  for (std::size_t at = 0; at < which.size(); ++at) {
    if (!found[at]) return std::move(found[at]).error();
    markers[which[at]].file = *std::move(found[at]);
  }
  return {};
}

// Reads the markers of `asked`. Returns those that were replaced meanwhile: a rename over a file takes the old one
// away, and its handle is stale. They were looked up again.
Result<std::vector<std::size_t>> read_once(const OpContext& op, Session& session, const Node& dir,
                                           std::span<const std::size_t> asked, bool forgive_stale,
                                           std::vector<MarkerFile>& markers) {
  std::vector<Node> nodes;
  std::vector<std::size_t> read;
  for (const auto i : asked) {
    const auto& file = markers[i].file;
    if (!file) continue;
    const auto& attributes = file->attributes;
    if (attributes.type != EntryType::file || attributes.size > kMostMarkerBytes) {
      markers[i].broken = "it is not a small file";
      continue;
    }
    nodes.push_back(file->node);
    read.push_back(i);
  }
  std::vector<std::size_t> replaced;
  auto texts = session.read_files(op, nodes, kMostMarkerBytes);
  for (std::size_t at = 0; at < texts.size(); ++at) {
    auto& into = markers[read[at]];
    if (!texts[at]) {
      if (!forgive_stale || !is_stale(texts[at].error())) return std::move(texts[at]).error();
      replaced.push_back(read[at]);
      continue;
    }
    auto marker = marker_from_json(*texts[at]);
    if (!marker) {
      into.broken = marker.error().message;
    } else {
      into.marker = std::move(marker).value();
    }
  }
  HOMEPORT_CHECK(look_again(op, session, dir, replaced, markers));
  return replaced;
}

}  // namespace

std::string marker_file_name(const SpaceKey& key) {
  return key.str() + ".json";
}

Result<std::vector<MarkerFile>> read_markers(const OpContext& op, Session& session, const Node& dir,
                                             std::span<const std::optional<Entry>> files) {
  std::vector<MarkerFile> markers(files.size());
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < files.size(); ++i) {
    markers[i].file = files[i];
    if (files[i]) asked.push_back(i);
  }
  for (int attempt = 0; !asked.empty(); ++attempt) {
    HOMEPORT_TRY(asked, read_once(op, session, dir, asked, attempt < kMostReplacements, markers));
  }
  return markers;
}

Result<Entry> write_marker(const OpContext& op, const Backend& backend, Session& session, const Directories& dirs,
                           const Marker& marker, const std::optional<Entry>& existing) {
  const std::string text = marker_to_json(marker);
  const Place final_place{
      .dir = dirs.markers.node, .dir_path = dirs.markers_path(), .name = marker_file_name(marker.key)};
  if (!existing) {
    auto made = write_file(op, session, final_place, text, Existing::refuse);
    if (made || made.error().code != Errc::already_exists) return made;
  }
  Place draft = final_place;
  draft.name += "." + backend.nonce() + ".new";  // two writers never share one
  HOMEPORT_TRY(auto file, write_file(op, session, draft, text, Existing::take));
  HOMEPORT_CHECK(session.rename(op, draft, final_place));
  file.name = final_place.name;
  return file;
}

}  // namespace homeport::drivers::nfs
