"""The keys of the task measure_centering."""

from lowres_jax.config_keys import DATA_DIR, PLATFORM, SEED, Key

KEYS = {
    "platform": PLATFORM,
    "data_dir": DATA_DIR,
    "dataset": Key("casia_webface/mtcnn_jpeg", "Prepared set of the trainings, builder/variant.", filled=True),
    "held_out": Key(
        0.05, "Share of its people, those held out of the trainings, on whom shares are chosen.", above=0, below=1
    ),
    "images": Key(600, "Images of the others, evenly taken, whose mean it is.", least=2),
    "strangers": Key(
        "lfw/mtcnn",
        "Prepared set of which the first image of everybody is enrolled besides: a share is to help among many too; "
        "None: nobody.",
        kind=str,
    ),
    "upscalers": Key(
        ("bicubic", "srresnet", "identity@24+32+48+64", "identity_x8@8+16"),
        'Model cards; "identity@24+32" is measured at these LR sizes only, a plain name at all.',
        filled=True,
    ),
    "lr_sizes": Key((8, 16, 24, 32, 48, 64), "Sides, in pixels, of the small faces.", least=4, most=127, filled=True),
    "recognizers": Key(("sface",), "Model cards of the judges.", filled=True),
    "shares": Key((0.25, 0.5, 0.75, 1.0), "Shares of the mean to choose from.", above=0, most=1, filled=True),
    "measurements": Key(
        None, "Folder of measurements, image by image, which compare may share; None: in the workdir.", kind=str
    ),
    "write": Key(False, "Write the result into the cards; otherwise only into the workdir."),
    "seed": SEED,
}
