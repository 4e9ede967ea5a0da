"""The keys of the task serve."""

from lowres_jax.config_keys import PLATFORM, Key
from lowres_jax.settings import identify
from lowres_jax.settings.enhance import DETECTOR, UPSCALER

KEYS = {
    "platform": PLATFORM,
    "host": Key("127.0.0.1", "Address to listen at; any but this machine's own requires the token."),
    "port": Key(8765, "Port; 0: a free one.", least=0, most=65535),
    "token": Key(None, "Token that other machines have to give; None: one is drawn and printed.", kind=str),
    "hosts": Key(
        (),
        "Names by which a proxy in front of it is asked, as faces.example.org; then everybody gives the token.",
        kind=str,
    ),
    "path": Key(None, "Path below which a proxy shows the page, as /faces; None: at the top.", kind=str),
    "gallery": Key(None, "Folder of known people, or a kept gallery, who can be searched without an upload.", kind=str),
    "open": Key(True, "Open the page in the browser, where there is a screen."),
    "upscaler": UPSCALER,
    "detector": DETECTOR,
    "far": identify.KEYS["far"],
    "least_found": identify.KEYS["least_found"],
    "most_megabytes": Key(32, "Size of the largest upload, in megabytes.", least=1, most=4096),
    "most_megapixels": Key(40, "Size of the largest photograph, in megapixels.", least=1, most=178),
    "most_known": Key(500, "Largest number of pictures of known people in one upload.", least=1),
    "most_frames": Key(600, "Length of the longest clip, in frames.", least=1),
    "waiting": Key(
        16, "Length of the queue of requests; when the queue is full, more are asked to come back.", least=1
    ),
}
