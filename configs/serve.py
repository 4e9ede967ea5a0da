"""Open a page in the browser: photographs dropped, faces enlarged, people identified; the same as an API.

    python -m lowres_jax.main --config=configs/serve.py --config.gallery=KNOWN_PEOPLE

Needs the extra "web" (pip install 'lowres-jax[web]'). What it does and keeps: docs/page.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import serve


def get_config() -> ConfigDict:
    """Returns the config of the server."""
    config = config_keys.new(serve.KEYS, "serve")
    config.host, config.port = "127.0.0.1", 8765
    config.gallery = None
    config.upscaler = ("identity", "identity_x8")
    config.far = 0.01
    return config
