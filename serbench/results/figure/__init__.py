"""Figures, described as data: matplotlib draws them for files, and pages show them as SVG."""
