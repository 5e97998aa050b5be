#!/bin/sh
# Serves the mounted configuration, or demo data when there is none. Arguments go to spend-exporter as they are.
set -eu
configuration=/etc/spend-exporter/config.yml

if [ "$#" -gt 0 ]; then
  exec spend-exporter "$@"
elif [ -f "$configuration" ]; then
  exec spend-exporter serve --config "$configuration" --listen 0.0.0.0:9877
else
  exec spend-exporter demo --listen 0.0.0.0:9877 --directory /var/lib/spend-exporter/demo \
    ${SPEND_REMOTE_WRITE_URL:+--remote-write-url "$SPEND_REMOTE_WRITE_URL"}
fi
