"""Many revisions in one file: layout, writing, reading, and moving revisions in and out."""
