# DockerSpawner with Homeport. Servers mount homes and datasets as NFS volumes of Docker's local driver.
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # homeport_hub.py lies beside this file

c = get_config()  # noqa: F821

c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.JupyterHub.hub_ip = "0.0.0.0"
c.DockerSpawner.image = "quay.io/jupyter/base-notebook:latest"
c.DockerSpawner.remove = True  # a container that is kept keeps its old mounts
c.DockerSpawner.network_name = "jupyterhub"

# The storage of everybody outside the pilot: as the site had it. Delete it when all have moved.
c.DockerSpawner.volumes = {"jupyterhub-user-{username}": "/home/jovyan/work"}

import homeport_hub  # noqa: E402  last: its hooks go around all others

homeport_hub.load(
    c,
    url="http://127.0.0.1:7717",
    token_file="/etc/homeport/spawner-token",
    hub="main",
    pilot={"users": [], "groups": ["homeport-pilot"]},
    cache_dir="/srv/jupyterhub/homeport-specs",
    # The site's volume lies inside Homeport's home: Homeport's people get the one, not both.
    replaces=["/home/jovyan/work"],
    contact="Questions: storage@example.org",
)
