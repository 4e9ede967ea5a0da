"""The keys of the task compare_photographs."""

from lowres_jax.config_keys import PLATFORM, SEED, Key
from lowres_jax.settings.enhance import DETECTOR, UPSCALER

KEYS = {
    "platform": PLATFORM,
    "source": Key(
        None,
        "Photographs in one folder a person, or an archive of them: one face each, the one nearest the middle.",
        kind=str,
        needed="PATH",
    ),
    "images": Key(600, "Photographs, two of each person.", least=8),
    "sizes": Key((32, 24, 16), "Sides, in pixels, that the face's aligned crop is to have.", least=8, filled=True),
    "before": Key(
        ("bicubic", "srresnet"), "Models that enlarge the whole small photograph before faces are looked for in it."
    ),
    "detector": DETECTOR,
    "upscaler": UPSCALER,
    "recognizer": Key("dlib", "What recognizes; one that is in no model's loss is the fairest.", filled=True),
    "resamples": Key(2000, "Resamples of the paired bootstrap.", least=100),
    "seed": SEED,
}
