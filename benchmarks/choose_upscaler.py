"""UpscalerBySize on LFW's View 1, which is for choosing, by a recognizer that none of them was trained against.

    python -m lowres_jax.pretrained.fetch dlib && pip install 'lowres-jax[judges]'
    python benchmarks/choose_upscaler.py --judge dlib --size 32 bicubic srresnet identity

Needs LFW prepared (configs/prepare_lfw.py). Of both lists of View 1 `--pairs` pairs are taken: the threshold is chosen
on the first list, accuracy (with its standard error) is that of the second. Identity cosine: of the templates of an
enlarged face and its original, with its standard error; it tells methods apart with far fewer images.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from lowres_jax.data.degradations import Degradation, default_config, footage
from lowres_jax.data.records import open_records
from lowres_jax.evaluation import image_quality
from lowres_jax.evaluation.validation import View1
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import environment
from lowres_jax.super_resolution.upscaler import enlarge_to, load_upscaler


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("upscalers", nargs="+")
    parser.add_argument("--judge", default="dlib")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument(
        "--footage", action="store_true", help="blurred, noisy and compressed, as compare_lfw.py:footage"
    )
    parser.add_argument("--data_dir", type=Path, default=environment.cache_folder() / "datasets")
    arguments = parser.parse_args()
    judge = load_recognizer(arguments.judge)
    degradation = Degradation.of(footage() if arguments.footage else default_config())

    def reduce(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        high = crops.astype(np.float32) / np.float32(255.0)
        return degradation.reduced(high, arguments.size, range(len(high))), high

    view1 = View1.load(open_records(arguments.data_dir / "lfw" / "mtcnn"), arguments.pairs, reduce)
    originals = judge.templates(view1.high)
    tested = len(view1.same[1])
    faces = f"{arguments.size} px" + (", footage" if arguments.footage else "")
    print(f"View 1, {tested} test pairs, {len(view1.low)} images, {faces}, judge {judge.name}")
    print("              accuracy (SE)   identity cosine (SE)   PSNR")

    def show(name: str, templates: np.ndarray, images: np.ndarray) -> None:
        accuracy = view1.accuracy_of(templates)
        error = (accuracy * (1 - accuracy) / tested) ** 0.5
        cosines = image_quality.identity_cosine(templates, originals)
        spread = cosines.std(ddof=1) / len(cosines) ** 0.5
        psnr = np.minimum(image_quality.psnr(images, view1.high), 100.0).mean()
        print(
            f"{name:12}  {accuracy:.3f} ({error:.3f})   {cosines.mean():.4f} ({spread:.4f})        {psnr:.2f}",
            flush=True,
        )

    show("HR", originals, view1.high)
    for name in arguments.upscalers:
        begin = time.monotonic()
        upscaler = load_upscaler(name)
        images = np.concatenate([enlarge_to(upscaler, part, 128) for part in np.array_split(view1.low, 8)])
        show(name, judge.templates(images), images)
        print(f"              {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
