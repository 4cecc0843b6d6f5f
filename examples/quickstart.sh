#!/usr/bin/env bash
# The main job on this machine in one go: a real NFS server with a small dataset, the
# service, and the command line, shown step by step.
#
#   examples/quickstart.sh [start] [--no-install]   install, build, start, show
#   examples/quickstart.sh stop                     stop both servers; data stays
#   examples/quickstart.sh --help                   this text
#
#   --build-dir DIR   use the programs of this build as they are; build nothing
#   --work-dir DIR    where everything lies, of a start and of its stop; a second one
#                     can run beside the first (default: examples/.quickstart)
#
# Nothing outside of that folder is changed on the machine, but for the Debian packages
# of packages.txt (--no-install leaves those alone). Running it again is harmless. The
# NFS server needs root: run it as root, or have sudo.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
run=$root/examples/.quickstart
build=$root/build/release
stop_words='examples/quickstart.sh stop'
stage_name=starting
began=$SECONDS

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' green='' red='' plain=''
fi

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

fail() {
  trap - ERR
  printf '\n%sStopped while %s.%s\n%s\n' "$red" "$stage_name" "$plain" "$*" >&2
  [ ! -d "$logs" ] || printf 'Logs: %s\n' "$logs" >&2
  printf 'Stop what runs: %s\n' "$stop_words" >&2
  exit 1
}
trap 'fail "The command on line $LINENO failed."' ERR

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "The NFS server needs root: run this as root, or install sudo."
  fi
}

say() { printf '\n%s%s%s\n' "$green" "$1" "$plain"; }
show_command() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; }
# Shows a command and runs it.
try() {
  local word text=
  for word in "$@"; do
    case $word in *[!A-Za-z0-9_./:=@%+,-]* | '') word="'$word'" ;; esac
    text+="${text:+ }$word"
  done
  show_command "$text"
  "$@"
}
# Shows TEXT and runs a command that must be refused.
must_fail() {
  local why=$1 text=$2 answer
  shift 2
  show_command "$text"
  if answer=$("$@" 2>&1); then
    fail "This should have been refused ($why), but it worked."
  fi
  head -1 <<<"$answer" | fold -s -w 78
  printf '(refused, as it should be: %s)\n' "$why"
}

alive() {   # pid file, program name
  local pid
  [ -s "$1" ] && pid=$(as_root cat "$1" 2>/dev/null) && [ "$(as_root cat "/proc/$pid/comm" 2>/dev/null || true)" = "$2" ]
}

stop_one() {   # pid file, program name
  local pid
  if alive "$1" "$2"; then
    pid=$(as_root cat "$1")
    as_root kill "$pid"
    for _ in $(seq 100); do
      alive "$1" "$2" || break
      sleep 0.1
    done
    if alive "$1" "$2"; then as_root kill -KILL "$pid"; fi
    echo "stopped $2 ($pid)"
  fi
  as_root rm -f "$1"
}

stop_all() {
  stage_name='stopping'
  if [ ! -d "$run" ]; then
    echo "nothing is running"
    return
  fi
  stop_one "$run/homeportd.pid" homeportd
  stop_one "$run/ganesha.pid" ganesha.nfsd
  echo "Data and logs stay in $run; remove them with:"
  echo "  rm -rf $run"
}

free_ports() {   # how many: that many different free loopback ports
  python3 - "$1" <<'PY'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])
PY
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

wait_for() {   # what, seconds, command…
  local what=$1 tries=$(($2 * 20))
  shift 2
  for _ in $(seq "$tries"); do
    if "$@"; then return; fi
    sleep 0.05
  done
  fail "$what did not come up in time."
}

