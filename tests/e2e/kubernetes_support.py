"""A Kubernetes API server as far as Homeport uses one, over TLS: it keeps state, versions every object, binds volumes and
claims as the real controllers do, lets nobody do what the applied RBAC does not say, and looks at every object it is given
more strictly than the real one (which drops unknown members silently). Everything asked of it is recorded.

Sources: kubernetes.io/docs/reference/kubernetes-api (core/v1), kubernetes.io/docs/concepts/storage/persistent-volumes,
pkg/controller/volume/persistentvolume of Kubernetes for binding.
"""
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading
import urllib.parse
import uuid

import kubernetes.client.models as models
import yaml

LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")                    # RFC 1123
LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")
QUANTITY = re.compile(r"^[1-9][0-9]*(Mi|Gi|Ti|Pi|Ei)$")
PLURALS = {"persistentvolumes": "PersistentVolume", "persistentvolumeclaims": "PersistentVolumeClaim", "pods": "Pod"}
PAGE = 3   # however many are asked for: clients must follow `continue`


def make_certificate(directory, name):
    """A certificate for 127.0.0.1 that is its own CA: (certificate file, key file)."""
    files = f"{directory}/{name}.crt", f"{directory}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", files[1], "-out", files[0]],
                   check=True, capture_output=True)
    return files


def unknown_members(value, type_name, where):
    """What the Python client's models, made from the API's own description, do not know; and scalars that are no strings."""
    if type_name.startswith("list["):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [p for i, v in enumerate(value) for p in unknown_members(v, type_name[5:-1], f"{where}[{i}]")]
    if type_name.startswith("dict("):
        return [] if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()) else [f"{where} is no map of texts"]
    if type_name in ("str", "datetime", "object"):
        return [] if isinstance(value, str) else [f"{where} is {value!r}, not a text"]
    if not hasattr(models, type_name):
        return [f"{where}: {value!r} is no text"]
    model = getattr(models, type_name)
    names = {json_name: name for name, json_name in model.attribute_map.items()}
    problems = []
    for member, inner in value.items():
        if member not in names:
            problems.append(f"{where}.{member} is unknown")
        else:
            problems += unknown_members(inner, model.openapi_types[names[member]], f"{where}.{member}")
    return problems


def strict_problems(document, kind, namespace):
    """Everything that is wrong with a document of ours; an empty list when nothing is."""
    problems = unknown_members(document, "V1" + kind, kind)
    meta, spec = document.get("metadata", {}), document.get("spec", {})
    if document.get("apiVersion") != "v1" or document.get("kind") != kind:
        problems.append("apiVersion or kind")
    if not LABEL.match(meta.get("name", "")):
        problems.append(f"the name {meta.get('name')!r} is no DNS label")
    labels = meta.get("labels", {})
    if labels.get("app.kubernetes.io/managed-by") != "homeport" or not re.match(r"^[hd]-[0-9a-f]{16}$", labels.get("homeport/space", "")):
        problems.append(f"labels {labels}")
    problems += [f"label {v!r}" for v in labels.values() if not LABEL_VALUE.match(v)]
    if spec.get("storageClassName") != "":
        problems.append("storageClassName is not the empty text")
    if kind == "PersistentVolume":
        allowed = {"capacity", "accessModes", "persistentVolumeReclaimPolicy", "storageClassName", "volumeMode", "mountOptions", "claimRef", "nfs"}
        if spec.get("persistentVolumeReclaimPolicy") != "Retain":
            problems.append("the reclaim policy is not Retain")
        claim = spec.get("claimRef", {})
        if not LABEL.match(claim.get("namespace", "")) or not LABEL.match(claim.get("name", "")):
            problems.append(f"claimRef {claim}")
        if not QUANTITY.match(spec.get("capacity", {}).get("storage", "")):
            problems.append(f"capacity {spec.get('capacity')}")
        if not spec.get("nfs", {}).get("path", "").startswith("/") or set(spec.get("nfs", {})) != {"server", "path"}:
            problems.append(f"nfs {spec.get('nfs')}")
        if not spec.get("mountOptions"):
            problems.append("no mountOptions")
    else:
        allowed = {"accessModes", "storageClassName", "volumeMode", "volumeName", "resources"}
        if meta.get("namespace") != namespace:
            problems.append(f"namespace {meta.get('namespace')!r} in a request for {namespace!r}")
        if not QUANTITY.match(spec.get("resources", {}).get("requests", {}).get("storage", "")):
            problems.append(f"resources {spec.get('resources')}")
    problems += [f"spec.{m} is not expected" for m in set(spec) ^ allowed]
    return problems


