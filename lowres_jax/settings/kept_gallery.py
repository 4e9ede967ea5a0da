"""The keys of the task keep_gallery."""

from lowres_jax.config_keys import PLATFORM, Key
from lowres_jax.settings import identify

KEYS = {
    "platform": PLATFORM,
    "gallery": Key(None, "Kept gallery, NAME.gallery; made where there is none.", kind=str, needed="FOLDER"),
    "source": Key(
        None,
        "Folder of people to enroll, a subfolder with pictures for each, or one file each; None: nobody.",
        kind=str,
    ),
    "remove": Key(
        None, "Names of people to remove, separated by commas; a comma within a name is written \\,.", kind=str
    ),
    **{
        name: identify.KEYS[name]
        for name in ("detector", "look_again", "enroll", "upscaler", "weights", "small_face", "recognizer", "centering")
    },
}
