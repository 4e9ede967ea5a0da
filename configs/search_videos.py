"""What several frames of a face are worth: stills enrolled, videos searched, one frame against all of them.

    python -m lowres_jax.main --config=configs/prepare_video_frames.py --config.source=FOLDER_OR_ZIP
    python -m lowres_jax.main --config=configs/search_videos.py

Needs LFW, whose people's first pictures are enrolled (configs/prepare_lfw.py), and frames of videos of some of them,
which are enlarged as they are and reduced. Writes video_search.json and .csv. What was measured: docs/clips.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import videos


def get_config() -> ConfigDict:
    """Returns the config of the search."""
    return config_keys.new(videos.KEYS, "search_videos")
