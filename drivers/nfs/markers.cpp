#include "drivers/nfs/markers.h"

namespace homeport::drivers::nfs {
namespace {

constexpr std::uint32_t kMarkerMode = 0600;
constexpr std::uint32_t kMostMarkerBytes = 65536;

Result<Entry> write_file(const OpContext& op, Session& session, const Place& place, const std::string& text,
                         Existing existing) {
  AttributeChange attributes{.mode = kMarkerMode};
  if (existing == Existing::take) attributes.size = 0;
  HOMEPORT_TRY(auto file, session.make_file(op, place, attributes, existing));
  HOMEPORT_CHECK(session.write(op, file.node, place.path(), 0, std::as_bytes(std::span(text))));
  return file;
}

}  // namespace

std::string marker_file_name(const SpaceKey& key) {
  return key.str() + ".json";
}

Result<std::vector<MarkerFile>> read_markers(const OpContext& op, Session& session,
                                             std::span<const std::optional<Entry>> files) {
  std::vector<MarkerFile> markers(files.size());
  std::vector<Node> nodes;
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!files[i]) continue;
    markers[i].file = files[i];
    const auto& attributes = files[i]->attributes;
    if (attributes.type != EntryType::file || attributes.size > kMostMarkerBytes) {
      markers[i].broken = "it is not a small file";
      continue;
    }
    nodes.push_back(files[i]->node);
    asked.push_back(i);
  }
  auto texts = session.read_files(op, nodes, kMostMarkerBytes);
  for (std::size_t at = 0; at < texts.size(); ++at) {
    if (!texts[at]) return std::move(texts[at]).error();
    auto marker = marker_from_json(*texts[at]);
    if (!marker) {
      markers[asked[at]].broken = marker.error().message;
    } else {
      markers[asked[at]].marker = std::move(marker).value();
    }
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
