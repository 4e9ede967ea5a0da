"""Identify people: search faces among known people, or tell if two photographs show one person.

    python -m lowres_jax.main --config=configs/identify.py --config.gallery=DIR --config.probe=FILE|DIR
    python -m lowres_jax.main --config=configs/identify.py --config.gallery=a.jpg --config.probe=b.jpg

The gallery is a folder of known people: a subfolder with pictures for each, or one file each. Every face of the probe
pictures gets a line: the most similar people, or "unknown". Small faces are enlarged first:

    --config.upscaler=srgan     another network; every upscaler in lowres_jax/pretrained/cards
    --config.recognizer=sface   without the recognizer of small faces; every recognizer in the same folder
    --config.far=0.001          stricter: of 1000 searches for somebody not enrolled, one may still give a name

The threshold is measured on a prepared set (LFW if it is there, else the ORL faces):

    python -m lowres_jax.main --config=configs/prepare_orl_faces.py

A clip, or a folder with some, gets a line for each passing person instead (docs/clips.md):

    --config.probe=clip.mp4     every fifth frame is read; --config.every=1 reads all
    --config.group=true         puts faces and tracks of nobody known together

Writes identify.json and identify.png into the workdir, of clips tracks.csv and the clips with names too.
docs/identify.md says what a match is worth.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import identify


def get_config() -> ConfigDict:
    """Returns the config of the search."""
    config = config_keys.new(identify.KEYS, "identify")
    config.gallery = config.probe = None  # to be given
    config.upscaler = ("identity", "identity_x8")
    config.recognizer = "sface_small"
    config.far = 0.01
    config.every = 5
    config.group = False
    return config
