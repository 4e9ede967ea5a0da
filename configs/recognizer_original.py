"""Train the recognizer of Orsini and Rossi 2022: ResNet-50 from ImageNet, softmax over 1,000 people, ten epochs.

    python -m lowres_jax.main --config=configs/recognizer_original.py --workdir=workdirs/recognizer_original
    python -m lowres_jax.main --config=configs/recognizer_original.py:smoke  # seconds, on the embedded faces

Two of the ten epochs on CASIA-WebFace-mini (--config.epochs=2, 27 minutes on two CPU cores): accuracy .445 on images
held out; LFW 84.2 % (.71; theirs 88), AUC .920, at 32 px bilinear 80.7 (docs/notebook/recognizers.md).

The template is the 2,048 pooled features. Of a set with fewer people all are learned. Not known of theirs are
its optimizer and rate; these are Keras's usual ones.
"""

from ml_collections import ConfigDict

from lowres_jax.recognition.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = train_config.default_config()
    config.start = "imagenet"
    config.identities, config.held_out_images = 1000, 0.2
    config.size, config.flip = 128, False
    config.model.fields.embedding = 0
    config.losses.classification.update({"kind": "softmax", "scale": 1.0, "margin": 0.0})
    config.optimizer.update({"name": "adam", "learning_rate": 1e-4, "weight_decay": 0.0})
    config.batch_size = 32
    config.epochs = 10.0
    return train_config.variant(config, variant)
