"""SFace against OpenCV's own run of the same file, and what a recognizer does with images of any number and size.

Covers `recognition/recognizer.py` too.
"""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lowres_jax.data import images, resize
from lowres_jax.data.resize import fit
from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards
from lowres_jax.recognition.recognizer import NetworkRecognizer, load_recognizer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def orl_templates(recognizer, orl_faces) -> np.ndarray:
    return recognizer.templates(orl_faces)


def opencv_templates(faces: np.ndarray) -> np.ndarray:
    """OpenCV takes 112x112 BGR in 0-255, one by one, and gives embeddings that are not normalized."""
    network = cv2.FaceRecognizerSF.create(str(cards.weight_path(cards.load_card("sface", "recognition"))), "")
    features = [network.feature(np.ascontiguousarray(images.to_uint8(face)[..., ::-1]))[0].copy() for face in faces]
    return np.stack([feature / np.linalg.norm(feature) for feature in features])


def test_agrees_with_opencv_on_120_real_faces(orl_templates, orl_faces):
    cosine = np.sum(orl_templates * opencv_templates(orl_faces), axis=1)

    assert len(cosine) == 120
    assert cosine.min() >= 0.9999
    np.testing.assert_allclose(np.linalg.norm(orl_templates, axis=1), 1.0, rtol=1e-6)


def test_agrees_with_opencv_in_color_and_takes_rgb(recognizer, portrait):
    face = images.to_uint8(resize.downscale_area(portrait, 112, 112)) / np.float32(255.0)

    (found,) = recognizer.templates(face[None])
    expected, swapped = opencv_templates(np.stack([face, face[..., ::-1]]))

    assert found @ expected >= 0.9999
    assert found @ swapped < 0.999  # or the test could not tell RGB from BGR


def test_people_are_nearer_to_themselves(orl_templates):
    similarity = orl_templates @ orl_templates.T
    np.fill_diagonal(similarity, -1.0)
    person = np.arange(120) // 3

    assert np.mean(person[similarity.argmax(axis=1)] == person) >= 0.95  # 119 of 120 when this was written


def test_a_batch_is_what_its_images_are_alone(recognizer, orl_templates, orl_faces):
    alone = np.concatenate([recognizer.templates(orl_faces[number : number + 1]) for number in range(5)])

    np.testing.assert_allclose(alone, orl_templates[:5], atol=2e-5)


def test_padding_of_a_ragged_batch_does_not_matter(recognizer, orl_templates, orl_faces):
    """19 images are a full batch of 16 on a CPU and one that is padded with 13 black ones; 3 are padded to 4."""
    np.testing.assert_allclose(recognizer.templates(orl_faces[:19]), orl_templates[:19], atol=2e-5)
    np.testing.assert_allclose(recognizer.templates(orl_faces[:3]), orl_templates[:3], atol=2e-5)


def test_no_image_gives_no_template(recognizer):
    assert recognizer.templates(np.zeros((0, 128, 128, 3), np.float32)).shape == (0, 128)
    with pytest.raises(ValueError, match="not of shape"):
        recognizer.templates(np.zeros((128, 128, 3), np.float32))


def test_flip_sum_by_hand(recognizer, orl_faces):
    both = NetworkRecognizer("sface", recognizer.module, recognizer.variables, 112, flip_sum=True)
    faces = orl_faces[:2]
    embed = jax.jit(recognizer.module.apply)
    total = np.asarray(embed(recognizer.variables, faces) + embed(recognizer.variables, faces[:, :, ::-1]))

    found = both.templates(faces)

    np.testing.assert_allclose(found, total / np.linalg.norm(total, axis=1, keepdims=True), atol=2e-5)
    np.testing.assert_allclose(both.templates(faces[:, :, ::-1]), found, atol=2e-5)


def test_gradient_of_the_input_agrees_with_a_finite_difference(recognizer, orl_faces):
    """The cosine to another face of the person, as an identity loss would use it, along the steepest direction."""
    target = jnp.asarray(recognizer.templates(orl_faces[1:2])[0])

    @jax.jit
    def cosine(image: jax.Array) -> jax.Array:
        (embedding,) = recognizer.module.apply(recognizer.variables, image[None])
        return embedding @ target / jnp.linalg.norm(embedding)

    image = jnp.asarray(orl_faces[0])
    gradient = jax.jit(jax.grad(cosine))(image)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0

    direction = gradient / jnp.linalg.norm(gradient)
    step = 0.01
    difference = (cosine(image + step * direction) - cosine(image - step * direction)) / (2 * step)
    assert float(jnp.vdot(gradient, direction)) == pytest.approx(float(difference), rel=0.01)


def test_larger_images_are_reduced_by_area():
    image = np.random.default_rng(0).random((1, 128, 128, 3), np.float32)

    found = fit(image, 112)

    np.testing.assert_array_equal(found[0], cv2.resize(image[0], (112, 112), interpolation=cv2.INTER_AREA))
    # 128 / 112 = 8 / 7: the first pixel covers one source pixel and a seventh of the next, in both directions.
    share = np.array([7 / 8, 1 / 8], np.float32)
    np.testing.assert_allclose(found[0, 0, 0], np.einsum("i,j,ijc->c", share, share, image[0, :2, :2]), rtol=1e-5)


def test_smaller_images_are_enlarged_by_nearest_neighbor():
    image = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3) / 11

    found = fit(image, 4)

    np.testing.assert_array_equal(found[0], np.repeat(np.repeat(image[0], 2, axis=0), 2, axis=1))


def test_templates_of_other_sizes_are_those_of_the_fitted_images(recognizer, portrait):
    for size in (128, 32):
        image = resize.downscale_area(portrait, size, size)[None]
        np.testing.assert_array_equal(recognizer.templates(image), recognizer.templates(fit(image, 112)))


def test_another_networks_or_no_weights_are_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r"none\.onnx: no such weight file"):
        load_recognizer("sface", str(tmp_path / "none.onnx"))
    yunet = cards.weight_path(cards.load_card("sface", "recognition")).with_name(
        "face_detection_yunet_2023mar_int8bq.onnx"
    )
    with pytest.raises(UserError, match=r"yunet.*: not the weights of SFace"):
        load_recognizer("sface", str(yunet))
    with pytest.raises(UserError, match=r"recognizer 'sfaces': no such model; did you mean 'sface'\?"):
        load_recognizer("sfaces")
