"""flashblade-sim: export policies, exports, servers, interfaces, QoS, replication, administration."""
import unittest

import flashblade_sim


class NfsPolicyTest(flashblade_sim.SimulatorTest):
    def setUp(self):
        super().setUp()
        self.client.version = "2.15"
        self.policy = self.client.one("POST", "nfs-export-policies", {"rules": [{"client": "*"}]}, names="p")

    def rule(self, **body):
        return self.client.one("POST", "nfs-export-policies/rules", body, policy_names="p")

    def clients(self):
        return [(rule["index"], rule["name"], rule["client"])
                for rule in self.client.items("GET", "nfs-export-policies/rules", policy_names="p")]

    def test_a_rule_is_read_only_and_squashes_root_unless_told_otherwise(self):
        rule = self.policy["rules"][0]
        for member in ("id", "policy", "policy_version"):
            rule.pop(member)
        self.assertEqual(rule, {"name": "p.1", "index": 1, "access": "root-squash", "anongid": None, "anonuid": None, "atime": True,
                                "client": "*", "fileid_32bit": False, "permission": "ro", "secure": False, "security": ["sys"]})
        self.assertEqual((self.policy["policy_type"], self.policy["is_local"]), ("nfs-export", True))

    def test_three_groups_keep_their_order(self):
        for client in ("host.example", "10.0.0.0/8", "@group", "2001:db8::1"):
            self.rule(client=client)
        self.assertEqual(self.clients(), [(1, "p.1", "10.0.0.0/8"), (2, "p.2", "2001:db8::1"), (3, "p.3", "host.example"),
                                          (4, "p.4", "@group"), (5, "p.5", "*")])
        moved = self.client.one("PATCH", "nfs-export-policies/rules", {}, names="p.2", before_rule_name="p.1")
        self.assertEqual((moved["index"], moved["client"]), (1, "2001:db8::1"))
        self.refused(400, "inside its group", "PATCH", "nfs-export-policies/rules", {}, names="p.5", before_rule_name="p.1")
        self.client.one("PATCH", "nfs-export-policies/rules", {"index": 99}, names="p.1")
        self.assertEqual([client for _, _, client in self.clients()][:3], ["10.0.0.0/8", "2001:db8::1", "host.example"])
        self.client.call("DELETE", "nfs-export-policies/rules", names="p.1,p.3")
        self.assertEqual([client for _, _, client in self.clients()], ["2001:db8::1", "@group", "*"])

    def test_versions_guard_against_others(self):
        before = self.policy["version"]
        self.client.one("PATCH", "nfs-export-policies", {"enabled": False}, names="p", versions=before)
        self.refused(412, "modified", "PATCH", "nfs-export-policies", {"enabled": True}, names="p", versions=before)
        self.refused(412, "modified", "DELETE", "nfs-export-policies", names="p", versions=before)

    def test_refusals(self):
        path = "nfs-export-policies/rules"
        self.refused(400, "Invalid body parameter: policy", "POST", path, {"policy": {"name": "p"}}, policy_names="p")
        self.refused(400, "Invalid value for body parameter: permission", "POST", path, {"permission": "w"}, policy_names="p")
        self.refused(400, "Invalid value for body parameter: anonuid", "PATCH", path, {"anonuid": 5}, names="p.1")
        self.assertEqual(self.client.one("PATCH", path, {"anonuid": "5"}, names="p.1")["anonuid"], 5)
        self.assertIsNone(self.client.one("PATCH", path, {"anonuid": ""}, names="p.1")["anonuid"])
        self.refused(400, "Invalid body parameter: name", "PATCH", "nfs-export-policies", {"name": "q"}, names="p", version="2.3")
        self.assertEqual(self.client.one("PATCH", "nfs-export-policies", {"name": "q"}, names="p", version="2.4")["name"], "q")

    def test_rules_and_policy_clear_each_other(self):
        self.make("a", nfs={"export_policy": {"name": "p"}})
        fs = self.client.one("GET", "file-systems", filter="nfs.export_policy.name='p'")
        self.assertEqual((fs["nfs"]["rules"], fs["nfs"]["export_policy"]["id"]), ("", self.policy["id"]))
        self.refused(400, "in use", "DELETE", "nfs-export-policies", names="p")
        fs = self.client.one("PATCH", "file-systems", {"nfs": {"rules": "*(ro)"}}, names="a")
        self.assertIsNone(fs["nfs"]["export_policy"]["name"])
        self.assertEqual(self.client.call("DELETE", "nfs-export-policies", names="p")[0], 200)


