"""What the Evaluate page is made of."""
