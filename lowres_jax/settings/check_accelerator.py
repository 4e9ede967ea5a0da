"""The keys of the task check_accelerator, see docs/accelerators.md."""

from lowres_jax.config_keys import PLATFORM, Key

KEYS = {
    "platform": PLATFORM,
    "cpu_devices": Key(1, "On a CPU: devices that share a batch of 8.", least=1, most=8),
    "trainings": Key(("canny", "identity", "recognizer"), "Configs of the trainings of which one step is compared."),
    "small": Key(False, "Thin networks; then a machine without an accelerator passes too."),
}