class ExportTest(flashblade_sim.SimulatorTest):
    def test_the_default_export_is_what_the_file_system_shows(self):
        self.client.one("POST", "nfs-export-policies", {}, names="p")
        self.make("a", nfs={"v3_enabled": True, "export_policy": {"name": "p"}})
        export = self.client.one("GET", "file-system-exports", filter=
                                 "export_name='a' and policy_type='nfs' and member.name='a' and server.name='_array_server'")
        self.assertEqual((export["policy"]["name"], export["enabled"], export["status"]), ("p", True, None))
        self.client.one("PATCH", "file-systems", {"nfs": {"v3_enabled": False}}, names="a")
        self.assertEqual(self.client.one("GET", "file-system-exports", names=export["name"])["status"], "protocol_disabled")
        self.client.call("DELETE", "file-system-exports", ids=export["id"])
        self.assertIsNone(self.client.one("GET", "file-systems", names="a")["nfs"]["export_policy"]["name"])
        again = self.client.one("POST", "file-system-exports", {}, member_names="a", policy_names="p")
        self.assertEqual(again["export_name"], "a")
        self.assertEqual(self.client.one("GET", "file-systems", names="a")["nfs"]["export_policy"]["name"], "p")
        self.refused(400, "already exists", "POST", "file-system-exports", {}, member_names="a", policy_names="p")
        other = self.client.one("POST", "file-system-exports", {"export_name": "other"}, member_names="a", policy_names="p")
        self.client.one("PATCH", "file-systems", {"nfs": {"rules": "*(ro)"}}, names="a")
        self.assertEqual(self.client.one("GET", "file-system-exports", ids=other["id"])["policy"]["name"], "p")
        self.sim.act("eradicate", file_system="a")
        self.assertEqual(self.client.items("GET", "file-system-exports"), [])

    def test_no_rules_no_export(self):
        self.make("a", nfs={"rules": ""})
        self.assertEqual(self.client.items("GET", "file-system-exports"), [])
        self.client.one("PATCH", "file-systems", {"nfs": {"rules": "*(ro)"}}, names="a")
        self.assertEqual(len(self.client.items("GET", "file-system-exports")), 1)

    def test_servers(self):
        self.refused(400, "create_ds", "POST", "servers", {}, names="s")
        self.client.one("POST", "servers", {}, names="s", create_ds="s_nfs")
        self.refused(400, "cascade_delete", "DELETE", "servers", names="s")
        self.assertEqual(self.client.call("DELETE", "servers", names="s", cascade_delete="directory-services")[0], 200)
        self.refused(400, "cannot be deleted", "DELETE", "servers", names="_array_server", cascade_delete="directory-services")


class NetworkTest(flashblade_sim.SimulatorTest):
    options = ("--data-address", "127.0.0.1,10.5.0.7")

    def test_interfaces_follow_their_subnets(self):
        shown = self.client.items("GET", "network-interfaces", filter="services='data'")
        self.assertEqual([(i["address"], i["netmask"], i["attached_servers"][0]["name"]) for i in shown],
                         [("127.0.0.1", "255.0.0.0", "_array_server"), ("10.5.0.7", "255.255.255.0", "_array_server")])
        self.assertNotIn("attached_servers", self.client.items("GET", "network-interfaces", version="2.15")[0])
        self.refused(400, "Invalid body parameter: subnet", "POST", "network-interfaces", {"subnet": {"name": "x"}}, names="v")
        vip = {"address": "192.0.2.5", "services": ["data"], "type": "vip"}
        self.refused(400, "not in any subnet", "POST", "network-interfaces", vip, names="v")
        self.client.one("POST", "subnets", {"prefix": "192.0.2.0/24", "gateway": "192.0.2.1", "vlan": 7}, names="more")
        made = self.client.one("POST", "network-interfaces", vip, names="v")
        self.assertEqual((made["subnet"]["name"], made["vlan"], made["gateway"]), ("more", 7, "192.0.2.1"))
        self.refused(400, "in use", "POST", "network-interfaces", vip, names="w")
        self.refused(400, "has network interfaces", "DELETE", "subnets", names="more")
        self.refused(400, "VLAN", "POST", "subnets", {"prefix": "198.51.100.0/24", "vlan": 5000}, names="bad")
        self.refused(400, "overlaps", "POST", "subnets", {"prefix": "192.0.2.128/25"}, names="bad")
        self.assertEqual(self.client.call("DELETE", "network-interfaces", names="v")[0], 200)


