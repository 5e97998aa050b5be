#!/bin/sh
# Serves the mounted configuration, or demo data where no folder is mounted. Arguments go to spend-exporter as they are.
# What cannot be read is refused: nobody should take the demo's figures for their own.
set -eu
folder=${SPEND_CONFIG_FOLDER:-/etc/spend-exporter}
data=${SPEND_DATA_FOLDER:-/var/lib/spend-exporter}
configuration=$folder/config.yml

refuse() {
  printf 'spend-exporter: %s\n' "$@" >&2
  exit 2
}

# The demo and an own bill never share a volume: what Prometheus has of one would be added to the other.
claim() { # claim demo|bill
  if [ -f "$data/figures-of" ]; then
    before=$(cat "$data/figures-of")
  elif [ -d "$data/demo" ]; then
    before=demo
  else
    before=$1
  fi
  [ "$before" = "$1" ] || refuse \
    "this volume has the figures of the $before, and so has Prometheus; the $1 would be added to them." \
    "To start afresh: docker compose down && docker volume rm spend-exporter_exporter-data spend-exporter_prometheus-data" \
    "(Other names: docker volume ls. To go on with the $before, put the folder $folder back as it was.)"
  printf '%s\n' "$1" > "$data/figures-of"
}

if [ "$#" -gt 0 ]; then
  exec spend-exporter "$@"
fi
if [ ! -d "$folder" ]; then
  wanted=demo
elif ! found=$(ls -A "$folder" 2>/dev/null) || ! [ -x "$folder" ]; then
  refuse "user $(id -u) cannot read the folder $folder; run on the host: chmod o+rx FOLDER"
elif [ -f "$configuration" ]; then
  wanted=bill
  [ -r "$configuration" ] || refuse "user $(id -u) cannot read $configuration; run on the host: chmod o+r FOLDER/config.yml"
elif [ "$found" = .gitignore ]; then
  # The folder `config` of the repository, as it is delivered.
  wanted=demo
elif [ -z "$found" ]; then
  refuse "the folder mounted at $folder is empty: it needs config.yml. Is the name of the folder right?" \
    "For demo data, mount no folder."
else
  refuse "no config.yml in $folder, which has:" "$found" "Is it named otherwise? For demo data, mount no folder."
fi

claim "$wanted"
if [ "$wanted" = bill ]; then
  exec spend-exporter serve --config "$configuration" --listen 0.0.0.0:9877
fi
exec spend-exporter demo --listen 0.0.0.0:9877 --directory "$data/demo" \
  ${SPEND_REMOTE_WRITE_URL:+--remote-write-url "$SPEND_REMOTE_WRITE_URL"}
