// Many homes in one request: each is ensured for itself, and the answer has one result each, in order.
#include <atomic>
#include <chrono>

#include "api/call.h"
#include "api/handlers.h"
#include "api/wire_common.h"
#include "api/wire_home.h"
#include "api/wire_operation.h"
#include "api/wire_space.h"

namespace homeport::api {
namespace {

using nlohmann::json;

constexpr std::size_t kMostItems = 1000;
constexpr std::size_t kHelpers = 8;  // further jobs of the pool that one batch may use

struct BatchItem {
  std::string user;
  HomeWish wish{};
};

struct Batch {
  explicit Batch(CallPtr c, std::vector<BatchItem> i)
      : call(std::move(c)), caller(call->caller()), items(std::move(i)), results(items.size()), left(items.size()) {}

  const CallPtr call;
  const core::Caller caller;
  const std::vector<BatchItem> items;
  std::vector<json> results;  // each written by whoever finishes that item
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> left;

  void finish(std::size_t index, json result) {
    result["user"] = items[index].user;
    results[index] = std::move(result);
    if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) call->reply_json(200, {{"items", std::move(results)}});
  }
};
using BatchPtr = std::shared_ptr<Batch>;

json item_result(const char* outcome, json space, json operation, json error) {
  return {{"outcome", outcome},
          {"space", std::move(space)},
          {"operation", std::move(operation)},
          {"error", std::move(error)}};
}

void finish_ended(const BatchPtr& batch, std::size_t index, const char* done_word,
                  const store::OperationRecord& operation) {
  const auto& catalog = batch->call->api.catalog();
  const auto space = catalog.space(operation.space);
  json shown = space ? space_json(*space, catalog) : json(nullptr);
  if (operation.state == store::OperationState::succeeded) {
    return batch->finish(index, item_result(done_word, std::move(shown), operation.id, nullptr));
  }
  if (store::is_open(operation.state) && operation.state != store::OperationState::parked) {
    return batch->finish(index, item_result("pending", std::move(shown), operation.id, nullptr));
  }
  batch->finish(index, item_result("failed", std::move(shown), operation.id, failure_json(error_of(operation))));
}

void ensure_known(const BatchPtr& batch, std::size_t index, const core::HomeRequest& wanted) {
  auto& core = batch->call->api.core();
  const auto outcome = core.homes().ensure(batch->caller, wanted);
  if (!outcome) return batch->finish(index, item_result("failed", nullptr, nullptr, failure_json(outcome.error())));
  const char* word = outcome->created ? "created" : "exists";
  if (!outcome->operation) {
    return batch->finish(index, item_result(word, space_json(outcome->space, core.catalog()), nullptr, nullptr));
  }
  core.operations().await(
      *outcome->operation, batch->caller.deadline, [batch, index, word](Result<store::OperationRecord> operation) {
        if (operation) return finish_ended(batch, index, word, *operation);
        batch->finish(index, item_result("failed", nullptr, nullptr, failure_json(operation.error())));
      });
}

void ensure_one(const BatchPtr& batch, std::size_t index) {
  const auto& item = batch->items[index];
  auto wanted = home_request(item.wish, batch->call->realm, item.user, "/items/" + std::to_string(index));
  if (!wanted) return batch->finish(index, item_result("failed", nullptr, nullptr, failure_json(wanted.error())));
  identify(batch->call->api.core().people(), batch->caller, std::move(wanted).value(),
           [batch, index](Result<core::HomeRequest> known) {
             if (known) return ensure_known(batch, index, *known);
             batch->finish(index, item_result("failed", nullptr, nullptr, failure_json(known.error())));
           });
}

void work_on(const BatchPtr& batch) {
  for (std::size_t index = batch->next++; index < batch->items.size(); index = batch->next++) ensure_one(batch, index);
}

std::vector<BatchItem> read_items(DocReader& in) {
  if (!in.has("items")) in.missing("items");
  auto readers = in.objects("items");
  if (readers.size() > kMostItems) {
    in.problem("items", "holds " + std::to_string(readers.size()) + " items, at most 1000 are taken at once",
               "send them in several requests");
    return {};
  }
  std::vector<BatchItem> items;
  for (auto& reader : readers) {
    BatchItem item{.user = reader.text("user")};
    item.wish = read_home_wish(reader);
    reader.finish();
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace

void ensure_homes(const CallPtr& call) {
  guarded(call, [&]() -> Result<void> {
    HOMEPORT_TRY(auto items, read_body(call->request, read_items));
    if (items.empty()) {
      call->reply_json(200, {{"items", json::array()}});
      return {};
    }
    const auto batch = std::make_shared<Batch>(call, std::move(items));
    // Each item waits for one commit of the store; several at once share it. This job works too, so a full pool only
    // makes it slower.
    for (std::size_t i = 1; i < std::min(kHelpers, batch->items.size()); ++i) {
      if (!call->api.parts().workers.submit([batch](const std::stop_token&) { work_on(batch); })) break;
    }
    work_on(batch);
    return {};
  });
}

}  // namespace homeport::api
