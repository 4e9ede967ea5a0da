"""Whose picture a file is, by one rule everywhere: the first folder below the root names the person.

A file beside the folders is a person of its own, by its name without the ending. What lies deeper, as the albums of
one person, changes nothing.
"""

from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath

from lowres_jax.errors import UserError
from lowres_jax.utils import filenames


def person_names(relatives: Sequence[PurePath], where: Path | str) -> list[str]:
    """The person of each picture.

    Args:
      relatives: paths of the pictures below the root.
      where: name of the root in messages.

    Raises:
      UserError: two names look the same.
    """
    names = [each.parts[0] if len(each.parts) > 1 else each.stem for each in relatives]
    shown = told_apart(names, where)
    return [shown[name] for name in names]


def told_apart(names: Sequence[str], where: Path | str) -> dict[str, str]:
    """Names of folders and files -> the people's names; these have one Unicode form.

    Raises:
      UserError: two names look the same: they differ in their Unicode form or in white space alone.
    """
    shown, appearances = {}, dict[str, str]()
    for name in dict.fromkeys(names):
        other = appearances.setdefault(filenames.appearance(name), name)
        if other != name:
            raise UserError(
                f"{where}: {filenames.printable(other)!a} and {filenames.printable(name)!a} cannot be told apart as "
                "names of people; rename one, or put their pictures together"
            )
        shown[name] = filenames.of_person(name)
    return shown


def without_wrapper(relatives: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Paths below the folder that holds a data set's people: folders that hold all of them are left out.

    An archive has one around everything, as lfw/. A set of one person would be of no use, so that a folder that holds
    nothing but folders is no person's.
    """
    paths = list(relatives)
    while paths and len({each.parts[0] for each in paths}) == 1 and all(len(each.parts) > 2 for each in paths):
        paths = [PurePosixPath(*each.parts[1:]) for each in paths]
    return paths
