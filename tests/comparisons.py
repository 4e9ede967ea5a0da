"""A comparison whose methods are known: templates with planted noise, the more, the worse the method."""

from lowres_jax.evaluation.measurement import Method

HR, RAW = Method(128, "none"), Method(32, "raw")
BILINEAR, BICUBIC, BICUBIC_16 = Method(32, "bilinear"), Method(32, "bicubic"), Method(16, "bicubic")
GOOD = Method(32, "srresnet")
# The more noise, the worse the method. That of the originals is nothing beside the distance of two people.
NOISE = {HR: 0.2, GOOD: 0.5, BICUBIC: 1.0, BILINEAR: 1.05, RAW: 2.0, BICUBIC_16: 1.6}