build_all() {
  if [ "$build_first" = no ]; then
    local program
    for program in bin/homeportd bin/homeport examples/demo-nfs/libhomeport_norpcb.so; do
      [ -e "$build/$program" ] || fail "$build/$program is not there: build homeportd, homeport and homeport_norpcb first."
    done
    return
  fi
  stage_name='building'
  if [ ! -f "$build/build.ninja" ]; then
    echo "Building Homeport (release); the first time takes some minutes."
    cmake -S "$root" --preset release >"$logs/build.log" 2>&1 || { tail -20 "$logs/build.log"; fail "CMake could not configure."; }
  fi
  local jobs
  jobs=$(nproc)
  [ "$jobs" -le 2 ] || jobs=2
  cmake --build "$build" --target homeportd homeport homeport_norpcb -- -j"$jobs" >>"$logs/build.log" 2>&1 </dev/null ||
    { tail -20 "$logs/build.log"; fail "The build failed."; }
}

write_data() {
  stage_name='laying out the data that the NFS server exports'
  mkdir -p "$run/export/homes" "$run/export/datasets/iris" "$run/recovery"
  if [ ! -f "$run/export/datasets/iris/iris.csv" ]; then
    cp "$root/examples/demo-nfs/iris.csv" "$root/examples/demo-nfs/README.txt" "$run/export/datasets/iris/"
    local species
    for species in setosa versicolor virginica; do
      { head -1 "$root/examples/demo-nfs/iris.csv"; grep ",$species\$" "$root/examples/demo-nfs/iris.csv"; } \
        >"$run/export/datasets/iris/$species.csv"
    done
  fi
  as_root chown 0:0 "$run/export" "$run/export/homes"
  as_root chmod 755 "$run/export" "$run/export/homes"
  as_root chown -R 0:0 "$run/export/datasets"
  as_root chmod -R u=rwX,go=rX "$run/export/datasets"
}

start_ganesha() {
  stage_name='starting NFS-Ganesha'
  if alive "$run/ganesha.pid" ganesha.nfsd && [ -s "$run/ports" ]; then
    return
  fi
  local nfs mount api
  read -r nfs mount api < <(free_ports 3)
  [ ! -s "$run/ports" ] || read -r _ _ api <"$run/ports"   # the service keeps its own
  echo "$nfs $mount $api" >"$run/ports"
  cat >"$run/ganesha.conf" <<CONF
NFS_CORE_PARAM {
  NFS_Port = $nfs; MNT_Port = $mount; Bind_addr = 127.0.0.1; Protocols = 3,4;
  Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
  mount_path_pseudo = true;      # clients mount /homes, not this machine's path
}
NFSv4 { Graceless = true; Only_Numeric_Owners = true; RecoveryRoot = "$run/recovery"; }
NFS_KRB5 { Active_krb5 = false; }
LOG { Default_Log_Level = EVENT; COMPONENTS { TIRPC = CRIT; DBUS = FATAL; } }
EXPORT_DEFAULTS { SecType = sys; Transports = TCP; Protocols = 3,4; }
EXPORT {
  Export_Id = 1; Path = "$run/export/homes"; Pseudo = /homes;
  Access_Type = RW; Squash = No_Root_Squash; FSAL { Name = VFS; }
}
EXPORT {
  Export_Id = 2; Path = "$run/export/datasets"; Pseudo = /datasets;
  Access_Type = RO; Squash = Root_Squash; FSAL { Name = VFS; }
}
CONF
  as_root rm -f "$logs/ganesha.log"
  # setsid: closing this terminal, or stopping this script, must not end the server.
  as_root setsid env LD_PRELOAD="$build/examples/demo-nfs/libhomeport_norpcb.so" ganesha.nfsd -F \
    -f "$run/ganesha.conf" -L "$logs/ganesha.log" -p "$run/ganesha.pid" -N EVENT </dev/null >>"$logs/ganesha.out" 2>&1 &
  wait_for "NFS-Ganesha" 30 listening "$nfs"
  wait_for "NFS-Ganesha" 30 listening "$mount"
  wait_for "NFS-Ganesha" 30 as_root grep -q 'NFS SERVER INITIALIZED' "$logs/ganesha.log"
}

