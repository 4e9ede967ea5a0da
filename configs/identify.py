"""Who is on these pictures: search faces among known people, or say whether two photographs show one person.

    python -m lowres_jax.main --config=configs/identify.py --config.gallery=DIR --config.probe=FILE|DIR
    python -m lowres_jax.main --config=configs/identify.py --config.gallery=a.jpg --config.probe=b.jpg

The gallery is a folder of known people: a subfolder with pictures for each, or one file each. Every face of the probe
pictures gets a line: the most similar people, or "unknown". Small faces are enlarged first:

    --config.upscaler=srgan     another network; every upscaler in lowres_jax/pretrained/cards
    --config.far=0.001          stricter: of 1000 searches for somebody not enrolled, one may still give a name

The threshold is measured on a prepared set (LFW if it is there, else the ORL faces):

    python -m lowres_jax.main --config=configs/prepare_orl_faces.py

Writes identify.json and identify.png into the workdir. docs/recognition.md says what a match is worth.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the search."""
    config = ConfigDict()
    config.task = "identify"
    config.platform = ""  # "cpu", "gpu" or "tpu" to insist on one

    config.gallery = ""  # folder of known people, or one photograph
    config.probe = ""  # photograph, or a folder of them with its subfolders
    config.detector = "mtcnn"  # or "haar"
    # Where no face is found: once more with a border, and with the picture turned by 90, 180 and 270 degrees.
    config.look_again = True
    config.enrol = "largest"  # which face of a gallery picture: or "highest_score", "nearest_centre"

    # For small faces; names of model cards, of several each face gets the one made for its size. The best on View 1 of
    # LFW by dlib, which they were not trained against: an enlarged face of 32 px is like its original to .984,
    # by bicubic .976, by SRResNet .977; one of 16 px by identity_x8 .937, by identity .929, by bicubic .923
    # (benchmarks/choose_upscaler.py; View 2: README). For noisy, blurred or compressed pictures identity_footage
    # is better: these were trained on clean ones. Licence: research only; srresnet (Apache-2.0) is free.
    config.upscaler = "identity,identity_x8"
    config.weights = ""  # a weight file of your own for one upscaler
    config.small_face = 64  # faces whose aligned crop has fewer pixels a side in the photograph are enlarged
    config.recognizer = "sface"

    config.far = 0.01  # false accept rate at which the threshold lies
    # Prepared set that the rate is measured on; empty: of lfw/DETECTOR and orl_faces/DETECTOR in the cache folder the
    # first that is large enough for it.
    config.calibration = ""
    config.calibration_images = 1000  # of it, of each person as many as the gallery's people have; 0: all
    config.seed = 0

    config.keep_templates = True  # of the gallery, in the cache folder, so that the next search need not read it

    config.ranks = 5  # names shown for each face
    config.sheet_rows = 40  # faces in identify.png
    return config