class Rules:
    """Who may do what, from YAML as `kubectl apply` takes it."""

    def __init__(self, text, account, namespace):
        self.documents = [d for d in yaml.safe_load_all(text) if d]
        roles, self.allowed = {}, []   # (namespace or None, resource, verb)
        for d in self.documents:
            if d["kind"] in ("Role", "ClusterRole"):
                roles[d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]] = d["rules"]
        for d in self.documents:
            if d["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
                continue
            if not any(s == {"kind": "ServiceAccount", "name": account, "namespace": namespace} for s in d["subjects"]):
                continue
            ns, ref = d["metadata"].get("namespace"), d["roleRef"]
            for rule in roles[ref["kind"], ns if ref["kind"] == "Role" else None, ref["name"]]:
                self.allowed += [(ns, r, v) for g in rule["apiGroups"] if g == "" for r in rule["resources"] for v in rule["verbs"]]

    def allow(self, verb, resource, namespace):
        return (namespace, resource, verb) in self.allowed or (None, resource, verb) in self.allowed


class KubernetesApi:
    """One server. `mode`: None, "hang", "500", "garbage", "html", "reset"; it may change at any time."""

    def __init__(self, certificate, token, rules, namespaces=("jhub",)):
        self.certificate, self.token, self.rules, self.namespaces = certificate, token, rules, set(namespaces)
        self.lock = threading.RLock()
        self.objects, self.version, self.requests, self.problems, self.used = {}, 100, [], [], set()
        self.mode, self.before = None, None   # before: called with (method, path, body) outside the lock
        self.released = threading.Event()
        self.port, self.server, self.thread = 0, None, None
        self.connections = set()
        self.start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def start(self):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                with api.lock:
                    api.connections.add(self.request)

            def finish(self):
                with api.lock:
                    api.connections.discard(self.request)
                try:
                    super().finish()
                except OSError:
                    pass

            def log_message(self, *_):
                pass

            def do_GET(self):
                api.serve(self)

            do_POST = do_DELETE = do_PUT = do_PATCH = do_GET

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def get_request(self):
                connection, address = super().get_request()
                return api.context().wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, *_):
                pass

        self.released.clear()
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        return context

    def stop(self):
        """Nobody listens any more, and who was connected notices."""
        if self.server is None:
            return
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.server = None

    # --- what tests look at and set up

    def find(self, kind, name=None):
        with self.lock:
            return [json.loads(json.dumps(o)) for (k, _, n), o in sorted(self.objects.items()) if k == kind and name in (None, n)]

    def volumes(self):
        return self.find("PersistentVolume")

    def claims(self):
        return self.find("PersistentVolumeClaim")

    def asked(self, method=None):
        with self.lock:
            return [r for r in self.requests if method in (None, r[0])]

    def put(self, document):
        """An object of somebody else's, or a change by an admin: nothing is checked."""
        with self.lock:
            document = json.loads(json.dumps(document))
            meta = document["metadata"]
            key = document["kind"], meta.get("namespace"), meta["name"]
            meta.setdefault("uid", str(uuid.uuid4()))
            self._touch(document)
            self.objects[key] = document
            self._control()

    def add_pod(self, name, claims, namespace="jhub"):
        """A pod as the hub makes it. Every claim must be there: else it waits."""
        with self.lock:
            missing = [c for c in claims if ("PersistentVolumeClaim", namespace, c) not in self.objects]
            if missing:
                self.problems.append(f"pod {name} waits for {missing}")
            self.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
                      "spec": {"volumes": [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims]},
                      "status": {"phase": "Running"}})

    def remove(self, kind, name, namespace=None):
        with self.lock:
            self.objects.pop((kind, namespace, name), None)
            self._control()

    # --- the state

    def _touch(self, document):
        self.version += 1
        document["metadata"]["resourceVersion"] = str(self.version)

    def _pods_of(self, namespace, claim):
        return [o for (k, ns, _), o in self.objects.items() if k == "Pod" and ns == namespace and o["status"]["phase"] not in ("Succeeded", "Failed")
                and any(v.get("persistentVolumeClaim", {}).get("claimName") == claim for v in o["spec"]["volumes"])]

    def _control(self):
        """Binding, release and protection, as the controllers would have done it a moment later."""
        for key, o in list(self.objects.items()):
            kind, ns, name = key
            if kind == "PersistentVolumeClaim" and "deletionTimestamp" in o["metadata"] and not self._pods_of(ns, name):
                del self.objects[key]
        claims = {(ns, n): o for (k, ns, n), o in self.objects.items() if k == "PersistentVolumeClaim"}
        for (k, _, _), volume in list(self.objects.items()):
            if k != "PersistentVolume":
                continue
            ref = volume["spec"].get("claimRef")
            claim = claims.get((ref["namespace"], ref["name"])) if ref else None
            phase = "Available"
            if claim and ref.get("uid", claim["metadata"]["uid"]) == claim["metadata"]["uid"] \
                    and claim["spec"].get("volumeName") == volume["metadata"]["name"] and claim.get("status", {}).get("phase") != "Lost":
                ref["uid"], phase = claim["metadata"]["uid"], "Bound"
                if claim.get("status", {}).get("phase") != "Bound":
                    claim["status"] = {"phase": "Bound", "capacity": volume["spec"]["capacity"]}
                    claim["metadata"].setdefault("annotations", {})["pv.kubernetes.io/bind-completed"] = "yes"
                    self._touch(claim)
            elif ref and ref.get("uid"):
                phase = "Released"
            if volume.get("status", {}).get("phase") != phase:
                volume["status"] = {"phase": phase}
                self._touch(volume)
        for claim in claims.values():
            there = ("PersistentVolume", None, claim["spec"].get("volumeName")) in self.objects
            if claim.get("status", {}).get("phase") == "Bound" and not there:
                claim["status"] = {"phase": "Lost"}
                self._touch(claim)
            elif "status" not in claim:
                claim["status"] = {"phase": "Pending"}

    # --- the wire

    def serve(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        raw = handler.rfile.read(length)
        url = urllib.parse.urlsplit(handler.path)
        if self.before:
            self.before(handler.command, url.path, raw)
        mode = self.mode
        if mode == "hang":
            with self.lock:
                self.requests.append((handler.command, url.path, "hang"))
            self.released.wait(120)
            handler.close_connection = True
            return
        if mode == "reset":
            handler.close_connection = True
            return
        if mode == "garbage":
            handler.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
            handler.close_connection = True
            return
        if mode == "html":
            return self.answer(handler, 200, b"<html>a proxy's page</html>", "text/html")
        if mode == "500":
            return self.answer(handler, 500, {"kind": "Status", "message": "etcdserver: request timed out", "code": 500})
        query = dict(urllib.parse.parse_qsl(url.query))
        with self.lock:
            status, body = self.decide(handler.command, url.path, query, raw, handler.headers.get("Authorization"))
            self.requests.append((handler.command, url.path, status))
        self.answer(handler, status, body)

    @staticmethod
    def answer(handler, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    @staticmethod
    def status(code, reason, message):
        return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code}

    def decide(self, method, path, query, raw, authorization):
        if authorization != "Bearer " + self.token:
            return self.status(401, "Unauthorized", "Unauthorized")
        found = re.fullmatch(r"/api/v1(?:/namespaces/([a-z0-9-]+))?/([a-z]+)(?:/([a-z0-9-]+))?", path)
        if not found or found.group(2) not in PLURALS:
            self.problems.append(f"{method} {path} is no address of the API")
            return self.status(404, "NotFound", "the server could not find the requested resource")
        namespace, plural, name = found.groups()
        kind = PLURALS[plural]
        verb = {"GET": "get" if name else "list", "POST": "create", "DELETE": "delete"}.get(method, method)
        if not self.rules.allow(verb, plural, namespace):
            return self.status(403, "Forbidden", f'{plural} is forbidden: cannot {verb} resource "{plural}"' +
                               (f' in the namespace "{namespace}"' if namespace else " at the cluster scope"))
        self.used.add((namespace, plural, verb))
        if (namespace is None) != (kind == "PersistentVolume"):
            self.problems.append(f"{method} {path}: namespace")
        if method == "POST":
            return self.create(kind, namespace, raw)
        if name is None:
            return self.list(kind, namespace, query)
        standing = self.objects.get((kind, namespace, name))
        if standing is None:
            return self.status(404, "NotFound", f'{plural} "{name}" not found')
        return (200, standing) if method == "GET" else self.delete(kind, namespace, name, raw)

    def create(self, kind, namespace, raw):
        try:
            document = json.loads(raw)
        except ValueError:
            self.problems.append(f"{kind}: the body is no JSON")
            return self.status(400, "BadRequest", "not JSON")
        problems = strict_problems(document, kind, namespace)
        if problems:
            self.problems.append(f"{kind}: {problems}")
            return self.status(422, "Invalid", "; ".join(problems))
        name = document["metadata"]["name"]
        if kind == "PersistentVolumeClaim":
            if namespace not in self.namespaces:
                return self.status(404, "NotFound", f'namespaces "{namespace}" not found')
            if ("PersistentVolume", None, document["spec"]["volumeName"]) not in self.objects:
                self.problems.append(f"claim {name} was made before its volume")
        if (kind, namespace, name) in self.objects:
            return self.status(409, "AlreadyExists", f'"{name}" already exists')
        document["metadata"].update(uid=str(uuid.uuid4()), creationTimestamp="2026-11-21T00:00:00Z")
        self._touch(document)
        self.objects[kind, namespace, name] = document
        self._control()
        return 201, document

    def list(self, kind, namespace, query):
        wanted = [o for (k, ns, _), o in sorted(self.objects.items(), key=lambda e: tuple(map(str, e[0]))) if k == kind and ns == namespace]
        for term in filter(None, query.get("labelSelector", "").split(",")):
            label, _, value = term.partition("=")
            wanted = [o for o in wanted if label in o["metadata"].get("labels", {}) and value in ("", o["metadata"]["labels"][label])]
        start = int(query.get("continue") or 0)
        end = start + min(int(query.get("limit") or 10**6), PAGE)
        return 200, {"kind": kind + "List", "apiVersion": "v1", "items": wanted[start:end],
                     "metadata": {"continue": str(end)} if end < len(wanted) else {}}

    def delete(self, kind, namespace, name, raw):
        standing = self.objects[kind, namespace, name]
        options = json.loads(raw or b"{}")
        for member, value in options.get("preconditions", {}).items():
            if standing["metadata"].get(member) != value:
                return self.status(409, "Conflict", f"the {member} in the precondition does not match")
        if not options.get("preconditions"):
            self.problems.append(f"{name} is deleted without looking at it")
        if standing["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") != "homeport":
            self.problems.append(f"{name} is not ours and is deleted")
        if kind == "PersistentVolume" and standing["spec"].get("persistentVolumeReclaimPolicy") != "Retain":
            self.problems.append(f"{name} is deleted without Retain")
        protected = self._pods_of(namespace, name) if kind == "PersistentVolumeClaim" else standing["status"]["phase"] == "Bound"
        if protected:
            self.problems.append(f"{kind} {name} is deleted while it is in use")
            standing["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z"
            self._touch(standing)
            return 200, standing
        del self.objects[kind, namespace, name]
        self._control()
        return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
