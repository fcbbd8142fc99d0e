"""Group opinion over time, simulated against real: measures, and what others have printed."""
