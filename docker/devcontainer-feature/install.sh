#!/bin/sh
# Runs as root while the container's image is built. The certificates come later, with the volume at /run/rampart.
set -eu
# Where a system's own store takes them from, once somebody runs update-ca-certificates.
if [ -d /usr/local/share/ca-certificates ]; then
  ln -sf /run/rampart/ca.pem /usr/local/share/ca-certificates/rampart.crt
fi
profile=/etc/profile.d/rampart.sh
mkdir -p /etc/profile.d
: >"$profile"
if [ -n "${PROXY-}" ]; then
  for name in HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy; do
    echo "export $name='$PROXY'" >>"$profile"
  done
  for name in NO_PROXY no_proxy; do
    echo "export $name='localhost,127.0.0.1,::1'" >>"$profile"
  done
  echo "export NODE_USE_ENV_PROXY='1' NODE_OPTIONS='--require /run/rampart/node-proxy.cjs'" >>"$profile"
fi
