"""A preparation of which one worker dies. Run as a program.

FLAG=FILE PYTHONPATH=tests/preparation python tests/preparation/dying_worker.py SOURCE DATA_DIR
"""

import os
import runpy
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lowres_jax.preparation.photographs import read_files

ROOT = Path(__file__).parents[2]


def dying(files: Sequence[Path]) -> Iterator[bytes]:
    """Reads files, but for the first time that one of them is there: workers import it."""
    flag = Path(os.environ["FLAG"])
    for file in files:
        if file.name == "7.png" and not flag.exists():
            flag.write_text("x")
            os.kill(os.getpid(), signal.SIGKILL)
        yield from read_files([file])


if __name__ == "__main__":
    import dying_worker

    from lowres_jax.preparation.builders import casia_webface
    from lowres_jax.tasks import prepare

    opened = casia_webface.photographs
    casia_webface.photographs = lambda source: replace(opened(source), contents=dying_worker.dying)
    source, data_dir = sys.argv[1:]
    config = runpy.run_path(str(ROOT / "configs" / "prepare_casia_webface.py"))["get_config"]()
    config.update({"source": source, "data_dir": data_dir, "shard_size": 3, "detector": "haar"})
    config.update({"beam": "--direct_num_workers=2"})
    prepare.run(config, Path(data_dir))
