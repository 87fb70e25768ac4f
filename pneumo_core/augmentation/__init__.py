"""Augmentation: settings to parameters to images, and whether an X-ray could look like that."""
