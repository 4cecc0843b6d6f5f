-- A store of schema 1 with one row of every kind, as the first release wrote it. Never changed.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('homeport_version','0.1.0');
INSERT INTO meta VALUES('schema_version','1');
CREATE TABLE lease (id INTEGER PRIMARY KEY CHECK (id = 1), holder TEXT NOT NULL, epoch INTEGER NOT NULL,
                    expires INTEGER NOT NULL) STRICT;
INSERT INTO lease VALUES(1,'',3,0);
CREATE TABLE changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, tbl INTEGER NOT NULL,
                      "key" TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;
INSERT INTO changes VALUES(1,1795000000000,1,'filer',1);
INSERT INTO changes VALUES(2,1795000000000,2,'default',2);
INSERT INTO changes VALUES(3,1795000000000,3,'everyone',3);
INSERT INTO changes VALUES(4,1795000000000,5,'u-00000000000000a1',4);
INSERT INTO changes VALUES(5,1795000000000,6,'default/alice',5);
INSERT INTO changes VALUES(6,1795000000000,7,'h-00000000000000b1',6);
INSERT INTO changes VALUES(7,1795000000000,4,'d-00000000000000c1/everyone/',7);
INSERT INTO changes VALUES(8,1795000000000,8,'op-1',8);
INSERT INTO changes VALUES(9,1795000000000,8,'op-2',9);
INSERT INTO changes VALUES(10,1795000000000,9,'t-1',10);
INSERT INTO changes VALUES(11,1795000000000,10,'hub/u-00000000000000a1/',11);
INSERT INTO changes VALUES(12,1795000000000,11,'t-1/k',12);
INSERT INTO changes VALUES(13,1795000000000,12,'filer/2026-11-20/objects',13);
INSERT INTO changes VALUES(14,1795000000000,12,'filer/2026-11-20/objects',14);
INSERT INTO changes VALUES(15,1795000000000,12,'filer/2026-11-20/objects',15);
INSERT INTO changes VALUES(16,1795000000000,12,'filer/2026-11-20/objects',16);
INSERT INTO changes VALUES(17,1795000000000,12,'filer/2026-11-20/objects',17);
INSERT INTO changes VALUES(18,1795000000000,12,'filer/2026-11-20/objects',18);
INSERT INTO changes VALUES(19,1795000000000,12,'filer/2026-11-20/objects',19);
INSERT INTO changes VALUES(20,1795000000000,12,'filer/2026-11-20/objects',20);
INSERT INTO changes VALUES(21,1795000000000,12,'filer/2026-11-20/objects',21);
INSERT INTO changes VALUES(22,1795000000000,12,'filer/2026-11-20/objects',22);
INSERT INTO changes VALUES(23,1795000000000,13,'sn-00000000000000d1',23);
CREATE TABLE audit (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, principal TEXT NOT NULL, action TEXT NOT NULL,
                    subject TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, operation TEXT NOT NULL,
                    hash TEXT NOT NULL) STRICT;
INSERT INTO audit VALUES(1,1795000000000,'t-1','home.ensure','h-00000000000000b1','ok','','op-1','5224cd70366a66805688f905ea6f4780680df856fcc8f77357396f524933bff1');
INSERT INTO audit VALUES(2,1795000000000,'t-1','home.ensure','h-00000000000000b1','ok','','op-1','40cc3df21cd7f7a666212fd941a5e29f699486019ac91d338c02b3235c931a1b');
CREATE TABLE audit_head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
INSERT INTO audit_head VALUES(1,2,'40cc3df21cd7f7a666212fd941a5e29f699486019ac91d338c02b3235c931a1b');
CREATE TABLE backends ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
INSERT INTO backends VALUES('filer',1,'{"drained":false,"kind":"nfs","mode":"manage","name":"filer","pause_text":"","paused":false,"provenance":"api","section":{"address":"10.0.0.1"}}');
CREATE TABLE classes ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
INSERT INTO classes VALUES('default',2,'{"name":"default","provenance":"config","section":{"layout":"directory"}}');
CREATE TABLE rules ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
INSERT INTO rules VALUES('everyone',3,'{"name":"everyone","position":0,"provenance":"api","section":{"class":"default"}}');
CREATE TABLE users ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, uid TEXT NOT NULL,
                    doc TEXT NOT NULL) STRICT;
