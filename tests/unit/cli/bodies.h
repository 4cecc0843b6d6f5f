// Bodies as the contract writes them, for views and for the scripted service.
#pragma once

namespace homeport::testing::bodies {

constexpr const char* kHome = R"j({"key":"h-0123456789abcdef","kind":"home","state":"ready","name":"alice","server":"",
"label":"home/alice","owner":{"user_key":"u-00000000000000aa","names":["alice"]},"realm":"default","backend":"filer",
"layout":"directory","pool":"homes","backend_name":"hp-h-0123456789abcdef","backend_id":"fs1:4711",
"path":"/export/homes/hp-h-0123456789abcdef","imported":false,
"rights":{"read":true,"snapshot":true,"resize":true,"destroy":true},"class":"standard",
"quota":{"limit_bytes":21474836480,"class":"measured"},
"usage":{"bytes":1610612736,"files":812,"basis":"exact","as_of":"2026-11-20T07:55:00Z"},"uid":1001,"gid":1001,"mode":"0700",
"read_only":false,"source":{"server":"nfs.example","export":"/export/homes/hp-h-0123456789abcdef","version":"3","port":2049,
"mount_port":20048},"created_at":"2026-11-10T08:00:00Z","retired_at":null,"purge_after":null,"operation":null,"note":"",
"revision":3})j";

constexpr const char* kLongHome = R"j({"key":"h-fedcba9876543210","kind":"home","state":"retired",
"name":"maximiliane.von-und-zu-hohenlohe@students.university.example","server":"gpu-server-with-a-long-name",
"label":"home/maximiliane.von-und-zu-hohenlohe@students.university.example/gpu-server-with-a-long-name",
"owner":{"user_key":"u-00000000000000bb","names":["maximiliane.von-und-zu-hohenlohe@students.university.example","max"]},
"realm":"default","backend":"a-backend-with-a-long-name","layout":"directory","pool":"homes","backend_name":"x",
"backend_id":null,"path":"/export/homes/trash/2026-11-19/hp-h-fedcba9876543210-and-something-more-that-is-long",
"imported":false,"rights":{"read":true,"snapshot":false,"resize":false,"destroy":false},"class":"a-class-with-a-long-name",
"quota":{"limit_bytes":null,"class":"none"},"usage":null,"uid":4294967294,"gid":4294967294,"mode":"0700","read_only":false,
"source":null,"created_at":"2026-01-01T08:00:00Z","retired_at":"2026-11-19T08:00:00Z","purge_after":"2026-12-19T08:00:00Z",
"operation":"op-77","note":"left the university; ask the library before anything is destroyed, they know about the corpus",
"revision":9})j";

constexpr const char* kDataset =
    R"j({"key":"d-0123456789abcdef","kind":"dataset","state":"ready","name":"genomes","server":null,
"label":"dataset/genomes","owner":null,"realm":null,"backend":"filer","layout":"directory","pool":null,"backend_name":"/export/genomes",
"backend_id":"fs2:2","path":"/export/genomes","imported":true,"rights":{"read":true,"snapshot":false,"resize":false,"destroy":false},
"class":null,"quota":{"limit_bytes":null,"class":"none"},"usage":null,"uid":0,"gid":0,"mode":"0755","read_only":true,
"source":{"server":"nfs.example","export":"/export/genomes","version":"3","port":null,"mount_port":null},
"created_at":"2026-11-18T08:00:00Z","retired_at":null,"purge_after":null,"operation":null,"note":"from the sequencer","revision":1,
"grants":[{"subject_kind":"group","subject":"biology","realm":"default","access":"ro","provenance":"api",
"created_at":"2026-11-18T09:00:00Z"},{"subject_kind":"everyone","subject":null,"realm":null,"access":"ro","provenance":"config",
"created_at":"2026-11-18T09:00:00Z"}]})j";

constexpr const char* kUser =
    R"j({"user_key":"u-00000000000000aa","realm":"default","names":["alice","alice@example.org"],"uid":1001,
"gid":1001,"gids":[6001,6002],"groups":["course-a","staff"],"identity_source":"ldap","merged_into":null,
"created_at":"2026-11-10T08:00:00Z","revision":1})j";

constexpr const char* kBackend =
    R"j({"name":"filer","kind":"nfs","mode":"manage","state":"ok","paused":false,"pause_text":null,
"drained":true,"address":"nfs.example:2049","provenance":"config","layouts":{"directory":{"quota_class":"measured","snapshots":false,
"notes":["quotas are measured, not enforced: a full home is noticed at the next scan and then handled as its class says"]}},
"pools":[{"name":"homes","layout":"directory","writable":true,"capacity_bytes":1099511627776,"free_bytes":549755813888}],
"caps":{"objects":1000,"bytes":null,"destroys":null},"used_today":{"objects":12,"bytes":257698037760,"destroys":0},
"queue":{"queued":0,"workers":8},"last_error":null,"last_contact":"2026-11-20T07:59:50Z",
"facts":{"export":"/export/homes","root squash":"no"},"revision":4})j";

