"""Getting a base: weights out of a package, or a model folder from the hub where there is a network."""
