# Finds, or starts and later stops, the servers that the stores are tested against. Sourced by .ci/run.
#
# A server that answers at LATCHKEY_TEST_POSTGRES_URL, LATCHKEY_TEST_MYSQL_URL, LATCHKEY_TEST_REDIS_URL or LATCHKEY_TEST_NATS_URL, or at
# its default loopback port, is used as it is. Otherwise a server is started on a free port, in a folder that is removed at the end.
# A missing program is installed with apt-get, if permitted. LATCHKEY_CI_OWN_SERVICES=1 always starts new servers.

services_folder=''
services_pids=()

answers() {
  LATCHKEY_REQUIRE_SERVICES= npx --no-install tsx .ci/probe.ts "$1" >/dev/null 2>&1
}

free_port() {
  node -e "const s = require('node:net').createServer(); s.listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close() })"
}

# Finds a program by name, even if Debian keeps it out of the PATH.
program() {
  local place
  for place in "$(command -v "$1" || true)" /usr/lib/postgresql/*/bin/"$1" /usr/sbin/"$1" /usr/local/bin/"$1"; do
    if [ -n "$place" ] && [ -x "$place" ]; then
      echo "$place"
      return 0
    fi
  done
  return 1
}

install_packages() {
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || return 1
    as_root=(sudo -n)
  fi
  command -v apt-get >/dev/null || return 1
  echo "installing $*"
  # RUNLEVEL=1 keeps the packages from starting their own servers.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_program() {
  program "$1" >/dev/null || install_packages "$2" || {
    echo "$1 is not installed, and installing it failed: install $2, or set the test URL of a running server" >&2
    return 1
  }
}

# Runs a server in the background, as its own user if this process is root, and records its PID.
launch() {
  local user=$1 log=$2
  shift 2
  if [ "$(id -u)" = 0 ] && [ "$user" != root ]; then
    setpriv --reuid="$user" --regid="$user" --init-groups "$@" >"$log" 2>&1 </dev/null &
  else
    "$@" >"$log" 2>&1 </dev/null &
  fi
  services_pids+=($!)
}

as_user() {
  local user=$1
  shift
  if [ "$(id -u)" = 0 ]; then setpriv --reuid="$user" --regid="$user" --init-groups "$@"; else "$@"; fi
}

own_folder() {
  local folder=$services_folder/$1
  mkdir -p "$folder"
  if [ "$(id -u)" = 0 ]; then chown "$2" "$folder"; fi
  echo "$folder"
}

start_postgres() {
  need_program initdb postgresql && need_program postgres postgresql || return 1
  local folder port
  folder=$(own_folder postgres postgres)
  port=$(free_port)
  as_user postgres "$(program initdb)" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$services_folder/postgres-init.log" 2>&1 || return 1
  launch postgres "$services_folder/postgres.log" "$(program postgres)" -D "$folder/data" -p "$port" -k "$folder" -h 127.0.0.1
  export LATCHKEY_TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres"
}

start_mysql() {
  need_program mariadbd mariadb-server && need_program mariadb-install-db mariadb-server || return 1
  local folder port
  folder=$(own_folder mysql mysql)
  port=$(free_port)
  as_user mysql "$(program mariadb-install-db)" --no-defaults --datadir="$folder/data" --auth-root-authentication-method=normal \
    >"$services_folder/mysql-init.log" 2>&1 || return 1
  launch mysql "$services_folder/mysql.log" "$(program mariadbd)" --no-defaults --datadir="$folder/data" --port="$port" \
    --socket="$folder/mysql.sock" --pid-file="$folder/mysql.pid" --bind-address=127.0.0.1
  export LATCHKEY_TEST_MYSQL_URL="mysql://root@127.0.0.1:$port/test"
}

start_redis() {
  need_program redis-server redis-server || return 1
  local folder port
  folder=$(own_folder redis "$(id -un)")
  port=$(free_port)
  launch root "$services_folder/redis.log" "$(program redis-server)" --port "$port" --bind 127.0.0.1 --dir "$folder" --save '' --appendonly yes
  export LATCHKEY_TEST_REDIS_URL="redis://127.0.0.1:$port"
}

start_nats() {
  need_program nats-server nats-server || return 1
  local port
  port=$(free_port)
  launch root "$services_folder/nats.log" "$(program nats-server)" --addr 127.0.0.1 --port "$port"
  export LATCHKEY_TEST_NATS_URL="nats://127.0.0.1:$port"
}

find_or_start() {
  local name=$1 waited
  if [ "${LATCHKEY_CI_OWN_SERVICES:-}" != 1 ] && answers "$name"; then
    echo "$name: using the running server"
    return 0
  fi
  if ! "start_$name"; then
    cat "$services_folder/$name-init.log" 2>/dev/null
    return 1
  fi
  for waited in $(seq 60); do
    if answers "$name"; then
      echo "$name: started a server for this run"
      return 0
    fi
    sleep 1
  done
  echo "$name: started, but did not respond within $waited tries" >&2
  tail -n 30 "$services_folder/$name.log" >&2
  return 1
}

# The browser in which the page is tested. It is only installed here; the tests start it.
need_browser() {
  local name
  for name in chromium-headless-shell chromium chromium-browser google-chrome-stable google-chrome; do
    if [ -x "/usr/bin/$name" ]; then return 0; fi
  done
  if [ -n "${LATCHKEY_TEST_CHROMIUM:-}" ] && [ -x "$LATCHKEY_TEST_CHROMIUM" ]; then return 0; fi
  # The build without windows is faster, but not every distribution has it.
  install_packages chromium-headless-shell || install_packages chromium || {
    echo "Chromium is not installed, and installing it failed: install it, or set LATCHKEY_TEST_CHROMIUM" >&2
    return 1
  }
}

# The checker of Prometheus rules, extracted from its package, because installing the package would start a server.
need_promtool() {
  if [ -n "${LATCHKEY_TEST_PROMTOOL:-}" ] || command -v promtool >/dev/null; then return 0; fi
  (
    cd "$services_folder" || exit 1
    apt-get download -qq prometheus >/dev/null 2>&1 || { apt-get update -qq >/dev/null && apt-get download -qq prometheus >/dev/null; } || exit 1
    dpkg -x prometheus_*.deb prometheus
  ) || {
    echo "promtool is not installed, and installing it failed: install prometheus, or set LATCHKEY_TEST_PROMTOOL" >&2
    return 1
  }
  export LATCHKEY_TEST_PROMTOOL=$services_folder/prometheus/usr/bin/promtool
}

start_services() {
  services_folder=$(mktemp -d)
  chmod 711 "$services_folder"
  # Some tests start their own servers, with their own settings.
  need_program initdb postgresql && need_program mariadbd mariadb-server && need_program mariadb-install-db mariadb-server &&
    need_program redis-server redis-server && need_program nats-server nats-server && need_program pgbouncer pgbouncer && need_program openssl openssl || return 1
  need_browser && need_promtool && find_or_start postgres && find_or_start mysql && find_or_start redis && find_or_start nats
}

stop_services() {
  local pid
  for pid in "${services_pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${services_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  if [ -n "$services_folder" ]; then rm -rf "$services_folder"; fi
}
