#!/usr/bin/env bash
# Trains on all GPUs of this host, in one process.
#   launch/gpu.sh --config=configs/canny.py [flags of lowres_jax.main ...]
# DRY_RUN=1 prints the command; CUDA_VISIBLE_DEVICES chooses among the GPUs.
set -euo pipefail
if [[ $# -lt 1 ]]; then
  sed -n '2,4s/^# *//p' "$0" >&2
  exit 2
fi
command=("${PYTHON:-python}" -m lowres_jax.main "$@" --config.platform=gpu)
if [[ -n ${DRY_RUN:-} ]]; then
  echo "${command[*]}"
  exit
fi
exec "${command[@]}"