class QosTest(flashblade_sim.SimulatorTest):
    def test_policies_and_members(self):
        self.make("a")
        self.client.one("POST", "qos-policies", {"max_total_ops_per_sec": 100}, names="slow")
        self.refused(400, "Invalid value for body parameter: max_total_ops_per_sec", "POST", "qos-policies",
                     {"max_total_ops_per_sec": 5}, names="bad")
        self.refused(405, "not allowed", "POST", "qos-policies/members", {}, policy_names="slow", member_names="a", version="2.19")
        self.client.one("POST", "qos-policies/members", policy_names="slow", member_names="a", member_types="file-systems")
        self.assertEqual(self.client.one("GET", "file-systems", names="a")["qos_policy"]["name"], "slow")
        self.refused(400, "has members", "DELETE", "qos-policies", names="slow")
        self.assertIsNone(self.client.one("PATCH", "file-systems", {"qos_policy": {"name": ""}}, names="a")["qos_policy"]["name"])
        self.assertEqual(self.client.call("DELETE", "qos-policies", names="slow")[0], 200)


class ReplicationTest(flashblade_sim.SimulatorTest):
    options = ("--session-ms", "0")

    def setUp(self):
        super().setUp()
        self.client.one("POST", "array-connections", {"management_address": "10.1.1.1", "connection_key": "k"})
        self.remote = self.client.one("GET", "array-connections")["remote"]["name"]
        self.sim.set(replication_bytes_per_s=1000)
        self.make("a")
        self.sim.act("usage", file_system="a", bytes=100_000)

    def link(self):
        return self.client.one("POST", "file-system-replica-links", {}, local_file_system_names="a", remote_names=self.remote)

    def test_transfers_progress_with_the_clock(self):
        self.assertEqual(self.link()["status"], "replicating")
        self.sim.advance("50s")
        transfer = self.client.one("GET", "file-system-snapshots/transfer", names_or_owner_names="a")
        self.assertEqual((transfer["status"], transfer["direction"]), ("in-progress", "outbound"))
        self.assertAlmostEqual(transfer["progress"], 0.5, delta=0.1)
        self.sim.advance("60s")
        link = self.client.one("GET", "file-system-replica-links")
        self.assertEqual(link["status"], "idle")
        self.assertGreater(link["recovery_point"], 0)
        self.assertEqual(self.client.one("GET", "file-system-replica-links/transfer")["progress"], 1.0)
        latest = self.client.one("GET", "file-system-snapshots")["name"]
        self.refused(400, "latest-replica", "PATCH", "file-system-snapshots", {"destroyed": True}, names=latest)
        self.client.one("PATCH", "file-system-snapshots", {"destroyed": True}, names=latest, latest_replica="true")

    def test_a_link_stands_in_the_way_of_destroying(self):
        self.link()
        self.refused(400, "already exists", "POST", "file-system-replica-links", {}, local_file_system_names="a", remote_names=self.remote)
        self.refused(400, "delete-link-on-eradication", "PATCH", "file-systems", {"destroyed": True}, names="a")
        self.refused(400, "cancel_in_progress_transfers", "DELETE", "file-system-replica-links", local_file_system_names="a",
                     remote_names=self.remote)
        self.refused(400, "has replica links", "DELETE", "array-connections", remote_names=self.remote)
        self.client.one("PATCH", "file-systems", {"destroyed": True}, names="a", delete_link_on_eradication="true")
        self.client.call("DELETE", "file-systems", names="a")
        self.assertEqual(self.client.items("GET", "file-system-replica-links"), [])

    def test_a_snapshot_is_sent_to_a_connected_target_only(self):
        sent = self.client.one("POST", "file-system-snapshots", {"suffix": "s"}, source_names="a", send="true", targets=self.remote)
        self.assertEqual(self.client.one("GET", "file-system-snapshots/transfer")["local_snapshot"]["name"], sent["name"])
        self.sim.act("disconnect", array_connection=self.remote)
        self.refused(400, "not connected", "POST", "file-system-snapshots", {"suffix": "t"}, source_names="a", send="true",
                     targets=self.remote)
        self.assertEqual(self.client.one("GET", "alerts", filter="state='open'")["code"], 1112)

    def test_demotion_needs_a_link_and_the_promise_to_lose_data(self):
        body = {"requested_promotion_state": "demoted"}
        self.refused(400, "replica link", "PATCH", "file-systems", body, names="a")
        self.link()
        self.refused(400, "discard_non_snapshotted_data", "PATCH", "file-systems", body, names="a")
        fs = self.client.one("PATCH", "file-systems", body, names="a", discard_non_snapshotted_data="true")
        self.assertEqual((fs["promotion_status"], fs["writable"], fs["nfs"]["v3_enabled"]), ("demoted", False, False))


