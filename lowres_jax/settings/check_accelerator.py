"""The keys of the task check_accelerator, see docs/accelerators.md."""

from lowres_jax.config_keys import PLATFORM, Key

KEYS = {
    "platform": PLATFORM,
    "cpu_devices": Key(1, "Number of CPU devices that share a batch of 8.", least=1, most=8),
    "trainings": Key(
        ("canny", "identity", "recognizer"), "Names of the training configs; one step of each is compared."
    ),
    "small": Key(False, "Use thin networks, so that a machine without an accelerator passes too."),
}