INSERT INTO users VALUES('u-00000000000000a1',4,'default/5001','{"created_at":1795000000000,"gid":5001,"key":"u-00000000000000a1","realm":"default","uid":5001}');
CREATE TABLE counters ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
INSERT INTO counters VALUES('filer/2026-11-20/objects',22,'{"name":"filer/2026-11-20/objects","value":9}');
CREATE TABLE grants ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, space TEXT NOT NULL,
                     doc TEXT NOT NULL) STRICT;
INSERT INTO grants VALUES('d-00000000000000c1/everyone/',7,'d-00000000000000c1','{"access":"ro","created_at":1795000000000,"provenance":"api","realm":"","space":"d-00000000000000c1","subject":"","subject_kind":"everyone"}');
CREATE TABLE aliases ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, "user" TEXT NOT NULL,
                      skeleton TEXT NOT NULL, doc TEXT NOT NULL) STRICT;
INSERT INTO aliases VALUES('default/alice',5,'u-00000000000000a1','default/alice','{"name":"alice","realm":"default","similar_allowed":false,"user":"u-00000000000000a1"}');
CREATE TABLE spaces ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, kind TEXT NOT NULL,
                     owner TEXT NOT NULL, label TEXT NOT NULL, backend TEXT NOT NULL, place TEXT NOT NULL,
                     doc TEXT NOT NULL) STRICT;
INSERT INTO spaces VALUES('h-00000000000000b1',6,'home','u-00000000000000a1','home/default/u-00000000000000a1/','filer','','{"backend":"filer","backend_id":"","backend_name":"hp-h-00000000000000b1","class":"","created_at":1795000000000,"gid":0,"imported":false,"key":"h-00000000000000b1","kind":"home","layout":"directory","mode":448,"name":"","note":"","owner":"u-00000000000000a1","path":"","pool":"homes","quota_bytes":1073741824,"quota_class":"none","quota_reason":"","read_only":false,"realm":"default","rights":{"destroy":true,"read":true,"resize":true,"snapshot":true},"source":"{\"nfs\":{\"server\":\"10.0.0.1\"}}","state":"ready","uid":0,"usage":{"as_of":1795000000000,"basis":"scan","bytes":5}}');
CREATE TABLE operations ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, space_open TEXT NOT NULL,
                         open TEXT NOT NULL, state TEXT NOT NULL, backend TEXT NOT NULL, space TEXT NOT NULL,
                         doc TEXT NOT NULL) STRICT;
INSERT INTO operations VALUES('op-1',8,'','','succeeded','filer','h-00000000000000b1','{"attempts":0,"backend":"filer","calls":[],"cancel_requested":false,"created_at":1795000000000,"id":"op-1","kind":"home.ensure","plan":{},"principal":"t-1","progress_done":0,"progress_unit":"","request_id":"","space":"h-00000000000000b1","state":"succeeded","steps":[{"at":1795000000000,"detail":"","done":true,"name":"create"}],"updated_at":0}');
INSERT INTO operations VALUES('op-2',9,'h-00000000000000b1','1','parked','filer','h-00000000000000b1','{"attempts":0,"backend":"filer","calls":[],"cancel_requested":false,"created_at":0,"failure":{"code":"unavailable","hint":"","message":"no answer"},"id":"op-2","kind":"home.ensure","plan":{},"principal":"t-1","progress_done":0,"progress_unit":"","request_id":"","space":"h-00000000000000b1","state":"parked","steps":[],"updated_at":0}');
CREATE TABLE tokens ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, hash TEXT NOT NULL,
                     doc TEXT NOT NULL) STRICT;