class ClientsTest(flashblade_sim.SimulatorTest):
    def test_who_uses_a_file_system(self):
        self.make("a")
        self.sim.act("open", file_system="a", client="10.0.0.5", user="ann", path="/x", lock=True)
        session = self.client.one("GET", "file-systems/sessions", protocols="nfs")
        self.assertEqual((session["client"]["name"], session["user"]["name"]), ("10.0.0.5", "ann"))
        self.refused(400, "protocols", "GET", "file-systems/open-files")
        self.assertEqual(self.client.one("GET", "file-systems/open-files", protocols="nfs")["source"]["name"], "a")
        self.assertEqual(self.client.one("GET", "file-systems/locks", file_system_names="a")["path"], "/x")
        self.assertEqual(self.client.items("GET", "file-systems/locks", file_system_names="b"), [])
        self.refused(404, "does not exist", "GET", "file-systems/sessions", version="2.9")
        self.refused(400, "disruptive", "DELETE", "file-systems/sessions", client_names="10.0.0.5")
        self.client.call("DELETE", "file-systems/sessions", client_names="10.0.0.5", disruptive="true")
        self.assertEqual(self.client.items("GET", "file-systems/sessions"), [])
        self.sim.act("eradicate", file_system="a")
        self.assertEqual(self.client.items("GET", "file-systems/locks"), [])


class AdministrationTest(flashblade_sim.SimulatorTest):
    def test_every_change_is_in_the_audit_trail(self):
        self.make("a")
        self.client.items("GET", "file-systems")
        self.client.call("POST", "file-systems", {}, names="a")
        entry = self.client.one("GET", "audits")
        self.assertEqual((entry["user"], entry["command"], entry["subcommand"], entry["user_interface"]),
                         ("pureuser", "file-systems", "create", "REST"))
        events = [entry["event"] for entry in self.client.items("GET", "sessions")]
        self.assertEqual(events, ["login"])

    def test_performance_takes_few_names(self):
        for name in ("a", "b"):
            self.make(name)
        answer = self.client.call("GET", "file-systems/performance", names="a")[1]
        self.assertEqual([item["name"] for item in answer["items"]], ["a"])
        self.assertEqual(len(answer["total"]), 1)
        self.sim.set(max_performance_names=1)
        self.refused(400, "Too many names", "GET", "file-systems/performance", names="a,b")

    def test_the_array_tells_its_space(self):
        self.make("a", provisioned=1000)
        self.sim.act("usage", file_system="a", bytes=1900)
        space = self.client.one("GET", "arrays/space")["space"]
        self.assertEqual((space["virtual"], space["total_used"], space["total_provisioned"]), (1900, 1000, 1000))


if __name__ == "__main__":
    unittest.main()
