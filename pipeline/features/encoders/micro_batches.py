"""Many calls of one row each, run together: what a graphics card wants and the callers do not know of.

A processor gains next to nothing from batches, so only encoders on such a card come here. Nobody waits for a batch to
fill: while one is running, the rows of the next gather.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from itertools import accumulate
from threading import Lock

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float32]


class MicroBatches:
    """Runs `run` on the rows of one or many callers, in the order in which they came; may be shared by threads.

    A batch has at most `most_rows` rows, or those of one caller who brings more. An error of a batch reaches all whose
    rows were in it.
    """

    def __init__(self, run: Callable[[Rows], Rows], most_rows: int) -> None:
        self._run = run
        self._most_rows = most_rows
        self._waiting: deque[tuple[Rows, Future[Rows]]] = deque()
        self._queue_lock = Lock()
        self._turn = Lock()

    def __call__(self, rows: Rows) -> Rows:
        """Return what `run` returns for `rows`, which has one row at least."""
        answer: Future[Rows] = Future()
        with self._queue_lock:
            self._waiting.append((rows, answer))
        with self._turn:
            while not answer.done():
                self._run_next()
        return answer.result()

    def _run_next(self) -> None:
        batch = self._take()
        ends = list(accumulate(len(rows) for rows, _ in batch))
        try:
            results = np.split(self._run(np.concatenate([rows for rows, _ in batch])), ends[:-1])
        except BaseException as error:  # noqa: BLE001 - it is raised again where the rows came from
            for _, answer in batch:
                answer.set_exception(error)
            return
        for (_, answer), result in zip(batch, results, strict=True):
            answer.set_result(result)

    def _take(self) -> list[tuple[Rows, Future[Rows]]]:
        with self._queue_lock:
            batch = [self._waiting.popleft()]
            count = len(batch[0][0])
            while self._waiting and count + len(self._waiting[0][0]) <= self._most_rows:
                batch.append(self._waiting.popleft())
                count += len(batch[-1][0])
        return batch
