#!/usr/bin/env bash
# Trains face models and recognizers one after the other; what is finished is passed over, what was stopped goes on.
#   launch/train_queue.sh WORKDIRS [flags for all of them, as --config.checkpoint_seconds=60 ...]
# DRY_RUN=1 prints the commands. A model that fails does not keep the next from being trained.
set -euo pipefail
if [[ $# -lt 1 || $1 == -* ]]; then
  sed -n '2,4s/^# *//p' "$0" >&2
  exit 2
fi
workdirs=$1
shift
status=0
# In the order of worth.
configs=(identity.py identity_x8.py identity.py:footage recognizer_small.py initial.py canny.py canny.py:rgb identity_x16.py)
configs+=(recognizer_original.py recognizer.py recognizer_distilled.py)
for config in "${configs[@]}"; do
  # canny.py:rgb -> canny_rgb
  name=${config/.py/}
  command=("${PYTHON:-python}" -m lowres_jax.main "--config=configs/$config" "--workdir=$workdirs/${name/:/_}" "$@")
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
