# The Littlest JupyterHub with Homeport: copy to /opt/tljh/config/jupyterhub_config.d/homeport.py, and homeport_hub.py to
# /opt/tljh/config/. TLJH runs the files of that folder in the order of their names; this one should be the last.
import sys

sys.path.insert(0, "/opt/tljh/config")
import homeport_hub  # noqa: E402

homeport_hub.load(
    c,  # noqa: F821
    url="http://127.0.0.1:7717",
    token_file="/etc/homeport/spawner-token",
    hub="main",
    pilot={"users": [], "groups": ["homeport-pilot"]},
    cache_dir="/opt/tljh/state/homeport-specs",
    # One line in /etc/fstab mounts the folder of all homes, one each the datasets:
    #   nas1.example.org:/export/homes /srv/homeport/homes nfs4 vers=4.1,hard,nosuid,nodev,_netdev 0 0
    host_mounts={
        "nas1.example.org:/export/homes": "/srv/homeport/homes",
        "nas1.example.org:/export/datasets": "/srv/homeport/datasets",
    },
    contact="Questions: storage@example.org",
)

# Where the server squashes root, root cannot enter a home of mode 0700 before the unit changes to the user.
c.SystemdSpawner.user_workingdir = "/"  # noqa: F821
