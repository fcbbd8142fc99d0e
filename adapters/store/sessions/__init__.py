"""Training state apart from revisions, with one writer at a time."""
