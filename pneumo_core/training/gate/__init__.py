"""The gate's training: which images it learns from, how they are disturbed, and the fit."""
