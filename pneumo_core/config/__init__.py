"""What describes a run: settings of a classifier and of a DCGAN, presets, networks, limits, and the run's id."""
