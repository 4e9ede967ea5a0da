"""Requests, one after the other: models want all cores, and memory is bounded by how many may wait."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

from lowres_jax.runtime import signals


class FullError(Exception):
    """As many wait as may."""


class Line:
    """One thread that works, and a bounded number of requests that wait for it."""

    def __init__(self, waiting: int):
        """Begins with nobody waiting.

        Args:
          waiting: length of the queue, beside the one that is worked on.
        """
        self._most = waiting + 1
        self._count = 0
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="models")

    async def run(self, work: Callable[[], Any], gone: Callable[[], Any]) -> Any:
        """Runs some work when its turn comes; what nobody waits for any more is left out, or ends.

        Args:
          work: function to call.
          gone: coroutine function that tells whether who asked has gone.

        Returns:
          What the work gives; None for who has gone.

        Raises:
          FullError: as many wait as may.
        """
        if self._count >= self._most:
            raise FullError
        self._count += 1
        abandoned = threading.Event()

        def run() -> Any:
            with signals.abandoned_when(abandoned.is_set):
                return work()

        future = asyncio.get_running_loop().run_in_executor(self._thread, run)
        future.add_done_callback(self._leave)
        while True:
            done, _ = await asyncio.wait([future], timeout=0.5)
            if done:
                return future.result()
            if await gone():
                # What has begun ends at its next check, and makes room then.
                abandoned.set()
                future.cancel()
                return None

    def _leave(self, future: Any) -> None:
        self._count -= 1
        if not future.cancelled():
            future.exception()  # looked at, whoever asked may have gone

    def close(self) -> None:
        """Lets go of who waits."""
        self._thread.shutdown(wait=False, cancel_futures=True)
