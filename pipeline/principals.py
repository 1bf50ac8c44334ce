"""Who asks, and what they may see. Every workflow takes a Principal."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Principal:
    """A person or program. `libraries` are the ones they may see; None means all of them."""

    name: str
    libraries: frozenset[str] | None = None

    def may_see(self, library: str) -> bool:
        """Whether pictures of `library` exist for this principal."""
        return self.libraries is None or library in self.libraries


OWNER = Principal("owner")
"""The person at the machine: on loopback they own everything."""
