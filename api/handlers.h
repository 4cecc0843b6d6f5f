// Every handler of the route table, by file. A handler reads the request, calls one use case, and renders the answer.
#pragma once

#include "api/routes.h"

namespace homeport::api {

// handlers_service.cpp: the process itself.
std::optional<Response> get_health(Api& api, const Request& request, const policies::Principal& principal);
std::optional<Response> get_readiness(Api& api, const Request& request, const policies::Principal& principal);
void get_metrics(const CallPtr& call);
std::optional<Response> get_openapi(Api& api, const Request& request, const policies::Principal& principal);
std::optional<Response> get_version(Api& api, const Request& request, const policies::Principal& principal);
void get_doctor(const CallPtr& call);
void get_events(const CallPtr& call);
void backup_state(const CallPtr& call);
void restore_state(const CallPtr& call);

// handlers_spec.cpp: what to mount.
std::optional<Response> issue_spec_now(Api& api, const Request& request, const policies::Principal& principal);
void issue_spec_later(const CallPtr& call);
void get_spec(const CallPtr& call);
void release_spec(const CallPtr& call);
std::optional<Response> render_spec(Api& api, const Request& request, const policies::Principal& principal);
std::optional<Response> list_renderers(Api& api, const Request& request, const policies::Principal& principal);

// handlers_homes.cpp: homes and people.
std::optional<Response> list_homes(Api& api, const Request& request, const policies::Principal& principal);
std::optional<Response> get_home(Api& api, const Request& request, const policies::Principal& principal);
void put_home(const CallPtr& call);
void ensure_homes(const CallPtr& call);  // handlers_batch.cpp
void patch_home(const CallPtr& call);
void retire_home(const CallPtr& call);
void undelete_home(const CallPtr& call);
void purge_home(const CallPtr& call);
void release_home(const CallPtr& call);
void claim_copy(const CallPtr& call);
void finish_copy(const CallPtr& call);
void set_home_rights(const CallPtr& call);
void measure_home(const CallPtr& call);
void plan_import(const CallPtr& call);
std::optional<Response> list_users(Api& api, const Request& request, const policies::Principal& principal);
std::optional<Response> get_user(Api& api, const Request& request, const policies::Principal& principal);
void set_uid(const CallPtr& call);
void rename_user(const CallPtr& call);
void merge_user(const CallPtr& call);
void keep_user(const CallPtr& call);

// handlers_datasets.cpp: datasets, grants and spaces of every kind.
std::optional<Response> list_datasets(Api& api, const Request& request, const policies::Principal& principal);
std::optional<Response> get_dataset(Api& api, const Request& request, const policies::Principal& principal);
void put_dataset(const CallPtr& call);
void release_dataset(const CallPtr& call);
void grant_dataset(const CallPtr& call);
void withdraw_dataset(const CallPtr& call);
std::optional<Response> list_spaces(Api& api, const Request& request, const policies::Principal& principal);
std::optional<Response> get_space(Api& api, const Request& request, const policies::Principal& principal);

// handlers_snapshots.cpp
void list_snapshots(const CallPtr& call);
void take_snapshot(const CallPtr& call);
void get_snapshot(const CallPtr& call);
void delete_snapshot(const CallPtr& call);
void hold_snapshot(const CallPtr& call);
void release_snapshot(const CallPtr& call);
void overwrite_from_snapshot(const CallPtr& call);

// handlers_clones.cpp: datasets that Homeport makes, and their end.
void clone_dataset(const CallPtr& call);
void retire_dataset(const CallPtr& call);
void undelete_dataset(const CallPtr& call);
void purge_dataset(const CallPtr& call);

// handlers_backends.cpp
void list_backends(const CallPtr& call);
void get_backend(const CallPtr& call);
void probe_backend(const CallPtr& call);
void list_exports(const CallPtr& call);
void list_file_systems(const CallPtr& call);
void pause_backend(const CallPtr& call);
void resume_backend(const CallPtr& call);
void drain_backend(const CallPtr& call);
void undrain_backend(const CallPtr& call);

// handlers_operations.cpp
void list_operations(const CallPtr& call);
void get_operation(const CallPtr& call);
void retry_operation(const CallPtr& call);
void give_up_operation(const CallPtr& call);
void cancel_operation(const CallPtr& call);

// handlers_admin.cpp: audit, classes, rules, the desired document.
void list_audit(const CallPtr& call);
void verify_audit(const CallPtr& call);
std::optional<Response> list_classes(Api& api, const Request& request, const policies::Principal& principal);
std::optional<Response> list_rules(Api& api, const Request& request, const policies::Principal& principal);
void plan_desired(const CallPtr& call);
void apply_desired(const CallPtr& call);

// handlers_hubs.cpp: who asks, and the hubs people come from.
std::optional<Response> get_me(Api& api, const Request& request, const policies::Principal& principal);
std::optional<Response> list_hubs(Api& api, const Request& request, const policies::Principal& principal);
void reconcile_hub(const CallPtr& call);

// handlers_tokens.cpp
std::optional<Response> list_tokens(Api& api, const Request& request, const policies::Principal& principal);
void create_token(const CallPtr& call);
void revoke_token(const CallPtr& call);
void rotate_token(const CallPtr& call);

}  // namespace homeport::api
