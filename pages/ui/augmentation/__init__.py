"""Parts of the Augmentation page."""
