"""The report: one self-contained HTML page, and the table in the terminal."""

from pathlib import Path

from lowres_jax.evaluation import page
from lowres_jax.evaluation.report_data import Curve, GridFace, ReportData, TurnedPair
from lowres_jax.evaluation.table import print_table
from lowres_jax.files import write_atomically

__all__ = ["Curve", "GridFace", "ReportData", "TurnedPair", "print_table", "write_report"]


def write_report(path: str | Path, data: ReportData) -> None:
    """Writes the report as one HTML file that needs nothing else: no script, no request to anywhere.

    Args:
      path: file to write; its folder is made. Written whole or not at all.
      data: what to show; missing parts are left out or named as missing.

    Raises:
      UserError: rows that cannot be read (see `table.group_rows`), or a path that cannot be written.
    """
    content = page.render(data).encode()
    with write_atomically(path) as file:
        file.write(content)
