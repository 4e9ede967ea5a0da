"""Enlarge the faces of photographs, alone or pasted back into the enlarged photograph; or crops as they are.

    python -m lowres_jax.main --config=configs/enhance.py --config.input=FILE|DIR --config.output=DIR

    --config.upscaler=srgan     another network; every name in lowres_jax/pretrained/cards
    --config.paste_back=true    the whole photograph enlarged as well, its faces pasted in with a soft edge
    --config.aligned=true       every picture is a face crop already (32x32, or any size): enlarged as it is, in batches

Writes PNG files into the output folder, in the subfolders of the input: NAME_face1.png, NAME_face2.png, ... (from left
to right), NAME_x4.png for the photograph, NAME.png for aligned crops. The detail that a network adds is invented: such
a picture is no evidence of what somebody looks like.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the enlargement."""
    config = ConfigDict()
    config.task = "enhance"
    config.platform = ""  # "cpu", "gpu" or "tpu" to insist on one

    config.input = ""  # a picture, or a folder of pictures with its subfolders
    config.output = ""  # folder for the results
    # Names of model cards; of several, each face gets the one that is made for its size. The best on View 1
    # of LFW by dlib, which they were not trained against: an enlarged face of 32 px is like its original to .984,
    # by bicubic .976, by SRResNet .977; one of 16 px by identity_x8 .937, by identity .929, by bicubic .923
    # (benchmarks/choose_upscaler.py; View 2: README). For noisy, blurred or compressed pictures identity_footage
    # is better: these were trained on clean ones. Licence: research only; srresnet (Apache-2.0) is free.
    config.upscaler = "identity,identity_x8"
    config.weights = ""  # a weight file of your own for one upscaler
    config.detector = "mtcnn"  # or "haar"
    # Where no face is found: once more with a border, and with the picture turned by 90, 180 and 270 degrees.
    config.look_again = True

    config.aligned = False  # pictures are face crops already
    config.face_size = 0  # cut faces to this many pixels before the enlargement; 0: as many as the photograph has
    config.paste_back = False
    config.background = ""  # what enlarges the rest of the photograph; "" is the upscaler itself, "bicubic" is quick

    config.tile = 128  # larger pictures go through the network in tiles of this side
    config.overlap = 32  # that share so many pixels
    config.batch_size = 16  # aligned crops, or photographs searched for faces, at a time
    return config
