"""What the GAN lab page is made of."""
