"""What a person may want to see of runs, as frames: read from run directories and stores, without any model."""
