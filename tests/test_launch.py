"""Launch scripts: what they would do, printed by a dry run."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLAGS = ("--config=configs/canny.py", "--config.batch_size=64")


def dry(script: str, *arguments: str, **environment: str) -> list[str]:
    variables = os.environ | {"DRY_RUN": "1", "PYTHON": "python"} | environment
    done = subprocess.run([ROOT / "launch" / script, *arguments], capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_gpu() -> None:
    expected = f"python -m lowres_jax.main {' '.join(FLAGS)} --config.platform=gpu"
    assert dry("gpu.sh", *FLAGS) == [expected]


def test_multiprocess() -> None:
    lines = dry("multiprocess.sh", "2", *FLAGS, PORT="4000")
    start = "LOWRES_JAX_COORDINATOR=localhost:4000 LOWRES_JAX_PROCESSES=2 LOWRES_JAX_PROCESS="
    assert lines == [f"{start}{process} python -m lowres_jax.main {' '.join(FLAGS)}" for process in range(2)]


@pytest.mark.parametrize(
    ("action", "parts"),
    [
        (["create"], ["tpu-vm create faces", "--accelerator-type=v4-8", "--zone=zone"]),
        (["install"], ["git archive", "scp /tmp/lowres_jax.tar.gz faces: --worker=all", "make install"]),
        (["run", *FLAGS], ["--worker=all", *FLAGS, "--config.platform=tpu", "--config.coordinator=auto"]),
        (["follow"], ["--worker=0", "tail -n 100 -f"]),
        (["fetch"], ["scp --recurse faces:lowres_jax/workdirs ."]),
        (["delete"], ["tpu-vm delete faces --quiet"]),
    ],
)
def test_tpu_vm(action: list[str], parts: list[str]) -> None:
    said = "\n".join(dry("tpu_vm.sh", *action, NAME="faces", ZONE="zone"))
    for part in parts:
        assert part in said


def test_the_queue_trains_one_after_the_other(tmp_path: Path) -> None:
    lines = dry("train_queue.sh", "w", "--config.seed=7")
    assert lines[0] == "python -m lowres_jax.main --config=configs/identity.py --workdir=w/identity --config.seed=7"
    assert "python -m lowres_jax.main --config=configs/canny.py:rgb --workdir=w/canny_rgb --config.seed=7" in lines
    for line in lines:
        assert (ROOT / line.split("--config=")[1].split()[0].split(":")[0]).is_file()
    # One that fails does not keep the next from being trained; a stop ends the queue.
    for number, runs in ((1, len(lines)), (143, 1)):
        (tmp_path / "log").write_text("")
        (tmp_path / "fail").write_text(f"#!/bin/sh\necho x >> {tmp_path}/log\nexit {number}\n")
        (tmp_path / "fail").chmod(0o755)
        variables = os.environ | {"PYTHON": str(tmp_path / "fail")}
        variables.pop("DRY_RUN", None)
        done = subprocess.run([ROOT / "launch" / "train_queue.sh", "w"], env=variables)
        assert done.returncode == number
        assert (tmp_path / "log").read_text().count("x") == runs


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """Environment of a job of two nodes; srun starts a process for each here, scontrol writes down what it does."""
    programs = {
        "srun": 'shift\nfor SLURM_PROCID in 0 1; do SLURM_PROCID=$SLURM_PROCID "$@" & pids="$pids $!"; done\n'
        "worst=0; for pid in $pids; do wait $pid || worst=$?; done; exit $worst",
        "scontrol": f'if [ "$1" = show ]; then printf "node7\\nnode8\\n"; else echo "$@" >> {tmp_path}/requeued; fi',
        "python": f"echo $LOWRES_JAX_COORDINATOR $LOWRES_JAX_PROCESSES $LOWRES_JAX_PROCESS $@ >> {tmp_path}/started\n"
        "exit $END",
    }
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    return {"PATH": path, "SLURM_JOB_NODELIST": "node[7-8]", "SLURM_NNODES": "2", "SLURM_JOB_ID": "41"}


@pytest.mark.parametrize(("end", "requeued"), [(0, False), (1, False), (143, True)])
def test_slurm(slurm: dict[str, str], tmp_path: Path, end: int, requeued: bool) -> None:
    planned = dry("slurm.sh", *FLAGS, **slurm)
    variables = os.environ | slurm | {"END": str(end), "PYTHON": "python"}
    variables.pop("DRY_RUN", None)
    done = subprocess.run([ROOT / "launch" / "slurm.sh", *FLAGS], env=variables)
    assert done.returncode == end
    started = sorted((tmp_path / "started").read_text().splitlines())
    assert started == [f"node7:29500 2 {process} -m lowres_jax.main {' '.join(FLAGS)}" for process in (0, 1)]
    assert planned == [
        f"LOWRES_JAX_COORDINATOR=node7:29500 LOWRES_JAX_PROCESSES=2 LOWRES_JAX_PROCESS={process} "
        f"python -m lowres_jax.main {' '.join(FLAGS)}"
        for process in (0, 1)
    ]
    # Only what Slurm itself ended goes on by itself.
    assert (tmp_path / "requeued").exists() == requeued
    if requeued:
        assert (tmp_path / "requeued").read_text() == "requeue 41\n"


def test_slurm_outside_of_a_job() -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    done = subprocess.run([ROOT / "launch" / "slurm.sh", *FLAGS], capture_output=True, text=True, env=variables)
    assert done.returncode == 2
    assert "is not within a Slurm job; submit it: sbatch" in done.stderr


@pytest.mark.parametrize("script", ["gpu.sh", "multiprocess.sh", "slurm.sh", "tpu_vm.sh", "train_queue.sh"])
def test_without_arguments_the_usage_is_said(script: str) -> None:
    done = subprocess.run([ROOT / "launch" / script], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"launch/{script}" in done.stderr
