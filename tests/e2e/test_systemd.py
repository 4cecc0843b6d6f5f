"""examples/systemd as it is installed: systemd itself reads the unit and the user's line."""
import os
import shutil
import subprocess
import tempfile
import unittest

import support

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "systemd")


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not there")
class SystemdTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="homeport-unit-")
        self.addCleanup(shutil.rmtree, self.directory, True)

    def unit(self, change=lambda text: text):
        with open(os.path.join(EXAMPLES, "homeportd.service.in"), encoding="ascii") as f:
            text = f.read()
        text = text.replace("@CMAKE_INSTALL_FULL_BINDIR@", os.path.dirname(os.path.abspath(support.binary("homeportd"))))
        text = text.replace("@CMAKE_INSTALL_FULL_DOCDIR@", "/usr/share/doc/homeport")
        self.assertNotIn("@CMAKE", text)
        path = os.path.join(self.directory, "homeportd.service")
        with open(path, "w", encoding="ascii") as f:
            f.write(change(text))
        return path

    def verify(self, path):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False,
                              timeout=support.PATIENCE)
        return done.returncode, [line for line in done.stderr.splitlines() if "homeportd.service" in line]

    def test_the_unit_is_one_that_systemd_takes_without_a_word(self):
        self.assertEqual(self.verify(self.unit()), (0, []))
        code, words = self.verify(self.unit(lambda text: text.replace("ProtectHome=yes", "ProtectHomes=yes")))
        self.assertIn("ProtectHomes", " ".join(words), "the check sees what is wrong")

    def test_the_user_can_be_made(self):
        os.makedirs(os.path.join(self.directory, "etc"))
        done = subprocess.run(["systemd-sysusers", "--root", self.directory, os.path.abspath(os.path.join(EXAMPLES, "homeport.sysusers"))],
                              capture_output=True, text=True, check=False, timeout=support.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(self.directory, "etc", "passwd"), encoding="ascii") as f:
            self.assertRegex(f.read(), r"(?m)^homeport:x:\d+:\d+:Homeport storage provisioner:/var/lib/homeport:")


if __name__ == "__main__":
    unittest.main()
