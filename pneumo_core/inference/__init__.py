"""Use of finished runs with ONNX: predictions, evidence, comparisons and generated images."""
