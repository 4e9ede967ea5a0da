"""All-against-all by number of templates and of devices: seconds, and the most memory that a process has.

    python benchmarks/evaluation_scale.py --counts 1000 3000 10000 30000 100000 --devices 1 2

Templates of 128 numbers around as many people as a fifth of them. Each measurement is a process of its own, so that its
peak is its own. The line at the end is what the model of docs/evaluation.md says: seconds = a N^2, memory = b + c N.
"""

import argparse
import os
import subprocess
import sys

import numpy as np

_MEASURE = """
import resource, sys, time
import numpy as np
from lowres_jax.evaluation.identification import (
    detection_and_identification_rate, probe_statistics, threshold_at_far,
)
count = int(sys.argv[1])
generator = np.random.default_rng(0)
labels = np.arange(count) // 5
centres = generator.normal(size=(count // 5 + 1, 128)).astype(np.float32)
templates = centres[labels] + 1.6 * generator.normal(size=(count, 128)).astype(np.float32)
templates /= np.linalg.norm(templates, axis=1, keepdims=True)
probe_statistics(templates[:600], labels[:600])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.perf_counter()
found = probe_statistics(templates, labels)
seconds = time.perf_counter() - begin
rate = detection_and_identification_rate(found, threshold_at_far(found, 0.01), 1)
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, before / 1024, rate)
"""


def main() -> None:
    """Measures and prints a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 3000, 10000, 30000, 100000])
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    print(f"{'templates':>10}{'devices':>9}{'seconds':>9}{'us/N^2':>10}{'peak MB':>9}{'DIR':>7}")
    for devices in arguments.devices:
        rows = []
        for count in arguments.counts:
            flags = f"--xla_force_host_platform_device_count={devices}"
            environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
            done = subprocess.run(
                [sys.executable, "-c", _MEASURE, str(count)],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            seconds, peak, _, rate = map(float, done.stdout.split())
            rows.append((count, seconds, peak))
            cost = 1e6 * seconds / count**2
            print(f"{count:10,}{devices:9}{seconds:9.2f}{cost:10.5f}{peak:9.0f}{100 * rate:7.1f}", flush=True)
        counts, seconds, peaks = np.asarray(rows).T
        large = counts >= 10_000
        if large.sum() > 1:
            slope = float(np.exp(np.mean(np.log(seconds[large]) - 2 * np.log(counts[large]))))
            memory, base = np.polyfit(counts, peaks, 1)
            hours = slope * 1e14 / 3600
            print(
                f"{devices} devices: {slope:.2e} N^2 seconds, {base:.0f} + {1000 * memory:.2f} N/1000 MB; "
                f"10 million templates: {hours:,.0f} hours, {(base + memory * 1e7) / 1000:.0f} GB"
            )


if __name__ == "__main__":
    main()
