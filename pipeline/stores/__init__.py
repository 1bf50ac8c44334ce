"""Where things are kept. The scheme of an address picks the implementation."""
