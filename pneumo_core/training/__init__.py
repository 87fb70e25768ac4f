"""Training of classifiers and DCGANs in Keras; only the worker imports it."""
