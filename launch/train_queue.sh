#!/usr/bin/env bash
# Trains the face models one after the other; what is finished is passed over, what was stopped goes on.
#   launch/train_queue.sh WORKDIRS [flags for all of them, as --config.steps=2000 ...]
# DRY_RUN=1 prints the commands. A model that fails does not keep the next from being trained.
set -euo pipefail
if [[ $# -lt 1 || $1 == -* ]]; then
  sed -n '2,4s/^# *//p' "$0" >&2
  exit 2
fi
workdirs=$1
shift
status=0
# In the order of worth: the upscaler for 16 px, the original's models, the recognisers.
for experiment in identity identity_x8 initial canny canny:rgb recognizer_distilled recognizer recognizer_original; do
  command=("${PYTHON:-python}" -m lowres_jax.main "--config=configs/${experiment/:/.py:}" "--workdir=$workdirs/${experiment/:/_}" "$@")
  [[ $experiment == *:* ]] || command[3]="--config=configs/$experiment.py"
  if [[ -n ${DRY_RUN:-} ]]; then
    echo "${command[*]}"
    continue
  fi
  code=0
  "${command[@]}" || code=$?
  # 130 and 143: somebody asked for the end of it all.
  if ((code == 130 || code == 143)); then
    exit "$code"
  fi
  ((code == 0)) || status=$code
done
exit "$status"
