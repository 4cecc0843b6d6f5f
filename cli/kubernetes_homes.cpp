#include "cli/kubernetes_homes.h"

#include <algorithm>
#include <map>
#include <set>

#include "policies/spawner_names.h"
#include "provisioner/base/names.h"
#include "provisioner/render/quoting.h"

namespace homeport::cli {
namespace {

using policies::NameEncoding;

constexpr std::string_view kUserName = "hub.jupyter.org/username";
constexpr std::string_view kServerName = "hub.jupyter.org/servername";
constexpr std::string_view kClaimPrefix = "claim-";  // KubeSpawner's pvc_name_template: claim-{user_server}

struct Refusal {
  std::string reason;
  std::string why;
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

const std::string* find_in(const std::map<std::string, std::string>& map, std::string_view key) {
  const auto at = map.find(std::string(key));
  return at == map.end() ? nullptr : &at->second;
}

// The names of volumes, claims and namespaces: DNS-1123 subdomains. Nothing else is put into a command.
bool is_object_name(std::string_view name) {
  return !name.empty() && name.size() <= 253 && name.front() != '-' && name.front() != '.' && name.back() != '-' &&
         name.back() != '.' && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

std::string host_of(std::string_view server) {
  std::string out = lower(server);
  if (out.size() > 2 && out.front() == '[' && out.back() == ']') out = out.substr(1, out.size() - 2);
  while (out.ends_with('.')) out.pop_back();
  return out;
}

// "//export/homes/alice/" as drivers accept it -> "/export/homes/alice". What else is odd stays and is refused.
std::string tidy(std::string_view path) {
  std::string out;
  for (const char c : path)
    if (c != '/' || out.empty() || out.back() != '/') out += c;
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

bool is_the_hubs(const DumpedClaim& claim) {
  const auto ours = [](const auto& map) {
    return std::ranges::any_of(map, [](const auto& one) { return one.first.starts_with("hub.jupyter.org/"); });
  };
  const auto* component = find_in(claim.labels, "component");
  return (component != nullptr && *component == "singleuser-storage") || ours(claim.labels) || ours(claim.annotations);
}

// --- whose -----------------------------------------------------------------------------------------------------------

class Reader {
 public:
  Reader(const HomesInDump& settings, const DumpedClaim& claim) : settings_(settings), claim_(claim) {}

  // The person's name, or why it cannot be told.
  std::optional<Refusal> read(std::string& user) {
    const auto* server = find_in(claim_.annotations, kServerName);
    if (server != nullptr && !server->empty()) return named_server(*server);
    if (const auto* name = find_in(claim_.annotations, kUserName)) {
      user = *name;
      return check(user);
    }
    if (const auto* slug = find_in(claim_.labels, kUserName)) return from_slug(*slug, user);
    if (claim_.name.starts_with(kClaimPrefix)) {
      const auto slug = claim_.name.substr(kClaimPrefix.size());
      if (slug.find("--") != std::string::npos && !policies::is_hashed(NameEncoding::safe, slug))
        return named_server(slug.substr(slug.find("--") + 2));
      return from_slug(slug, user);
    }
    return Refusal{"no-user", "the hub made this claim, and neither its annotations nor its name say for whom; " +
                                  annotate_hint()};
  }

 private:
  static Refusal named_server(const std::string& server) {
    return {"named-server", "it is the home of the named server '" + printable(server, 60) +
                                "'; only people's own homes are taken over, this one stays as it is"};
  }
  [[nodiscard]] std::string annotate_hint() const {
    if (!is_object_name(claim_.name) || !is_object_name(claim_.name_space)) return "give a map (--map) instead";
    return "say so with `kubectl annotate pvc -n " + claim_.name_space + " " + claim_.name +
           " hub.jupyter.org/username=NAME` and dump again";
  }
  static std::optional<Refusal> check(const std::string& user) {
    if (const auto name = UserName::parse(user); !name) return Refusal{"odd-name", name.error().sentence()};
    return std::nullopt;
  }

  // A name that KubeSpawner made fit for Kubernetes. Before 7 it escaped (bob@x: bob-40x), from 7 on it keeps what
  // fits and hashes the rest; nothing in the text says which of the two it was.
  std::optional<Refusal> from_slug(const std::string& slug, std::string& user) {
    std::set<std::string> known;
    for (const auto& name : settings_.names) {
      const bool safe = policies::encode_name(NameEncoding::safe, name) == slug || name == slug;
      const bool escaped = lower(policies::encode_name(NameEncoding::escape, name)) == slug;
      if ((safe && settings_.slugs != SlugScheme::escape) || (escaped && settings_.slugs != SlugScheme::safe))
        known.insert(name);
    }
    if (known.size() == 1) {
      user = *known.begin();
      return check(user);
    }
    if (known.size() > 1) {
      return Refusal{"two-names", "'" + printable(slug, 80) + "' may be " + printable(*known.begin(), 60) + " or " +
                                      printable(*std::next(known.begin()), 60) + "; " + annotate_hint()};
    }
    if (policies::is_hashed(NameEncoding::safe, slug)) {
      return Refusal{"hashed-name", "'" + printable(slug, 80) +
                                        "' ends in a hash and cannot be read back; give the hub's user names with "
                                        "--names, or " +
                                        annotate_hint()};
    }
    const auto decoded = policies::decode_name(NameEncoding::escape, slug);
    const bool escapes = decoded && *decoded != slug && UserName::parse(*decoded);
    if (settings_.slugs == SlugScheme::safe || !escapes) {
      user = slug;
    } else if (settings_.slugs == SlugScheme::escape ||
               (std::ranges::none_of(*decoded, [](char c) { return c >= 'A' && c <= 'Z'; }) &&
                (std::ranges::count(slug, '-') > 1 || decoded->find('@') != std::string::npos))) {
      user = *decoded;  // no plain name has several escapes, or one of '@', in it by chance; hubs write names in lower
                        // case
    } else {
      return Refusal{"two-names", "'" + printable(slug, 80) + "' may be that very name, or " + printable(*decoded, 60) +
                                      " as KubeSpawner before 7 escaped it; say which with --slug-scheme, or give the "
                                      "hub's user names with --names"};
    }
    return check(user);
  }

  const HomesInDump& settings_;
  const DumpedClaim& claim_;
};

// --- where -----------------------------------------------------------------------------------------------------------

Refusal not_readable(const std::string& path, const Error& error) {
  return {"odd-path",
          error.message +
              (path.find("..") == std::string::npos ? "" : "; a path that leads upwards could be anybody's directory")};
}

class Place {
 public:
  Place(const HomesInDump& settings, const DumpedVolume& volume) : settings_(settings), volume_(volume) {}

  // Why no home of a server can be in it, whosever it is.
  [[nodiscard]] std::optional<Refusal> check_kind() const {
    if (volume_.volume_mode == "Block")
      return Refusal{"block-volume", "it is a raw block device (volumeMode: Block), no filesystem with a home in it"};
    if (volume_.source == "nfs" || (volume_.source == "csi" && volume_.driver == "nfs.csi.k8s.io")) return std::nullopt;
    if (!is_array(volume_)) return other_kind();
    const auto backend = attribute("backend");
    if (backend != "block" && backend != "pure_block") return std::nullopt;
    return Refusal{"block-volume", "it is a block volume of the array (backend " + backend + "), not a filesystem"};
  }
  // The path as the server names it, or why there is none. Precondition: check_kind() found nothing.
  std::optional<Refusal> find(std::string& path) const {
    if (volume_.source == "nfs") return on_server(volume_.server, volume_.path, path);
    if (volume_.driver == "nfs.csi.k8s.io") return of_csi_driver_nfs(path);
    return of_array(path);
  }

  // pure-csi: Pure Service Orchestrator. pxd.portworx.com: its successor, backend pure_file.
  static bool is_array(const DumpedVolume& volume) {
    return volume.source == "csi" && (volume.driver == "pure-csi" || volume.driver == "pxd.portworx.com");
  }

 private:
  [[nodiscard]] std::string attribute(std::string_view key) const {
    for (const auto& [name, value] : volume_.attributes)
      if (lower(name) == key) return value;  // the driver looks at them in lower case
    return {};
  }

  [[nodiscard]] std::optional<Refusal> other_kind() const {
    const bool here = volume_.source == "hostPath" || volume_.source == "local";
    const std::string what = volume_.driver.empty() ? volume_.source : volume_.source + " " + volume_.driver;
    if (volume_.source.empty()) return Refusal{"no-source", "its spec does not say where the data is"};
    if (here)
      return Refusal{"local-disk", "its data is on a disk of one node (" + what +
                                       "), not on a server that homes could be mounted from"};
    return Refusal{"not-nfs", "its data is behind " + printable(what, 80) +
                                  ": block storage, or something else than NFS; copy it if it holds a home"};
  }

  std::optional<Refusal> on_server(const std::string& server, const std::string& raw, std::string& path) const {
    if (server.empty() || raw.empty())
      return Refusal{"no-source", std::string("its spec names no ") + (server.empty() ? "server" : "path")};
    const auto host = host_of(server);
    if (std::ranges::none_of(settings_.servers, [&](const auto& known) { return host_of(known) == host; })) {
      std::string known;
      for (const auto& one : settings_.servers) known += (known.empty() ? "" : ", ") + printable(one, 60);
      return Refusal{"other-server", "it lies on " + printable(server, 80) + ", this backend is " + known +
                                         "; import it to the backend of that server, or say with --server that the "
                                         "two are the same"};
    }
    path = tidy(raw);
    const auto& prefix = settings_.path_prefix;
    if (!prefix.empty() && path.starts_with(prefix + "/")) path = path.substr(prefix.size());
    const auto parsed = AbsolutePath::parse(path);
    if (!parsed) return not_readable(path, parsed.error());
    if (path == "/")
      return Refusal{"odd-path", "it is the server's root, with everybody's files in it; that is nobody's home"};
    return std::nullopt;
  }

  // share, then subdir with what the driver puts in for its ${words}.
  std::optional<Refusal> of_csi_driver_nfs(std::string& path) const {
    std::string sub = attribute("subdir");
    const std::pair<std::string_view, std::string_view> words[] = {
        {"${pvc.metadata.name}", "csi.storage.k8s.io/pvc/name"},
        {"${pvc.metadata.namespace}", "csi.storage.k8s.io/pvc/namespace"},
        {"${pv.metadata.name}", "csi.storage.k8s.io/pv/name"}};
    for (const auto& [word, key] : words) {
      const auto value = attribute(key);
      for (auto at = sub.find(word); !value.empty() && at != std::string::npos; at = sub.find(word, at + value.size()))
        sub.replace(at, word.size(), value);
    }
    if (sub.find("${") != std::string::npos)
      return Refusal{"odd-path", "its subdir '" + printable(sub, 80) + "' has a word that the volume does not explain"};
    const auto share = attribute("share");
    return on_server(attribute("server"), sub.empty() || share.empty() ? share : share + "/" + sub, path);
  }

  // One filesystem of the array for each volume, exported under its own name.
  std::optional<Refusal> of_array(std::string& path) const {
    std::set<std::string> fitting;
    for (const auto& exported : settings_.exports) {
      const auto name = exported.substr(exported.rfind('/') + 1);
      // A volume's own name ends in a UUID (pvc-…), so that a filesystem named after it is its own.
      const bool named_after = volume_.name.starts_with("pvc-") && name.ends_with("-" + volume_.name);
      if (name == volume_.handle || name == volume_.name || named_after) fitting.insert(exported);
    }
    if (fitting.size() == 1) {
      path = *fitting.begin();
      const auto parsed = AbsolutePath::parse(path);
      return parsed ? std::nullopt : std::optional(not_readable(path, parsed.error()));
    }
    const auto handle = printable(volume_.handle, 80);
    return Refusal{fitting.empty() ? "not-exported" : "two-exports",
                   fitting.empty()
                       ? "the backend exports no filesystem " + handle +
                             ": it is on another array, it is a block volume, or the array does not export it to "
                             "Homeport (`homeport backend exports` lists what it does; --from-array looks without that)"
                       : "several exports of the backend fit filesystem " + handle + "; say which with a map (--map)"};
  }

  const HomesInDump& settings_;
  const DumpedVolume& volume_;
};

// --- which -----------------------------------------------------------------------------------------------------------

class Sorter {
 public:
  Sorter(const KubernetesDump& dump, const HomesInDump& settings) : dump_(dump), settings_(settings) {
    for (const auto& claim : dump.claims) claims_[claim.words()].push_back(&claim);
    for (const auto& volume : dump.volumes) ++volumes_[volume.name];
  }

  DumpedFleet sort() {
    for (const auto& volume : dump_.volumes) look_at(volume);
    for (const auto& claim : dump_.claims) {
      if (!seen_.contains(&claim) && wanted(claim.name_space)) without_volume(claim);
    }
    std::ranges::stable_sort(fleet_.homes, {}, &DumpedHome::path);
    refuse_doubles();
    std::ranges::stable_sort(fleet_.left_out, {}, &LeftOut::reason);
    return std::move(fleet_);
  }

 private:
  [[nodiscard]] bool wanted(const std::string& name_space) const {
    return settings_.name_space.empty() || settings_.name_space == name_space;
  }
  void leave_out(const DumpedVolume& volume, const std::string& claim, Refusal why) {
    fleet_.left_out.push_back({volume.name, claim, std::move(why.reason), std::move(why.why)});
  }

  void look_at(const DumpedVolume& volume) {
    std::string claim_words;
    const DumpedClaim* claim = nullptr;
    auto refusal = claim_of(volume, claim, claim_words);
    if (claim != nullptr) seen_.insert(claim);
    if (!volume.claim.empty() && !wanted(volume.claim.front().name_space)) return;  // asked for another namespace
    const Place place(settings_, volume);
    if (auto other = place.check_kind()) refusal = std::move(other);
    if (!is_object_name(volume.name)) refusal = Refusal{"odd-name", "Kubernetes gives no volume such a name"};
    if (volumes_[volume.name] > 1)
      refusal = Refusal{"twice", "the dump holds this volume twice, with a difference; dump again, in one go"};
    if (!volume.trouble.empty()) refusal = Refusal{"unreadable", volume.trouble};
    DumpedHome home{.volume = volume.name, .claim = claim_words};
    if (!refusal && !is_the_hubs(*claim)) {
      refusal = Refusal{"not-a-home",
                        "its claim is not one that a hub makes for a person; if it holds many homes, import "
                        "it with --base and --match"};
    }
    if (!refusal) refusal = place.find(home.path);
    if (!refusal && volume.read_only)
      refusal = Refusal{"read-only", "it is mounted read-only; a dataset, perhaps: `homeport dataset import`"};
    if (!refusal) refusal = Reader(settings_, *claim).read(home.user);
    if (refusal) return leave_out(volume, claim_words, *std::move(refusal));
    home.retains = volume.reclaim_policy == "Retain";
    fleet_.homes.push_back(std::move(home));
  }

  // The claim that volume and claim agree on.
  std::optional<Refusal> claim_of(const DumpedVolume& volume, const DumpedClaim*& claim, std::string& words) {
    if (volume.claim.empty())
      return Refusal{"unclaimed", "nobody claims it (" + phase_of(volume) + "), so nothing says whose it is"};
    const auto& ref = volume.claim.front();
    words = ref.name_space + "/" + ref.name;
    if (ref.name_space.empty() || ref.name.empty()) {
      return Refusal{"broken-claim",
                     "its claimRef names no " + std::string(ref.name.empty() ? "claim"
                                                                             : "namespace, so that a claim of that "
                                                                               "name in any namespace may take it")};
    }
    const auto found = claims_.find(words);
    if (found == claims_.end()) {
      return Refusal{"claim-gone", "its claim " + printable(words, 120) + " is not in the dump (the volume is " +
                                       phase_of(volume) + "); the data may be a person's: give a map (--map) if so"};
    }
    if (found->second.size() > 1) {
      for (const auto* one : found->second) seen_.insert(one);
      return Refusal{"twice", "the dump holds its claim twice, with a difference; dump again, in one go"};
    }
    claim = found->second.front();
    if (!claim->trouble.empty()) return Refusal{"unreadable", "its claim: " + claim->trouble};
    if (!ref.uid.empty() && !claim->uid.empty() && ref.uid != claim->uid) {
      return Refusal{"broken-claim",
                     "its claim was deleted and another of the same name was made since; the data may "
                     "be another person's"};
    }
    if (claim->phase == "Lost" || claim->phase == "Pending") return not_bound(*claim);
    if (claim->volume != volume.name) {
      return Refusal{"broken-claim", "its claim uses " +
                                         (claim->volume.empty() ? "no volume yet" : printable(claim->volume, 120)) +
                                         ", not this volume"};
    }
    return std::nullopt;
  }

  static Refusal not_bound(const DumpedClaim& claim) {
    if (claim.phase == "Lost") {
      return {"claim-lost",
              "the claim is Lost: Kubernetes knows its volume no more, while the data may still stand on "
              "the server; give a map (--map) if so"};
    }
    return {"claim-pending", "the claim is Pending: it never got a volume, so there is no home yet"};
  }

  void without_volume(const DumpedClaim& claim) {
    LeftOut left{.volume = claim.volume, .claim = claim.words(), .reason = {}, .why = {}};
    if (!claim.trouble.empty()) {
      left.reason = "unreadable";
      left.why = claim.trouble;
    } else if (claim.phase == "Lost" || claim.phase == "Pending") {
      auto refusal = not_bound(claim);
      left.reason = std::move(refusal.reason);
      left.why = std::move(refusal.why);
    } else if (volumes_.contains(claim.volume)) {
      left.reason = "broken-claim";
      left.why = "it uses a volume that is claimed by another claim";
    } else {
      left.reason = "volume-gone";
      left.why = "its volume is not in the dump; volumes belong to no namespace: dump them with `kubectl get pv`";
    }
    fleet_.left_out.push_back(std::move(left));
  }

  // One directory for one person. `homes` are sorted by path.
  void refuse_doubles() {
    std::map<std::string, std::vector<const DumpedHome*>> by_user;
    std::map<std::string, std::vector<const DumpedHome*>> by_path;
    for (const auto& home : fleet_.homes) {
      by_user[home.user].push_back(&home);
      by_path[home.path].push_back(&home);
    }
    std::map<const DumpedHome*, const DumpedHome*> overlapping;
    for (const auto& home : fleet_.homes) {
      if (const auto* around = holding(by_path, home.path)) {
        overlapping[&home] = around;
        overlapping[around] = &home;
      }
    }
    const auto others = [](const std::vector<const DumpedHome*>& all, const DumpedHome& but) {
      std::string out;
      for (const auto* one : all)
        if (one != &but) out += (out.empty() ? "" : ", ") + printable(one->claim, 120);
      return out;
    };
    std::vector<DumpedHome> good;
    for (const auto& home : fleet_.homes) {
      std::optional<Refusal> refusal;
      if (by_path[home.path].size() > 1) {
        refusal = Refusal{"two-to-one", "its directory " + printable(home.path, 120) + " is also that of " +
                                            others(by_path[home.path], home) + "; two people cannot have one home"};
      } else if (by_user[home.user].size() > 1) {
        refusal =
            Refusal{"two-to-one", printable(home.user, 60) + " has another claim: " + others(by_user[home.user], home) +
                                      "; choose one with --namespace or a map (--map)"};
      } else if (const auto at = overlapping.find(&home); at != overlapping.end()) {
        refusal = Refusal{"overlaps", "its directory " + printable(home.path, 120) + " and that of " +
                                          printable(at->second->claim, 120) + ", " + printable(at->second->path, 120) +
                                          ", lie in one another"};
      }
      if (refusal) {
        fleet_.left_out.push_back({home.volume, home.claim, std::move(refusal->reason), std::move(refusal->why)});
      } else {
        good.push_back(home);
      }
    }
    fleet_.homes = std::move(good);
  }

  static const DumpedHome* holding(const std::map<std::string, std::vector<const DumpedHome*>>& by_path,
                                   const std::string& path) {
    for (auto slash = path.rfind('/'); slash != 0 && slash != std::string::npos; slash = path.rfind('/', slash - 1)) {
      if (const auto at = by_path.find(path.substr(0, slash)); at != by_path.end()) return at->second.front();
    }
    return nullptr;
  }

  static std::string phase_of(const DumpedVolume& volume) {
    return volume.phase.empty() ? "of unknown phase" : printable(volume.phase, 40);
  }

  const KubernetesDump& dump_;
  const HomesInDump& settings_;
  std::map<std::string, std::vector<const DumpedClaim*>> claims_{};
  std::map<std::string, int> volumes_{};
  std::set<const DumpedClaim*> seen_{};
  DumpedFleet fleet_{};
};

}  // namespace

DumpedFleet homes_in(const KubernetesDump& dump, const HomesInDump& settings) {
  return Sorter(dump, settings).sort();
}

VolumePlace place_of(const DumpedVolume& volume, const HomesInDump& settings) {
  const Place place(settings, volume);
  VolumePlace out;
  auto refusal = place.check_kind();
  if (!refusal) refusal = place.find(out.path);
  if (!volume.trouble.empty()) refusal = Refusal{"unreadable", volume.trouble};
  if (!refusal) return out;
  return {.path = {}, .reason = std::move(refusal->reason), .why = std::move(refusal->why)};
}

bool is_of_array(const DumpedVolume& volume) {
  return Place::is_array(volume);
}

bool needs_exports(const KubernetesDump& dump) {
  return std::ranges::any_of(dump.volumes, [](const auto& volume) { return Place::is_array(volume); });
}

std::string retain_command(const std::string& volume) {
  return "kubectl patch pv " + render::shell_quote(volume) + " -p " +
         render::shell_quote(R"({"spec":{"persistentVolumeReclaimPolicy":"Retain"}})");
}

}  // namespace homeport::cli
