"""Enlarge the faces of photographs, alone or pasted back into the enlarged photograph; or crops as they are.

    python -m lowres_jax.main --config=configs/enhance.py --config.input=FILE|DIR --config.output=DIR

    --config.upscaler=srgan     another network; every name in lowres_jax/pretrained/cards
    --config.paste_back=true    the whole photograph enlarged as well, by bicubic, its faces pasted in with a soft edge
    --config.background=same    that by the network too: minutes a photograph
    --config.aligned=true       every picture is a face crop already (32x32, or any size): enlarged as it is, in batches

A clip becomes an enlarged clip with its sound, its faces followed and enlarged without flicker (docs/clips.md):

    --config.input=clip.mp4 --config.clip_scale=2 --config.start=10 --config.stop=20

Writes PNG files into the output folder, in the subfolders of the input: NAME_face1.png, NAME_face2.png, ... (from left
to right), NAME_x4.png for the photograph, NAME.png for aligned crops; a row a face into enhance.csv and enhance.json,
and faces before and after into enhance.html (docs/enhance.md). The same command resumes. The
detail that a network adds is invented: such a picture is no evidence of what somebody looks like.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import enhance


def get_config() -> ConfigDict:
    """Returns the config of the enlargement."""
    config = config_keys.new(enhance.KEYS, "enhance")
    config.input = config.output = None  # to be given
    config.paste_back = False
    config.background = "bicubic"
    config.aligned = False
    config.clip_scale = 2
    config.format = "png"
    return config
