"""flashblade-sim: what inventory, monitoring and configuration clients of FlashBlades read and write around the storage.

The calls are those that the vendor's Ansible collection, its Python client and its metrics exporter send.
"""
import os
import unittest

import flashblade_sim

EMPTY = {0: ["active-directory", "api-clients", "bucket-replica-links", "buckets", "certificate-groups",
             "directory-services/roles", "hardware-connectors", "keytabs", "lifecycle-rules", "object-store-access-keys",
             "object-store-access-policies", "object-store-accounts", "object-store-remote-credentials",
             "object-store-users", "object-store-virtual-hosts", "snmp-managers",
             "array-connections/performance/replication", "buckets/performance", "buckets/s3-specific-performance"],
         3: ["hardware-connectors/performance"], 4: ["drives"], 7: ["support/verification-keys"],
         12: ["buckets/bucket-access-policies", "buckets/cross-origin-resource-sharing-policies"],
         13: ["network-access-policies"], 15: ["sso/saml2/idps", "worm-data-policies"], 17: ["fleets", "fleets/members"],
         19: ["realms"]}


class InventoryTest(flashblade_sim.SimulatorTest):
    def test_lists_that_are_empty_here_and_the_versions_that_have_them(self):
        for since, paths in EMPTY.items():
            for path in paths:
                with self.subTest(path):
                    status, answer = self.client.call("GET", path, version=f"2.{since}")
                    self.assertEqual((status, answer["items"], answer["total_item_count"], answer["continuation_token"]),
                                     (200, [], 0, None))
                    if since > 0:
                        self.assertEqual(self.client.call("GET", path, version=f"2.{since - 1}")[0], 404)
        self.assertEqual(self.client.call("POST", "buckets", {}, names="b")[0], 405)
        self.refused(400, "Bucket does not exist.", "GET", "buckets", names="b")

    def test_what_a_summary_reads(self):
        eula = self.client.one("GET", "arrays/eula")
        self.assertIsNone(eula["signature"]["accepted"])
        support = self.client.one("GET", "support")
        self.assertEqual((support["remote_assist_active"], support["remote_assist_status"]), (False, "disconnected"))
        self.assertNotIn("remote_assist_duration", self.client.one("GET", "support", version="2.13"))
        certificate = self.client.one("GET", "certificates")
        self.assertLess(certificate["valid_from"], certificate["valid_to"])
        services = {item["name"]: item for item in self.client.items("GET", "directory-services")}
        self.assertEqual(sorted(services), ["management", "nfs", "smb"])
        self.assertEqual(services["nfs"]["nfs"], {"nis_domains": [], "nis_servers": []})
        self.assertEqual(self.client.one("GET", "snmp-agents")["version"], "v2c")
        uplink = self.client.one("GET", "link-aggregation-groups", names="uplink")
        subnet = self.client.one("POST", "subnets", {"prefix": "10.9.0.0/24", "link_aggregation_group": {"name": "uplink"}},
                                 names="s")
        self.assertEqual(subnet["link_aggregation_group"]["id"], uplink["id"])

    def test_rates_of_an_idle_array_are_there_for_every_protocol(self):
        for path, member in (("arrays/nfs-specific-performance", "getattrs_per_sec"),
                             ("arrays/http-specific-performance", "read_files_per_sec"),
                             ("arrays/s3-specific-performance", "read_buckets_per_sec")):
            with self.subTest(path):
                item = self.client.one("GET", path)
                self.assertEqual((item["name"], item[member]), ("flashblade-sim", 0.0))
                self.assertGreater(item["time"], 0)


