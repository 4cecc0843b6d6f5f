# One machine, real accounts, with Homeport: each server is a process of the account, its home a directory that this host
# has mounted. For SystemdSpawner only spawner_class differs; datasets are then bound to their places, too.
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # homeport_hub.py lies beside this file

c = get_config()  # noqa: F821

c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.JupyterHub.bind_url = "http://127.0.0.1:8000"

# With this Homeport sees who has left the hub (README.md one folder up); the file holds the service's token.
if os.path.exists("/etc/jupyterhub/homeport-token"):
    with open("/etc/jupyterhub/homeport-token", encoding="ascii") as f:
        c.JupyterHub.services = [{"name": "homeport", "api_token": f.read().strip()}]
    c.JupyterHub.load_roles = [{"name": "homeport", "services": ["homeport"], "scopes": ["list:users", "read:users"]}]

import homeport_hub  # noqa: E402  last: its hooks go around all others

homeport_hub.load(
    c,
    url="http://127.0.0.1:7717",
    token_file="/etc/homeport/spawner-token",
    hub="main",
    pilot={"users": [], "groups": ["homeport-pilot"]},
    cache_dir="/var/lib/jupyterhub/homeport-specs",
    # In /etc/fstab: nas1.example.org:/export/homes /srv/homeport/homes nfs4 vers=4.1,hard,nosuid,nodev,_netdev 0 0
    host_mounts={
        "nas1.example.org:/export/homes": "/srv/homeport/homes",
        "nas1.example.org:/export/datasets": "/srv/homeport/datasets",
    },
    contact="Questions: storage@example.org",
)
