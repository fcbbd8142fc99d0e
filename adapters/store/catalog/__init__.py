"""What exists in a store: the SQLite file, its tables, and every question and change it admits."""
