"""Training many adapters at once over one frozen base."""
