"""The Engine protocol, the engines that keep it, and the wrappers around them."""
