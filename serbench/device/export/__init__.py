"""From a trained student to one file that needs nothing but ONNX Runtime."""
