"""What may go and what is broken: garbage collection, and `fsck`."""
