"""Which adapters are where: on the shelf, in the server's memory, in its slots; and which requests may start."""
