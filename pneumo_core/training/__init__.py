"""The training stories, in Keras; imported by the worker only."""
