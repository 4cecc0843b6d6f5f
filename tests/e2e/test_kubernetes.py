"""Volumes and claims in a Kubernetes cluster: from the real homeportd and `homeport kubernetes rbac` to the objects."""
import json
import os
import unittest

import yaml

import kubernetes_support
import nfs_support
import support

ALICE = {"uid": 2001, "gid": 2001}


def login(user, uid=2001):
    return {"hub": "main", "user": user, "identity": {"uid": uid, "gid": uid}}


class Cluster:
    """Mixed into tests: a cluster, a service account's token in a file, and the section that names both."""

    def set_up_cluster(self, namespaces=("jhub",)):
        self.namespaces = list(namespaces)
        self.certificate = kubernetes_support.make_certificate(self.directory, "cluster")
        self.other_certificate = kubernetes_support.make_certificate(self.directory, "other")
        self.token_file = self.path("token")
        self.set_token("first-token")
        arguments = [word for ns in self.namespaces for word in ("--namespace", ns)]
        code, text, error = self.run_program(support.binary("homeport"), "kubernetes", "rbac", *arguments)
        self.assertEqual((code, error), (0, ""))
        self.rules = kubernetes_support.Rules(text, "homeport", "homeport")
        self.api = kubernetes_support.KubernetesApi(self.certificate, "first-token", self.rules, namespaces)
        self.addCleanup(self.api.stop)

    def set_token(self, token):
        with open(self.token_file, "w", encoding="ascii") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(token + "\n")

    def section(self, certificate=None):
        return (f"kubernetes: {{server: \"{self.api.url}\", ca_file: {(certificate or self.certificate)[0]}, "
                f"token: {{file: {self.token_file}}}, namespaces: [{', '.join(self.namespaces)}]}}\n")

    def ready(self, daemon, user, uid=2001):
        answer = daemon.call("PUT", f"/v1/homes/{user}?wait=20", {"uid": uid, "gid": uid})
        self.assertIn(answer.status, (200, 201), answer)
        self.assertEqual(answer.body["state"], "ready")
        return answer.body

    def rendered(self, daemon, user, uid=2001, namespace="jhub"):
        """What the hub's hook gets: the spec, and how KubeSpawner takes it."""
        spec = daemon.call("POST", "/v1/mountspecs?wait=20", login(user, uid))
        self.assertEqual(spec.status, 200, spec)
        more = f"&namespace={namespace}" if namespace else ""
        return spec.body, daemon.call("GET", f"/v1/mountspecs/{spec.body['spec_id']}?format=kubespawner{more}")

    def claims_in(self, rendering):
        self.assertEqual(rendering.status, 200, rendering)
        return [v["persistentVolumeClaim"]["claimName"] for v in rendering.body["volumes"].values()]

    def waiting(self, daemon, text):
        """The one operation that waits, once its reason has `text`."""
        def look():
            items = daemon.call("GET", "/v1/operations?state=waiting").body["items"]
            return [o for o in items if o["failure"] and text in o["failure"]["message"]]
        return support.wait_until(look, f"an operation waits because of '{text}'")[0]

    def settled(self, daemon):
        def look():
            return not any(daemon.call("GET", f"/v1/operations?state={s}").body["items"] for s in ("running", "waiting"))
        support.wait_until(look, "no operation is open")

    def pairs(self, count):
        """Waits until there are as many volumes and claims, all bound to each other."""
        def look():
            volumes, claims = self.api.volumes(), self.api.claims()
            bound = {v["spec"]["claimRef"]["name"] for v in volumes if v["status"]["phase"] == "Bound"}
            return len(volumes) == len(claims) == count and len(bound) == count
        support.wait_until(look, f"{count} volumes and claims, bound; there are {len(self.api.volumes())} and {len(self.api.claims())}")

    def changes(self):
        return [r for r in self.api.asked() if r[0] != "GET"]

    def no_problems(self):
        self.assertEqual(self.api.problems, [])


