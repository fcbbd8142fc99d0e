"""Adapters in and out: PEFT folders and archives for another machine."""
