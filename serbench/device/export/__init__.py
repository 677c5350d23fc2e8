"""Exports a trained student as one file that needs only ONNX Runtime."""
