#!/usr/bin/env bash
# Fetches what the benchmarks compare with, as Debian packages unpacked under .cache; what is missing is left out.
set -euo pipefail
debian=$PWD/.cache/debian
packages=(prometheus-pushgateway prometheus-node-exporter prometheus-sql-exporter)
missing=()
for package in "${packages[@]}"; do
  command -v "$package" >/dev/null || missing+=("$package")
done
((${#missing[@]})) || exit 0
downloads=$(mktemp -d)
trap 'rm -rf "$downloads"' EXIT
echo "Fetching ${missing[*]} into .cache/debian ..."
if command -v apt-get >/dev/null && (cd "$downloads" && apt-get -qq -o APT::Sandbox::User=root download "${missing[@]}"); then
  mkdir -p "$debian"
  for package in "$downloads"/*.deb; do dpkg-deb -x "$package" "$debian"; done
else
  echo "Could not fetch them (needs apt, and package lists that are new): the table leaves them out."
fi
command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
  echo "PostgreSQL not found (Debian's package postgresql): the SQL exporter is left out."