INSERT INTO tokens VALUES('t-1',10,'ab','{"created_at":0,"created_by":"","hash":"ab","hub":"","id":"t-1","name":"","realm":"","revoked":false,"scope":"admin"}');
CREATE TABLE sessions ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, spec_id TEXT NOT NULL,
                       "user" TEXT NOT NULL, doc TEXT NOT NULL) STRICT;
INSERT INTO sessions VALUES('hub/u-00000000000000a1/',11,'s-1','u-00000000000000a1','{"digest":"d","hub":"hub","issued_at":1795000000000,"renewed_at":0,"request":{},"server":"","spaces":[],"spec_id":"s-1","user":"u-00000000000000a1"}');
CREATE TABLE answers ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, created TEXT NOT NULL,
                      doc TEXT NOT NULL) STRICT;
INSERT INTO answers VALUES('t-1/k',12,'0001795000000000','{"body":"","content_type":"","created_at":1795000000000,"idempotency_key":"k","principal":"t-1","request_hash":"x","status":0}');
CREATE TABLE snapshots ("key" TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, space TEXT NOT NULL,
                        scope TEXT NOT NULL, name TEXT NOT NULL, label TEXT NOT NULL, deleted TEXT NOT NULL,
                        doc TEXT NOT NULL) STRICT;
INSERT INTO snapshots VALUES('sn-00000000000000d1',23,'h-00000000000000b1','space/h-00000000000000b1','space/h-00000000000000b1/hp-1','h-00000000000000b1/before','','{"adopted":false,"asked_at":1795000000000,"backend":"filer","backend_id":"77","holds":[{"by":"t-1","id":"hold-1","owner":"backup","reason":"","since":1795000000000}],"key":"sn-00000000000000d1","label":"before","name":"hp-1","of_pool":false,"pool":"homes","reason":"","space":"h-00000000000000b1","state":"ready","taken_by":"t-1"}');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('changes',23);
CREATE INDEX audit_subject ON audit (subject, seq);
CREATE INDEX grants_space ON grants (space, "key");
CREATE INDEX aliases_user ON aliases ("user", "key");
CREATE UNIQUE INDEX users_uid ON users (uid) WHERE uid <> '';
CREATE UNIQUE INDEX aliases_skeleton ON aliases (skeleton) WHERE skeleton <> '';
CREATE INDEX spaces_kind ON spaces (kind, "key");
CREATE INDEX spaces_owner ON spaces (owner, "key");
CREATE INDEX spaces_backend ON spaces (backend, "key");
CREATE UNIQUE INDEX spaces_label ON spaces (label) WHERE label <> '';
CREATE UNIQUE INDEX spaces_place ON spaces (place) WHERE place <> '';
CREATE UNIQUE INDEX operations_space_open ON operations (space_open) WHERE space_open <> '';
CREATE INDEX operations_open ON operations (open, "key");
CREATE INDEX operations_state ON operations (state, "key");
CREATE INDEX operations_backend ON operations (backend, "key");
CREATE INDEX operations_space ON operations (space, "key");
CREATE UNIQUE INDEX tokens_hash ON tokens (hash) WHERE hash <> '';
CREATE INDEX sessions_spec_id ON sessions (spec_id, "key");
CREATE INDEX sessions_user ON sessions ("user", "key");
CREATE INDEX answers_created ON answers (created, "key");
CREATE INDEX snapshots_space ON snapshots (space, "key");
CREATE INDEX snapshots_scope ON snapshots (scope, "key");
CREATE UNIQUE INDEX snapshots_name ON snapshots (name) WHERE name <> '';
CREATE UNIQUE INDEX snapshots_label ON snapshots (label) WHERE label <> '';
CREATE INDEX snapshots_deleted ON snapshots (deleted, "key");
COMMIT;
