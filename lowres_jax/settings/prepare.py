"""The keys of the tasks prepare and compare_detectors."""

from lowres_jax.config_keys import DATA_DIR, PLATFORM, Key
from lowres_jax.settings.enhance import DETECTOR, RULES

RULE = Key("highest_score", "Rule by which one of several faces of a picture is chosen.", choices=RULES)

KEYS = {
    "platform": PLATFORM,
    "builder": Key("orl_faces", "Data set: a module of lowres_jax/preparation/builders.", filled=True),
    "source": Key(None, "Photographs: a folder or an archive; None: those that an installed package ships.", kind=str),
    "pairs": Key(None, "Folder of LFW's pairs files; None: the folder of the source.", optional=True, kind=str),
    "data_dir": DATA_DIR,
    "detector": DETECTOR,
    "rule": RULE,
    "crop_size": Key(128, "Side of the aligned crops, in pixels.", least=16, most=1024),
    "image_format": Key(
        "png",
        "Image format of the crops in the records; jpeg (quality 95, 4:4:4) takes a fifth of the space.",
        choices=("png", "jpeg"),
    ),
    "shard_size": Key(2048, "Number of photographs whose records are in one file, which one worker writes.", least=1),
    "beam": Key(
        None,
        "Have workers of Apache Beam prepare, as these flags of Beam's say; None: this process does. docs/data.md",
        kind=str,
    ),
    "overwrite": Key(False, "Prepare an existing set again."),
}

DETECTOR_KEYS = {
    "platform": PLATFORM,
    "input": Key(None, "A picture, or a folder of pictures with its subfolders.", kind=str),
    "limit": Key(None, "Pictures to take, drawn evenly; None: all (they are held in memory).", kind=int, least=1),
    "rule": RULE,
    "low_confidence": Key(
        0.1, "Share of Haar's faces, those of lowest score, that counts as found with low confidence.", least=0, most=1
    ),
    "columns": Key(8, "Number of pictures in a row of the gallery.", least=1, most=64),
    "seed": Key(0, "Random seed of the choice of these pictures.", least=0, most=2**32 - 1),
}
