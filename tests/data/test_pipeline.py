"""Batches: the position follows from the step, whatever the number of processes and stops."""

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_records import write_set

from lowres_jax.data import pipeline
from lowres_jax.data.records import RecordSource, open_records
from lowres_jax.utils import streams


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> RecordSource:
    """Ten records; the picture of record n is n everywhere."""
    crops = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None, None], (10, 8, 8, 3))
    return open_records(write_set(tmp_path_factory.mktemp("set") / "made", crops, labels=[n // 2 for n in range(10)]))


def flat(batches: Any, count: int) -> list[int]:
    return [index for batch in indices(batches, count) for index in batch]


def indices(batches: Any, count: int) -> list[list[int]]:
    return [next(batches)["index"].tolist() for _ in range(count)]


def test_a_batch_holds_what_its_indices_say(source: RecordSource) -> None:
    batch = next(pipeline.batches(source, 4, seed=0))

    assert batch["image"].shape == (4, 8, 8, 3)
    assert batch["image"][:, 0, 0, 0].tolist() == batch["index"].tolist()
    assert batch["label"].tolist() == [n // 2 for n in batch["index"].tolist()]


def test_every_epoch_brings_every_record_once_in_another_order(source: RecordSource) -> None:
    seen = flat(pipeline.batches(source, 4, seed=3), 5)

    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]
    assert seen == flat(pipeline.batches(source, 4, seed=3), 5)
    assert seen != flat(pipeline.batches(source, 4, seed=4), 5)


def test_a_start_in_the_middle_goes_on_as_if_never_stopped(source: RecordSource) -> None:
    straight = indices(pipeline.batches(source, 4, seed=1), 9)

    assert indices(pipeline.batches(source, 4, seed=1, start=6), 3) == straight[6:]


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_divide_each_batch(source: RecordSource, processes: int) -> None:
    """Ten records over three processes gave 4, 4 and 3 batches of an epoch once; a collective would hang."""

    def noisy(crop: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
        return {"image": crop, "noise": generator.normal(size=2)}

    def all_of(process: int, processes: int) -> list[dict[str, np.ndarray]]:
        found = pipeline.batches(source, 6, seed=0, transform=noisy, process=process, processes=processes)
        return [next(found) for _ in range(5)]

    whole = all_of(0, 1)
    shares = [all_of(process, processes) for process in range(processes)]
    for step in range(5):
        for name, rows in whole[step].items():
            np.testing.assert_array_equal(np.concatenate([share[step][name] for share in shares]), rows)


def test_randomness_is_of_step_and_row(source: RecordSource) -> None:
    def draw(crop: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
        return {"drawn": generator.integers(0, 2**62, ())}

    found = pipeline.batches(source, 4, seed=5, transform=draw)
    first, second = next(found)["drawn"], next(found)["drawn"]
    assert len({*first.tolist(), *second.tolist()}) == 8
    expected = [int(streams.generator(5, "row", 1, row).integers(0, 2**62, ())) for row in range(4)]
    assert second.tolist() == expected
    np.testing.assert_array_equal(next(pipeline.batches(source, 4, seed=5, transform=draw, start=1))["drawn"], second)


def test_a_subset_of_records(source: RecordSource) -> None:
    seen = flat(pipeline.batches(source, 2, seed=0, positions=np.asarray([9, 4])), 3)

    assert [sorted(seen[at : at + 2]) for at in (0, 2, 4)] == [[4, 9]] * 3


def test_threads_do_not_change_the_order(source: RecordSource) -> None:
    one = indices(pipeline.batches(source, 3, seed=0, threads=1), 12)

    assert indices(pipeline.batches(source, 3, seed=0, threads=4), 12) == one


def test_no_records_to_take_is_no_endless_loop(tmp_path: Path, source: RecordSource) -> None:
    with pytest.raises(ValueError, match="no records to read"):
        next(pipeline.batches(source, 2, seed=0, positions=np.zeros(0, np.int64)))


def test_the_source_can_be_sent_to_worker_processes(source: RecordSource) -> None:
    sent = pickle.loads(pickle.dumps(source))

    np.testing.assert_array_equal(sent.crops(np.arange(3))[0], source.crops(np.arange(3))[0])
    assert (len(sent), repr(sent)) == (len(source), repr(source))


def test_memory_does_not_grow_with_the_batches(source: RecordSource) -> None:
    found = pipeline.batches(source, 4, seed=0)
    next(found)
    tracemalloc.start()
    sizes = []
    for _ in range(6):
        for _ in range(50):
            next(found)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes[3:]) < max(sizes[:3]) + 1e6
