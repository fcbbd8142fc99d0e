"""Training whole mixture-of-experts bases: rows, the loop, balance of experts, held-out losses."""
