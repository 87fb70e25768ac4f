"""Augmentation: from settings to parameters to images, and the plausibility of settings."""
