#!/usr/bin/env bash
# A visit to an accelerator: checks, benchmark, trainings, all within MINUTES from now; results go to OUT one by one.
#   launch/visit.sh MINUTES OUT [flags of configs/visit.py, as --config.platform=gpu ...]
# PACK (by default workdirs/pack) is the folder of configs/pack_visit.py, PYTHON (python3) has jax, flax, optax, orbax,
# OpenCV and NumPy; what else is needed is unpacked from PACK/wheels. DRY_RUN=1 prints the command.
set -euo pipefail
if [[ $# -lt 2 || ! $1 =~ ^[0-9]+([.][0-9]+)?$ ]]; then
  sed -n '2,5s/^# *//p' "$0" >&2
  exit 2
fi
began=$(date +%s) minutes=$1 output=$2 pack=${PACK:-workdirs/pack} python=${PYTHON:-python3}
shift 2
command=("$python" -m lowres_jax.main --config=configs/visit.py "--config.minutes=$minutes" "--config.output=$output")
command+=("--config.pack=$pack" "--config.began=$began" "$@")
if [[ -n ${DRY_RUN:-} ]]; then
  echo "${command[*]}"
  exit
fi
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
if [[ -d $pack/wheels ]]; then
  "$python" -m lowres_jax.visit.wheels "$pack/wheels" "$site"
fi
export PYTHONPATH="$PWD:$site${PYTHONPATH:+:$PYTHONPATH}" LOWRES_JAX_CACHE="$pack"
# Not exec, so that the trap is run; a stop goes on to the program, which tells its parts.
"${command[@]}" &
program=$!
trap 'kill -TERM "$program"' TERM INT
status=0
while kill -0 "$program" 2>/dev/null; do
  # `wait` ends early when a signal comes in.
  wait "$program" && status=0 || status=$?
done
exit "$status"
