"""The keys of the task search_videos."""

from lowres_jax.config_keys import DATA_DIR, PLATFORM, SEED, Key

KEYS = {
    "platform": PLATFORM,
    "data_dir": DATA_DIR,
    "dataset": Key("video_frames/mtcnn", "Prepared frames, see configs/prepare_video_frames.py.", filled=True),
    "gallery": Key("lfw/mtcnn", "Prepared set of which everybody's first picture is enrolled.", filled=True),
    "upscalers": Key(
        ("bicubic", "identity@32", "identity_x8@16"),
        'Model cards; "identity@32" is measured at these LR sizes only, a plain name at all.',
        filled=True,
    ),
    "lr_sizes": Key((32, 16), "Sides, in pixels, of the small faces.", least=4, most=127, filled=True),
    "recognizers": Key(("sface",), "Model cards of the judges.", filled=True),
    "frames": Key((1, 2, 5), "Frames of a video that are searched together, evenly taken.", least=1, filled=True),
    "pixels": Key(True, "Measure the fusion of pixels too: of crops averaged before they are enlarged."),
    "label_errors": Key(None, "JSON list of LFW's label errors: people who are one there are one here.", kind=str),
    "leave_out": Key(
        None, "People, separated by commas, whose videos are not searched, as they are known to show others.", kind=str
    ),
    "measurements": Key(
        None, "Folder of measurements, image by image, which compare may share; None: in the workdir.", kind=str
    ),
    "resamples": Key(1000, "Resamples of people for the intervals.", least=2),
    "seed": SEED,
}
