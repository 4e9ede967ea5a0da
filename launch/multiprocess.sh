#!/usr/bin/env bash
# Trains on N local processes that share every batch: a rehearsal of many hosts on one machine.
#   launch/multiprocess.sh N --config=configs/canny.py [flags of lowres_jax.main ...]
# DRY_RUN=1 prints the commands; PORT (by default 29500) is the coordinator's.
set -euo pipefail
if [[ $# -lt 2 || ! $1 =~ ^[1-9][0-9]*$ ]]; then
  sed -n '2,4s/^# *//p' "$0" >&2
  exit 2
fi
count=$1
shift
export LOWRES_JAX_COORDINATOR="localhost:${PORT:-29500}" LOWRES_JAX_PROCESSES=$count
if [[ -n ${DRY_RUN:-} ]]; then
  for ((process = 0; process < count; process++)); do
    echo "LOWRES_JAX_COORDINATOR=$LOWRES_JAX_COORDINATOR LOWRES_JAX_PROCESSES=$count LOWRES_JAX_PROCESS=$process" \
      "${PYTHON:-python} -m lowres_jax.main $*"
  done
  exit
fi
pids=()
for ((process = 0; process < count; process++)); do
  LOWRES_JAX_PROCESS=$process "${PYTHON:-python}" -m lowres_jax.main "$@" &
  pids+=($!)
done
# A stop that this script is sent goes on to one of them, which tells the others.
trap 'kill -TERM "${pids[0]}"' TERM INT
status=0
for pid in "${pids[@]}"; do
  # `wait` ends early when a signal comes in.
  while kill -0 "$pid" 2>/dev/null; do
    wait "$pid" || status=$?
  done
done
exit "$status"
