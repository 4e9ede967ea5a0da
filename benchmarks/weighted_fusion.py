"""Ways to weight the frames of a video in its mean template, where frames are alike and where their sizes differ.

    python benchmarks/weighted_fusion.py --label_errors ../shared/data/lfw/label_errors.json

Videos (lowres-jax --config=prepare_video_frames) are searched among LFW's first stills by SFace, centered as identify
does: all frames at native size, at 32 and at 16 px, and mixed, as of somebody who comes nearer: the first two at 16 px,
two at 32 px and the last one at native size. Weights are powers of the length of SFace's embedding, and the quality
that `identify` tells. DIR at FAR 1 %, differences to the plain mean with intervals, people resampled.
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lowres_jax.data.records import open_records
from lowres_jax.data.resize import downscale_area
from lowres_jax.evaluation import bootstrap, identification, video_search
from lowres_jax.evaluation.measurement import load_crop
from lowres_jax.evaluation.protocols import LabelErrors
from lowres_jax.evaluation.video_search import Videos
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.matching import quality
from lowres_jax.matching.centering import Centering
from lowres_jax.preparation.builders.video_frames import video_of
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import environment
from lowres_jax.settings.enhance import UPSCALER
from lowres_jax.super_resolution.upscaler import enlarge_to, load_upscaler_by_size

# 0: as it is. The mixed ones take these in turn over a video's frames.
SIZES = (0, 32, 16)
MIXED = (16, 16, 32, 32, 0)
# Kristin Scott's videos show Kristin Scott Thomas.
LEFT_OUT = "Kristin_Scott"
_BATCH = 32


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label_errors", required=True, type=Path)
    parser.add_argument("--resamples", type=int, default=1000)
    arguments = parser.parse_args()
    environment.enable_compilation_cache()
    folder = environment.datasets_folder()
    frames, stills = open_records(folder / "video_frames" / "mtcnn"), open_records(folder / "lfw" / "mtcnn")
    recognizer, upscalers = load_recognizer("sface"), load_upscaler_by_size(UPSCALER.default)
    centering = Centering.of_cards(recognizer, upscalers)

    people, first = np.unique(stills.names, return_index=True)
    number = {name: place for place, name in enumerate(people.tolist())}
    for name, other in LabelErrors.read(arguments.label_errors).same_person.items():
        if name in number and other in number:
            number[name] = number[other]
    owners = np.asarray([number[name] for name in people.tolist()])
    labels = np.asarray([-1 if name == LEFT_OUT else number.get(name, -1) for name in frames.names.tolist()])
    videos = Videos.of(labels, [video_of(each) for each in frames.sources], frames.detected & (labels >= 0))
    # Videos with a face in all five frames only, so that the mixture is the same in each.
    whole = [len(own) == len(MIXED) for own in videos.frames]
    videos = Videos(videos.labels[whole], [own for own, here in zip(videos.frames, whole, strict=True) if here])
    used = np.sort(np.concatenate(videos.frames))

    templates, lengths = {}, {}
    for size in SIZES:
        parts = []
        for start in tqdm(range(0, len(used), _BATCH), desc=f"{size or 'native'}", unit="batch"):
            crops = np.stack([load_crop(frames, int(each)) for each in used[start : start + _BATCH]])
            if size:
                small = np.stack([downscale_area(crop, size, size) for crop in crops])
                crops = enlarge_to(upscalers.of(size), small, CROP_SIZE)
            parts.append(quality.templates_and_lengths(recognizer, crops))
        found = np.concatenate([each for each, _ in parts])
        templates[size] = np.zeros((len(labels), found.shape[1]), np.float32)
        templates[size][used] = centering(found, upscalers.of(size) if size else None, size)
        lengths[size] = np.zeros(len(labels))
        lengths[size][used] = np.concatenate([each for _, each in parts])
    parts = []
    for start in tqdm(range(0, len(first), _BATCH), desc="stills", unit="batch"):
        crops = np.stack([load_crop(stills, int(each)) for each in first[start : start + _BATCH]])
        parts.append(centering(recognizer.templates(crops), None, 0))
    gallery = np.concatenate(parts)

    draws = bootstrap.draw_counts(len(np.unique(videos.labels)), arguments.resamples, 0)
    print(f"{len(videos.frames)} videos of {len(np.unique(videos.labels))} people among {len(people):,}")
    for name, sizes in (*((str(size or "native"), (size,) * len(MIXED)) for size in SIZES), ("mixed", MIXED)):
        own, length, told = np.zeros_like(templates[0]), np.zeros(len(labels)), np.zeros(len(labels))
        for video in videos.frames:
            for place, size in zip(video, sizes, strict=True):
                own[place], length[place] = templates[size][place], lengths[size][place]
                # How large the faces of the prepared crops were is not known: as large as a crop.
                told[place] = quality.quality(size or CROP_SIZE, length[place])
        ways = {
            "plain mean": None,
            "by length": length,
            "by length^2": length**2,
            "by length^4": length**4,
            "by quality": told,
            "by quality^2": told**2,
            "best by quality": None,
        }
        reference = None
        for way, weights in ways.items():
            fused = (
                video_search.best(own, videos, told)
                if way.startswith("best")
                else video_search.mean(own, videos, weights)
            )
            statistics = identification.enrolled_search(fused, videos.labels, gallery, owners)
            found = video_search.estimate(statistics, videos.labels, draws)
            low, high = bootstrap.interval(found.samples["dir_at_far_1e-2"])
            line = f"{name:8}{way:18}{100 * found.metrics['dir_at_far_1e-2']:5.1f} [{100 * low:.1f}, {100 * high:.1f}]"
            if reference is None:
                reference = found
            else:
                for metric in ("dir_at_far_1e-2", "rank1"):
                    value, low, high = bootstrap.difference(found, reference, metric)
                    line += f"  {metric} {100 * value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
            print(f"{line}  rank 1 {100 * found.metrics['rank1']:.1f}")


if __name__ == "__main__":
    main()
