"""The keys of the task enhance, and those of finding and enlarging faces that identify has too."""

import dataclasses

from lowres_jax.config_keys import PLATFORM, Key

RULES = ("highest_score", "nearest_center", "largest")
DETECTORS = ("mtcnn", "haar")

DETECTOR = Key("mtcnn", "Face detector.", choices=DETECTORS)
LOOK_AGAIN = Key(
    True, "Where no face is found, search again with a border, and with the picture turned by 90, 180 and 270 degrees."
)
# The best on View 1 of LFW by dlib, which they were not trained against: an enlarged face of 32 px is like its original
# to .984, by bicubic .976, by SRResNet .977; one of 16 px by identity_x8 .937, by identity .929, by bicubic .923
# (benchmarks/quality.py view1; View 2: docs/results.md).
UPSCALER = Key(
    ("identity", "identity_x8"),
    "Models that enlarge small faces; of several, each face gets the one made for its size, and in noisy or compressed "
    "pictures the one made for those (identity_footage). These are for research only; srresnet (Apache-2.0) is free.",
    filled=True,
)
SMALL_FACE = Key(
    64,
    "Faces whose aligned crop has fewer pixels a side in the photograph go through a model.",
    least=0,
    most=4096,
)
WEIGHTS = Key(None, "Path of a weight file of your own for one upscaler.", kind=str)

KEYS = {
    "platform": PLATFORM,
    "input": Key(
        None,
        "A picture or a clip, or a folder of them with its subfolders.",
        kind=str,
        needed="FILE|DIR",
        affects_result=False,
    ),
    "output": Key(None, "Folder for the results.", kind=str, needed="DIR", affects_result=False),
    "upscaler": dataclasses.replace(UPSCALER, default=(*UPSCALER.default, "identity_footage")),
    "weights": WEIGHTS,
    "detector": DETECTOR,
    "look_again": LOOK_AGAIN,
    "small_face": SMALL_FACE,
    "aligned": Key(False, "Treat the pictures as face crops."),
    "face_size": Key(
        None,
        "Cut faces to this many pixels before the enlargement; None: as many as the photograph has.",
        kind=int,
        least=1,
        most=4096,
    ),
    "paste_back": Key(False, "Enlarge the whole photograph too and paste its faces in."),
    "background": Key(
        "bicubic",
        "Upscaler of the rest of the photograph; same: the upscaler of its largest faces, which takes minutes.",
        filled=True,
    ),
    "clip_scale": Key(
        2, "Enlargement of clips; faces are enlarged by the upscaler and brought to it.", least=1, most=8
    ),
    "every": Key(2, "Number of frames of a clip of which one is searched for faces.", least=1),
    "start": Key(0.0, "Time in seconds at which the part of a clip begins that is enlarged.", least=0),
    "stop": Key(None, "Time in seconds at which that part ends; None: the end of the clip.", kind=float, above=0),
    "format": Key(
        "png",
        "File format of the results; input: that of the picture, where it is one of these.",
        choices=("png", "jpeg", "tiff", "webp", "input"),
    ),
    "keep_place": Key(False, "Keep in the results where the photograph was taken (GPS)."),
    "mark": Key(
        True,
        "Write into the metadata of the results (XMP) that they were enlarged, by which model, and from which size.",
    ),
    "caption": Key(False, "Add a strip below each result that says so too."),
    "likeness": Key(True, "Warn, by SFace, of faces that came out as somebody else's, and measure quality."),
    "sheet_faces": Key(
        24, "Number of pictures in enhance.html, before and after; 0: no enhance.html.", least=0, affects_result=False
    ),
    "overwrite": Key(False, "Replace existing results.", affects_result=False),
    "tile": Key(128, "Side, in pixels, of the tiles in which larger pictures go through a network.", least=1),
    "overlap": Key(32, "Pixels that neighboring tiles share.", least=0),
    "batch_size": Key(
        16, "Number of aligned crops, or of photographs searched for faces, in a batch.", least=1, affects_result=False
    ),
}