constexpr const char* kProbe = R"j({"management_ok":true,"data_ok":false,"checks":[
{"name":"reach","status":"ok","detail":"NFS version 3 on port 2049","hint":null},
{"name":"chown","status":"failed","detail":"the server answered NFS3ERR_PERM when the owner of a directory was to be changed to 1001",
"hint":"export with no_root_squash to this host: /export/homes 192.0.2.7(rw,no_root_squash)"
},
{"name":"version 4","status":"warning","detail":"not offered","hint":null}]
})j";

constexpr const char* kExports =
    R"j({"items":[{"path":"/export/homes","clients":["192.0.2.0/24"],"imported_as":[],"pool":true},
{"path":"/export/genomes","clients":[],"imported_as":["genomes","genomes-2025"],"pool":false},
{"path":"/export/scratch","clients":["@lab","10.0.0.0/8","2001:db8::/32"],"imported_as":[],"pool":false}]})j";

constexpr const char* kRunning =
    R"j({"id":"op-0000000000000001","kind":"home.ensure","state":"running","space":"h-0123456789abcdef",
"backend":"filer","principal":"t-1","request_id":"req-1","plan":{},"steps":[{"name":"create","done":true,"at":"2026-11-20T07:59:59Z",
"detail":"made"},{"name":"own","done":false,"at":null,"detail":null},{"name":"ready","done":false,"at":null,"detail":null}],
"attempts":1,"next_try":null,"failure":null,"progress":{"done":0,"total":null,"unit":null},"calls":[],
"created_at":"2026-11-20T07:59:58Z","updated_at":"2026-11-20T07:59:59Z","finished_at":null})j";

constexpr const char* kSucceeded = R"j({"id":"op-0000000000000001","kind":"home.ensure","state":"succeeded",
"space":"h-0123456789abcdef","backend":"filer","principal":"t-1","request_id":"req-1","plan":{},
"steps":[{"name":"create","done":true,"at":"2026-11-20T07:59:59Z","detail":"made"},{"name":"own","done":true,"at":null,"detail":null},
{"name":"ready","done":true,"at":null,"detail":null}],"attempts":1,"next_try":null,"failure":null,
"progress":{"done":0,"total":null,"unit":null},"calls":["MKDIR /export/homes/hp-h-0123456789abcdef"],
"created_at":"2026-11-20T07:59:58Z","updated_at":"2026-11-20T07:59:59Z","finished_at":"2026-11-20T08:00:00Z"})j";

constexpr const char* kParked =
    R"j({"id":"op-0000000000000002","kind":"home.purge","state":"parked","space":"h-fedcba9876543210",
"backend":"filer","principal":"t-1","request_id":"req-2","plan":{},"steps":[{"name":"purge","done":false,"at":null,
"detail":"812 of 4000 entries"}],"attempts":5,"next_try":null,"failure":{"code":"backend-permission-denied",
"message":"remove /export/homes/trash/x: the server answered NFS3ERR_ACCES","hint":"give the service root on the export again"},
"progress":{"done":812,"total":4000,"unit":"entries"},"calls":["REMOVE /export/homes/trash/x/a","REMOVE /export/homes/trash/x/b"],
"created_at":"2026-11-20T06:00:00Z","updated_at":"2026-11-20T06:10:00Z","finished_at":null})j";

constexpr const char* kAudit =
    R"j({"items":[{"seq":1,"at":"2026-11-19T08:00:00Z","principal":"t-0123456789abcdef","action":"home.ensure",
"subject":"h-0123456789abcdef","outcome":"ok","detail":null,"operation":"op-1","hash":"aa"},
{"seq":2,"at":"2026-11-20T07:00:00Z","principal":"t-fedcba9876543210","action":"home.retire","subject":"h-0123456789abcdef",
"outcome":"forbidden","detail":null,"operation":null,"hash":"bb"}],"next":null})j";

constexpr const char* kTokens =
    R"j({"items":[{"id":"t-01","name":"hub","scope":"spawner","hub":"lab","realm":null,"created_by":"t-00",
"created_at":"2026-11-10T08:00:00Z","expires_at":"2027-02-08T08:00:00Z","revoked":false},
{"id":"t-02","name":null,"scope":"admin","hub":null,"realm":null,"created_by":null,"created_at":"2026-01-10T08:00:00Z",
"expires_at":"2026-11-01T08:00:00Z","revoked":false},
{"id":"t-03","name":"old","scope":"auditor","hub":null,"realm":null,"created_by":null,"created_at":"2026-01-10T08:00:00Z",
"expires_at":null,"revoked":true}],"next":null})j";

constexpr const char* kClasses = R"j({"items":[{"name":"standard","layout":"directory","backend":"filer","pool":null,
"default_quota_bytes":21474836480,"max_quota_bytes":107374182400,"identity":"native","existing":"/export/home/{user}","create":true,"provenance":"config"}],"next":null})j";

constexpr const char* kRules =
    R"j({"items":[{"name":"biologists","users":[],"groups":["biology","bioinformatics"],"hubs":["lab"],
