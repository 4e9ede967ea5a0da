#!/usr/bin/env bash
# Trains face models and recognizers one after the other; what is finished is skipped, what was stopped goes on.
#   launch/train_queue.sh WORKDIRS [flags for all of them, as --config.checkpoint_seconds=60 ...]
# CONFIGS="initial.py canny.py:rgb" trains these instead of all. DRY_RUN=1 prints the commands. A model that fails does
# not keep the next from being trained.
set -euo pipefail
if [[ $# -lt 1 || $1 == -* ]]; then
  sed -n '2,5s/^# *//p' "$0" >&2
  exit 2
fi
workdirs=$1
shift
status=0
# In the order of worth.
all=(identity.py identity_x8.py identity.py:footage recognizer_small.py initial.py canny.py canny.py:rgb identity_x16.py)
all+=(recognizer_original.py recognizer.py recognizer_distilled.py)
read -ra configs <<<"${CONFIGS:-${all[*]}}"
for config in "${configs[@]}"; do
  # canny.py:rgb -> canny_rgb; canny.py:rgb,smoke -> canny_rgb_smoke
  name=${config/.py/}
  name=${name//[:,]/_}
  command=("${PYTHON:-python}" -m lowres_jax.main "--config=configs/$config" "--workdir=$workdirs/$name" "$@")
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
