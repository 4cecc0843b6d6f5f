#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>

#include "api/auth.h"
#include "api/call.h"
#include "api/handlers.h"
#include "api/lists.h"
#include "api/openapi.h"
#include "api/wire_admin.h"
#include "provisioner/base/digest.h"

namespace homeport::api {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kDoctorTime{25};  // for a look at each array

struct FileRequest {
  std::string file;
};

Result<FileRequest> read_file_request(const Request& request) {
  return read_body(request, [](DocReader& in) {
    const auto path = in.required("file", &AbsolutePath::parse);
    return FileRequest{.file = path ? path->str() : std::string()};
  });
}

Error file_error(const std::string& file, int code) {
  return Error{.code = Errc::failed_precondition,
               .message = "cannot read " + file + ": " + std::strerror(code)};  // NOLINT(concurrency-mt-unsafe)
}

// Mapped, not read: a database may be larger than what this process should hold.
Result<json> describe_file(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return file_error(file, errno);
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) {
    const int code = errno;
    ::close(fd);
    return file_error(file, code);
  }
  const auto size = static_cast<std::size_t>(facts.st_size);
  void* bytes = size == 0 ? nullptr : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int code = errno;
  ::close(fd);
  if (bytes == MAP_FAILED) return file_error(file, code);
  const std::string digest = sha256_hex({static_cast<const char*>(bytes), size});
  if (bytes != nullptr) ::munmap(bytes, size);
  return json{{"file", file}, {"bytes", size}, {"sha256", digest}};
}

Result<std::uint64_t> resume_point(const CallPtr& call) {
  const Request& request = call->request;
  const std::string_view last = request.header("Last-Event-ID");
  if (!last.empty()) {
    std::uint64_t seq = 0;
    const auto [stop, problem] = std::from_chars(last.data(), last.data() + last.size(), seq);
    if (problem == std::errc() && stop == last.data() + last.size()) return seq;
    return Error{.code = Errc::invalid_argument,
                 .message = "the header Last-Event-ID is no sequence number: '" + printable(last, 40) + "'",
                 .hint = "send the id of the last event, or none"};
  }
  HOMEPORT_TRY(const auto after, number_param(request, "after", 0, std::numeric_limits<std::int64_t>::max()));
  if (after) return *after;
  return call->api.events().latest();
}

}  // namespace

std::optional<Response> get_health(Api&, const Request&, const policies::Principal&) {
  return json_response(200, R"({"status":"ok"})");
}

std::optional<Response> get_readiness(Api& api, const Request&, const policies::Principal&) {
  switch (api.phase()) {
    case Phase::ready: {
      // It serves; what is wrong in detail is not for everybody who may ask this.
      json detail = nullptr;
      if (!api.core().administration().configuration_problems().empty())
        detail = "the configuration is not fully in force: `homeport doctor` says why";
      return json_response(200, dump({{"status", "ready"}, {"detail", std::move(detail)}}));
    }
    case Phase::standby: return json_response(503, dump({{"status", "standby"}, {"detail", api.phase_detail()}}));
    case Phase::starting:
    case Phase::stopping: break;
  }
  const char* word = api.phase() == Phase::stopping ? "stopping" : "starting";
  return json_response(503, dump({{"status", word}, {"detail", api.phase_detail()}}));
}

void get_metrics(const CallPtr& call) {
  call->reply(Response{.status = 200,
                       .content_type = "text/plain; version=0.0.4; charset=utf-8",
                       .body = call->api.parts().metrics.text()});
}

std::optional<Response> get_openapi(Api&, const Request&, const policies::Principal&) {
  static const auto text = std::make_shared<const std::string>(openapi_text());
  return Response{.status = 200, .content_type = "application/json", .shared_body = text};
}

std::optional<Response> get_version(Api& api, const Request&, const policies::Principal&) {
  return json_response(200, dump({{"version", HOMEPORT_VERSION}, {"schema", api.settings().schema_version}}));
}

void get_doctor(const CallPtr& call) {
  call->api.core().doctor(call->caller(kDoctorTime), [call](const std::vector<core::Finding>& found) {
    json findings = json::array();
    for (const auto& finding : found) findings.push_back(finding_json(finding));
    call->reply_json(200, {{"findings", std::move(findings)}});
  });
}

void get_events(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto bearer, bearer_token(call->request));
    // A stream lives longer than the request: its token may be revoked, rotated, past its end or of another scope by
    // now.
    auto still_allowed = [&api = call->api, token = Secret(std::string(bearer))] {
      const auto principal = api.core().tokens().authenticate(token.reveal());
      return principal && policies::authorize(*principal, policies::Action::read_inventory);
    };
    HOMEPORT_CHECK(call->api.events().admits());
    HOMEPORT_TRY(const auto after, resume_point(call));
    Response head{.status = 200, .content_type = "text/event-stream"};
    head.with("Cache-Control", "no-store").with("X-Accel-Buffering", "no");
    call->api.events().add(call->responder.stream(std::move(head)), after, std::move(still_allowed));
    return {};
  });
}

void backup_state(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wanted, read_file_request(call->request));
    HOMEPORT_CHECK(call->api.core().administration().backup_to(call->caller(), wanted.file));
    HOMEPORT_TRY(const auto body, describe_file(wanted.file));
    call->reply_json(200, body);
    return {};
  });
}

void restore_state(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(const auto wanted, read_file_request(call->request));
    const auto& stage = call->api.settings().stage_restore;
    if (!stage) {
      return Error{.code = Errc::unsupported,
                   .message = "this instance keeps its state in memory: there is nothing to restore",
                   .hint = "start homeportd with a state directory"};
    }
    HOMEPORT_CHECK(stage(wanted.file));
    const std::string detail = "restart homeportd: the next start puts " + wanted.file +
                               " in place and keeps the "
                               "present database beside it; changes made until then are lost with it";
    call->reply_json(200, {{"staged", true}, {"detail", detail}});
    return {};
  });
}

}  // namespace homeport::api
