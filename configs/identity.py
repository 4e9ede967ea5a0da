"""Train a face generator that keeps the identity: L1 + 0.1 (1 - cosine) of SFace, from the published SRResNet.

    python -m lowres_jax.main --config=configs/identity.py --workdir=workdirs/identity
    python -m lowres_jax.main --config=configs/identity.py:smoke  # seconds, on the embedded faces

Measured (two CPU cores, --config.steps=1600, 90 minutes beside other work; people held out of CASIA-WebFace-mini):
PSNR 30.84 (bicubic 28.18), identity cosine of SFace, which is in the loss, .916 (.857), View 1 accuracy .985 (.980; 200
pairs). After 400 / 800 / 1,200 steps: PSNR 30.64 / 30.77 / 30.83, cosine .908 / .914 / .916. That run is the model
"identity" that comes with the program. On LFW, folds 1 and 2, by dlib: DIR at FAR 1 % 72.4, bicubic 66.3, difference
+6.1 [+3.2, +9.7] (docs/results.md).

The variant "footage" goes on from "identity" with blurred, noisy and compressed faces. configs/identity.py:footage with
--config.optimizer.learning_rate=3e-4 --config.steps=800, stopped after 402 steps (45 minutes beside other work), is the
model "identity_footage". Degraded faces of people held out: PSNR 24.90 (bicubic 23.70), cosine .606 (.540).
"""

from ml_collections import ConfigDict

from lowres_jax.data import degradations
from lowres_jax.super_resolution.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variants "footage", "smoke", "footage,smoke"."""
    config = train_config.identity(scale=4, start="srresnet")
    return train_config.variant(config, variant, footage=_footage)


def _footage(config: ConfigDict) -> ConfigDict:
    config.start = "identity"
    config.degradation = degradations.footage()
    return config
