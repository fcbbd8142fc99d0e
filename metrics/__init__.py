"""Measures as pure functions: frames and arrays in, numbers and frames out."""
