"""What agents carry: adapters, the bases under them, the store that keeps them, the engines that run them."""
