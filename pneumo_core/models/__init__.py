"""Keras models and their export. Only `training` and `worker` import it: nothing else may load a training framework."""