"everyone":false,"class":"standard","datasets":["genomes"],"provenance":"config"},
{"name":"rest","users":[],"groups":[],"hubs":[],"everyone":true,"class":"small","datasets":[],"provenance":"api"}],"next":null})j";

constexpr const char* kRenderers =
    R"j({"items":[{"name":"fstab","summary":"lines of /etc/fstab","content_type":"text/plain"}],"next":null})j";

constexpr const char* kFindings =
    R"j({"findings":[{"level":"warning","what":"backend filer was last reached 3 hours ago and nobody has asked it for anything since then",
"hint":"homeport backend probe filer"},{"level":"error","what":"one operation is parked","hint":"homeport operation list --parked"},
{"level":"info","what":"no daily caps are set","hint":null}]})j";

constexpr const char* kChanges =
    R"j({"changes":[{"action":"create","what":"class","name":"standard","detail":["default_quota: 20GiB"]},
{"action":"update","what":"backend","name":"filer","detail":["mode: observe -> manage","caps.objects: 100 -> 1000"]},
{"action":"delete","what":"rule","name":"old","detail":[]},{"action":"keep","what":"rule","name":"rest","detail":[]}]})j";

constexpr const char* kSpec = R"j({"schema":"mountspec/1","spec_id":"ms-0123","issued_at":"2026-11-20T08:00:00Z",
"valid_until":"2026-11-20T20:00:00Z","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
"state":"degraded","status_hint":null,"notices":[{"code":"quota","level":"warn","text":"your home is 95 % full; remove what you do not need, or ask for more room","url":null}],
"subject":{"hub":"lab","user":"alice","user_key":"u-00000000000000aa","server":"","server_key":"s-0","groups":["biology"],
"purpose":"interactive"},"identity":{"mode":"native","uid":1001,"gid":1001,"supplemental_gids":[],"user_name":"jovyan","umask":"0022"},
"mounts":[{"id":"home","kind":"home","target":"/home/jovyan","access":"rw","required":true,"source":{"protocol":"nfs",
"server":"nfs.example","export":"/export/homes/hp-h-0123456789abcdef","version":"3"},"quota":{"limit_bytes":21474836480,
"used_bytes":20401094656,"class":"measured"}},{"id":"ds-genomes","kind":"dataset","target":"/data/genomes","access":"ro","required":true,
"source":{"protocol":"local","host":"node1","path":"/srv/genomes"},"quota":null}],"links":[],"environment":{},"labels":{}})j";

constexpr const char* kDryRun =
    R"j({"dry_run":true,"steps":["make a directory for home/alice in pool homes of filer","give it to 1001:1001, mode 0700"],
"calls":["MKDIR /export/homes/hp-h-0123456789abcdef","SETATTR /export/homes/hp-h-0123456789abcdef uid=1001 gid=1001 mode=0700"],
"notes":["the quota is measured, not enforced"],"result":null})j";

constexpr const char* kFleetPlan =
    R"({"summary":{"import":2,"known":1,"unmatched":1,"refused":3},"measure_rate":5000,"measure":true,"entries":[
  {"path":"/export/home/alice","user":"alice","uid":1001,"gid":1001,"mode":"0700","class":"std","quota_bytes":null,"verdict":"import","reason":null,"why":null},
  {"path":"/export/home/left","user":"left","uid":1005,"gid":1005,"mode":"0700","class":null,"quota_bytes":null,"verdict":"refused","reason":"uid-taken","why":"uid 1005 owns several of these homes"},
  {"path":"/export/home/right","user":"right","uid":1005,"gid":1005,"mode":"0700","class":null,"quota_bytes":null,"verdict":"refused","reason":"uid-taken","why":"uid 1005 owns several of these homes"},
  {"path":"/export/home/a\u001b[2Jb","user":null,"uid":1007,"gid":1007,"mode":"0700","class":null,"quota_bytes":null,"verdict":"refused","reason":"odd-name","why":"the path holds control characters"},
  {"path":"/export/home/lost+found","user":null,"uid":0,"gid":0,"mode":"0700","class":null,"quota_bytes":null,"verdict":"unmatched","reason":null,"why":"does not fit jupyter-{user}"}]})";
constexpr const char* kImportPreview =
    R"j({"dry_run":true,"preview":{"path":"/export/genomes","export":"/export","backend_id":"fs2:2",
"owner":{"uid":0,"gid":100},"mode":"0755","entries":{"counted":100000,"complete":false,"files":90000,"directories":9000,"symlinks":990,
"other":10},"size":{"bytes":1099511627776,"complete":false},"owners":[{"uid":0,"gid":100,"entries":90000},{"uid":1001,"gid":100,
"entries":10000}],"modes":[{"mode":"0644","entries":90000},{"mode":"0755","entries":10000}],"odd_names":3,
"readable_by":"everybody: the directory and most files can be read by all","clients_can_write":"yes: 192.0.2.0/24 may mount it for writing",
"clients":["192.0.2.0/24"],"warnings":["some files belong to users and can change under the dataset"]},"calls":[]})j";

}  // namespace homeport::testing::bodies