class KubernetesTest(Cluster, support.E2ETest):
    def setUp(self):
        super().setUp()
        self.set_up_cluster()

    def daemon(self, **options):
        return self.start_daemon(self.section(**options) + support.MEMORY_CONFIG)

    def test_a_first_home_has_its_volume_and_claim_before_it_is_ready(self):
        daemon = self.daemon()
        states = []

        def before(method, path, _):
            if method == "POST":
                states.append((path.rsplit("/", 1)[1], daemon.call("GET", "/v1/homes/alice").body["state"]))
        self.api.before = before
        home = self.ready(daemon, "alice")
        self.assertEqual(states, [("persistentvolumes", "creating"), ("persistentvolumeclaims", "creating")])
        self.api.before = None
        volume, claim = self.api.volumes()[0], self.api.claims()[0]
        self.assertEqual(volume["spec"]["nfs"], {"server": "memory", "path": home["source"]["export"]})
        self.assertEqual(volume["spec"]["capacity"], {"storage": "10Gi"})
        self.assertEqual(volume["spec"]["accessModes"], ["ReadWriteMany"])
        self.assertIn("vers=4.2", volume["spec"]["mountOptions"])
        self.assertEqual(volume["spec"]["claimRef"]["namespace"], "jhub")
        self.assertEqual(volume["metadata"]["labels"]["homeport/space"], home["key"])
        self.assertEqual(claim["spec"]["volumeName"], volume["metadata"]["name"])
        self.assertEqual((volume["status"]["phase"], claim["status"]["phase"]), ("Bound", "Bound"))
        _, rendering = self.rendered(daemon, "alice")
        self.assertEqual(self.claims_in(rendering), [claim["metadata"]["name"]])
        _, same = self.rendered(daemon, "alice", namespace=None)  # the only one need not be named
        self.assertEqual(same.text, rendering.text)
        self.api.add_pod("jupyter-alice", self.claims_in(rendering))
        made = self.changes()
        self.assertEqual(len(made), 2)
        # Again, and a login: nothing is made.
        self.ready(daemon, "alice")
        self.rendered(daemon, "alice")
        self.assertEqual(self.changes(), made)
        operation = daemon.call("GET", f"/v1/operations?space={home['key']}").body["items"][0]
        self.assertEqual([s["name"] for s in operation["steps"]], ["create", "volume", "claim"])
        self.assertIn("POST /api/v1/persistentvolumes " + volume["metadata"]["name"], operation["calls"])
        self.no_problems()

    def test_what_nothing_wants_goes_when_no_pod_uses_it(self):
        stranger = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim-bob", "namespace": "jhub"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "pvc-1"}}
        labels = {"app.kubernetes.io/managed-by": "homeport", "homeport/space": "h-0123456789abcdef"}
        another = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "of-another-homeport", "labels": labels},
                   "spec": {"claimRef": {"namespace": "jhub", "name": "nb-home-x"}, "persistentVolumeReclaimPolicy": "Retain"}}
        self.api.put(stranger)
        self.api.put(another)
        daemon = self.daemon()
        for user, uid in (("alice", 2001), ("bob", 2002), ("carol", 2003)):
            self.ready(daemon, user, uid)
        _, rendering = self.rendered(daemon, "alice")
        claim = self.claims_in(rendering)[0]
        for i in range(5):   # more than one page of pods; the one that counts is last
            self.api.add_pod(f"a-{i}", [])
        self.api.add_pod("jupyter-alice", [claim])
        for user in ("alice", "bob"):
            self.assertEqual(daemon.call("POST", f"/v1/homes/{user}/retire?wait=20&force=true").status, 200)
        support.wait_until(lambda: len(self.api.claims()) == 3 and len(self.api.volumes()) == 3, "bob's are gone")
        findings = support.wait_until(lambda: [f for f in daemon.call("GET", "/v1/doctor").body["findings"] if claim in f["what"]], "the doctor tells")
        self.assertIn("a pod uses it", findings[0]["what"])
        self.assertIn(claim, [c["metadata"]["name"] for c in self.api.claims()])
        self.api.remove("Pod", "jupyter-alice", "jhub")
        support.wait_until(lambda: len(self.api.claims()) == 2 and len(self.api.volumes()) == 2, "alice's are gone")
        self.assertEqual([c["metadata"]["name"] for c in self.api.claims() if "labels" not in c["metadata"]], ["claim-bob"])
        self.assertEqual(len(self.api.find("PersistentVolume", "of-another-homeport")), 1)
        # The data is where it was: undeleted, she has a home and a claim at once, and the same ones.
        self.assertEqual(daemon.call("POST", "/v1/homes/alice/undelete?wait=20").status, 200)
        _, again = self.rendered(daemon, "alice")
        self.api.add_pod("jupyter-alice", self.claims_in(again))
        self.assertEqual(self.claims_in(again), [claim])
        # Exactly the rights that were printed are used: none is missing, none is too much.
        self.assertEqual(self.api.used, set(self.rules.allowed))
        self.no_problems()

    def test_a_reclaim_policy_that_is_not_retain_keeps_everything(self):
        daemon = self.daemon()
        self.ready(daemon, "alice")
        volume = self.api.volumes()[0]
        volume["spec"]["persistentVolumeReclaimPolicy"] = "Delete"
        self.api.put(volume)
        self.assertEqual(daemon.call("POST", "/v1/homes/alice/retire?wait=20").status, 200)
        support.wait_until(lambda: any("reclaim policy" in f["what"] for f in daemon.call("GET", "/v1/doctor").body["findings"]), "the doctor tells")
        self.assertEqual((len(self.api.volumes()), len(self.api.claims())), (1, 1))
        self.no_problems()

    def test_an_object_in_the_way_is_left_alone(self):
        daemon = self.daemon()
        taken = []

        def take_name(method, path, body):
            if method == "POST" and path.endswith("/persistentvolumes") and not taken:
                taken.append(json.loads(body)["metadata"]["name"])
                self.api.put({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": taken[0]}, "spec": {"nfs": {"server": "a", "path": "/b"}}})
        self.api.before = take_name
        answer = daemon.call("PUT", "/v1/homes/alice?wait=20", ALICE)
        self.assertEqual(answer.status, 422, answer)
        self.assertIn("was not made by this service", answer.body["detail"])
        operation = daemon.call("GET", "/v1/operations?parked=true").body["items"][0]
        self.assertIn("kubectl", operation["failure"]["hint"])
        self.assertEqual(self.api.find("PersistentVolume", taken[0])[0]["spec"]["nfs"], {"server": "a", "path": "/b"})
        self.api.remove("PersistentVolume", taken[0])
        self.assertEqual(daemon.call("POST", f"/v1/operations/{operation['id']}/retry").status, 200)
        support.wait_until(lambda: daemon.call("GET", "/v1/homes/alice").body["state"] == "ready", "alice's home is ready")
        self.pairs(1)
        self.no_problems()

    def test_the_token_is_read_again(self):
        daemon = self.daemon()
        self.ready(daemon, "alice")
        self.api.token = "second-token"
        self.set_token("second-token")
        self.ready(daemon, "bob", 2002)
        self.api.token = "third-token"
        self.assertEqual(daemon.call("PUT", "/v1/homes/carol?wait=1", {"uid": 2003, "gid": 2003}).status, 202)
        operation = self.waiting(daemon, "does not accept the token in file")
        self.assertNotIn("second-token", json.dumps(operation) + daemon.log())
        self.set_token("third-token")
        self.assertEqual(daemon.call("POST", f"/v1/operations/{operation['id']}/retry").status, 200)
        self.settled(daemon)
        self.pairs(3)
        self.no_problems()

    def test_trouble_with_the_cluster_keeps_new_homes_waiting_and_nobody_else(self):
        daemon = self.daemon()
        self.ready(daemon, "alice")
        spec, rendering = self.rendered(daemon, "alice")
        troubles = [("500", "answers 500"), ("garbage", "not HTTP"), ("html", "something that no Kubernetes API says"),
                    ("reset", "closed the connection"), ("down", "connection refused"), ("hang", "no answer")]
        for number, (mode, text) in enumerate(troubles):
            with self.subTest(mode=mode):
                if mode == "down":
                    self.api.stop()
                else:
                    self.api.mode = mode
                user, uid = f"user{number}", 3000 + number
                answer = daemon.call("POST", "/v1/mountspecs?wait=1", login(user, uid))
                self.assertEqual(answer.status, 202, answer)
                operation = self.waiting(daemon, text)
                self.assertEqual(daemon.call("GET", f"/v1/homes/{user}").body["state"], "creating")
                # Who has a home is answered as ever, with claims that are known to stand; the backend is not blamed.
                known, same = self.rendered(daemon, "alice")
                self.assertEqual((known["digest"], known["state"], known["notices"]), (spec["digest"], "ready", []))
                self.assertEqual(same.text, rendering.text)
                self.assertEqual(daemon.call("GET", "/v1/backends/lab").body["state"], "ok")
                self.api.released.set()
                self.api.mode = None
                if mode == "down":
                    self.api.start()
                daemon.call("POST", f"/v1/operations/{operation['id']}/retry")
                support.wait_until(lambda u=user: daemon.call("GET", f"/v1/homes/{u}").body["state"] == "ready", f"{user} has a home")
                _, mounted = self.rendered(daemon, user, uid)
                self.api.add_pod(f"jupyter-{user}", self.claims_in(mounted))
        self.pairs(1 + len(troubles))
        self.no_problems()

    def test_nobody_is_told_the_token_whose_certificate_is_not_the_cas(self):
        daemon = self.daemon(certificate=self.other_certificate)
        self.assertEqual(daemon.call("PUT", "/v1/homes/alice?wait=1", ALICE).status, 202)
        self.waiting(daemon, "its certificate is not accepted")
        self.assertEqual(self.api.asked(), [])

    def test_missing_rights_and_namespaces_are_said(self):
        daemon = self.daemon()
        self.rules.allowed.remove(("jhub", "persistentvolumeclaims", "create"))
        self.assertEqual(daemon.call("PUT", "/v1/homes/alice?wait=1", ALICE).status, 202)
        operation = self.waiting(daemon, "cannot create resource")
        self.assertIn("homeport kubernetes rbac", operation["failure"]["hint"])
        self.rules.allowed.append(("jhub", "persistentvolumeclaims", "create"))
        self.api.namespaces.clear()
        daemon.call("POST", f"/v1/operations/{operation['id']}/retry")
        self.waiting(daemon, 'namespaces "jhub" not found')
        self.api.namespaces.add("jhub")
        daemon.call("POST", f"/v1/operations/{operation['id']}/retry")
        self.settled(daemon)
        self.pairs(1)

    def test_namespaces_that_are_not_ours_are_refused(self):
        daemon = self.daemon()
        self.ready(daemon, "alice")
        _, elsewhere = self.rendered(daemon, "alice", namespace="other")
        self.assertEqual(elsewhere.status, 400, elsewhere)
        self.assertIn("jhub", elsewhere.body["hint"])


class TwoNamespacesTest(Cluster, support.E2ETest):
    def test_each_namespace_has_a_pair_of_its_own(self):
        self.set_up_cluster(("hub-a", "hub-b"))
        daemon = self.start_daemon(self.section() + support.MEMORY_CONFIG)
        self.ready(daemon, "alice")
        self.pairs_of = {(v["metadata"]["name"], v["spec"]["claimRef"]["namespace"]) for v in self.api.volumes()}
        self.assertEqual(sorted(ns for _, ns in self.pairs_of), ["hub-a", "hub-b"])
        self.assertEqual([c["status"]["phase"] for c in self.api.claims()], ["Bound", "Bound"])
        for ns in ("hub-a", "hub-b"):
            _, rendering = self.rendered(daemon, "alice", namespace=ns)
            self.api.add_pod("jupyter-alice", self.claims_in(rendering), ns)
        _, unnamed = self.rendered(daemon, "alice", namespace=None)
        self.assertEqual(unnamed.status, 400, unnamed)
        self.no_problems()


class WithoutClusterTest(support.E2ETest):
    def test_volumes_are_inline_and_say_what_that_loses(self):
        daemon = self.start_daemon()
        self.assertEqual(daemon.call("PUT", "/v1/homes/alice?wait=20", ALICE).status, 201)
        spec = daemon.call("POST", "/v1/mountspecs?wait=20", login("alice")).body
        target = f"/v1/mountspecs/{spec['spec_id']}?format=kubespawner"
        rendering = daemon.call("GET", target).body
        self.assertEqual(rendering["volumes"]["home"]["nfs"]["path"], spec["mounts"][0]["source"]["export"])
        self.assertEqual(rendering["lost_options"], {"home": ["nfs.nosuid", "nfs.nodev"]})
        refused = daemon.call("GET", target + "&namespace=jhub")
        self.assertEqual(refused.status, 422, refused)
        self.assertIn("makes none", refused.body["detail"])


class RbacTest(support.E2ETest):
    def rbac(self, *arguments):
        return self.run_program(support.binary("homeport"), "kubernetes", "rbac", *arguments)

    def test_it_is_yaml_of_texts_for_every_namespace(self):
        code, text, error = self.rbac("--namespace", "no", "--namespace", "hub-b", "--service-account", "1e3", "--service-account-namespace", "0123")
        self.assertEqual((code, error), (0, ""))
        documents = list(yaml.safe_load_all(text))
        self.assertEqual([d["kind"] for d in documents], ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Role", "RoleBinding"])
        self.assertEqual([d["metadata"].get("namespace") for d in documents], ["0123", None, None, "no", "no", "hub-b", "hub-b"])
        rules = kubernetes_support.Rules(text, "1e3", "0123")
        self.assertIn(("no", "pods", "list"), rules.allowed)
        self.assertFalse(any(verb in ("update", "patch", "*", "deletecollection") for _, _, verb in rules.allowed))

    def test_names_that_are_none_are_refused(self):
        for arguments in (["--namespace", "Upper"], ["--namespace", "a\nb"], ["--namespace", "-a"], [],
                          ["--namespace", "a", "--service-account", 'x"y']):
            code, text, error = self.rbac(*arguments)
            self.assertEqual((code, text), (2, ""), arguments)
            self.assertIn("error", error)


class FleetTest(Cluster, nfs_support.NfsTest):
    """On a real NFS server, so that homes outlive the service."""

    def setUp(self):
        super().setUp()
        self.set_up_cluster()

    def test_homes_and_datasets_that_were_there_before_the_cluster_get_their_claims(self):
        config = nfs_support.config(self.nfs, "before")
        daemon = self.start_daemon(config)
        self.ready(daemon, "alice", 3001)
        os.makedirs(self.nfs.directories["/data"] + "/kiris", exist_ok=True)
        answer = daemon.call("PUT", "/v1/datasets/iris?wait=20", {"backend": "lab", "path": "/data/kiris"})
        self.assertIn(answer.status, (200, 201), answer)
        grant = {"subject_kind": "user", "subject": "alice", "access": "ro"}
        self.assertIn(daemon.call("POST", "/v1/datasets/iris/grants", grant).status, (200, 201))
        daemon.stop()
        again = self.start_daemon(self.section() + config)
        spec, rendering = self.rendered(again, "alice", 3001)
        self.assertEqual([m["id"] for m in spec["mounts"]], ["home", "ds-iris"])
        self.api.add_pod("jupyter-alice", self.claims_in(rendering))
        self.pairs(2)
        dataset = next(v for v in self.api.volumes() if v["spec"]["nfs"]["path"] == "/data/kiris")
        self.assertEqual(dataset["spec"]["accessModes"], ["ReadOnlyMany"])
        self.assertIn("ro", dataset["spec"]["mountOptions"])
        self.assertIn(f"port={self.nfs.port}", dataset["spec"]["mountOptions"])
        self.assertEqual(dataset["metadata"]["annotations"]["homeport/capacity"], "placeholder")
        again.stop()
        # Somebody deletes a claim by hand, and another's volume: the next look makes both usable again.
        self.api.remove("Pod", "jupyter-alice", "jhub")
        self.api.remove("PersistentVolumeClaim", dataset["spec"]["claimRef"]["name"], "jhub")
        home = next(v for v in self.api.volumes() if v is not dataset and v["spec"]["nfs"]["path"] != "/data/kiris")
        self.api.remove("PersistentVolume", home["metadata"]["name"])
        self.assertEqual(sorted(v["status"]["phase"] for v in self.api.volumes()), ["Released"])
        self.assertEqual([c["status"]["phase"] for c in self.api.claims()], ["Lost"])
        once_more = self.start_daemon(self.section() + config)
        self.pairs(2)
        _, mended = self.rendered(once_more, "alice", 3001)
        self.api.add_pod("jupyter-alice", self.claims_in(mended))
        # Another source: what mounts it is made, the old pair goes once nobody uses it.
        once_more.stop()
        self.api.remove("Pod", "jupyter-alice", "jhub")
        moved = self.start_daemon(self.section() + config.replace("client: {", "client: {server: localhost, "))
        _, elsewhere = self.rendered(moved, "alice", 3001)
        self.api.add_pod("jupyter-alice", self.claims_in(elsewhere))
        self.assertEqual(set(self.claims_in(elsewhere)) & set(self.claims_in(mended)), set())
        self.pairs(2)
        self.no_problems()

    def test_killed_anywhere_between_there_is_one_pair_of_each_home(self):
        trace = self.path("points")
        config = self.section() + nfs_support.config(self.nfs, "trace")
        daemon = self.start_daemon(config, state="trace", env={"HOMEPORT_FAULT_TRACE": trace})
        self.ready(daemon, "alice", 3001)
        daemon.stop()
        with open(trace, encoding="ascii") as f:
            points = sorted({line.strip() for line in f if ".volume." in line or ".claim." in line or line.startswith("journal.step")})
        self.assertGreaterEqual(len(points), 6, points)
        for number, point in enumerate(points):
            with self.subTest(point=point):
                state, config = f"state{number}", self.section() + nfs_support.config(self.nfs, f"kpool{number}")
                before = {c["metadata"]["name"] for c in self.api.claims()}
                daemon = self.start_daemon(config, state=state, env={"HOMEPORT_FAULT_POINT": point})
                try:
                    daemon.call("PUT", "/v1/homes/alice?wait=20", {"uid": 3001, "gid": 3001})
                except OSError:
                    pass
                self.assertEqual(daemon.process.wait(support.PATIENCE), -9)
                again = self.start_daemon(config, state=state)
                self.ready(again, "alice", 3001)
                _, rendering = self.rendered(again, "alice", 3001)
                self.api.add_pod(f"pod-{number}", self.claims_in(rendering))
                new = {c["metadata"]["name"] for c in self.api.claims()} - before
                self.assertEqual(new, set(self.claims_in(rendering)))
                self.pairs(len(before) + 1)
                again.stop()
        self.no_problems()

    def test_a_first_home_of_forty_people_at_once(self):
        daemon = self.start_daemon(self.section() + nfs_support.config(self.nfs, "many"))
        for i in range(40):
            daemon.call("PUT", f"/v1/homes/person{i}?wait=0", {"uid": 5000 + i, "gid": 5000 + i})
        self.settled(daemon)
        self.pairs(40)
        self.assertEqual(len(self.changes()), 80)
        self.no_problems()


if __name__ == "__main__":
    unittest.main()
