"""The engine of time: scenario, step loop, platform, run directory, experiment grid, command line."""
