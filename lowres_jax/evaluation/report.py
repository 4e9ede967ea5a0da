"""The report: one self-contained HTML page, and the table in the terminal."""

from pathlib import Path

from lowres_jax.errors import UserError
from lowres_jax.evaluation import page
from lowres_jax.evaluation.report_data import Curve, GridFace, ReportData, TurnedPair
from lowres_jax.evaluation.table import print_table

__all__ = ["Curve", "GridFace", "ReportData", "TurnedPair", "print_table", "write_report"]


def write_report(path: str | Path, data: ReportData) -> None:
    """Writes the report as one HTML file that needs nothing else: no script, no request to anywhere.

    Args:
      path: file to write; its folder is made. Written whole or not at all.
      data: what to show; missing parts are left out or named as missing.

    Raises:
      UserError: rows that cannot be read (see `table.group_rows`), or a path that cannot be written.
    """
    path = Path(path)
    content = page.render(data)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: the report cannot be written ({error.strerror})") from error
    finally:
        if temporary.exists():
            temporary.unlink()