write_config() {
  stage_name='writing the configuration'
  local nfs mount api
  read -r nfs mount api <"$run/ports"
  cat >"$run/homeportd.yaml" <<YAML
store:
  directory: "$run/state"
listen:
  address: 127.0.0.1:$api
desired:
  backends:
    - name: demo
      kind: nfs
      mode: manage
      service: {server: 127.0.0.1, nfs_port: $nfs, mount_port: $mount}
      client: {version: "3"}
      pools: [{name: homes, export: /homes, directory: users}]
  classes:
    - {name: default, backend: demo, pool: homes, default_quota: 5GiB, max_quota: 20GiB}
  rules:
    - {name: everyone, match: {everyone: true}, class: default}
YAML
}

service_ready() { [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 2 "http://127.0.0.1:$1/readyz" || true)" = 200 ]; }

start_homeportd() {
  stage_name='starting homeportd'
  local api
  read -r _ _ api <"$run/ports"
  # Always with the binary and the ports of now; what is on disk survives, that is the point of it.
  if alive "$run/homeportd.pid" homeportd; then stop_one "$run/homeportd.pid" homeportd >/dev/null; fi
  mkdir -p "$run/state"
  chmod 700 "$run/state"
  "$build/bin/homeportd" --check-config "$run/homeportd.yaml" >"$logs/check-config.log" 2>&1 ||
    { cat "$logs/check-config.log"; fail "The configuration is refused."; }
  setsid "$build/bin/homeportd" --config "$run/homeportd.yaml" </dev/null >>"$logs/homeportd.log" 2>&1 &
  echo $! >"$run/homeportd.pid"
  wait_for "homeportd" 30 service_ready "$api"
}

# libnfs' own tools, as a client with that uid and gid.
use_home() {   # path of alice's home on the server
  local nfs mount server file
  read -r nfs mount _ <"$run/ports"
  server="version=3&nfsport=$nfs&mountport=$mount"
  local alice="$server&uid=1001&gid=1001" bob="$server&uid=1002&gid=1002"
  local home=nfs://127.0.0.1$1 data=nfs://127.0.0.1/datasets/iris
  file=hello-$(date +%H%M%S).py
  printf 'x = [5.1, 4.9, 4.7]\nprint(sum(x) / len(x))\n' >"$run/hello.py"

  say "6. Alice's notebook, over NFS, as uid 1001: she writes and reads"
  show_command "home=$home"
  show_command "server='$server'"
  # shellcheck disable=SC2016  # shown as it stands
  show_command 'alice="$server&uid=1001&gid=1001"; bob="$server&uid=1002&gid=1002"'
  show_command "nfs-cp hello.py \"\$home/$file?\$alice\""
  nfs-cp "$run/hello.py" "$home/$file?$alice"
  show_command "nfs-cat \"\$home/$file?\$alice\""
  nfs-cat "$home/$file?$alice"
  say "   Bob (uid 1002) may not look into her home"
  must_fail "the home belongs to uid 1001, mode 0700" "nfs-cat \"\$home/$file?\$bob\"" nfs-cat "$home/$file?$bob"
  say "   The dataset can be read by everyone it is mounted for, and written by nobody"
  show_command "nfs-cat \"$data/setosa.csv?\$bob\" | head -3"
  nfs-cat "$data/setosa.csv?$bob" >"$run/setosa.csv"
  head -3 "$run/setosa.csv"
  must_fail "the export is read-only" "nfs-cp hello.py \"$data/x.py?\$alice\"" nfs-cp "$run/hello.py" "$data/x.py?$alice"
}

make_spawner_token() {
  local file=$run/spawner-token
  show_command "homeport token create --scope spawner --hub demo --name quickstart > spawner-token"
  rm -f "$file"
  (umask 077 && homeport token create --scope spawner --hub demo --name quickstart >"$file")
}

ask_spec() {
  homeport --token-file "$run/spawner-token" spec get alice --hub demo --groups course-a "$@"
}

show_job() {
  stage_name='showing the main job'
  local api
  read -r _ _ api <"$run/ports"
  export HOMEPORT_URL=http://127.0.0.1:$api
  unset HOMEPORT_TOKEN
  homeport() { "$build/bin/homeport" "$@"; }
  admin() { try homeport "$@"; }
  # The first start wrote a token for the first admin; here the shell reads it for every command below.
  HOMEPORT_TOKEN=$(cat "$run/state/admin-token")
  export HOMEPORT_TOKEN

  say "1. What can this NFS server do for us, and what does it export?"
  admin backend probe demo
  admin backend exports demo
  say "2. A dataset that is there already: look first, then import, then grant"
  admin dataset import iris --backend demo --export /datasets/iris --dry-run
  admin dataset import iris --backend demo --export /datasets/iris
  admin dataset grant iris --group course-a
  say "3. Homes for two people"
  admin home ensure alice --uid 1001 --gid 1001
  admin home ensure bob --uid 1002 --gid 1002
  say "4. A spawner asks: what do I mount for alice? (its token can do just that)"
  make_spawner_token
  show_command "homeport --token-file spawner-token spec get alice --hub demo --groups course-a"
  ask_spec
  ask_spec -o json >"$run/alice.json"
  say "5. The same answer as three platforms take it"
  # With kubernetes: configured the service makes volumes and claims and answers like this itself; an inline volume of a
  # pod could not carry the ports of this server.
  show_command "homeport spec render --spec alice.json --format kubespawner --namespace jupyterhub"
  homeport spec render --spec "$run/alice.json" --format kubespawner --namespace jupyterhub
  local format
  for format in docker-run fstab; do
    show_command "homeport spec get alice --hub demo --groups course-a --format $format"
    ask_spec --format "$format"
  done
  use_home "$(jq -er '.mounts[] | select(.kind == "home") | .source.export' "$run/alice.json")"
  say "7. What Homeport knows afterwards: usage, work done, who did what"
  admin home list
  admin operation list
  admin audit list
  admin audit verify
}

finish() {
  local nfs mount api
  read -r nfs mount api <"$run/ports"
  say "Done in $((SECONDS - began)) s. Running now:"
  cat <<TEXT
  homeportd      http://127.0.0.1:$api      pid $(cat "$run/homeportd.pid")
  NFS-Ganesha    127.0.0.1, NFS port $nfs, mount port $mount
  logs, state    $run

Try next:
  export HOMEPORT_URL=http://127.0.0.1:$api
  export HOMEPORT_TOKEN=\$(cat $run/state/admin-token)
  export PATH=$build/bin:\$PATH
  homeport home show alice
  homeport home resize alice 10GiB --dry-run
  homeport home retire bob && homeport home undelete bob
  homeport doctor
  curl -s \$HOMEPORT_URL/metrics | grep ^dirsize

Stop:
  $stop_words
TEXT
}

start() {
  mkdir -p "$logs"
  if [ "$install" = yes ]; then
    stage_name='installing packages'
    "$root/scripts/install-packages.sh" build run
  fi
  local program
  local needed=(ganesha.nfsd nfs-cp nfs-cat jq curl python3)
  [ "$build_first" = no ] || needed+=(cmake ninja)
  for program in "${needed[@]}"; do
    command -v "$program" >/dev/null || fail "$program is not installed: run without --no-install, or scripts/install-packages.sh"
  done
  build_all
  write_data
  start_ganesha
  write_config
  start_homeportd
  show_job
  finish
}

install=yes
build_first=yes
command=start
while [ $# -gt 0 ]; do
  case $1 in
    start | stop) command=$1 ;;
    --no-install) install=no ;;
    --build-dir | --work-dir)
      [ -n "${2:-}" ] || { echo "quickstart.sh: $1 needs a folder; see --help" >&2; exit 2; }
      if [ "$1" = --build-dir ]; then
        build=$(cd "$2" && pwd) || exit 2
        build_first=no
      else
        run=$(realpath -m -- "$2")
        stop_words="examples/quickstart.sh stop --work-dir '$run'"
      fi
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    *) echo "quickstart.sh: '$1' is not known; see --help" >&2; exit 2 ;;
  esac
  shift
done
logs=$run/logs
case $command in
  start) start ;;
  stop) stop_all ;;
esac
