#!/usr/bin/env bash
# Finds the programs that the integration tests start, fetches those it can, and says what the rest costs.
#
# Debian packages are unpacked under .cache, not installed: installing them would start servers.
# SPEND_TEST_IMAGES, where set, is a program that provides container images (see tests/integration/compose_stack.py).
set -euo pipefail
cache=$PWD/.cache
debian=$cache/debian
podman_compose=$cache/podman-compose
mkdir -p "$cache"

have() { command -v "$1" >/dev/null; }

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@" 2>/dev/null; fi
}

download_to() { # download_to FOLDER PACKAGE...
  (cd "$1" && apt-get -qq -o APT::Sandbox::User=root download "${@:2}")
}

unpack_debian_packages() { # unpack_debian_packages PACKAGE...
  have apt-get || return 1
  local downloads status=0
  downloads=$(mktemp -d)
  # Where the package lists are missing or too old, only root can renew them.
  download_to "$downloads" "$@" 2>/dev/null ||
    { as_root apt-get update -qq && download_to "$downloads" "$@"; } || status=1
  if ((status == 0)); then
    mkdir -p "$debian"
    for package in "$downloads"/*.deb; do dpkg-deb -x "$package" "$debian"; done
  fi
  rm -rf "$downloads"
  return $status
}

missing=()
{ have prometheus && have promtool; } || missing+=(prometheus)
{ have prometheus-alertmanager || have alertmanager; } && have amtool || missing+=(prometheus-alertmanager)
if ((${#missing[@]})); then
  echo "Fetching ${missing[*]} into .cache/debian ..."
  unpack_debian_packages "${missing[@]}" || {
    echo "Could not fetch ${missing[*]} (needs apt, and root or sudo when its package lists are missing)."
    echo "Tests that start Prometheus or Alertmanager will be skipped, and so will the checks of their configuration."
  }
fi

# The packages above have Prometheus 2; most people run 3. The module's version 0.316.0 is Prometheus 3.16.0.
prometheus_3=$cache/prometheus-3.16.0
if [[ -x $prometheus_3/prometheus ]]; then
  : # built before
elif have go; then
  echo "Building Prometheus 3.16.0 into .cache/prometheus-3.16.0, which takes some minutes the first time ..."
  # No test discovers its targets in a cloud: without that code it is built in half the time.
  if GOBIN=$prometheus_3.part timeout 600 go install -tags remove_all_sd \
    github.com/prometheus/prometheus/cmd/{prometheus,promtool}@v0.316.0 >"$cache/prometheus-3.log" 2>&1; then
    mv "$prometheus_3.part" "$prometheus_3"
  else
    echo "Could not build it (see .cache/prometheus-3.log): the tests against Prometheus 3 will be skipped."
  fi
else
  echo "Go not found: the tests against Prometheus 3 will be skipped."
fi

# The tests of bills in Google Cloud Storage talk to it.
fake_gcs=$cache/fake-gcs-server
if have fake-gcs-server || [[ -x $fake_gcs/fake-gcs-server ]]; then
  : # built before
elif have go; then
  echo "Building fake-gcs-server into .cache/fake-gcs-server ..."
  GOBIN=$fake_gcs timeout 600 go install github.com/fsouza/fake-gcs-server@v1.56.1 >"$cache/fake-gcs-server.log" 2>&1 ||
    echo "Could not build it (see .cache/fake-gcs-server.log): the test of bills in Google Cloud Storage will be skipped."
fi

if ! have npm; then
  echo "npm not found (it comes with Node.js 18.20 or later): the tests against Prism and Azurite will be skipped."
fi

if have docker && docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
  : # the compose test uses it
elif have podman || [[ -n ${SPEND_TEST_IMAGES:-} ]]; then
  if ! have podman-compose; then
    echo "Installing podman-compose into .cache/podman-compose ..."
    python=.venv/bin/python
    [[ -x $python ]] || python=python3
    "$python" -m venv --clear "$podman_compose"
    "$podman_compose/bin/python" -m pip install --quiet --disable-pip-version-check podman-compose==1.6.0
  fi
else
  echo "No container engine (docker with compose, or podman) found: the test that starts docker-compose.yml will be skipped."
fi

# Debian's Alertmanager reads its own templates from a fixed place.
templates=/usr/share/prometheus/alertmanager
if [[ ! -e $templates/email.tmpl && -d $debian$templates ]]; then
  as_root install -D -m 0644 -t "$templates" "$debian$templates"/*.tmpl ||
    echo "Could not put Alertmanager's templates into $templates: tests that start Alertmanager will fail."
fi
