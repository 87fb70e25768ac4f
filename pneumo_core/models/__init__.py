"""Keras models and their export. Imported by `training` and `worker` only: nothing else may load a training framework."""
