#!/usr/bin/env bash
# Trains on the nodes of a Slurm job, one process a node; after preemption or the time limit it goes on by itself.
#   sbatch --nodes=4 --gpus-per-node=8 --time=12:00:00 launch/slurm.sh --config=configs/canny.py --workdir=WORKDIR [flags ...]
# Submit it from this folder. PORT (by default 29500) is the coordinator's. DRY_RUN=1 prints the command of each node.
#SBATCH --job-name=lowres_jax
#SBATCH --ntasks-per-node=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@120
set -euo pipefail
if [[ $# -lt 1 ]]; then
  sed -n '2,4s/^# *//p' "$0" >&2
  echo "launch/slurm.sh: no flags given" >&2
  exit 2
fi
if [[ -z ${SLURM_JOB_NODELIST:-} || -z ${SLURM_NNODES:-} ]]; then
  echo "launch/slurm.sh: is not within a Slurm job; submit it: sbatch --nodes=N launch/slurm.sh $*" >&2
  exit 2
fi
coordinator=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export LOWRES_JAX_COORDINATOR="$coordinator:${PORT:-29500}" LOWRES_JAX_PROCESSES=$SLURM_NNODES
# The number of a process is known on its node only: srun starts this there.
# shellcheck disable=SC2016
command=(srun --kill-on-bad-exit=0 bash -c 'LOWRES_JAX_PROCESS=$SLURM_PROCID exec "$0" -m lowres_jax.main "$@"')
command+=("${PYTHON:-python}" "$@")
if [[ -n ${DRY_RUN:-} ]]; then
  for ((process = 0; process < SLURM_NNODES; process++)); do
    echo "LOWRES_JAX_COORDINATOR=$LOWRES_JAX_COORDINATOR LOWRES_JAX_PROCESSES=$SLURM_NNODES LOWRES_JAX_PROCESS=$process" \
      "${PYTHON:-python} -m lowres_jax.main $*"
  done
  exit
fi
status=0
"${command[@]}" || status=$?
# 143: Slurm asked for the end, for the time limit or for another job's sake; all is saved, and the same command resumes.
if ((status == 143)) && [[ -n ${SLURM_JOB_ID:-} ]]; then
  scontrol requeue "$SLURM_JOB_ID" || true
fi
exit "$status"