class SettingsTest(flashblade_sim.SimulatorTest):
    def test_settings_that_there_is_one_of(self):
        self.assertEqual(self.client.call("GET", "admins/settings", version="2.2")[0], 404)
        done = self.client.one("PATCH", "admins/settings", {"max_login_attempts": 5, "lockout_duration": 60000})
        self.assertEqual((done["max_login_attempts"], done["lockout_duration"], done["min_password_length"]), (5, 60000, 1))
        self.assertEqual(self.client.one("GET", "admins/settings")["max_login_attempts"], 5)
        self.assertTrue(self.client.one("PATCH", "support", {"phonehome_enabled": True})["phonehome_enabled"])
        self.refused(400, "Invalid body parameter: agreement", "PATCH", "arrays/eula", {"agreement": "x"})
        signed = self.client.one("PATCH", "arrays/eula", {"signature": {"name": "a", "title": "b", "company": "c"}})
        self.assertEqual(signed["signature"]["accepted"], self.client.one("GET", "arrays/eula")["signature"]["accepted"])
        self.assertGreater(signed["signature"]["accepted"], 0)
        self.assertEqual([signed["signature"][k] for k in ("name", "title", "company")], [None, None, None])
        # The one mail server needs no name.
        self.assertEqual(self.client.one("PATCH", "smtp-servers", {"relay_host": "mx"})["relay_host"], "mx")
        self.refused(400, "Invalid body parameter: encryption_mode", "PATCH", "smtp-servers",
                     {"encryption_mode": "starttls"}, version="2.14")

    def test_lists_of_settings(self):
        watcher = self.client.one("POST", "alert-watchers", {"minimum_notification_severity": "warning"}, names="a@b.org")
        self.assertEqual((watcher["enabled"], watcher["minimum_notification_severity"]), (True, "warning"))
        self.assertFalse(self.client.one("PATCH", "alert-watchers", {"enabled": False}, names="a@b.org")["enabled"])
        self.refused(400, "URI is required", "POST", "syslog-servers", {}, names="log")
        self.client.one("POST", "syslog-servers", {"uri": "udp://10.0.0.3:514"}, names="log")
        self.assertEqual(self.client.call("DELETE", "syslog-servers", names="log"), (200, None))
        self.assertEqual(self.client.one("PATCH", "dns", {"nameservers": ["10.0.0.2"]}, names="management")["nameservers"],
                         ["10.0.0.2"])
        self.refused(400, "At most 3", "POST", "dns", {"nameservers": ["1", "2", "3", "4"]}, names="data")
        self.assertEqual(self.client.call("POST", "dns", {}, names="data", version="2.15")[0], 405)
        ports = [{"name": "CH1.FM1.ETH1"}, {"name": "CH1.FM2.ETH1"}]
        self.client.one("POST", "link-aggregation-groups", {"ports": ports}, names="lag")
        lag = self.client.one("PATCH", "link-aggregation-groups",
                              {"remove_ports": ports[:1], "add_ports": [{"name": "CH1.FM1.ETH2"}]}, names="lag")
        self.assertEqual([port["name"] for port in lag["ports"]], ["CH1.FM2.ETH1", "CH1.FM1.ETH2"])
        self.assertNotIn("add_ports", lag)

    def test_a_storage_admin_leaves_the_array_itself_alone(self):
        self.client.one("POST", "admins", {"role": {"name": "storage_admin"}}, names="store")
        token = self.client.one("POST", "admins/api-tokens", admin_names="store")["api_token"]["token"]
        storage = flashblade_sim.Client(self.sim, login=False)
        self.assertEqual(storage.login(token)[0], 200)
        for method, path, body, query in (("PATCH", "support", {"phonehome_enabled": True}, {}),
                                          ("PATCH", "arrays/eula", {}, {}),
                                          ("POST", "alert-watchers", {}, {"names": "a@b.org"})):
            with self.subTest(path):
                self.refused(403, "not permitted", method, path, body, client=storage, **query)
        self.make("mine", client=storage)


class ConnectionTest(flashblade_sim.SimulatorTest):
    def test_another_simulator_is_known_by_its_name(self):
        os.mkdir(self.path("far"))
        far = flashblade_sim.Client(flashblade_sim.Simulator(self.path("far"), "--array-name", "far"))
        self.addCleanup(far.simulator.close)
        key = far.one("POST", "array-connections/connection-key")["connection_key"]
        self.client.one("POST", "array-connections", {"management_address": "10.0.0.9", "connection_key": key})
        found = self.client.one("GET", "array-connections", filter="remote.name='far'")
        self.assertEqual((found["status"], found["remote"]["name"]), ("connected", "far"))
        self.refused(400, "already exists", "POST", "array-connections",
                     {"management_address": "10.0.0.10", "connection_key": key})
        self.client.one("PATCH", "array-connections", {"throttle": {"default_limit": 10 << 20}}, remote_names="far")
        self.make("fs")
        link = self.client.one("POST", "file-system-replica-links", {}, local_file_system_names="fs", remote_names="far")
        self.assertEqual(link["remote"]["name"], "far")
        # Any other key does, too.
        self.client.one("POST", "array-connections", {"management_address": "10.0.0.11", "connection_key": "k"})
        self.assertEqual(len(self.client.items("GET", "array-connections", filter="remote.name='array-10-0-0-11'")), 1)


if __name__ == "__main__":
    unittest.main()
