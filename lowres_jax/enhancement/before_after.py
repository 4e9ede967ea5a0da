"""Faces before and after, one over the other with a slider between, in one HTML file."""

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import jinja2
import numpy as np
from jaxtyping import Float, Shaped
from PIL import Image

from lowres_jax.data.images import to_uint8
from lowres_jax.utils import filenames
from lowres_jax.utils.files import write_atomically

_LARGEST = 900  # pixels a side
_SMALLEST = 256


@dataclass(frozen=True)
class Row:
    """A picture twice, of one size, as data for an HTML page.

    Attributes:
      title: title above the row.
      width: width of both pictures.
      height: height of both pictures.
      before: the pixels that were there, as a JPEG in base64.
      after: the result.
    """

    title: str
    width: int
    height: int
    before: str
    after: str


@dataclass
class Sheet:
    """The first pictures of a run.

    Attributes:
      most: largest number of pictures.
      rows: them.
    """

    most: int
    rows: list[Row] = field(default_factory=list)

    def add(self, title: str, before: Float[np.ndarray, "h w 3"], after: Shaped[np.ndarray, "H W 3"]) -> None:
        """Adds a picture while there is room.

        Args:
          title: title of the page.
          before: (h, w, 3) float32 in [0, 1].
          after: the enlarged face, float32 or uint8.
        """
        if len(self.rows) >= self.most:
            return
        height, width = after.shape[:2]
        factor = min(_LARGEST / max(height, width), max(1.0, _SMALLEST / max(height, width)))
        size = max(round(width * factor), 1), max(round(height * factor), 1)
        shown = after if after.dtype == np.uint8 else to_uint8(after)
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
        # Pixels stay squares: what was there, not what an interpolation makes of it.
        under = to_uint8(before)
        smaller = under.shape[1] > size[0]
        under = cv2.resize(under, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_NEAREST)
        self.rows.append(Row(filenames.printable(title), *size, _jpeg(under), _jpeg(shown)))


def write(path: Path, sheet: Sheet, caution: str) -> None:
    """Writes the page: no request to anywhere, and readable without a script too.

    Raises:
      UserError: the file cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lowres_jax", "report/templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    text = environment.get_template("before_after.html").render(rows=sheet.rows, caution=caution)
    with write_atomically(path) as file:
        file.write(text.encode(errors="replace"))


def _jpeg(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return base64.b64encode(buffer.getvalue()).decode()
