"""Compare Haar and MTCNN on a folder of pictures: agreement, speed, and a gallery of the kinds of outcome.

    python -m lowres_jax.main --config=configs/compare_detectors.py --config.input=FOLDER

Without a folder: the embedded ORL faces, and the portraits if they have been fetched.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    config = ConfigDict()
    config.task = "compare_detectors"
    config.platform = ""  # "cpu", "gpu" or "tpu" to insist on one

    config.input = ""  # folder or picture
    config.limit = 0  # take so many pictures, evenly drawn; 0: all (they are held in memory)
    config.rule = "highest_score"  # which of several faces: or "nearest_centre", "largest"
    config.low_confidence = (
        0.1  # this share of Haar's faces, those of lowest score, counts as found with low confidence
    )
    config.columns = 8  # pictures in a row of the gallery
    config.seed = 0  # of the draw of these pictures
    return config
