// The common life of objects that are kept as documents: GET, POST, PATCH, DELETE by names and ids.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "drivers/flashblade/sim/operations.h"
#include "drivers/flashblade/sim/world.h"

namespace homeport::fbsim {

inline constexpr int kNever = 1000;  // an operation that no version has

struct Newer {  // an answered member that older versions do not have
  std::string_view path;
  int since;
};

struct Family {
  std::string type;  // its path, and the resource_type of references
  std::string what;  // "Subnet": begins messages
  int get = 0;
  int post = 0;
  int patch = 0;
  int remove = 0;
  Fields post_fields{};
  Fields patch_fields{};
  std::vector<Newer> newer{};
  bool renames = false;     // by PATCH name
  bool only_one = false;    // PATCH needs no names
  bool has_context = true;  // since 2.17; not every type
  Params params{};          // of POST, PATCH and DELETE, beyond names and ids
  Params get_params{};
  // The new document holds defaults; the body is merged into it before. May refuse.
  std::function<Json(World&)> defaults{};
  std::function<Or<void>(Call&, Document& next)> on_create{};
  std::function<Or<void>(Call&, Document& next, const Document& before)> on_change{};
  std::function<Or<void>(Call&, Document&)> on_remove{};
  std::function<void(World&, const Document&, int minor, Json& item)> finish{};  // members that are worked out
};

void add_family(Operations& operations, const Family& family);
[[nodiscard]] Json render_document(World& world, const Family& family, const Document& document, int minor);
// Gives every reference in `item` the present name of what it refers to.
void refresh_references(const World& world, Json& item);
// {"name":"x"} of a body becomes a whole reference. Errors: it does not exist.
[[nodiscard]] Or<void> complete_reference(World& world, Json& fields, std::string_view path, std::string_view type,
                                          std::string_view what);
void merge_body(Json& fields, const Json& body);
Document& insert_document(World& world, std::string_view type, std::string name, Json fields);
// Lists any table of documents; for GETs with selectors of their own.
[[nodiscard]] Answer list_documents(Call& call, const Table<Document>& table, const Found<Document>& found,
                                    const std::function<bool(const Document&)>& wanted,
                                    const std::function<Json(const Document&)>& render);

}  // namespace homeport::fbsim
