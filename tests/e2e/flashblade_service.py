"""The real homeportd over flashblade-sim, whose file systems are real directories: what several files of tests share."""
import os

import flashblade_sim


class ArrayServiceTest(flashblade_sim.SimulatorTest):
    def start(self, *options):
        os.makedirs(self.path("data"), exist_ok=True)
        return super().start("--data", self.path("data"), "--data-address", "127.0.0.1", *options)

    def config(self, url=None, ca_file=None, plain_http=False, token=None, data="", klass="", more="", eradicate=False,
               timeout="2s"):
        """url, ca_file ("": none), token: of the array's management; data, klass, more: lines added there."""
        secret = self.write("array-token", token or self.sim.ready["api_token"])
        os.chmod(secret, 0o600)
        ca_file = os.path.abspath(self.sim.ready["certificate"]) if ca_file is None and not plain_http else ca_file
        ports = f"nfs_port: {self.sim.ready['nfs_port']}, mount_port: {self.sim.ready['mount_port']}"
        return f"""\
desired:
  backends:
  - name: fb1
    kind: flashblade
    mode: manage
    management:
      url: "{url or 'https://' + self.sim.ready['https']}"
      {f'ca_file: {ca_file}' if ca_file else ''}
      {'plain_http: true' if plain_http else ''}
      api_token: {{file: {secret}}}
      timeout: {timeout}
    data: {{{data or ports}}}
    exports: {{homeport: [127.0.0.1], clients: [10.20.0.0/16]}}
    pools:
    - {{name: homes, layout: filesystem}}
    - {{name: shared, layout: directory, file_system: hp-pool-1}}
    eradicate: {str(eradicate).lower()}
{more}
  classes:
  - {{name: own, backend: fb1, pool: homes, layout: filesystem, default_quota: 1GiB, max_quota: 4GiB{klass}}}
  - {{name: course, backend: fb1, pool: shared, layout: directory, default_quota: 1GiB, create: true}}
  rules:
  - {{name: course, match: {{groups: [students]}}, class: course}}
  - {{name: all, match: {{everyone: true}}, class: own}}
"""

    def ensure(self, daemon, user, uid, **more):
        return daemon.call("PUT", f"/v1/homes/{user}?wait=25", {"uid": uid, "gid": uid, **more})

    def made(self, daemon, user, uid, **more):
        """A home that is ready, as the service shows it."""
        answer = self.ensure(daemon, user, uid, **more)
        self.assertIn(answer.status, (200, 201), answer)
        return self.home_of(user, daemon)

    def home_of(self, user, daemon):
        return daemon.call("GET", f"/v1/homes/{user}").body

    def login(self, daemon, user, **more):
        return daemon.call("POST", "/v1/mountspecs", {"hub": "main", "user": user, **more})

    def file_systems(self):
        # A session and a version that no fault has taken away.
        client = flashblade_sim.Client(self.sim, version="2.2")
        out, token = {}, {}
        while True:
            status, page = client.call("GET", "file-systems", **token)
            self.assertEqual(status, 200, page)
            out.update((item["name"], item) for item in page["items"])
            if not page["continuation_token"]:
                return out
            token = {"continuation_token": page["continuation_token"]}

    def failed_checks(self, daemon, backend="fb1"):
        """What the probe found wrong: {name: (detail, hint)}."""
        report = daemon.call("POST", f"/v1/backends/{backend}/probe").body
        return {check["name"]: (check["detail"], check["hint"]) for check in report["checks"] if check["status"] == "failed"}

    def findings(self, daemon):
        return [finding["what"] for finding in daemon.call("GET", "/v1/doctor").body["findings"]]
