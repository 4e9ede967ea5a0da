"""Quality of a face against what it predicts: fits `matching.quality` on half of the people, and tries it on the rest.

    python benchmarks/face_quality.py --source ../shared/data/video_frames/video_frames.zip

Frames of videos are searched among LFW's first stills (5,749 people, SFace, the default upscalers, centered as identify
does), as they are and reduced to several sizes. Told are, for the people that nothing was fitted to, the area under the
ROC of "finds its person at FAR 1 %", and the share of faces that do not among those that are kept when the worst are
thrown away: by quality, by size alone, by the length of the embedding, by sharpness, by pose, and by how steady the
template is when the crop is mirrored and moved by a few pixels.
"""

import argparse
import itertools
from pathlib import Path

import cv2
import numpy as np
from scipy import optimize
from tqdm import tqdm

from lowres_jax.data import images
from lowres_jax.data.records import open_records
from lowres_jax.data.resize import downscale_area
from lowres_jax.evaluation import identification, video_search
from lowres_jax.evaluation.identification import threshold_at_far
from lowres_jax.evaluation.measurement import load_crop
from lowres_jax.localization import align, paste
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.localization.detector import Face, choose, load_detector
from lowres_jax.matching import quality
from lowres_jax.matching.centering import Centering
from lowres_jax.preparation.builders import video_frames
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import environment
from lowres_jax.settings.enhance import UPSCALER
from lowres_jax.super_resolution.upscaler import enlarge_to, load_upscaler_by_size

SIZES = (None, 48, 32, 24, 16)
KEPT = (1.0, 0.8, 0.6, 0.4)


