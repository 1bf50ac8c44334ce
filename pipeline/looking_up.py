"""Looking up the name of a host within a time that is set: the resolver of the system takes as long as it likes."""

import socket
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

Resolve = Callable[[str], Sequence[str]]
"""From the name of a host to its numbers as text, best first. Raises OSError."""


def resolve(host: str) -> list[str]:
    """Return the numbers that a name stands for at this moment, as the machine prefers them. Raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]).partition("%")[0] for *_, place in found))


def looked_up(host: str, seconds: float, resolve: Resolve = resolve) -> list[str]:
    """Return the numbers of a name, asked for in a thread that is left behind when it takes longer.

    Raises OSError, of which TimeoutError is one, and UnicodeError for what cannot be a name.
    """
    answers: SimpleQueue[Sequence[str] | OSError | UnicodeError] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(host))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty as error:
        raise TimeoutError(f"{host} was not resolved in time") from error
    if isinstance(answer, OSError | UnicodeError):
        raise answer
    return list(answer)
