"""From an image to a prediction, with ONNX alone."""
