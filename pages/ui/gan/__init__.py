"""Parts of the GAN lab page."""