def main() -> None:
    """Measures, fits, and prints the numbers for `matching.quality`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True)
    parser.add_argument("--frames", type=int, default=2, help="of each video")
    arguments = parser.parse_args()
    environment.enable_compilation_cache()
    detector, recognizer = load_detector("mtcnn"), load_recognizer("sface")
    upscalers = load_upscaler_by_size(UPSCALER.default)
    centering = Centering.of_cards(recognizer, upscalers)
    stills = open_records(environment.datasets_folder() / "lfw" / "mtcnn")
    people, first = np.unique(stills.names, return_index=True)
    number = {name: place for place, name in enumerate(people.tolist())}
    # LFW has these two under each other's name, and the videos of Kristin Scott show Kristin Scott Thomas.
    for name in ("Eduardo_Duhalde", "Carlos_Ruckauf", "Kristin_Scott"):
        number.pop(name)

    found, features, others, sizes, labels = [], [], [], [], []
    chosen = _frames(arguments.source, arguments.frames)
    for name, content in tqdm(chosen, desc="frames", unit="frame"):
        image = images.decode_image(content, name)
        face = choose(detector.detect(image), image.shape, "nearest_centre")
        if face is None or name not in number:
            continue
        native = paste.native_size(face, image.shape)
        for size in SIZES:
            if size is not None and size >= native:
                continue
            # A smaller picture of the same face: its aligned crop, reduced by area as a camera further away would.
            crop = align.crop_face(image, face)
            cut = paste.cut_face(image, face, native) if size is None else downscale_area(crop, size, size)
            small = size if size is not None else (0 if native >= 64 else native)
            enlarged = enlarge_to(upscalers.of(small), cut[None], CROP_SIZE) if small else crop[None]
            embedding = recognizer.embeddings(enlarged)
            template = embedding / np.linalg.norm(embedding)
            found.append(centering(template, upscalers.of(small) if small else None, small)[0])
            length = float(np.linalg.norm(embedding))
            features.append(quality.features(size or native, length))
            steady = float(np.mean(recognizer.templates(changed(enlarged[0])) @ template[0]))
            others.append((*measured(face, images.to_uint8(cut)), steady))
            sizes.append(size or 0)
            labels.append(number[name])
    gallery = []
    for start in tqdm(range(0, len(first), 32), desc="stills", unit="batch"):
        crops = np.stack([load_crop(stills, int(each)) for each in first[start : start + 32]])
        gallery.append(centering(recognizer.templates(crops), None, 0))
    probes, owner = np.stack(found), np.asarray(labels)
    statistics = identification.enrolled_search(probes, owner, np.concatenate(gallery), np.arange(len(people)))
    # One threshold for each size, as identify has.
    right = np.zeros(len(owner), bool)
    for size in set(sizes):
        own = np.asarray(sizes) == size
        part = identification.ProbeStatistics(*(getattr(statistics, each)[own] for each in statistics.__annotations__))
        right[own] = (part.rank == 1) & (part.mated_distance <= threshold_at_far(part, video_search.FAR))
    table, beside = np.asarray(features), np.asarray(others)
    fitting = owner % 2 == 0
    weights = fit(table[fitting], right[fitting])
    print(f"{len(owner):,} faces of {len(np.unique(owner))} people; {100 * right.mean():.1f} % find their person")
    print(f"weights {', '.join(f'{each:.3f}' for each in weights[:-1])}, constant {weights[-1]:.3f}")
    tried = ~fitting
    scores = {
        "quality": table @ weights[:-1] + weights[-1],
        "size": table[:, 0],
        "embedding's length": table[:, 1],
        "sharpness": beside[:, 0],
        "pose": -beside[:, 1],
        "steadiness": beside[:, 2],
    }
    print(f"{'of the other half':22}AUC    not found, of the best {', '.join(f'{each:.0%}' for each in KEPT)}")
    for name, score in scores.items():
        errors = []
        order = np.argsort(-score[tried], kind="stable")
        for share in KEPT:
            errors.append(1.0 - right[tried][order[: round(share * len(order))]].mean())
        area = auc(score[tried], right[tried])
        print(f"{name:22}{area:.3f}  {', '.join(f'{100 * each:.1f} %' for each in errors)}")
    more = np.concatenate([table, beside], axis=1)
    all_weights = fit(more[fitting], right[fitting])
    both = auc((more @ all_weights[:-1])[tried], right[tried])
    print(
        f"with sharpness, pose and steadiness besides: AUC {both:.3f}, weights "
        f"{', '.join(f'{each:.3f}' for each in all_weights)}"
    )
    said = 1.0 / (1.0 + np.exp(-scores["quality"][tried]))
    edges = np.linspace(0.0, 1.0, 6)
    for low, high in itertools.pairwise(edges):
        own = (said >= low) & (said <= high)
        if own.any():
            print(f"quality {low:.1f} to {high:.1f}: {own.sum():5} faces, {100 * right[tried][own].mean():.1f} % found")


def measured(face: Face, cut: np.ndarray) -> tuple[float, float]:
    """What else may tell: sharpness of the face at 32 px, and how far its nose is aside, in distances of the eyes."""
    side = min(32, cut.shape[0])
    grey = cv2.cvtColor(cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    grey = grey.astype(np.float32)
    slopes = np.mean(np.diff(grey, axis=0) ** 2) + np.mean(np.diff(grey, axis=1) ** 2)
    if face.landmarks is None:
        return float(np.log(slopes + 1.0)), 0.0
    left, right, nose = face.landmarks[:3].astype(np.float64)
    between = right - left
    aside = abs(float((nose - (left + right) / 2) @ between)) / max(float(between @ between), 1e-6)
    return float(np.log(slopes + 1.0)), aside


def changed(crop: np.ndarray) -> np.ndarray:
    """(4, H, W, 3): a crop mirrored, moved by 3 pixels to the right and down, and made smaller by a twentieth."""
    side = len(crop)
    moved = [np.float32([[1, 0, 3], [0, 1, 0]]), np.float32([[1, 0, 0], [0, 1, 3]])]
    smaller = np.float32([[0.95, 0, 0.025 * side], [0, 0.95, 0.025 * side]])
    warped = [cv2.warpAffine(crop, each, (side, side), borderMode=cv2.BORDER_REPLICATE) for each in (*moved, smaller)]
    return np.stack([crop[:, ::-1], *warped])


def fit(table: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Weights and constant of a logistic regression."""
    table = np.concatenate([table, np.ones((len(table), 1))], axis=1)
    sign = np.where(right, 1.0, -1.0)
    found = optimize.minimize(lambda each: np.logaddexp(0.0, -sign * (table @ each)).mean(), np.zeros(table.shape[1]))
    return found.x


def auc(score: np.ndarray, right: np.ndarray) -> float:
    """Area under the ROC."""
    ranks = np.argsort(np.argsort(score, kind="stable"), kind="stable") + 1.0
    positive = int(right.sum())
    return float((ranks[right].sum() - positive * (positive + 1) / 2) / (positive * (len(right) - positive)))


def _frames(source: str, count: int) -> list[tuple[str, bytes]]:
    """(person, encoded picture) of so many frames of each video."""
    seen: dict[str, int] = {}
    found = []
    for photograph in video_frames.photographs(str(Path(source))).read():
        video = video_frames.video_of(photograph.source)
        seen[video] = seen.get(video, 0) + 1
        if seen[video] <= count:
            found.append((photograph.name, photograph.content))
    return found


if __name__ == "__main__":
    main()
