#!/usr/bin/env bash
# A TPU VM from start to end, by gcloud.
#   NAME=faces ZONE=us-central2-b launch/tpu_vm.sh create|install|run|follow|fetch|delete [flags of lowres_jax.main ...]
# create: TYPE (v4-8) and VERSION (tpu-ubuntu2204-base). install: this folder, and DATA (a folder of prepared sets) if
# given. run: on all workers, in the background, flags passed on. follow: the log of worker 0. fetch: workdirs of worker
# 0. DRY_RUN=1 prints every command.
set -euo pipefail
if [[ $# -lt 1 || -z ${NAME:-} || -z ${ZONE:-} ]]; then
  sed -n '2,6s/^# *//p' "$0" >&2
  exit 2
fi
do_() { if [[ -n ${DRY_RUN:-} ]]; then echo "$*"; else "$@"; fi; }
tpu() { do_ gcloud compute tpus tpu-vm "$@" --zone="$ZONE"; }
everywhere() { tpu ssh "$NAME" --worker=all --command="$1"; }
action=$1
shift
case $action in
  create) tpu create "$NAME" --accelerator-type="${TYPE:-v4-8}" --version="${VERSION:-tpu-ubuntu2204-base}" ;;
  install)
    do_ git archive --format=tar.gz --output=/tmp/lowres_jax.tar.gz HEAD
    tpu scp /tmp/lowres_jax.tar.gz "$NAME": --worker=all
    everywhere "mkdir -p lowres_jax && tar xzf lowres_jax.tar.gz -C lowres_jax && cd lowres_jax && make install && .venv/bin/pip install -e '.[tpu]'"
    if [[ -n ${DATA:-} ]]; then tpu scp --recurse "$DATA" "$NAME":datasets --worker=all; fi
    ;;
  run)
    flags=$(printf ' %q' "$@" --config.platform=tpu --config.coordinator=auto)
    everywhere "cd lowres_jax && nohup .venv/bin/python -m lowres_jax.main$flags > train.log 2>&1 < /dev/null &"
    ;;
  follow) tpu ssh "$NAME" --worker=0 --command="tail -n 100 -f lowres_jax/train.log" ;;
  fetch) tpu scp --recurse "$NAME":lowres_jax/workdirs . --worker=0 ;;
  delete) tpu delete "$NAME" --quiet ;;
  *)
    echo "launch/tpu_vm.sh: no action '$action'; create, install, run, follow, fetch or delete" >&2
    exit 2
    ;;
esac
