"""The keys of the task identify."""

from lowres_jax.config_keys import PLATFORM, SEED, Key
from lowres_jax.settings.enhance import DETECTOR, LOOK_AGAIN, RULES, SMALL_FACE, UPSCALER, WEIGHTS

KEYS = {
    "platform": PLATFORM,
    "gallery": Key(
        None,
        "Folder of known people (a subfolder with pictures for each, or one file each), or one picture.",
        kind=str,
        needed="DIR",
    ),
    "probe": Key(None, "Photograph or clip, or a folder of them with its subfolders.", kind=str, needed="FILE|DIR"),
    "frames_per_second": Key(
        None,
        "Frame rate at which the probe's pictures are read as the numbered frames of one "
        "clip; None: they are photographs.",
        kind=float,
        above=0,
    ),
    "every": Key(5, "Number of frames of a clip of which one is searched for faces.", least=1),
    "start": Key(0.0, "Time in seconds at which the part of a clip begins that is searched.", least=0),
    "stop": Key(None, "Time in seconds at which that part ends; None: the end of the clip.", kind=float, above=0),
    "least_sightings": Key(2, "Smallest number of frames in which a face of a clip has to be found.", least=1),
    "annotate": Key(True, "Write each clip with boxes and names into the folder clips."),
    "detector": DETECTOR,
    "look_again": LOOK_AGAIN,
    "enroll": Key("largest", "Rule by which one of several faces of a gallery picture is enrolled.", choices=RULES),
    "upscaler": UPSCALER,
    "weights": WEIGHTS,
    "small_face": SMALL_FACE,
    "recognizer": Key(
        "sface_small",
        "Recognizer; sface_small is sface with a recognizer of small faces that are searched for, sface goes without.",
        filled=True,
    ),
    "centering": Key(
        True,
        "Take from every template the share of its condition's mean that the model cards say, where they do; not with "
        "weights of your own.",
    ),
    "far": Key(0.01, "False accept rate at which the threshold lies: 0.01 for one stranger in 100.", above=0, below=1),
    "least_found": Key(
        0.5,
        "Of searches by another picture of somebody enrolled this share has to be named at a face's size, or it is "
        "'too small to tell' instead of 'unknown'.",
        least=0,
        most=1,
    ),
    "group": Key(False, "Print groups of unknown faces and tracks by similarity, also of more than 1,000."),
    "calibration": Key(
        None,
        "Prepared set that the rate is measured on; None: of lfw/DETECTOR and orl_faces/DETECTOR in the cache folder "
        "the first that is large enough.",
        kind=str,
    ),
    "calibration_images": Key(
        1000, "Number of images of that set, of each person as many as the gallery's people have; 0: all.", least=0
    ),
    "seed": SEED,
    "keep_templates": Key(True, "Keep the gallery's templates in the cache folder, for the next search."),
    "ranks": Key(5, "Number of names shown for each face.", least=1),
    "sheet_rows": Key(40, "Number of faces in identify.png; 0: no identify.png.", least=0),
    "pages": Key(100, "Number of photographs drawn with boxes and names into the folder pages; 0: none.", least=0),
}
